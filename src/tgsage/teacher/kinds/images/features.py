"""Features of images that need no brain: pixels, Gabor energy, an untrained network."""

from __future__ import annotations

import numpy as np

from ....store import seed_from

WAVELENGTHS = (3.0, 5.0, 8.0)
"""Pixels per cycle of the Gabor filters."""
ORIENTATIONS = 8
CELLS = 8
"""Gabor energy is averaged over a grid of so many cells a side."""


def features_of(images: np.ndarray, features: str, seed: int) -> np.ndarray:
    """Return features float64 (n, features) of images uint8 (n, height, width, 3).

    ``features`` is ``pixels``; ``gabor`` (:func:`gabor_energy`); or ``untrained``, the last stack of a
    ResNet-20 that was never trained and that ``seed`` draws.
    """
    if features == "pixels":
        return images.reshape(len(images), -1).astype(np.float64)
    if features == "gabor":
        return gabor_energy(images)
    return _untrained(images, seed)


def _untrained(images: np.ndarray, seed: int) -> np.ndarray:
    import torch

    from ...resnet import initial

    module = initial(3, 16, 10, seed_from("untrained teacher", seed)).eval()
    scaled = images.astype(np.float32) / 255
    # There is no training set: the images' own mean and deviation take the place of its statistics.
    scaled = (scaled - scaled.mean((0, 1, 2))) / np.maximum(scaled.std((0, 1, 2)), 1e-6)
    inputs = torch.from_numpy(scaled.transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        stacks = [
            module.layer3(module.layer2(module.layer1(torch.relu(module.bn1(module.conv1(batch))))))
            for batch in (inputs[start : start + 128] for start in range(0, len(inputs), 128))
        ]
    return np.asarray(torch.cat(stacks).flatten(1).double().numpy())


def gabor_energy(images: np.ndarray) -> np.ndarray:
    """V1-like features: energy of quadrature Gabor filters (Adelson & Bergen 1985), pooled on a grid.

    Luminance is filtered at 8 orientations and wavelengths of 3, 5 and 8 pixels (Gaussian envelope of half a
    wavelength; filters have mean 0 and length 1), even and odd phase; the root of the summed squares is
    averaged over a grid of 8 x 8 cells. Images are uint8 (n, height, width, 3), features float64
    (n, 3 · 8 · 8 · 8).
    """
    from scipy.signal import fftconvolve

    grey = images.astype(np.float64) @ np.array([0.299, 0.587, 0.114]) / 255
    grey = grey - grey.mean(axis=(1, 2), keepdims=True)
    pooled = []
    for wavelength in WAVELENGTHS:
        for orientation in np.arange(ORIENTATIONS) * np.pi / ORIENTATIONS:
            even, odd = _gabor(wavelength, orientation)
            responses = [fftconvolve(grey, kernel[None], mode="same", axes=(1, 2)) for kernel in (even, odd)]
            energy = responses[0] ** 2 + responses[1] ** 2
            pooled.append(_pooled(np.sqrt(np.clip(energy, 0, None))))
    return np.concatenate(pooled, axis=1)


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
    """Average maps (n, y, x) over a grid of cells, (n, cells)."""
    rows = np.array_split(np.arange(maps.shape[1]), min(CELLS, maps.shape[1]))
    columns = np.array_split(np.arange(maps.shape[2]), min(CELLS, maps.shape[2]))
    cells = [maps[:, r[0] : r[-1] + 1, c[0] : c[-1] + 1].mean(axis=(1, 2)) for r in rows for c in columns]
    return np.stack(cells, axis=1)
