"""Content-addressed files, atomic writing, digests of logical content and of code."""

from .atomic import replacing, replacing_folder, write_json, write_text
from .digest import digest, seed_from, stage_digest
from .entries import Store, Usage

__all__ = [
    "Store", "Usage", "digest", "replacing", "replacing_folder", "seed_from", "stage_digest",
    "write_json", "write_text",
]  # fmt: skip
