"""Cards describe published data sets: what is known, where the files come from, and how they are read."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import Annotated

import xarray as xr
import yaml
from pydantic import ValidationError, field_validator

from ..errors import TgsageError, unknown
from ..plugins import Choice, Field, Section
from .assembly_files import read_assembly, read_stimuli
from .make_recordings import make_published_rdm, read
from .places import card_files, data_root
from .settings import RecordingsSettings


class CardFile(Section):
    """One file of a data set."""

    path: str
    """Where it belongs under the data folder."""
    url: str | None = None
    """Where it is published."""
    version_id: str | None = None
    """Version of the object, if its store keeps versions."""
    sha256: str | None = None
    sha1: str | None = None
    bytes: int | None = Field(default=None, ge=0)
    """Size of the file, if it is known."""
    unpack: str | None = None
    """Folder under the data folder into which a fetched archive is unpacked; null leaves it packed."""
    as_published: bool = True
    """Whether the digest is of the file that its authors published."""
    note: str = ""

    @field_validator("path", "unpack")
    @classmethod
    def _inside(cls, path: str | None) -> str | None:
        if path is not None:
            inner = PurePosixPath(path)
            if not inner.parts or inner.is_absolute() or ".." in inner.parts or set(path) & set("\\:"):
                raise ValueError(f"must lie under the data folder, not {path!r}")
        return path


class Region(Section):
    """What was recorded where."""

    sites: int | str
    """Number of sites, or a note on how to obtain it."""
    animals: list[str] = Field(default_factory=list)


class Card(Section):
    """A published data set."""

    name: str
    title: str
    citation: str
    doi: str
    licence: str
    """As its publishers state it."""
    url: str
    obtain: str
    """How to get it, in a sentence or two."""
    species: str
    regions: dict[str, Region]
    window_ms: tuple[float, float] | None
    """Time window of the published responses after stimulus onset; null if it is not published."""
    window_note: str = ""
    visual_degrees: float | None
    """Side of the stimuli; null if it is not published."""
    visual_degrees_note: str = ""
    stimuli: str
    repeats: str
    units: str
    files: list[CardFile]
    limits: list[str] = Field(default_factory=list)
    """What a study with these data can and cannot reproduce."""
    source: Annotated[RecordingsSettings, Choice("recordings")]
    """Settings that read it; they may be copied into a config under ``recordings``."""


def card_names() -> list[str]:
    """Return the names of all cards: those of tgsage, and your own in ``neural_data``."""
    return sorted(card_files())


def card(name: str) -> Card:
    """Read the card of a published data set, one of :func:`card_names`.

    Raises
    ------
    TgsageError
        If there is no such card, or it is not valid.
    """
    files = card_files()
    if name not in files:
        raise unknown("data set", name, files)
    path = files[name]
    try:
        content = Card.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise TgsageError(f"{path}: not valid YAML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise TgsageError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if content.name != name:
        raise TgsageError(f"{path}: is the card of {content.name!r}; name and file name have to agree")
    return content


def load(path_or_card: str | os.PathLike[str]) -> xr.DataArray:
    """Load an assembly: a netCDF file of tgsage or BrainIO, or a data set by the name of its card.

    Parameters
    ----------
    path_or_card
        E.g. ``"results/demo/recordings/V4/assembly.nc"``, or ``"cowley2023"``, which is read from the
        data folder (see :func:`data_root`) with the settings of its card.

    Returns
    -------
    xarray.DataArray
        (neuroid, presentation[, time_bin]), e.g. (50, 4840, 1): neuroid_id, region, animal on neuroid;
        stimulus_id, repetition on presentation; whatever else the file has. Counts or rates; see
        :func:`units`.

    Raises
    ------
    TgsageError
        If there is no such file or card, the file is damaged, or the data set has RDMs only.
    """
    named = _named(path_or_card)
    return read_assembly(path_or_card) if named is None else read(named.source)[0]


def load_stimuli(path_or_card: str | os.PathLike[str]) -> xr.Dataset:
    """Load stimuli: ``stimuli.h5``, or those of a data set by the name of its card.

    Returns
    -------
    xarray.Dataset
        ``images`` uint8 (stimulus, y, x, rgb); coordinates ``stimulus_id``, ``category`` and the other
        columns on stimulus; attribute ``visual_degrees``, the side of an image in degrees.

    Raises
    ------
    TgsageError
        If there is no such file or card, or a file is damaged.
    """
    named = _named(path_or_card)
    if named is None:
        return read_stimuli(path_or_card)
    return (make_published_rdm if named.source.rdm_only else read)(named.source)[1]


def verify(name: str, root: str | os.PathLike[str] | None = None) -> dict[str, str]:
    """Compare downloaded files with the digests on a card.

    ``root`` is the folder of downloaded data, as for :func:`data_root`.

    Returns
    -------
    dict
        For every file ``"matches"``, ``"differs"``, ``"absent"``, or ``"unknown"`` where the card has no
        digest.
    """
    folder = data_root(root)
    states: dict[str, str] = {}
    for file in card(name).files:
        path, expected = folder / file.path, expected_digest(file)
        if not path.is_file():
            states[file.path] = "absent"
        elif expected is None:
            states[file.path] = "unknown"
        else:
            states[file.path] = "matches" if file_digest(path, expected[0]) == expected[1] else "differs"
    return states


def expected_digest(file: CardFile) -> tuple[str, str] | None:
    """Return the algorithm and the hexadecimal digest of a file, or None if the card has no digest of it."""
    if file.sha256 is not None:
        return "sha256", file.sha256.lower()
    return ("sha1", file.sha1.lower()) if file.sha1 is not None else None


def file_digest(path: Path, algorithm: str) -> str:
    """Return the hexadecimal digest of a file's bytes."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, algorithm).hexdigest()


def _named(path_or_card: str | os.PathLike[str]) -> Card | None:
    """Return the card of this name, or None if this is a path."""
    given = str(path_or_card)
    if isinstance(path_or_card, Path) or Path(given).suffix or "/" in given or Path(given).is_file():
        return None
    return card(given)
