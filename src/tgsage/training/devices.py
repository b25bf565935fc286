"""Where and how numbers are computed: device, precision, memory layout, mode, reproducible kernels."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch

from ..errors import TgsageError, unknown
from ..store.processor import processor


def resolve_device(name: str | torch.device) -> torch.device:
    """Return the device that a setting names.

    Parameters
    ----------
    name
        ``"auto"`` (CUDA where there is one, else the CPU), ``"cpu"``, ``"cuda"`` or ``"cuda:<index>"``.

    Raises
    ------
    TgsageError
        If CUDA is asked for and absent, or the name is unknown. There is no silent fall-back: a CPU run
        has other weights than a GPU run.
    """
    name = str(name)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return torch.device("cpu")
    kind, _, index = name.partition(":")
    if kind != "cuda" or (index and not index.isdigit()):
        raise unknown("device", name, ("auto", "cpu", "cuda"))
    if not torch.cuda.is_available():
        raise TgsageError(
            f"device: {name!r} was asked for, but torch {torch.__version__} sees no CUDA device here; "
            "set device: cpu or auto, or install a CUDA build of torch"
        )
    if index and int(index) >= torch.cuda.device_count():
        raise TgsageError(f"device: there is no {name!r}; this machine has {torch.cuda.device_count()}")
    return torch.device(name)


def device_class(device: str | torch.device) -> str:
    """Return ``"cpu"``, or the model name of the GPU, which starts CUDA: results differ across classes."""
    device = resolve_device(device)
    return "cpu" if device.type == "cpu" else torch.cuda.get_device_name(device)


def resolve_precision(precision: str, device: torch.device, *, dense: bool = False) -> torch.dtype:
    """Return the dtype in which the forward pass runs.

    Parameters
    ----------
    precision
        ``"float32"``, ``"bfloat16"`` (autocast), or ``"auto"``: bfloat16 on CUDA, and for dense networks on
        CPUs that have AVX512_BF16; else float32, which is faster there (``benchmarks/precision.py``).
    device
        Where the network runs.
    dense
        Whether the network is known to have no grouped or depthwise convolution.
    """
    if precision == "auto":
        fast = device.type == "cuda" or (dense and "avx512_bf16" in processor()["instructions"])
        return torch.bfloat16 if fast else torch.float32
    try:
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]
    except KeyError:
        raise unknown("precision", precision, ("auto", "float32", "bfloat16")) from None


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """Return the autocast context for a dtype; float32 switches autocast off."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16)


def to_channels_last(module: torch.nn.Module) -> None:
    """Lay the kernels of a module out in memory as its images are, in place."""
    # torch declares no overload of `to` for a memory format alone.
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@contextlib.contextmanager
def evaluation(module: torch.nn.Module) -> Iterator[None]:
    """Run the block with the module in evaluation mode, and put every submodule's mode back."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextlib.contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """Run the block with kernels that give the same answer twice.

    cuDNN neither measures which kernel is fastest nor picks one that adds up in changing order, and float32
    means float32 rather than TF32. CPU kernels are deterministic for a given number of threads.
    """
    if device.type != "cuda":
        yield
        return
    matmul = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = matmul


@contextlib.contextmanager
def own_randomness(seed: int, device: torch.device) -> Iterator[None]:
    """Run the block, which may initialise or drop out, on torch's generators seeded anew; put them back."""
    indices = _cuda_indices(device)
    with torch.random.fork_rng(devices=indices):
        # Not torch.manual_seed: it would reseed every CUDA device, also those that are not put back.
        torch.default_generator.manual_seed(seed)
        if indices:
            torch.cuda.default_generators[indices[0]].manual_seed(seed)
        yield


def random_states(device: torch.device) -> dict[str, torch.Tensor]:
    """Return the states of torch's generators, uint8: ``random/cpu`` and, for a GPU, ``random/cuda``."""
    states = {"random/cpu": torch.default_generator.get_state()}
    for index in _cuda_indices(device):
        states["random/cuda"] = torch.cuda.default_generators[index].get_state()
    return states


def set_random_states(device: torch.device, states: Mapping[str, torch.Tensor]) -> None:
    """Put back what :func:`random_states` returned."""
    torch.default_generator.set_state(states["random/cpu"])
    for index in _cuda_indices(device):
        torch.cuda.default_generators[index].set_state(states["random/cuda"])


def _cuda_indices(device: torch.device) -> list[int]:
    if device.type == "cpu":
        return []
    return [torch.cuda.current_device() if device.index is None else device.index]
