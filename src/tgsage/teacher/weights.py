"""Weights in files: where they lie, and reading them without executing anything."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from ..errors import TgsageError


def find_weights(weights: str, data_root: str | os.PathLike[str] | None) -> Path:
    """Find a checkpoint at an absolute path, in the data folder or below the working folder, or raise."""
    places = [Path(weights)] if data_root is None else [Path(data_root) / weights, Path(weights)]
    for place in places:
        if place.is_file():
            return place
    raise TgsageError(f"weights {weights!r}: no such file (looked for {', '.join(map(str, places))})")


def state_dict(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """Read a state dict of tensors; a prefix ``module.`` of its keys is left out.

    The file is ``*.safetensors``; or a torch checkpoint, of a state dict or of a mapping with one under
    ``state_dict``, read with ``weights_only=True``: nothing in it is executed.

    Raises
    ------
    TgsageError
        If the file is neither, or holds something else than tensors.
    """
    try:
        if Path(path).suffix == ".safetensors":
            import safetensors
            from safetensors.torch import load_file

            try:
                state: Any = load_file(path)
            except safetensors.SafetensorError as error:
                raise TgsageError(f"weights {path}: not a safetensors file ({error})") from None
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise TgsageError(f"weights {path}: not a torch checkpoint of tensors ({reason})") from None
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise TgsageError(f"weights {path}: holds no state dict of tensors; save module.state_dict()")
    return {key.removeprefix("module."): value for key, value in state.items()}
