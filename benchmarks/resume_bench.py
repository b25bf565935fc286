"""What it costs to stop a training and to go on, as successive halving does.

    python benchmarks/resume_bench.py [--stops 0.25 0.5] [--images 4000] [--epochs 2] [--repeats 5]

One table, of the same training three ways: in one go; with stops, each going on from the one before; with
stops, each beginning anew (what halving would cost without kept states). The ways take turns, each time in a
fresh store, and share everything else; seconds hold training, checkpoints and the writing of the store. The
images are noise: nothing is learnt, and the time is the same.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from training_bench import cell_choices

from tgsage.store import Store
from tgsage.tasks import Part, Task
from tgsage.training import Stored, ensure_trained
from tgsage.training.settings import Recipe

RESOLUTION, CLASSES = 32, 8


def noise(n: int) -> Task:
    """A task of random images, ``n`` of them to train on."""
    rng = np.random.default_rng(0)

    def part(size: int) -> Part:
        images = rng.integers(0, 256, (size, RESOLUTION, RESOLUTION, 3), dtype=np.uint8)
        return Part(images, rng.integers(0, CLASSES, size))

    return Task("noise", part(n), part(64), part(64), tuple(map(str, range(CLASSES))), simulated=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--stops", type=float, nargs="+", default=[0.25, 0.5])
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    task = noise(arguments.images)
    space, arch = cell_choices(arguments.width)
    recipe = Recipe(epochs=arguments.epochs, checkpoints=[0.0, 1.0])

    def stages(store: Store, stops: list[float], *, going_on: bool) -> Stored:
        for number, stop in enumerate(stops):
            stage = Recipe(**{**recipe.model_dump(), "stop": stop})
            earlier = stops[:number] if going_on else []
            done = ensure_trained(store, space, arch, stage, task, arguments.device, earlier=earlier)
        return done

    every = [*arguments.stops, 1.0]
    ways = {
        "in one go": lambda store: stages(store, [1.0], going_on=False),
        "stops, going on": lambda store: stages(store, every, going_on=True),
        "stops, anew": lambda store: stages(store, every, going_on=False),
    }
    taken: dict[str, list[float]] = {way: [] for way in ways}
    weights: dict[str, bytes] = {}
    size = parameters = 0
    for turn in range(arguments.repeats + 1):
        for way, call in ways.items():
            with tempfile.TemporaryDirectory() as folder:
                begin = time.perf_counter()
                done = call(Store(folder))
                if turn:  # The first turn warms up.
                    taken[way].append(time.perf_counter() - begin)
                states = list(Path(folder).rglob("resume.safetensors"))
                size = max([size, *(state.stat().st_size for state in states)])
                parameters = done.record["parameters"]
                weights[way] = b"".join(v.numpy().tobytes() for _, v in sorted(done.load().items()))
    assert len(set(weights.values())) == 1, "the three ways did not give the same weights"

    print(
        f"{platform.processor() or platform.machine()}, torch on {arguments.device}, "
        f"{recipe.threads} thread(s)"
    )
    print(
        f"{parameters:,} parameters, {arguments.images} images, {arguments.epochs} epochs, stops {every[:-1]}"
    )
    print(f"state kept at a stop: {size / 1e6:.2f} MB; {arguments.repeats} paired turns\n")
    print("| way | seconds, median | share of one go, median of turns | least | most |")
    print("|---|---|---|---|---|")
    for way, seconds in taken.items():
        shares = [one / whole for one, whole in zip(seconds, taken["in one go"], strict=True)]
        print(
            f"| {way} | {statistics.median(seconds):.2f} | {statistics.median(shares):.3f} "
            f"| {min(shares):.3f} | {max(shares):.3f} |"
        )


if __name__ == "__main__":
    main()
