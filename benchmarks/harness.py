"""What every benchmark shares: threads, turns, and one table.

A benchmark is a script that yields :class:`Measurement` rows and hands them to :func:`main`. It asserts that
what it compares is equal before it times anything. `make bench` runs all of them and prints one table.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "numpy", "scipy", "rsatoolbox", "optuna", "snakemake")
LIBRARY_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def set_threads(number: int = 1) -> None:
    """Give every numerical library that many threads; to be called before one of them is imported."""
    wanted = dict.fromkeys(LIBRARY_THREADS, str(number))
    loaded = {"numpy", "torch"} & set(sys.modules)
    if loaded and wanted.items() - os.environ.items():
        raise RuntimeError(f"{', '.join(loaded)} was imported before set_threads, and would not heed it")
    os.environ.update(wanted)


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One row of the table.

    Attributes
    ----------
    what, shape
        What was measured, and on how much.
    seconds
        Of each turn.
    peer, limit
        What it is compared with: somebody else's way, and what physics demands (a matrix product, a forward
        and backward pass, the time divided among the cores); empty without one.
    peer_ratio
        Median over the turns of peer / ours: how many times faster ours is.
    limit_ratio
        Median over the turns of ours / limit: how many times the limit ours takes.
    clock
        ``"cpu"``: CPU time of the process; ``"wall"``.
    threads
        Of each library.
    note
        What else the row should say.
    """

    what: str
    shape: str
    seconds: list[float]
    peer: str = ""
    peer_ratio: float | None = None
    limit: str = ""
    limit_ratio: float | None = None
    clock: str = "cpu"
    threads: int = 1
    note: str = ""


def take_turns(
    ways: Mapping[str, Callable[[], Any]], turns: int = 5, *, clock: str = "cpu", warm: bool = True
) -> dict[str, list[float]]:
    """Time several ways of one thing in turns, so that a busy machine disturbs all of them alike.

    Returns
    -------
    dict
        Seconds of every turn, by way.
    """
    now = time.process_time if clock == "cpu" else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(-int(warm), turns):
        for name, way in ways.items():
            start = now()
            way()
            if turn >= 0:
                seconds[name].append(now() - start)
    return seconds


def ratio(numerator: Sequence[float], denominator: Sequence[float]) -> float:
    """Median over the turns of one way's seconds over another's."""
    return statistics.median(a / b for a, b in zip(numerator, denominator, strict=True))


def rows(
    seconds: Mapping[str, list[float]], ours: str, shape: str, *, limit: str = "", **more: Any
) -> Iterable[Measurement]:
    """Rows of what :func:`take_turns` returned: one of ours for each peer; the limit in all of them."""
    bound = ratio(seconds[ours], seconds[limit]) if limit else None
    for peer in [name for name in seconds if name not in (ours, limit)] or [""]:
        faster = ratio(seconds[peer], seconds[ours]) if peer else None
        yield Measurement(ours, shape, seconds[ours], peer, faster, limit, bound, **more)


def processor() -> str:
    """Name of the processor, its family and its vector instructions."""
    from tgsage.store.processor import processor as describe
    from tgsage.store.processor import processor_words

    facts = describe()
    return f"{processor_words(facts)} ({facts['torch']}), {os.cpu_count()} cores"


def versions() -> str:
    """Versions of Python and of the packages that do the work."""
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{package} absent")
    return ", ".join(found)


def table(measurements: Iterable[Measurement]) -> str:
    """Return the rows as a table in Markdown."""
    lines = [
        "| what | shape | clock, threads | median [range] of n | peer / ours | ours / limit | note |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in measurements:
        peer = "" if one.peer_ratio is None else f"{one.peer_ratio:.2f} × ({one.peer})"
        limit = "" if one.limit_ratio is None else f"{one.limit_ratio:.2f} ({one.limit})"
        middle = _seconds(statistics.median(one.seconds))
        span = f"{_seconds(min(one.seconds))} to {_seconds(max(one.seconds))}"
        lines.append(
            f"| {one.what} | {one.shape} | {one.clock}, {one.threads} | {middle} [{span}] of "
            f"{len(one.seconds)} | {peer} | {limit} | {one.note} |"
        )
    return "\n".join(lines)


def _seconds(value: float) -> str:
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"


def main(
    document: str | None,
    measure: Callable[[argparse.Namespace], Iterable[Measurement]],
    *,
    add: Callable[[argparse.ArgumentParser], None] = lambda _parser: None,
) -> None:
    """Run a benchmark from the command line: print its table, or append its rows to a file for `make bench`.

    Parameters
    ----------
    document
        The script's docstring, which says how to call it.
    measure
        From the options ``turns``, ``small`` and what ``add`` added, the rows.
    add
        Adds options to the parser.
    """
    parser = argparse.ArgumentParser(
        description=document, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=5, help="of each way; the median is shown")
    parser.add_argument("--small", action="store_true", help="a tenth of the work, to try the script")
    parser.add_argument("--rows", type=Path, help="append the rows to this file, as JSON lines")
    add(parser)
    options = parser.parse_args()
    measured = []
    for one in measure(options):
        measured.append(one)
        print(f"{one.what}, {one.shape}: {_seconds(statistics.median(one.seconds))}", file=sys.stderr)
    if options.rows:
        with options.rows.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(dataclasses.asdict(one)) + "\n" for one in measured)
        return
    print(f"{processor()}; {versions()}\n\n{table(measured)}")
