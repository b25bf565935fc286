"""Small published layouts, written as their authors write them, for the readers to read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.io
import xarray as xr
from PIL import Image

from tgsage.recordings.matlab import read_variables

N_STIMULI, N_SITES = 12, 5


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def random_images(n: int = N_STIMULI, side: int = 16) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def write_zip(path: Path, content: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def counts_assembly(
    repeats: list[int] | None = None, n_sites: int = N_SITES, bins: int | None = None, noise: float = 1.0
) -> xr.DataArray:
    """Poisson counts with a signal; repeats of unequal number, presentations in a shuffled order."""
    generator = np.random.default_rng(7)
    repeats = repeats if repeats is not None else [2 + index % 4 for index in range(N_STIMULI)]
    codes = np.repeat(np.arange(len(repeats)), repeats)
    repetition = np.concatenate([np.arange(n) for n in repeats])
    order = generator.permutation(len(codes))
    codes, repetition = codes[order], repetition[order]
    rates = generator.gamma(2.0, 3.0, (n_sites, len(repeats)))
    shape = (n_sites, len(codes)) + ((bins,) if bins else ())
    means = rates[:, codes] if not bins else np.repeat(rates[:, codes, None], bins, axis=2)
    coords: dict[str, Any] = {
        "neuroid_id": ("neuroid", [f"site_{index}" for index in range(n_sites)]),
        "region": ("neuroid", ["V4", "V4"] + ["IT"] * (n_sites - 2)),
        "animal": ("neuroid", ["a", "b"] * (n_sites // 2) + ["a"] * (n_sites % 2)),
        "subregion": ("neuroid", ["V4", "V4", "pIT", "aIT", "aIT"][:n_sites]),
        "stimulus_id": ("presentation", [f"image_{code:02d}" for code in codes]),
        "repetition": ("presentation", repetition),
        "object_name": ("presentation", [f"object_{code // 4}" for code in codes]),
    }
    if bins:
        coords["time_bin_start"] = ("time_bin", np.arange(bins) * 50 - 50)
        coords["time_bin_end"] = ("time_bin", np.arange(bins) * 50)
    return xr.DataArray(
        generator.poisson(means * noise, shape).astype(np.float32),
        dims=("neuroid", "presentation", "time_bin")[: len(shape)],
        coords=coords,
        attrs={"stimulus_set_identifier": "lab.Test2020", "units": "counts"},
    )


def stimulus_set(n: int = N_STIMULI) -> xr.Dataset:
    return xr.Dataset(
        {"images": (("stimulus", "y", "x", "rgb"), random_images(n))},
        coords={
            "stimulus_id": ("stimulus", [f"image_{index:02d}" for index in range(n)]),
            "category": ("stimulus", [f"object_{index // 4}" for index in range(n)]),
            "size": ("stimulus", np.linspace(0, 1, n)),
        },
        attrs={"visual_degrees": 8.0},
    )


READ: dict[tuple[bytes, tuple[str, ...]], dict[str, Any]] = {}
"""Variables of MATLAB files: stand-ins are often the same, and each is read by a process of its own."""


@pytest.fixture(autouse=True)
def _equal_files_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(content: bytes, names: Sequence[str], where: str) -> dict[str, Any]:
        key = (content, tuple(names))
        if key not in READ:
            READ[key] = read_variables(content, names, where)
        return READ[key]

    for source in ("cadieu2014", "kriegeskorte2008"):
        monkeypatch.setattr(f"tgsage.recordings.readers.{source}.reader.read_variables", read)


@pytest.fixture
def small_assembly() -> Callable[..., xr.DataArray]:
    return counts_assembly


@pytest.fixture
def small_stimuli() -> Callable[..., xr.Dataset]:
    return stimulus_set


class BrainIOPackage:
    """The three files of a BrainIO package, each of which a test may spoil before ``write``."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.assembly = counts_assembly(bins=1)
        images = random_images()
        names = [f"image_{index:02d}" for index in range(N_STIMULI)]
        self.table = pd.DataFrame(
            {
                "stimulus_id": names,
                "object_name": [f"object_{index // 4}" for index in range(N_STIMULI)],
                "x": np.arange(N_STIMULI) / 10,
                "filename": [f"{name}.png" for name in names],
            }
        )
        self.files = {f"{name}.png": png(image) for name, image in zip(names, images, strict=True)}
        self.images = images
        self.variable = "data"

    def write(self) -> dict[str, Any]:
        self.folder.mkdir(exist_ok=True)
        file = self.assembly.to_dataset(name=self.variable, promote_attrs=True)
        file.to_netcdf(self.folder / "assembly.nc")
        self.table.to_csv(self.folder / "stimuli.csv", index=False)
        write_zip(self.folder / "stimuli.zip", self.files)
        return {
            "source": "brainio",
            "assembly": "assembly.nc",
            "stimuli_csv": "stimuli.csv",
            "stimuli_zip": "stimuli.zip",
        }


class CowleyFolder:
    """One session in the layout of Cowley et al. 2023."""

    def __init__(self, folder: Path):
        self.folder = folder
        generator = np.random.default_rng(11)
        self.raw = generator.poisson(4.0, (N_SITES, N_STIMULI, 6)).astype(np.float64)
        for index in range(N_STIMULI):
            self.raw[:, index, 3 + index % 4 :] = np.nan
        self.averaged = np.nanmean(self.raw, axis=2)
        self.images = random_images()
        self.files = {f"image{index + 1:04d}.png": png(image) for index, image in enumerate(self.images)}

    def write(self, responses: str = "raw") -> dict[str, Any]:
        for name, values in (("responses_raw", self.raw), ("responses_repeat_averaged", self.averaged)):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
            np.save(self.folder / name / "responses_210325.npy", values)
        write_zip(self.folder / "images" / "images_210325.zip", self.files)
        return {"source": "cowley2023", "session": "210325", "responses": responses, "folder": "."}


class KriegeskorteFolder:
    """The two .mat files of Kriegeskorte et al. 2008, with fewer images."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.images = list(random_images())
        self.patterns = np.random.default_rng(5).normal(size=(9, N_STIMULI, 30))
        squares = np.stack([1 - np.corrcoef(pattern) for pattern in self.patterns])
        self.upper = squares[:, *np.triu_indices(N_STIMULI, 1)]
        self.monkey = self.upper[0].copy()
        self.human = squares[1:].copy()
        self.names = [f"hIT | {who} | Session: {n}" for who in ("BE", "KO", "SN", "TI") for n in (1, 2)]
        self.variables = {"stimuli": "stimuli_92objs", "monkey": "RDMs_mIT_hIT_fig1", "human": "RDMs"}

    def write(self, species: str = "monkey") -> dict[str, Any]:
        self.folder.mkdir(parents=True, exist_ok=True)
        fields = ("category", "human", "face", "animal", "natural", "image")
        stimuli = np.empty((1, len(self.images)), dtype=[(name, object) for name in fields])
        for index, image in enumerate(self.images):
            stimuli[0, index] = (f"kind {index // 4}", index % 2, 0, 1, 1, image)
        published = np.empty((1, 2), dtype=[("name", object), ("color", object), ("RDM", object)])
        # The human average comes first here: the reader has to go by name.
        published[0, 0] = (
            "hITvisStim_316vx",
            [1, 0, 0],
            self.human.mean(axis=0)[np.triu_indices(N_STIMULI, 1)],
        )
        published[0, 1] = ("mIT_674neurons", [0, 0, 0], self.monkey)
        scipy.io.savemat(
            self.folder / "Kriegeskorte_Neuron2008_supplementalData.mat",
            {self.variables["stimuli"]: stimuli, self.variables["monkey"]: published},
        )
        rdms = np.empty((1, 4, 2), dtype=[("RDM", object), ("name", object), ("color", object)])
        for index, (square, name) in enumerate(zip(self.human, self.names, strict=True)):
            rdms[0, index // 2, index % 2] = (square, name, [0, 0, 1])
        scipy.io.savemat(self.folder / "92_brainRDMs.mat", {self.variables["human"]: rdms})
        return {"source": "kriegeskorte2008", "species": species, "folder": "."}


@pytest.fixture
def brainio_package(tmp_path: Path) -> BrainIOPackage:
    return BrainIOPackage(tmp_path / "data")


@pytest.fixture
def cowley_folder(tmp_path: Path) -> CowleyFolder:
    return CowleyFolder(tmp_path / "data")


@pytest.fixture
def kriegeskorte_folder(tmp_path: Path) -> KriegeskorteFolder:
    return KriegeskorteFolder(tmp_path / "data")
