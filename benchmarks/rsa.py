"""What comparing a network with a teacher costs, beside what people use today.

    python benchmarks/rsa.py                    every row but these: about four minutes
    python benchmarks/rsa.py --paper            scoring a checkpoint at the paper's scale: two minutes
    python benchmarks/rsa.py --slopes FILE.svg  how the time grows, as rows and as a figure

Rows of 92 to 1,960 stimuli: correlation RDMs of 4 layers of 8,192 features (float32), each compared by
Spearman's rho with the RDMs of two regions of 128 and 168 sites, which everybody is given. The limit is the
full Gram product of each layer in torch. The peers are rsatoolbox, and numpy.corrcoef with
scipy.stats.spearmanr. `ranks kept` is what a search does: the targets were ranked when the teacher was made.

Peak memory is that of a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness import Measurement, main, ratio, rows, set_threads, take_turns

set_threads(1)

import numpy as np  # noqa: E402
import scipy.stats  # noqa: E402
import torch  # noqa: E402

from tgsage.rdm import comparable, compare, rdm  # noqa: E402

torch.set_num_threads(1)
OURS, GRAM = "tgsage, ranks kept", "torch Gram product"
FEATURES, SITES = 8192, (128, 168)


def patterns(n: int, widths: tuple[int, ...], seed: int = 0) -> list[np.ndarray]:
    """Activations after a ReLU, float32 (n, width), that share a structure of 20 dimensions."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((n, 20), np.float32)
    made = []
    for width in widths:
        noise = 3 * rng.standard_normal((n, width), np.float32)
        made.append(np.maximum(shared @ rng.standard_normal((20, width), np.float32) + noise, 0))
    return made


def by_rsatoolbox(layers: list[torch.Tensor], targets: np.ndarray) -> np.ndarray:
    """Return (layers, targets) similarities."""
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import RDMs, calc_rdm
    from rsatoolbox.rdm import compare as compare_theirs

    theirs = RDMs(targets, dissimilarity_measure="correlation")
    ours = [calc_rdm(Dataset(layer.numpy().astype(np.float64)), method="correlation") for layer in layers]
    return np.concatenate([compare_theirs(one, theirs, method="spearman") for one in ours])


def by_scipy(layers: list[torch.Tensor], targets: np.ndarray) -> np.ndarray:
    """Return (layers, targets) similarities."""
    upper = np.triu_indices(len(layers[0]), 1)
    ours = [1 - np.corrcoef(layer.numpy())[upper] for layer in layers]
    return np.array([[scipy.stats.spearmanr(one, target).statistic for target in targets] for one in ours])


def by_tgsage(layers: list[torch.Tensor], targets: Any) -> np.ndarray:
    """Return (layers, targets) similarities."""
    return np.concatenate([compare(rdm(layer), targets).numpy() for layer in layers])


def peers(n: int, turns: int) -> Iterator[Measurement]:
    """Rows of one number of stimuli."""
    layers = [torch.from_numpy(layer) for layer in patterns(n, (FEATURES,) * 4)]
    targets = np.stack([rdm(sites) for sites in patterns(n, SITES)])
    kept = comparable(targets)
    shape = f"{n:,} stimuli x {FEATURES:,} features, {len(layers)} layers, {len(SITES)} targets"
    exact = by_scipy([layer.double() for layer in layers], targets)
    # float32 exchanges neighbours among the ranks: of 4,186 pairs, one exchange can change rho by 7e-7.
    single = 1e-6 if n < 200 else 1e-7
    for values, error in (
        (by_tgsage(layers, kept), single),
        (by_tgsage(layers, targets), single),
        (by_rsatoolbox(layers, targets), 1e-10),
    ):
        np.testing.assert_allclose(values, exact, rtol=0, atol=error)
    ways: dict[str, Callable[[], Any]] = {
        OURS: lambda: by_tgsage(layers, kept),
        "tgsage, targets ranked in each turn": lambda: by_tgsage(layers, targets),
        "corrcoef + spearmanr": lambda: by_scipy(layers, targets),
        GRAM: lambda: [layer @ layer.T for layer in layers],
    }
    yield from rows(take_turns(ways, turns), OURS, shape, limit=GRAM)
    # It takes minutes where the others take seconds.
    few = turns if n <= 1000 else 1
    note = "" if few == turns else "one turn"
    ways = {OURS: ways[OURS], "rsatoolbox": lambda: by_rsatoolbox(layers, targets), GRAM: ways[GRAM]}
    yield from rows(take_turns(ways, few, warm=False), OURS, shape, limit=GRAM, note=note)


def large(n: int, features: int, turns: int) -> Iterator[Measurement]:
    """One large layer with three targets."""
    memory = json.loads(in_a_process("large", n, features))["peak"]
    layer = torch.from_numpy(patterns(n, (features,))[0])
    targets = comparable(np.stack([rdm(sites) for sites in patterns(n, (*SITES, 40))]))
    ways: dict[str, Callable[[], Any]] = {
        OURS: lambda: by_tgsage([layer], targets),
        GRAM: lambda: layer @ layer.T,
    }
    seconds = take_turns(ways, turns, warm=False)
    shape = f"{n:,} stimuli x {features:,} features, 1 layer, 3 targets"
    yield from rows(
        seconds, OURS, shape, limit=GRAM, note=f"peak memory of the process {memory / 1e9:.2f} GB"
    )


def child_large(n: int, features: int) -> dict[str, float]:
    """What :func:`large` times, once: its memory."""
    targets = comparable(np.stack([rdm(sites) for sites in patterns(n, (*SITES, 40))]))
    layer = torch.from_numpy(patterns(n, (features,))[0])
    by_tgsage([layer], targets)
    return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def paper(n: int, pixels: int) -> Iterator[Measurement]:
    """One checkpoint of a network of the paper's space."""
    found = json.loads(in_a_process("paper", n, pixels))
    note = (
        f"of these {found['forward']:.3g} s forward passes; peak memory {found['peak'] / 1e9:.2f} GB, "
        f"needed_memory says {found['needed'] / 1e9:.2f} GB"
    )
    shape = f"{n:,} stimuli of {pixels} pixels in parts of 70 and 30 %, {found['layers']} layers of "
    shape += f"{found['features']:,} features in all, 3 targets of 296 sites"
    yield Measurement("scoring one checkpoint", shape, [found["seconds"]], note=note)


def child_paper(n: int, pixels: int) -> dict[str, float]:
    """What :func:`paper` tells."""
    import xarray as xr

    from tgsage import spaces
    from tgsage.scoring import needed_memory, similarity
    from tgsage.teacher.ranks import with_ranks
    from tgsage.training import feature_counts

    rng = np.random.default_rng(0)
    settings = {
        "name": "cell",
        "blocks": 5,
        "repeats": 2,
        "width": 32,
        "stem_stride": 2,
        "stem_reductions": 2,
    }
    space = spaces.get(settings | {"reductions": 2, "drop_reductions": 2})
    network = space.build(space.sample(rng), 10).eval()
    images = rng.integers(0, 256, (n, pixels, pixels, 3), dtype=np.uint8)
    split = np.where(np.arange(n) % 10 < 7, "reward", "report")
    targets = {
        name: with_ranks(
            xr.Dataset(
                {
                    "rdm": ("pair", rdm(sites)),
                    "stimulus_id": ("stimulus", np.arange(n).astype(str)),
                    "split": ("stimulus", split),
                    "images": (("stimulus", "y", "x", "rgb"), images),
                },
                coords={"part": ["reward", "report"]},
            ),
            by_category=False,
        )
        for name, sites in zip(("V4", "pIT", "aIT"), patterns(n, (128, 84, 84)), strict=True)
    }
    prepared = similarity.prepare(xr.DataTree.from_dict(targets), None, ["reward", "report"])
    counts = feature_counts(network, network.probe_names, (pixels, pixels))
    forward = [0.0]
    answer = similarity.activations

    def timed(*arguments: Any, **options: Any) -> Any:
        start = time.process_time()
        outputs = answer(*arguments, **options)
        forward[0] += time.process_time() - start
        return outputs

    similarity.activations = timed  # type: ignore[attr-defined]
    start = time.process_time()
    found = similarity.similarities(
        network, prepared, list(counts), method="spearman", mean=[0.5] * 3, std=[0.2] * 3, device="cpu",
        batch_size=256,
    )  # fmt: skip
    seconds = time.process_time() - start
    parts = [int((split == part).sum()) for part in ("reward", "report")]
    assert len(found) == 6 and all(np.isfinite(values).all() for values in found.values())
    return {
        "seconds": seconds, "forward": forward[0], "layers": len(counts), "features": sum(counts.values()),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "needed": needed_memory(list(counts.values()), parts, n_targets=3, resolution=pixels),
    }  # fmt: skip


def in_a_process(what: str, *sizes: int) -> str:
    """Run this script for one thing alone, and return what it prints."""
    command = [sys.executable, __file__, "--child", what, *map(str, sizes)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def slopes(path: Path, turns: int) -> Iterator[Measurement]:
    """How the time grows with each size of the problem, the others held."""
    from tgsage.plots import style

    usual = {"stimuli": 1000, "features": 2048, "layers": 2, "targets": 2}
    ranges = {
        "stimuli": [125, 250, 500, 1000, 2000, 4000],
        "features": [512, 1024, 2048, 4096, 8192, 16384, 32768],
        "layers": [1, 2, 4, 8],
        "targets": [1, 2, 4, 8, 16, 32],
    }
    measured: dict[str, dict[str, list[list[float]]]] = {}
    for size, values in ranges.items():
        measured[size] = {OURS: [], GRAM: []}
        for value in values:
            one = usual | {size: value}
            layers = [
                torch.from_numpy(x) for x in patterns(one["stimuli"], (one["features"],) * one["layers"])
            ]
            targets = comparable(np.stack([rdm(x) for x in patterns(one["stimuli"], (60,) * one["targets"])]))
            ways: dict[str, Callable[[], Any]] = {
                OURS: lambda layers=layers, targets=targets: by_tgsage(layers, targets),
                GRAM: lambda layers=layers: [layer @ layer.T for layer in layers],
            }
            for way, seconds in take_turns(ways, turns).items():
                measured[size][way].append(seconds)
        shape = f"{size} {values[0]:,} to {values[-1]:,}; else " + ", ".join(
            f"{value:,} {name}" for name, value in usual.items() if name != size
        )
        yield Measurement(
            f"growth with {size}", shape, measured[size][OURS][-1],
            limit=GRAM, limit_ratio=ratio(measured[size][OURS][-1], measured[size][GRAM][-1]),
            note=f"exponent of the last three points {exponent(values, measured[size][OURS]):.2f}",
        )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(style.svg(style.styled(draw)(ranges, measured)))


def exponent(values: list[int], seconds: list[list[float]]) -> float:
    """Slope of the last three medians, both axes logarithmic."""
    return float(np.polyfit(np.log(values[-3:]), np.log(np.median(seconds[-3:], 1)), 1)[0])


def draw(ranges: dict[str, list[int]], measured: dict[str, dict[str, list[list[float]]]]) -> Any:
    """Draw one panel for each size of the problem, both axes logarithmic."""
    from tgsage.plots import style

    figure = style.new(2.4)
    panels = figure.subplots(1, len(ranges), sharey=True)
    for panel, (size, values) in zip(panels, ranges.items(), strict=True):
        for way, colour, marker in ((OURS, "blue", "o"), (GRAM, "vermillion", "s")):
            seconds = np.array(measured[size][way])
            middle = np.median(seconds, 1)
            spread = np.stack([middle - seconds.min(1), seconds.max(1) - middle])
            panel.errorbar(values, middle, spread, marker=marker, color=style.PALETTE[colour], label=way)
        panel.set(xscale="log", yscale="log", title=f"exponent {exponent(values, measured[size][OURS]):.2f}")
        panel.set_xticks(values[::2], [f"{value:,}" for value in values[::2]])
        panel.minorticks_off()
        panel.set_xlabel(size)
    panels[0].set_ylabel("CPU time of one thread (s)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc=style.LEGEND, ncols=2)
    return figure


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """All rows, or those of the slopes."""
    if options.slopes:
        yield from slopes(options.slopes, options.turns)
    if options.paper:
        yield from paper(*((300, 32) if options.small else (5760, 64)))
    if options.slopes or options.paper:
        return
    for n in (92, 300) if options.small else (92, 1000, 1960):
        yield from peers(n, options.turns)
    yield from large(*((1000, 2048) if options.small else (5760, 16384)), min(options.turns, 3))


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of this script."""
    parser.add_argument("--paper", action="store_true", help="score one checkpoint at the paper's scale")
    parser.add_argument("--slopes", type=Path, help="draw the slopes into this file")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps({"large": child_large, "paper": child_paper}[sys.argv[2]](*map(int, sys.argv[3:]))))
    else:
        main(__doc__, measure, add=add)
