"""How much memory comparing a candidate with a teacher takes, told before anything is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..errors import TgsageError

if TYPE_CHECKING:
    import xarray as xr

HELD = 8 << 30
"""Bytes of activations that are held in memory; more than that goes through a temporary file."""

# Measured with benchmarks/rsa.py, and rounded up.
_PROCESS = 400 << 20
"""A process that has imported torch, with a task of ordinary size."""
_BLOCKS = 200 << 20
"""Blocks of an RDM's inner products."""
_PER_PAIR = 60
"""Bytes for each pair of stimuli while a layer's RDM is made and ranked."""
_FORWARD = 4
"""What a forward pass holds, in activations of all probed layers."""


def needed_memory(
    features: Sequence[int],
    parts: Sequence[int],
    *,
    n_targets: int,
    resolution: int,
    batch_size: int = 256,
    held: int = HELD,
) -> int:
    """Return the bytes that a process needs to compare a candidate with a teacher.

    Parameters
    ----------
    features
        Number of features of each probed layer: ``tgsage.training.feature_counts`` of a network, which shows
        it one blank image. The largest network of a space gives what all of them need.
    parts
        Number of stimuli of each part of the teacher (choose, reward, report).
    n_targets
        Of the teacher, and of one that is observed.
    resolution
        Side of the images in pixels.
    batch_size
        Images per forward pass.
    held
        Bytes of activations in memory, as for :func:`tgsage.scoring.similarity.similarities`. Where they are
        more, they take disk space in ``TMPDIR`` instead.

    Examples
    --------
    The paper's three regions, 5,760 stimuli at 64 pixels, and a network of its space:

    >>> layers = [65536, 65536, 32768, 32768, 32768, 16384, 16384, 16384]
    >>> needed_memory(layers, [4032, 1728], n_targets=3, resolution=64) // 10**8 / 10
    7.5
    """
    n, largest = sum(parts), max(parts, default=0)
    # Its RDM, and of each part the ranks or what another method makes of it.
    distances = 8 * n * n // 2 + sum(8 * part * part // 2 for part in parts)
    teacher = n_targets * (distances + 3 * n * resolution**2)
    activations = 4 * largest * sum(features)
    forward = _FORWARD * 4 * min(batch_size, largest) * sum(features)
    pairs = _PER_PAIR * largest * largest // 2
    return _PROCESS + _BLOCKS + teacher + (activations if activations <= held else 0) + forward + pairs


def room_for_activations(
    teachers: Iterable[xr.DataTree],
    features: Sequence[int],
    *,
    resolution: int,
    batch_size: int,
    memory: int | None = None,
) -> int:
    """Return the bytes of activations that may be held in memory while a network is compared with teachers.

    Parameters
    ----------
    teachers
        As :func:`tgsage.teacher.load` returns them.
    features, resolution, batch_size
        As in :func:`needed_memory`.
    memory
        Bytes that the process may take; None: as much as it needs.

    Raises
    ------
    TgsageError
        If the comparison needs more, even with all activations in temporary files.
    """
    targets = [node.to_dataset() for tree in teachers for node in tree.children.values()]
    if memory is None or not targets:
        return HELD
    largest = max(targets, key=lambda target: target.sizes["stimulus"])
    parts = list(Counter(largest["split"].values.astype(str)).values())
    least = needed_memory(
        features, parts, n_targets=len(targets), resolution=resolution, batch_size=batch_size, held=0
    )
    if least > memory:
        raise TgsageError(
            f"comparing a network of {sum(features):,} probed features with {len(targets)} targets of up to "
            f"{sum(parts):,} stimuli needs {least / 1e6:,.0f} MB, and the job has {memory / 1e6:,.0f}: "
            f"run with --set-resources train_and_score:mem_mb={-(-least // 10**6)} (and the same for "
            "train_and_test_winner), or lower scoring.batch_size"
        )
    return min(HELD, memory - least)
