"""How a search grows: proposals over candidates, and the files of a search over rounds.

Ledgers are synthetic: distinct architectures of a space in canonical form, random scores, 100 rounds (the
most that a search may have). Making 100,000 cells takes minutes, so they are kept in the temporary folder.

    python benchmarks/growth.py                                       1,000 to 100,000 candidates
    python benchmarks/growth.py --candidates 1000 10000 --space convnet20
    python benchmarks/growth.py --figure docs/figures/performance/growth.svg
"""

from __future__ import annotations

import argparse
import csv
import itertools
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import Measurement, main, set_threads, take_turns

set_threads(1)

import matplotlib.figure  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import xarray as xr  # noqa: E402
from pandas.testing import assert_frame_equal  # noqa: E402

from tgsage import samplers, spaces  # noqa: E402
from tgsage.guidance.paper.plugin import PPlusTg  # noqa: E402
from tgsage.runs import ledger, profiles  # noqa: E402
from tgsage.search import collect_search, judged  # noqa: E402
from tgsage.spaces.cell import blocks  # noqa: E402

SAMPLERS = ("random", "evolution", "tpe", "nsga2", "reinforce")
TARGETS = ("V4", "pIT", "aIT")
ROUNDS = 100
SLOTS = 40
GUIDANCE = PPlusTg(name="p_plus_tg")


def architectures(name: str, wanted: int) -> list[tuple[str, str]]:
    """Keys and texts of that many distinct canonical architectures."""
    space = spaces.get(name)
    first = space.format(space.canonical(space.sample(np.random.default_rng(0))))
    kept = Path(tempfile.gettempdir()) / f"tgsage_growth_{name}_{space.key(space.parse(first))}.csv"
    if kept.exists():
        with kept.open(encoding="utf-8", newline="") as file:
            found = [(key, text) for key, text in itertools.islice(csv.reader(file), wanted)]
        if len(found) == wanted:
            return found
    texts: dict[str, str] = {}
    rng = np.random.default_rng(1)
    while len(texts) < wanted:
        arch = space.canonical(space.sample(rng))
        texts.setdefault(space.key(arch), space.format(arch))
    with kept.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(texts.items())
    return list(texts.items())


def table_of(found: list[tuple[str, str]], rounds: int) -> pd.DataFrame:
    """A ledger of these architectures in that many rounds, which divides their number."""
    rng = np.random.default_rng(2)
    n = len(found)
    places = np.arange(n)
    columns: dict[str, Any] = {
        "round": places // (n // rounds),
        "slot": places % (n // rounds),
        "candidate": [key for key, _ in found],
        "status": "ok",
        "architecture": [text for _, text in found],
        **{name: rng.integers(10**5, 10**6, n).astype(float) for name in ("parameters", "flops")},
        **dict.fromkeys(("probes", "examples"), 8.0),
        **{f"layer_{target}": "cells.2" for target in TARGETS},
        "processor": "AMD EPYC",
    }
    names = ledger.columns(TARGETS)
    columns |= {name: rng.random(n) for name in names if name not in columns}
    return pd.DataFrame(columns)[names]


def slope(sizes: list[int], seconds: list[list[float]]) -> str:
    """The exponent with which the median grows, in words."""
    if len(sizes) < 2:
        return ""
    medians = [statistics.median(turns) for turns in seconds]
    return f"grows as n^{np.polyfit(np.log(sizes), np.log(medians), 1)[0]:.2f}"


def of_candidates(options: argparse.Namespace) -> Iterator[Measurement]:
    """Read the ledger and propose 20, as the stage does, over the number of candidates."""
    space = spaces.get(options.space)
    found = architectures(options.space, max(options.candidates))
    seconds: dict[str, list[list[float]]] = {}
    for n in options.candidates:
        table = table_of(found[:n], ROUNDS)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "ledger.csv"
            ledger.write(table, path)
            assert_frame_equal(ledger.read(path), table, check_dtype=False)
            if n <= samplers.get("tpe").settings.history:
                given = [samplers.get("tpe", history=h).propose(space, table, 2, 0) for h in (n + 250, 10**6)]
                assert given[0] == given[1] == samplers.get("tpe").propose(space, table, 2, 0)

            def propose(name: str, path: Path = path) -> None:
                # A stage is a process of its own, which has no canonical form in memory.
                blocks._least.cache_clear()
                proposals = samplers.get(name).propose(space, ledger.read(path), 20, 0)
                assert len(proposals) == 20

            ways = {name: lambda name=name: propose(name) for name in options.samplers}
            turns = take_turns(ways, options.turns, warm=n == options.candidates[0])
        for name in options.samplers:
            seconds.setdefault(name, []).append(turns[name])
    for name, of_sizes in seconds.items():
        for n, turns_of in zip(options.candidates, of_sizes, strict=True):
            note = slope(options.candidates, of_sizes) if n == options.candidates[-1] else ""
            shape = f"{n:,} {options.space} candidates, {ROUNDS} rounds"
            yield Measurement(f"propose 20, {name}", shape, turns_of, note=note)


def of_rounds(options: argparse.Namespace) -> Iterator[Measurement]:
    """Write, read and score the files of a search over its number of rounds."""
    lengths = [10, 30, ROUNDS]
    found = architectures(options.space, max(*options.candidates, ROUNDS * SLOTS))
    whole = table_of(found[: ROUNDS * SLOTS], ROUNDS)
    rng = np.random.default_rng(3)
    seconds: dict[str, list[list[float]]] = {"score for a proposal": [], "write the ledger": []}
    disk = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = [rows.reset_index(drop=True) for _, rows in whole.groupby("round")]
        measured = [folder / f"{r}.csv" for r in range(ROUNDS)]
        shown = [folder / f"{r}.nc" for r in range(ROUNDS)]
        for rows, of_round, of_layers in zip(parts, measured, shown, strict=True):
            ledger.write_round(rows, of_round)
            profiles.save(layers(rows, rng), of_layers)
        for n in lengths:
            files = {"measurements": measured[:n], "round_profiles": shown[:n]}
            out = folder / "ledger.csv", folder / "profiles.nc"
            collect_search(*out, **files, guidance=GUIDANCE)
            read = ledger.read(out[0])
            expected = whole[: n * SLOTS].drop(columns="score")
            assert_frame_equal(read.drop(columns="score"), expected, check_dtype=False)
            turns = take_turns(
                {
                    "score for a proposal": lambda n=n: judged(measured[:n], [], GUIDANCE, "proposals"),
                    "write the ledger": lambda files=files, out=out: collect_search(
                        *out, **files, guidance=GUIDANCE
                    ),
                },
                options.turns,
            )
            for what, times in turns.items():
                seconds[what].append(times)
            of_rounds = sum(file.stat().st_size for file in (*measured[:n], *shown[:n]))
            of_search = sum(file.stat().st_size for file in out)
            # Had each round left all rows so far: a round's share of the whole, 1 + 2 + ... + n times.
            disk.append((of_rounds + of_search, of_search / n * (n * (n + 1) / 2) + of_search))
    for what, of_lengths in seconds.items():
        for n, turns_of, (kept, rewritten) in zip(lengths, of_lengths, disk, strict=True):
            note = f"{kept / 1e6:.1f} MB in all; {rewritten / 1e6:.1f} MB if rewritten each round"
            if n == lengths[-1]:
                note = f"{slope(lengths, of_lengths)}; {note}"
            yield Measurement(what, f"{n} rounds of {SLOTS}", turns_of, note=note)


def layers(rows: pd.DataFrame, rng: np.random.Generator) -> xr.Dataset:
    """Profiles of some rows: five layers."""
    shape = (len(rows), len(TARGETS), 5)
    return xr.Dataset(
        {
            **{name: (("row", "target", "layer"), rng.random(shape)) for name in ("rsa", "untrained")},
            **{f"ceiling_{side}": ("target", np.full(len(TARGETS), 0.8)) for side in ("lower", "upper")},
        },
        coords={
            "round": ("row", rows["round"].to_numpy()),
            "slot": ("row", rows["slot"].to_numpy()),
            "target": list(TARGETS),
            "weight": ("target", np.ones(len(TARGETS))),
        },
    )


def draw(measured: list[Measurement], path: Path) -> None:
    """Seconds over candidates and over rounds, both axes logarithmic."""
    from tgsage.plots.style import COLOURS, WIDTH, styled

    @styled
    def drawn() -> None:
        figure = matplotlib.figure.Figure(figsize=(WIDTH, 2.8), layout="constrained")
        axes = figure.subplots(1, 2, sharey=True)
        titles = ("A ledger of 100 rounds", f"Rounds of {SLOTS} candidates")
        words = ("Candidates in the ledger", "Rounds of the search")
        for panel, (title, label) in enumerate(zip(titles, words, strict=True)):
            rows = [one for one in measured if one.what.startswith("propose") == (panel == 0)]
            for number, what in enumerate(dict.fromkeys(one.what for one in rows)):
                line = [one for one in rows if one.what == what]
                name = what.removeprefix("propose 20, ")
                grows = next((one.note.split(";")[0] for one in line if one.note.startswith("grows")), "")
                axes[panel].errorbar(
                    [int(one.shape.split()[0].replace(",", "")) for one in line],
                    [statistics.median(one.seconds) for one in line],
                    yerr=np.abs(
                        [
                            (statistics.median(one.seconds) - min(one.seconds),
                             max(one.seconds) - statistics.median(one.seconds))
                            for one in line
                        ]
                    ).T,
                    color=COLOURS[number], marker="osD^v"[number],
                    label=f"{name} {grows.replace('grows as', '∝')}",
                )  # fmt: skip
            axes[panel].set(xscale="log", yscale="log", title=title, xlabel=label)
            axes[panel].legend()
        axes[0].axhline(10, color="#6b6b6b", linewidth=0.8, linestyle=(0, (1.2, 1.2)))
        axes[0].set_ylabel("CPU time of one thread (s)")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})

    drawn()


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Candidates, then rounds."""
    if options.small:
        options.candidates = [n // 10 for n in options.candidates]
    measured = []
    for one in itertools.chain(of_candidates(options), of_rounds(options)):
        measured.append(one)
        yield one
    if options.figure:
        draw(measured, options.figure)


def add(parser: argparse.ArgumentParser) -> None:
    """Options of this script."""
    parser.add_argument("--candidates", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--space", default="cell", help="cell, convnet10 or convnet20")
    parser.add_argument("--samplers", nargs="+", default=list(SAMPLERS), choices=SAMPLERS)
    parser.add_argument("--figure", type=Path, help="draw the rows: an svg file")


if __name__ == "__main__":
    main(__doc__, measure, add=add)
