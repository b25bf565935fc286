"""The 92-image RDMs of monkey and human IT (Kriegeskorte et al. 2008), from their two .mat files.

``Kriegeskorte_Neuron2008_supplementalData.mat`` has the monkey RDM (674 neurons of two animals, recorded by
Kiani et al. 2007), the images on their grey background and their category labels;
``92_brainRDMs.mat`` the human RDMs (4 subjects x 2 sessions of fMRI). No responses are published.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import xarray as xr

from ...config.recordings import Kriegeskorte2008Recordings
from ...errors import TgsageError

MONKEY_FILE = "Kriegeskorte_Neuron2008_supplementalData.mat"
HUMAN_FILE = "92_brainRDMs.mat"
DEGREES = {"monkey": 7.0, "human": 2.9}
"""Side of the images in degrees of visual angle (Kriegeskorte et al. 2008, Experimental Procedures)."""
N_SITES = {"monkey": 674, "human": 316}
"""Neurons of both monkeys; voxels of the bilateral human IT mask."""
FLAGS = ("human", "face", "animal", "natural")


def read(settings: Kriegeskorte2008Recordings, root: Path) -> tuple[xr.Dataset, xr.Dataset, str]:
    """Read the RDMs of one species.

    Parameters
    ----------
    settings
        Species, folder, visual degrees.
    root
        Folder of downloaded data.

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
    content = _load(stimulus_path)
    stimuli = _stimuli(content, stimulus_path, settings)
    n = stimuli.sizes["stimulus"]
    if settings.species == "monkey":
        path = stimulus_path
        rows = [("monkeys", 0, _monkey(content, path, n))]
    else:
        path = folder / HUMAN_FILE
        rows = _human(path, n)
    animals = [animal for animal, _, _ in rows]
    published = xr.Dataset(
        {"rdm": (("measurement", "pair"), np.stack([values for _, _, values in rows]))},
        coords={
            "measurement": ("measurement", [f"{animal}_{session}" for animal, session, _ in rows]),
            "animal": ("measurement", animals),
            "session": ("measurement", [session for _, session, _ in rows]),
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
    """The files that :func:`read` reads, whether they exist or not."""
    names = [MONKEY_FILE] if settings.species == "monkey" else [MONKEY_FILE, HUMAN_FILE]
    return [root / settings.folder / name for name in names]


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise TgsageError(f"{path}: no such file (neural_data/README.md says where to get it)")
    try:
        return scipy.io.loadmat(path)
    except Exception as error:
        # What scipy raises for a damaged file is whatever its parser stumbled over.
        raise TgsageError(f"{path}: cannot be read as a .mat file, truncated or damaged ({error})") from None


def _field(content: Any, name: str, path: Path) -> Any:
    names = content.keys() if isinstance(content, dict) else (content.dtype.names or ())
    if name not in names:
        raise TgsageError(f"{path}: has no {name}; is this the published file?")
    return content[name]


def _monkey(content: dict[str, Any], path: Path, n: int) -> np.ndarray:
    entries = _field(content, "RDMs_mIT_hIT_fig1", path).ravel()
    for entry in entries:
        if str(np.ravel(_field(entry, "name", path))[0]).startswith("mIT"):
            # MATLAB's squareform runs down the columns of the lower triangle, which is
            # numpy.triu_indices order.
            values = np.asarray(_field(entry, "RDM", path), dtype=np.float64).ravel()
            if values.size != n * (n - 1) // 2:
                raise TgsageError(f"{path}: the monkey RDM has {values.size} pairs, not those of {n} stimuli")
            return values
    raise TgsageError(f"{path}: RDMs_mIT_hIT_fig1 has no RDM of monkey IT")


def _human(path: Path, n: int) -> list[tuple[str, int, np.ndarray]]:
    rows = []
    for entry in _field(_load(path), "RDMs", path).ravel():
        label = str(np.ravel(_field(entry, "name", path))[0])
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
    if not rows:
        raise TgsageError(f"{path}: holds no RDM")
    return rows


def _stimuli(content: dict[str, Any], path: Path, settings: Kriegeskorte2008Recordings) -> xr.Dataset:
    entries = _field(content, "stimuli_92objs", path).ravel()
    if len(entries) == 0:
        raise TgsageError(f"{path}: stimuli_92objs is empty")
    images = [np.asarray(_field(entry, "image", path)) for entry in entries]
    for index, image in enumerate(images, start=1):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise TgsageError(f"{path}: image {index} is {image.dtype} {image.shape}, not uint8 in colour")
        if image.shape != images[0].shape:
            raise TgsageError(
                f"{path}: images are of several sizes: image 1 is {images[0].shape[:2]} and image {index} is "
                f"{image.shape[:2]}"
            )
    labels = [str(np.ravel(_field(entry, "category", path))[0]) for entry in entries]
    flags = {name: [bool(np.ravel(_field(entry, name, path))[0]) for entry in entries] for name in FLAGS}
    return xr.Dataset(
        {"images": (("stimulus", "y", "x", "rgb"), np.stack(images))},
        coords={
            "stimulus_id": ("stimulus", [f"stimulus_{index:02d}" for index in range(1, len(images) + 1)]),
            "category": ("stimulus", labels),
            **{name: ("stimulus", values) for name, values in flags.items()},
        },
        attrs={
            "visual_degrees": settings.visual_degrees or DEGREES[settings.species],
            "stimulus_set_identifier": "kriegeskorte2008",
        },
    )
