"""Where downloaded data and the cards of data sets are."""

from __future__ import annotations

from pathlib import Path

from ..store.contents import OWN_FOLDER, data_root

__all__ = ["card_files", "data_root"]


def card_files() -> dict[str, Path]:
    """Return the files of all cards by name: those of the package, and your own in ``neural_data``."""
    folders = (Path(__file__).parent / "data_cards", OWN_FOLDER)
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}
