"""What a network computes: activations of its layers, logits, accuracy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, cast

import numpy as np
import torch

from ..errors import TgsageError, unknown
from .data import DeviceDataset, Pixels
from .devices import evaluation, reproducible, resolve_device


class _AllSeen(Exception):
    """The layers that were asked for have run; the rest of the forward pass is not needed."""


class Evaluation(NamedTuple):
    """Number of images, correct ones, their share, and the mean cross-entropy in nats."""

    n: int
    correct: int
    accuracy: float
    loss: float


def probe_names(module: torch.nn.Module) -> list[str]:
    """Return the names of the submodules that a space's network offers as probes, shallow to deep."""
    # torch declares the attributes of modules to be tensors and modules.
    return list(cast(Sequence[str], module.probe_names))


@torch.no_grad()
def activations(
    module: torch.nn.Module,
    images: Pixels,
    layers: Sequence[str],
    *,
    mean: Sequence[float] | np.ndarray = (0.0, 0.0, 0.0),
    std: Sequence[float] | np.ndarray = (1.0, 1.0, 1.0),
    device: str | torch.device | None = None,
    batch_size: int = 256,
) -> dict[str, torch.Tensor]:
    """Return what layers answer to images, in evaluation mode and float32.

    Parameters
    ----------
    module
        Takes float32 (batch, 3, H, W). Its mode is put back; with ``device`` it is moved there.
    images
        uint8, (n, H, W, 3).
    layers
        Names of submodules, as in ``module.named_modules()``, whose output is taken.
    mean, std
        (3,), fractions of 255: the module sees (pixel / 255 - mean) / std.
    device
        Where to run; None runs where the module's parameters are.
    batch_size
        Images per forward pass.

    Returns
    -------
    dict
        Layer -> float32 tensor (n, features) on the device, features in the order (channel, row, column).

    Raises
    ------
    TgsageError
        If a layer does not exist, does not run, runs more than once per image, or does not return one tensor
        with an entry per image.
    """
    device = _place(module, device)
    source = DeviceDataset(images, np.asarray(mean), np.asarray(std), device=device)
    with evaluation(module), reproducible(device):
        sizes = _probe(module, layers, source)
        outputs = {name: torch.empty((source.n, size), device=device) for name, size in sizes.items()}
        rows = slice(0, 0)
        remaining: set[str] = set()

        def keep(name: str, output: torch.Tensor) -> None:
            outputs[name][rows] = output.flatten(1)
            remaining.discard(name)
            if not remaining:
                raise _AllSeen

        with _hooked(module, layers, keep):
            for begin in range(0, source.n, batch_size):
                rows = slice(begin, min(begin + batch_size, source.n))
                remaining = set(layers)
                with contextlib.suppress(_AllSeen):
                    module(source.plain(rows))
    return {name: outputs[name] for name in layers}


@torch.no_grad()
def feature_counts(
    module: torch.nn.Module,
    layers: Sequence[str],
    shape: tuple[int, int],
    *,
    device: str | torch.device | None = None,
) -> dict[str, int]:
    """Return the number of features of layers for images of ``shape`` (height, width).

    Raises
    ------
    TgsageError
        As :func:`activations`.
    """
    device = _place(module, device)
    blank = DeviceDataset(np.zeros((1, *shape, 3), np.uint8), np.zeros(3), np.ones(3), device=device)
    with evaluation(module), reproducible(device):
        return _probe(module, layers, blank)


@torch.no_grad()
def logits(
    module: torch.nn.Module,
    images: Pixels,
    *,
    mean: Sequence[float] | np.ndarray = (0.0, 0.0, 0.0),
    std: Sequence[float] | np.ndarray = (1.0, 1.0, 1.0),
    device: str | torch.device | None = None,
    batch_size: int = 256,
) -> torch.Tensor:
    """Return the module's output, float32 (n, classes) on the device; arguments as :func:`activations`."""
    device = _place(module, device)
    source = DeviceDataset(images, np.asarray(mean), np.asarray(std), device=device)
    with evaluation(module), reproducible(device):
        outputs = [
            module(source.plain(slice(begin, begin + batch_size))).float()
            for begin in range(0, source.n, batch_size)
        ]
    return torch.cat(outputs)


def evaluate(
    module: torch.nn.Module,
    images: Pixels,
    labels: np.ndarray,
    *,
    mean: Sequence[float] | np.ndarray = (0.0, 0.0, 0.0),
    std: Sequence[float] | np.ndarray = (1.0, 1.0, 1.0),
    device: str | torch.device | None = None,
    batch_size: int = 256,
) -> Evaluation:
    """Return accuracy and cross-entropy on labelled images; arguments as :func:`activations`.

    Parameters
    ----------
    labels
        int, (n,).

    Returns
    -------
    Evaluation
        An infinite or undefined logit makes the loss so too; ``correct`` counts finite outputs only.
    """
    outputs = logits(module, images, mean=mean, std=std, device=device, batch_size=batch_size).double().cpu()
    target = torch.from_numpy(np.array(labels, dtype=np.int64))
    correct = int(((outputs.argmax(1) == target) & outputs.isfinite().all(1)).sum())
    loss = float(torch.nn.functional.cross_entropy(outputs, target))
    return Evaluation(len(target), correct, correct / len(target), loss)


def _place(module: torch.nn.Module, device: str | torch.device | None) -> torch.device:
    if device is None:
        weight = next(module.parameters(), None)
        return torch.device("cpu") if weight is None else weight.device
    device = resolve_device(device)
    module.to(device)
    return device


def _probe(module: torch.nn.Module, layers: Sequence[str], source: DeviceDataset) -> dict[str, int]:
    """Return the number of features of each layer, which has to answer once when one image is shown."""
    if not layers:
        raise TgsageError("no layers to probe; name at least one submodule")
    sizes: dict[str, int] = {}

    def measure(name: str, output: torch.Tensor) -> None:
        if name in sizes:
            raise TgsageError(
                f"layer {name!r} runs more than once per image, so that its activation is ambiguous; "
                "probe a layer that is not shared"
            )
        sizes[name] = output[0].numel()

    with _hooked(module, layers, measure):
        module(source.plain(slice(0, 1)))
    for name in layers:
        if name not in sizes:
            raise TgsageError(f"layer {name!r} exists but does not run in the forward pass; probe another")
    return sizes


@contextlib.contextmanager
def _hooked(
    module: torch.nn.Module, layers: Sequence[str], receive: Callable[[str, torch.Tensor], None]
) -> Iterator[None]:
    parts = dict(module.named_modules())
    hooks = []

    def hook(name: str) -> Callable[[torch.nn.Module, tuple[object, ...], object], None]:
        def call(_module: torch.nn.Module, inputs: tuple[object, ...], output: object) -> None:
            n = inputs[0].shape[0] if inputs and isinstance(inputs[0], torch.Tensor) else None
            if not isinstance(output, torch.Tensor) or output.ndim < 2 or n not in (None, output.shape[0]):
                raise TgsageError(
                    f"layer {name!r} does not return one tensor (image, ...); probe a layer that does"
                )
            receive(name, output)

        return call

    try:
        for name in layers:
            if name not in parts:
                raise unknown("layer", name, [part for part in parts if part])
            hooks.append(parts[name].register_forward_hook(hook(name)))
        yield
    finally:
        for handle in hooks:
            handle.remove()
