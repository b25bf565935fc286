"""The 92-image RDMs of monkey and human IT (Kriegeskorte et al. 2008), from their two .mat files.

``Kriegeskorte_Neuron2008_supplementalData.mat`` has the monkey RDM (674 neurons of two animals, recorded by
Kiani et al. 2007), the images on their grey background and their category labels;
``92_brainRDMs.mat`` the human RDMs (4 subjects x 2 sessions of fMRI). No responses are published.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ....errors import TgsageError
from ...assembly import make_stimuli
from ...matlab import Variable, read_variables

if TYPE_CHECKING:
    from .plugin import Kriegeskorte2008Recordings

MONKEY_FILE = "Kriegeskorte_Neuron2008_supplementalData.mat"
HUMAN_FILE = "92_brainRDMs.mat"
DEGREES = {"monkey": 7.0, "human": 2.9}
"""Side of the images in degrees of visual angle (Kriegeskorte et al. 2008, Experimental Procedures)."""
N_SITES = {"monkey": 674, "human": 316}
"""Neurons of both monkeys; voxels of the bilateral human IT mask."""
MAX_FILE_BYTES = 2**28
"""Size of one file; the larger published one has 2 million bytes."""
FLAGS = ("human", "face", "animal", "natural")


def read(settings: Kriegeskorte2008Recordings, root: Path) -> tuple[xr.Dataset, xr.Dataset, str]:
    """Read the RDMs of one species.

    Returns
    -------
    tuple
        A Dataset with ``rdm`` (measurement, pair) float64, 1 - Pearson correlation, in the order of
        ``numpy.triu_indices(n, 1)``; ``measurement``, ``animal``, ``session`` (measurement), ``stimulus_id``
        (stimulus); one measurement for the monkeys, one per subject and session for the humans. The stimuli,
        with ``category`` and the flags human, face, animal, natural. The name of the RDM's file.

    Raises
    ------
    TgsageError
        If a file is missing, damaged, or not what was published.
    """
    folder = root / settings.folder
    stimulus_path = folder / MONKEY_FILE
    names = ["stimuli_92objs"] + ["RDMs_mIT_hIT_fig1"] * (settings.species == "monkey")
    content = _load(stimulus_path, *names)
    stimuli = _stimuli(content["stimuli_92objs"], stimulus_path, settings)
    n = stimuli.sizes["stimulus"]
    if settings.species == "monkey":
        path = stimulus_path
        rows = [("monkeys", 0, _monkey(content["RDMs_mIT_hIT_fig1"], path, n))]
    else:
        path = folder / HUMAN_FILE
        rows = _human(path, n)
    animals, sessions, rdms = zip(*rows, strict=True)
    published = xr.Dataset(
        {"rdm": (("measurement", "pair"), np.stack(rdms))},
        coords={
            "measurement": ("measurement", [f"{animal}_{session}" for animal, session, _ in rows]),
            "animal": ("measurement", list(animals)),
            "session": ("measurement", list(sessions)),
            "stimulus_id": ("stimulus", stimuli["stimulus_id"].values),
        },
        attrs={
            "region": "IT",
            "species": settings.species,
            "metric": "correlation",
            "n_sites": N_SITES[settings.species],
            "n_animals": 2 if settings.species == "monkey" else len(set(animals)),
            "visual_degrees": stimuli.attrs["visual_degrees"],
            "stimulus_set_identifier": stimuli.attrs["stimulus_set_identifier"],
        },
    )
    return published, stimuli, str(path)


def raw_files(settings: Kriegeskorte2008Recordings, root: Path) -> list[Path]:
    """Return the files that :func:`read` reads."""
    names = [MONKEY_FILE] + [HUMAN_FILE] * (settings.species == "human")
    return [root / settings.folder / name for name in names]


def _load(path: Path, *names: str) -> dict[str, list[dict[str, Variable]]]:
    """Read struct arrays; each is the list of its elements in C order."""
    if not path.is_file():
        raise TgsageError(f"{path}: no such file (tgsage fetch kriegeskorte2008 gets it)")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise TgsageError(f"{path}: is {path.stat().st_size} bytes, more than {MAX_FILE_BYTES >> 20} MiB")
    variables = read_variables(path.read_bytes(), names, str(path))
    structs = {}
    for name, variable in variables.items():
        if not isinstance(variable, list):
            raise TgsageError(f"{path}: {name} is no struct array; is this the published file?")
        if not variable:
            raise TgsageError(f"{path}: {name} is empty")
        structs[name] = [item for item in variable if isinstance(item, dict)]
    return structs


def _field(entry: dict[str, Variable], name: str, path: Path) -> NDArray[Any]:
    value = entry.get(name)
    if not isinstance(value, np.ndarray):
        raise TgsageError(f"{path}: has no plain array {name}; is this the published file?")
    return value


def _scalar(entry: dict[str, Variable], name: str, path: Path) -> Any:
    value = _field(entry, name, path)
    if value.size != 1:
        raise TgsageError(f"{path}: {name} has {value.size} values, not one; is this the published file?")
    return value.item()


def _monkey(entries: list[dict[str, Variable]], path: Path, n: int) -> NDArray[np.float64]:
    for entry in entries:
        if str(_scalar(entry, "name", path)).startswith("mIT"):
            # MATLAB's squareform runs down the lower triangle's columns: the order of numpy.triu_indices.
            values = np.asarray(_field(entry, "RDM", path), dtype=np.float64).ravel()
            if values.size != n * (n - 1) // 2:
                raise TgsageError(f"{path}: the monkey RDM has {values.size} pairs, not those of {n} stimuli")
            return values
    raise TgsageError(f"{path}: RDMs_mIT_hIT_fig1 has no RDM of monkey IT")


def _human(path: Path, n: int) -> list[tuple[str, int, NDArray[np.float64]]]:
    rows = []
    for entry in _load(path, "RDMs")["RDMs"]:
        label = str(_scalar(entry, "name", path))
        parts = [part.strip() for part in label.split("|")]
        number = parts[2].removeprefix("Session:").strip() if len(parts) == 3 else ""
        if not number.isdigit():
            raise TgsageError(f"{path}: RDM {label!r} is not named 'hIT | subject | Session: number'")
        square = np.asarray(_field(entry, "RDM", path), dtype=np.float64)
        if square.shape != (n, n):
            raise TgsageError(f"{path}: the RDM of {label} has shape {square.shape}, not that of {n} stimuli")
        if not np.allclose(square, square.T, atol=1e-6, equal_nan=True):
            raise TgsageError(f"{path}: the RDM of {label} is not symmetric")
        rows.append((parts[1], int(number), square[np.triu_indices(n, 1)]))
    return rows


def _stimuli(
    entries: list[dict[str, Variable]], path: Path, settings: Kriegeskorte2008Recordings
) -> xr.Dataset:
    images = [_field(entry, "image", path) for entry in entries]
    for index, image in enumerate(images, start=1):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise TgsageError(f"{path}: image {index} is {image.dtype} {image.shape}, not uint8 in colour")
        if image.shape != images[0].shape:
            raise TgsageError(
                f"{path}: images are of several sizes: image 1 is {images[0].shape[:2]} and image {index} is "
                f"{image.shape[:2]}"
            )
    labels = [str(_scalar(entry, "category", path)) for entry in entries]
    flags = {name: [bool(_scalar(entry, name, path)) for entry in entries] for name in FLAGS}
    names = [f"stimulus_{index:02d}" for index in range(1, len(images) + 1)]
    return make_stimuli(np.stack(images), names, category=labels, **flags).assign_attrs(
        visual_degrees=settings.visual_degrees or DEGREES[settings.species],
        stimulus_set_identifier="kriegeskorte2008",
    )
