"""What a search has beside training: its recordings and task, its figures and its page.

    python benchmarks/report.py [--turns 5] [--small]

Recordings and task are those of the default configuration, with one epoch of the simulated animal's training.
Figures and pages are of made-up searches of 24 and of 2,000 candidates. Nothing here measures imports, which
cost a job one to three seconds of CPU time.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from harness import Measurement, main, rows, set_threads, take_turns

set_threads(1)
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch.nn import functional  # noqa: E402

from helpers import made_up_run  # noqa: E402
from tgsage import plots, recordings, tasks  # noqa: E402
from tgsage.demo.rendering import RenderedImages, render, scenes  # noqa: E402
from tgsage.demo.simulated_macaque import network  # noqa: E402
from tgsage.demo.simulated_macaque.plugin import SimulatedRecordings  # noqa: E402
from tgsage.runs.layout import RunFolder  # noqa: E402

SCENES: dict[str, Any] = {"resolution": 32, "variation": "high", "seed": 0, "stream": "train"}
ROUNDS = {24: (4, 6), 2000: (50, 40)}


def rendering(n: int, turns: int) -> Iterable[Measurement]:
    """Many images at a time, and one at a time."""

    def one_by_one() -> RenderedImages:
        together = scenes.TOGETHER
        scenes.TOGETHER = 1
        try:
            return render(n, **SCENES)
        finally:
            scenes.TOGETHER = together

    assert np.array_equal(render(n, **SCENES).images, one_by_one().images)
    ways = {"rendered images": lambda: render(n, **SCENES), "one at a time": one_by_one}
    return rows(take_turns(ways, turns), "rendered images", f"{n} of 32 × 32")


def simulated_animal(n: int, turns: int) -> Iterable[Measurement]:
    """An epoch of its network's training, beside the bare forward and backward passes of the same batches."""
    settings = SimulatedRecordings(source="simulated", training_images=n, epochs=1)
    images = network.training_images(settings)
    grey, labels = network._grey(images.images), torch.from_numpy(images.category)
    module = network.VentralStream().to(memory_format=torch.channels_last)
    kept = n - round(network.HELD_OUT * n)

    def bare() -> None:
        for rows_ in torch.arange(kept).split(network.BATCH):
            functional.cross_entropy(module(grey[rows_]), labels[rows_]).backward()

    def learn() -> dict[str, torch.Tensor]:
        return network.train_ventral_stream(settings, images)[0].state_dict()

    states = learn(), learn()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    ways = {"the simulated animal learns": learn, "bare passes": bare}
    return rows(
        take_turns(ways, turns), "the simulated animal learns", f"{n} images, 1 epoch", limit="bare passes"
    )


def made(n: int, turns: int) -> Iterable[Measurement]:
    """Recordings and task, from the settings to what is written, with a share ``n`` of 5,000 images."""
    settings = SimulatedRecordings(source="simulated", training_images=n, epochs=1)
    task = {"source": "rendered", "n_train": n * 4 // 5, "n_validation": n // 5, "n_test": n * 2 // 5}
    first, again = recordings.make(settings)[0], recordings.make(settings)[0]
    assert np.array_equal(first.values, again.values)
    ways = {
        "recordings": (lambda: recordings.make(settings), f"{n} images, 1 epoch"),
        "task": (lambda: tasks.make(task, "."), f"{n * 7 // 5} images"),
    }
    seconds = take_turns({name: way for name, (way, _) in ways.items()}, turns, warm=False)
    for name, (_, shape) in ways.items():
        yield Measurement(name, shape, seconds[name])


def drawn(root: Path, candidates: int, turns: int) -> Iterator[Measurement]:
    """Figures and page of a made-up search."""
    rounds, per_round = ROUNDS[candidates]
    run = made_up_run.make_run(root / str(candidates), arms=())
    folder = run / "search" / "monkey" / "seed_0"
    teacher = run / "teachers" / "monkey.nc"
    made_up_run.make_search(folder, arm="monkey", seed=0, teacher=teacher, rounds=rounds, per_round=per_round)
    made_up_run.draw_run(run)
    files = RunFolder(str(run))
    number = itertools.count()

    def figures() -> Path:
        path = root / f"figures_{next(number)}"
        plots.search_figures(
            path,
            **files.search("monkey", "0").finished(),
            space=made_up_run.space(),
            teacher_file=teacher,
            n_validation=made_up_run.N_VALIDATION,
        )
        return path

    page = functools.partial(made_up_run.page, run, ["monkey"], "Made up")
    one, other = ({path.name: path.read_bytes() for path in figures().iterdir()} for _ in range(2))
    assert one == other
    text = page()
    assert text == page()
    seconds = take_turns({"figures of a search": figures, "page": page}, turns, warm=False)
    size = sum(len(content) for name, content in one.items() if name.endswith("svg"))
    notes = {"figures of a search": f"SVG {size / 1e6:.1f} MB", "page": f"{len(text) / 1e6:.1f} MB"}
    for name, note in notes.items():
        yield Measurement(name, f"{candidates:,} candidates", seconds[name], note=note)


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """All of them."""
    torch.set_num_threads(1)
    n = 500 if options.small else 5000
    yield from rendering(n // 5, options.turns)
    yield from simulated_animal(n, options.turns)
    yield from made(n, options.turns)
    with tempfile.TemporaryDirectory() as folder:
        for candidates in ROUNDS:
            yield from drawn(Path(folder), candidates, options.turns)


if __name__ == "__main__":
    main(__doc__, measure)
