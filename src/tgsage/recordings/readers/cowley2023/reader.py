"""V4 spike counts of Cowley, Stan, Pillow and Smith 2023, as their repository has them.

``images/images_<session>.zip`` holds image0001.jpg, image0002.jpg, ...;
``responses_repeat_averaged/responses_<session>.npy`` mean counts (neurons, images);
``responses_raw/responses_<session>.npy`` counts (neurons, images, repetitions), where NaN means that there
was no such repetition. Image number i belongs to row i - 1. Counts are of 100 ms bins; the start of the bin
is not part of the published files.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ....archives import open_archive
from ....errors import TgsageError
from ...assembly import make_stimuli

if TYPE_CHECKING:
    from .plugin import Cowley2023Recordings

FOLDERS = {"averaged": "responses_repeat_averaged", "raw": "responses_raw"}
ANIMALS = (("190923", "190929", "WE"), ("201016", "210326", "PE"), ("210620", "211103", "RA"))
"""First and last session of each animal (data_V4_responses/readme.txt of the published repository)."""
UNKNOWN_ANIMAL = "monkey"
AVERAGED_REPEATS = {
    "190923": 14, "201016": 6, "201025": 12, "210224": 9, "210225": 6, "210305": 22, "210322": 4, "210325": 8,
    "210621": 16, "211022": 20,
}  # fmt: skip
"""Mean number of repetitions per image, rounded, of the sessions that have images or raw counts (ibid.)."""


def read(settings: Cowley2023Recordings, root: Path) -> tuple[xr.DataArray, xr.Dataset, str]:
    """Read one session.

    Returns
    -------
    tuple
        The assembly (neuroid, presentation), region V4, neuroid_id ``<session>_<neuron>``, stimulus_id the
        name of the image without suffix. ``averaged``: one presentation per stimulus, repetition 0, and the
        attribute ``repeats_averaged``. ``raw``: every repetition there was. The stimuli, with an empty
        ``category``: none are published. The name of the response file.

    Raises
    ------
    TgsageError
        If a file is missing, damaged or does not fit the other.
    """
    path, image_path = raw_files(settings, root)
    values = _responses(path, settings)
    with open_archive(image_path) as archive:
        names = _numbered(archive.path, archive.images, values.shape[1], path)
        images = archive.pictures(names)
    stimulus = np.asarray([PurePosixPath(item).stem for item in names])

    if values.ndim == 2:
        responses, shown, repetition = values, stimulus, np.zeros(len(stimulus), dtype=np.int64)
    else:
        presented = _repetitions(values, path, stimulus)
        which, repetition = np.nonzero(presented)
        responses, shown = values[:, which, repetition], stimulus[which]
    n, identifier = len(values), f"cowley2023.{settings.session}"
    attrs = {"stimulus_set_identifier": identifier, "units": "counts", "bin_ms": 100.0}
    if settings.responses == "averaged":
        attrs["repeats_averaged"] = AVERAGED_REPEATS.get(settings.session, "several")
    assembly = xr.DataArray(
        responses,
        dims=("neuroid", "presentation"),
        coords={
            "neuroid_id": ("neuroid", [f"{settings.session}_{index:03d}" for index in range(n)]),
            "region": ("neuroid", np.full(n, "V4")),
            "animal": ("neuroid", np.full(n, animal(settings.session))),
            "stimulus_id": ("presentation", shown),
            "repetition": ("presentation", repetition.astype(np.int64)),
        },
        attrs=attrs,
    )
    stimuli = make_stimuli(images, stimulus).assign_attrs(
        visual_degrees=settings.visual_degrees, stimulus_set_identifier=identifier
    )
    return assembly, stimuli, str(path)


def raw_files(settings: Cowley2023Recordings, root: Path) -> list[Path]:
    """Return the files that :func:`read` reads."""
    folder, session = root / settings.folder, settings.session
    return [
        folder / FOLDERS[settings.responses] / f"responses_{session}.npy",
        folder / "images" / f"images_{session}.zip",
    ]


def animal(session: str) -> str:
    """Return the animal of a session, or ``"monkey"`` if the published table lacks the session."""
    return next((name for first, last, name in ANIMALS if first <= session <= last), UNKNOWN_ANIMAL)


def _responses(path: Path, settings: Cowley2023Recordings) -> np.ndarray:
    if not path.is_file():
        sessions = sorted(
            file.stem.removeprefix("responses_") for file in path.parent.glob("responses_*.npy")
        )
        raise TgsageError(
            f"{path}: no such file; sessions with {settings.responses} responses here: "
            f"{', '.join(sessions) or 'none'} (tgsage fetch cowley2023 gets the card's)"
        )
    try:
        # Mapped first: a header that promises more than the file holds fails before memory is taken.
        values = np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    except (ValueError, OSError, EOFError, TypeError, SyntaxError) as error:
        raise TgsageError(f"{path}: cannot be read as npy, truncated or damaged ({error})") from None
    expected = {"averaged": 2, "raw": 3}[settings.responses]
    if values.ndim != expected or 0 in values.shape or values.dtype.kind not in "fiu":
        raise TgsageError(
            f"{path}: {settings.responses} responses are {values.dtype} of shape {values.shape}; "
            f"expected are numbers (neurons, images{', repetitions' if expected == 3 else ''})"
        )
    return values


def _numbered(archive: Path, images: list[str], n: int, responses: Path) -> list[str]:
    """Return the names of the images 1 to n, in the order of the responses."""
    numbers: dict[int, str] = {}
    for name in images:
        match = re.search(r"(\d+)$", PurePosixPath(name).stem)
        if match is None:
            raise TgsageError(f"{archive}: image {name} has no number, so its responses are not known")
        number = int(match.group(1))
        if number in numbers:
            raise TgsageError(f"{archive}: images {numbers[number]} and {name} have one number")
        numbers[number] = name
    missing = sorted(set(range(1, n + 1)) - set(numbers))
    if missing:
        raise TgsageError(
            f"{archive}: holds no image number {missing[0]} ({len(missing)} such), yet {responses.name} has "
            f"responses to {n} images"
        )
    extra = sorted(set(numbers) - set(range(1, n + 1)))
    if extra:
        raise TgsageError(
            f"{archive}: image {numbers[extra[0]]} has no responses ({len(extra)} such); {responses.name} "
            f"has responses to {n} images"
        )
    return [numbers[number] for number in range(1, n + 1)]


def _repetitions(values: np.ndarray, path: Path, stimulus: np.ndarray) -> np.ndarray:
    """Find the repetitions that exist, (images, repetitions) bool; others are NaN in all neurons."""
    empty = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, dtype=bool)
    presented: NDArray[np.bool_] = ~np.all(empty, axis=0)
    partly = empty & presented
    if partly.any():
        neuron, image, repetition = np.argwhere(partly)[0]
        raise TgsageError(
            f"{path}: the response of neuron {neuron} to {stimulus[image]} is NaN in repetition "
            f"{repetition}, which other neurons have; only a repetition that no neuron has may be NaN"
        )
    if not presented.any(axis=1).all():
        raise TgsageError(
            f"{path}: {stimulus[np.argmin(presented.any(axis=1))]} has no repetition at all; leave it out"
        )
    return presented
