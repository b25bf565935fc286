"""Counting spikes in bins after every onset, and finding the windows that were observed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def bin_edges(window_ms: tuple[float, float], bin_ms: float | None) -> np.ndarray:
    """Return the edges of consecutive bins that fill a window, (bins + 1,) float64, in ms after onset."""
    start, end = window_ms
    n = 1 if bin_ms is None else round((end - start) / bin_ms)
    edges = start + (end - start) / n * np.arange(n + 1)
    edges[-1] = end
    return edges


def count(spikes: Sequence[np.ndarray], onsets: np.ndarray, edges_ms: np.ndarray) -> np.ndarray:
    """Count spikes in bins after every onset, (unit, presentation, bin) int32.

    Each unit's spike times ascend and are in seconds, as onsets (presentation,) are; windows may overlap. The
    edges, (bins + 1,), ascend and are in ms after onset. A bin holds its left edge and not its right one.
    """
    edges = onsets[:, None] + edges_ms / 1000
    counts = np.empty((len(spikes), len(onsets), len(edges_ms) - 1), dtype=np.int32)
    for index, times in enumerate(spikes):
        counts[index] = np.diff(np.searchsorted(times, edges.ravel()).reshape(edges.shape), axis=1)
    return counts


def covered(intervals: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Find the windows [start, end] that lie inside the union of some intervals, (windows,) bool.

    Intervals, (n, 2) start and end, stand in any order; they may touch and overlap.
    """
    if not len(intervals):
        return np.zeros(len(starts), dtype=bool)
    intervals = intervals[np.argsort(intervals[:, 0], kind="stable")]
    reach = np.maximum.accumulate(intervals[:, 1])
    # A gap before an interval is where nothing before it reaches its start.
    first = np.concatenate([[True], intervals[1:, 0] > reach[:-1]])
    begins = intervals[first, 0]
    stops = reach[np.concatenate([np.flatnonzero(first)[1:] - 1, [len(reach) - 1]])]
    index = np.searchsorted(begins, starts, side="right") - 1
    inside: NDArray[np.bool_] = (index >= 0) & (ends <= stops[index])
    return inside
