"""HDF5 files that somebody else made may point to other files; such pointers are refused, not followed.

An HDF5 file can make its reader open any file of the machine, in three ways: an external link, a data set
whose bytes lie in a raw file, and a virtual data set that is composed of other files' data sets. Recordings
come as one file, so each of them is an error.
"""

from __future__ import annotations

from pathlib import Path

import h5py

from .errors import TgsageError


def refuse_links(path: Path) -> None:
    """Check that an HDF5 file refers to no other file. Links within the file are let through.

    Nothing that a link points to is opened.

    Raises
    ------
    TgsageError
        If the file is missing, is no HDF5 file or is damaged; if it has an external link, a data set with
        external storage or a virtual data set. The message names the object in the file.
    """
    if not path.is_file():
        raise TgsageError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            pointer = _pointer(file)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise TgsageError(f"{path}: cannot be read as HDF5, truncated or damaged ({error})") from None
    if pointer is not None:
        name, what = pointer
        raise TgsageError(
            f"{path}: {name} {what}, which is not followed; do not trust this file, or have it written anew "
            "with everything inside"
        )


def _pointer(file: h5py.File) -> tuple[str, str] | None:
    """The first object that points to another file, and how."""

    def link(name: bytes, info: h5py.h5l.LinkInfo) -> tuple[str, str] | None:
        if info.type in (h5py.h5l.TYPE_HARD, h5py.h5l.TYPE_SOFT):
            return None
        return name.decode("utf-8", "replace"), "is a link to another file"

    def item(name: str, node: h5py.Group | h5py.Dataset) -> tuple[str, str] | None:
        if not isinstance(node, h5py.Dataset):
            return None
        if node.id.get_create_plist().get_external_count():
            return name, "has its values in another file"
        return (name, "is a virtual data set, composed of others") if node.is_virtual else None

    # Both walk over the hard links of the whole file, and stop at the first result that is not None.
    pointer: tuple[str, str] | None = file.id.links.visit(link, info=True) or file.visititems(item)
    return pointer
