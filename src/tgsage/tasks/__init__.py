"""Labelled images of any layout -> one task with three disjoint parts: train, validation, test.

Readers are imported only when a source asks for them, so that the digest of one source's stage does not
contain the code of another.
"""

from .files import load, save
from .sources import make, raw_files, stage_modules, write
from .task import Part, Task, image_hashes

__all__ = ["Part", "Task", "image_hashes", "load", "make", "raw_files", "save", "stage_modules", "write"]
