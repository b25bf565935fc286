"""Control teachers that need no brain: RDMs of another teacher's images.

*Pixels* and *labels*: is it more than the images, or the classes, already say? *Untrained network* and *Gabor
energy*: is it more than any convolutional, or any V1-like, front end has?
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..errors import TgsageError, unknown
from ..rdm import category_means, rdm
from ..store import seed_from
from . import files
from .ceilings import absent

FEATURES = ("pixels", "labels", "gabor", "untrained")
WAVELENGTHS = (3.0, 5.0, 8.0)
"""Pixels per cycle of the Gabor filters."""
ORIENTATIONS = 8
CELLS = 8
"""Gabor energy is averaged over a grid of so many cells a side."""

_OF_AN_ENCODING = (
    "encoded", "settings", "features", "features_resolution", "method", "folds", "minimal_predictivity",
    "layer", "fold_layers", "median_predictivity", "median_predictivity_kept", "median_noise_corrected",
    "n_recorded_sites", "n_recorded_stimuli", "held_out_similarity",
)  # fmt: skip


def image_teacher(
    teacher: xr.DataTree,
    features: str,
    *,
    metric: str = "correlation",
    seed: int = 0,
    name: str | None = None,
) -> xr.DataTree:
    """Make a teacher of features of another teacher's images: same stimuli, splits, targets and weights.

    Every target of the original gets the RDM of the features of its images, so that a mean over targets is a
    mean over as many. There is no noise ceiling, as there is no noise.

    Parameters
    ----------
    teacher
        Whose images, categories, splits and targets are taken over.
    features
        ``pixels``: values of the images. ``labels``: distance 0 within and 1 between categories.
        ``gabor``: see :func:`gabor_energy`. ``untrained``: the last stack of a ResNet-20 that was never
        trained.
    metric
        Of the RDM (not for ``labels``).
    seed
        Of the untrained network.
    name
        Of the new teacher; None: that of the features.

    Raises
    ------
    TgsageError
        If the original has no images, or no categories for ``labels``, or the RDM is undefined.
    """
    name = features if name is None else name
    if features not in FEATURES:
        raise unknown(f"teacher {name!r}: features", features, FEATURES)
    by_category = teacher.attrs["rdm"] == "category"
    if by_category and features == "labels":
        raise TgsageError(
            f"teacher {name!r}: {teacher.attrs['teacher']!r} is scored by category RDMs, in which labels "
            "are all equally far apart; choose other features"
        )
    groups = {}
    for target, group in files.targets_of(teacher).items():
        category = group["category"].values.astype(str)
        if features == "labels":
            if (category == "").any() or len(np.unique(category)) < 2:
                raise TgsageError(
                    f"teacher {name!r}: labels need the category of every stimulus of target {target!r}, "
                    "and two or more; choose other features"
                )
            first, second = np.triu_indices(len(category), 1)
            group["rdm"] = ("pair", (category[first] != category[second]).astype(np.float64))
        else:
            if "images" not in group:
                raise TgsageError(
                    f"teacher {name!r}: target {target!r} of {teacher.attrs['teacher']!r} has no images"
                )
            values = _features(group["images"].values, features, seed)
            condensed = rdm(values, metric)
            if not np.isfinite(condensed).all():
                raise TgsageError(
                    f"teacher {name!r}: some images of target {target!r} have constant {features}; set "
                    "metric: sqeuclidean"
                )
            group["rdm"] = ("pair", condensed)
            if by_category:
                parts = [group["split"].values == part for part in group["part"].values]
                rows = [rdm(category_means(values[here], category[here]), metric) for here in parts]
                group["category_rdm"] = (("part", "category_pair"), np.array(rows))
        without = absent("RDMs of images have no measurement noise")
        parts = [str(part) for part in group["part"].values]
        groups[target] = files.target(
            rdm=group["rdm"].values,
            stimulus_id=group["stimulus_id"].values,
            category=category,
            split=group["split"].values,
            images=group["images"].values if "images" in group else None,
            ceilings=dict.fromkeys(parts, without),
            category_rdm=group["category_rdm"].values if by_category else None,
            category_name=group["category_name"].values if by_category else None,
            attributes={
                **_inherited(group.attrs),
                "region": features,
                "n_sites": 0,
                "n_repeats": np.nan,
                "n_animals": 0,
                "zscore": 0,
                "metric": "labels" if features == "labels" else metric,
            },
        )
    attributes = {
        **_inherited(teacher.attrs),
        "teacher": name,
        "kind": "images",
        "metric": "labels" if features == "labels" else metric,
        "of": teacher.attrs["teacher"],
        "of_digest": teacher.attrs["digest"],
        "control": features,
    }
    return files.tree(groups, attributes)


def _inherited(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What of the original's attributes is true of its images as well."""
    return {key: value for key, value in attributes.items() if key not in _OF_AN_ENCODING}


def gabor_energy(images: np.ndarray) -> np.ndarray:
    """V1-like features: energy of quadrature Gabor filters (Adelson & Bergen 1985), pooled on a grid.

    Luminance is filtered at 8 orientations and wavelengths of 3, 5 and 8 pixels (Gaussian envelope of half a
    wavelength; filters have mean 0 and length 1), even and odd phase; the root of the summed squares is
    averaged over a grid of 8 x 8 cells.

    Parameters
    ----------
    images
        uint8 (n, height, width, 3).

    Returns
    -------
    numpy.ndarray
        float64 (n, 3 · 8 · 8 · 8).
    """
    from scipy.signal import fftconvolve

    grey = images.astype(np.float64) @ np.array([0.299, 0.587, 0.114]) / 255
    grey = grey - grey.mean(axis=(1, 2), keepdims=True)
    found = []
    for wavelength in WAVELENGTHS:
        for orientation in np.arange(ORIENTATIONS) * np.pi / ORIENTATIONS:
            even, odd = _gabor(wavelength, orientation)
            energy = sum(
                fftconvolve(grey, kernel[None], mode="same", axes=(1, 2)) ** 2 for kernel in (even, odd)
            )
            found.append(_pooled(np.sqrt(np.clip(energy, 0, None))))
    return np.concatenate(found, axis=1)


def _gabor(wavelength: float, orientation: float) -> tuple[np.ndarray, np.ndarray]:
    radius = int(np.ceil(1.5 * wavelength))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float64)
    along = x * np.cos(orientation) + y * np.sin(orientation)
    envelope = np.exp(-(x**2 + y**2) / (2 * (wavelength / 2) ** 2))
    pair = []
    for wave in (np.cos, np.sin):
        kernel = envelope * wave(2 * np.pi * along / wavelength)
        kernel -= envelope * kernel.sum() / envelope.sum()
        pair.append(kernel / np.linalg.norm(kernel))
    return pair[0], pair[1]


def _pooled(maps: np.ndarray) -> np.ndarray:
    rows = np.array_split(np.arange(maps.shape[1]), min(CELLS, maps.shape[1]))
    columns = np.array_split(np.arange(maps.shape[2]), min(CELLS, maps.shape[2]))
    cells = [maps[:, r[0] : r[-1] + 1, c[0] : c[-1] + 1].mean(axis=(1, 2)) for r in rows for c in columns]
    return np.stack(cells, axis=1)


def _features(images: np.ndarray, features: str, seed: int) -> np.ndarray:
    if features == "pixels":
        return images.reshape(len(images), -1).astype(np.float64)
    if features == "gabor":
        return gabor_energy(images)
    import torch

    from .resnet import initial

    module = initial(3, 16, 10, seed_from("untrained teacher", seed)).eval()
    scaled = images.astype(np.float32) / 255
    # Nothing is known of a training set: the images' own mean and deviation take its place.
    scaled = (scaled - scaled.mean((0, 1, 2))) / np.maximum(scaled.std((0, 1, 2)), 1e-6)
    batches = torch.from_numpy(scaled.transpose(0, 3, 1, 2).copy()).split(128)
    with torch.no_grad():
        found = [
            module.layer3(module.layer2(module.layer1(torch.relu(module.bn1(module.conv1(batch))))))
            for batch in batches
        ]
    return torch.cat(found).flatten(1).double().numpy()
