"""The number of CPU threads that torch uses: part of every result, so that it is set and never inherited."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Run the block with that many CPU threads in torch, and restore; None leaves them as they are."""
    before = torch.get_num_threads()
    if number is None or number == before:
        yield
        return
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
