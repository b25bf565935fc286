"""One code for numpy arrays and torch tensors: what they are, and what they become before arithmetic."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import TgsageError

if TYPE_CHECKING:
    import torch

Array: TypeAlias = "npt.ArrayLike | torch.Tensor"
"""What a user may hand in: a tensor, or anything that numpy makes an array of numbers from."""


def is_tensor(values: object) -> bool:
    """Tell whether ``values`` is a torch tensor, without importing torch for those who do not use it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(values, torch.Tensor)


def namespace(values: Any) -> ModuleType:
    """Return the module, ``torch`` or ``numpy``, whose functions take ``values``."""
    return sys.modules["torch"] if is_tensor(values) else np


def numbers(values: Array, what: str) -> Any:
    """Return ``values`` as an array or detached tensor of real numbers, its dtype unchanged.

    Raises
    ------
    TgsageError
        If these are not real numbers, or of unequal lengths.
    """
    if is_tensor(values):
        if values.is_complex():
            raise TgsageError(f"{what} must be real numbers, got {values.dtype}")
        return values.detach()
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise TgsageError(f"{what} must be one rectangular array of numbers: {error}") from None
    if array.dtype.kind not in "buif":
        raise TgsageError(f"{what} must be real numbers, got {array.dtype}")
    return array


def floating(values: Any) -> Any:
    """Return a contiguous copy to work on: float64, or for a tensor float32 unless it was float64 already."""
    if not is_tensor(values):
        return np.array(values, dtype=np.float64, order="C")
    torch = sys.modules["torch"]
    dtype = torch.float64 if values.dtype == torch.float64 or coarse_products(values) else torch.float32
    return values.to(dtype, copy=True).contiguous()


def coarse_products(values: Any) -> bool:
    """Tell whether matrix products of a float32 tensor are set to be rounded to TF32 or bfloat16.

    A process that trains may have allowed that (three significant digits). Distances are differences of such
    products, so they are then computed in float64; the process's setting is left alone.
    """
    torch = sys.modules["torch"]
    backend = torch.backends.cuda if values.device.type == "cuda" else torch.backends.mkldnn
    return str(backend.matmul.fp32_precision) in ("tf32", "bf16")


def plain_numpy(values: Any) -> np.ndarray:
    """Return an array or tensor as a numpy array on the host; what numpy has no type for becomes float32."""
    if not is_tensor(values):
        return values
    torch = sys.modules["torch"]
    if values.dtype == torch.bfloat16:
        values = values.float()
    return values.cpu().numpy()


def full_like(values: Any, shape: tuple[int, ...], fill: float) -> Any:
    """Return a new array of ``shape`` with dtype, kind and device of ``values``."""
    if is_tensor(values):
        return values.new_full(shape, fill)
    return np.full(shape, fill, dtype=values.dtype)
