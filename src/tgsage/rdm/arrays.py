"""One code for numpy arrays and torch tensors: what they are, and what they become before arithmetic."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import TgsageError

if TYPE_CHECKING:
    import torch

Array: TypeAlias = "npt.ArrayLike | torch.Tensor"
"""What a user may hand in: a tensor, or anything that numpy makes an array of numbers from."""

Values = TypeVar("Values", np.ndarray, "torch.Tensor")
"""What arithmetic is done with: arrays or tensors, and never both in one call."""


def as_tensor(values: object) -> torch.Tensor | None:
    """Return ``values`` if it is a tensor, else None; torch is not imported for those who do not use it."""
    torch = sys.modules.get("torch")
    return values if torch is not None and isinstance(values, torch.Tensor) else None


def is_tensor(values: object) -> bool:
    """Whether ``values`` is a torch tensor."""
    return as_tensor(values) is not None


def device_type(values: np.ndarray | torch.Tensor) -> str:
    """``"cpu"`` or ``"cuda"``."""
    return str(getattr(values.device, "type", values.device))


def namespace(values: object) -> ModuleType:
    """Return the module, ``torch`` or ``numpy``, whose functions take ``values``."""
    return sys.modules["torch"] if is_tensor(values) else np


def numbers(values: Array, what: str) -> Any:
    """Return ``values`` as an array or detached tensor of real numbers, dtype unchanged, or refuse them."""
    tensor = as_tensor(values)
    if tensor is not None:
        if tensor.is_complex():
            raise TgsageError(f"{what} must be real numbers, got {tensor.dtype}")
        return tensor.detach()
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise TgsageError(f"{what} must be one rectangular array of numbers: {error}") from None
    if array.dtype.kind not in "buif":
        raise TgsageError(f"{what} must be real numbers, got {array.dtype}")
    return array


def floating(values: np.ndarray | torch.Tensor) -> Any:
    """Return a contiguous copy to work on: float64, or for a tensor float32 unless it was float64 already."""
    tensor = as_tensor(values)
    if tensor is None:
        return np.array(values, dtype=np.float64, order="C")
    return tensor.to(working_dtype(tensor), copy=True).contiguous()


def working_dtype(tensor: torch.Tensor) -> Any:
    """Return float64 if the tensor is float64 or its matrix products would be coarse, else float32."""
    torch = sys.modules["torch"]
    double = tensor.dtype == torch.float64 or coarse_products(tensor)
    return torch.float64 if double else torch.float32


def coarse_products(values: torch.Tensor) -> bool:
    """Whether the process rounds matrix products of a float32 tensor to three digits (TF32, bfloat16).

    Distances are differences of such products, so that they are then computed in float64.
    """
    torch = sys.modules["torch"]
    backend = torch.backends.cuda if values.device.type == "cuda" else torch.backends.mkldnn
    return str(backend.matmul.fp32_precision) in ("tf32", "bf16")


def plain_numpy(values: Array) -> np.ndarray:
    """Return an array or tensor as a numpy array on the host; what numpy has no type for becomes float32."""
    tensor = as_tensor(values)
    if tensor is None:
        return np.asarray(values)
    if tensor.dtype == sys.modules["torch"].bfloat16:
        tensor = tensor.float()
    array: np.ndarray = tensor.cpu().numpy()
    return array


def full_like(values: Values, shape: tuple[int, ...], fill: float) -> Values:
    """Return a new array of ``shape`` with dtype, kind and device of ``values``."""
    full: Values = namespace(values).full(shape, fill, dtype=values.dtype, device=values.device)
    return full


def on_device(values: Values, index: np.ndarray) -> Values:
    """Return an index of ``values`` as an array of their kind, on their device."""
    xp = namespace(values)
    moved: Values = xp.asarray(index, device=values.device)
    return moved
