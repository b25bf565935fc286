"""What bfloat16 changes on a CPU: the time of a step, and accuracy and RSA after training.

    TGSAGE_DATA=... python benchmarks/precision.py [--trainings 10] [--results precision.jsonl]

Two tables. The first: float32 / bfloat16 time of a forward and backward pass, of random architectures of each
space; it is why `precision: auto` heeds the space. The second: random architectures are trained three times
on CIFAR-10, in float32, in bfloat16 from the same seed, and in float32 from another seed. What the dtype
changes stands beside what the seed changes. RSA is with recorded macaques, V4 (640 images) and IT (92). Each
finished training is a line of the file of results, and a second call goes on from there. About 25 minutes of
one core with AVX512_BF16; without, days.
"""

# ruff: noqa: E402 (threads are set before torch is imported)
from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

from harness import processor, ratio, set_threads, take_turns, versions

set_threads()

import numpy as np
import torch
import xarray as xr
from scipy import stats

from tgsage import recordings, scoring, tasks, training
from tgsage import teacher as teachers
from tgsage.recordings.readers.brainio.plugin import BrainIORecordings
from tgsage.recordings.readers.kriegeskorte2008.plugin import Kriegeskorte2008Recordings
from tgsage.tasks.readers.cifar.plugin import Cifar10
from tgsage.teacher.kinds.recordings.plugin import RecordedTeacher
from tgsage.training.settings import Recipe
from training import BATCH, CLASSES, SIDE, SPACES, architectures

MAX_FLOPS = 60e6
"""Of a network that is trained: convnets differ by a factor of a hundred."""
DENSE = ("nasbench201", "convnet10", "convnet20")
WAYS = {"float32": ("float32", 0), "bfloat16": ("bfloat16", 0), "other seed": ("float32", 1)}


def speed(number: int) -> str:
    """The first table."""
    lines = [
        "| space | float32 / bfloat16: median [range] of architectures, 64 images of 32 pixels | of |",
        "|---|---|---|",
    ]
    images = torch.randn(BATCH, 3, SIDE, SIDE).to(memory_format=torch.channels_last)
    labels = torch.arange(BATCH) % CLASSES
    for name in SPACES:
        found = []
        for space, arch, _ in itertools.islice(architectures(name), number):
            module = training.initial_module(space, arch, CLASSES, 0)
            module.to(memory_format=torch.channels_last).train()

            def step(half: bool, module: torch.nn.Module = module) -> None:
                with torch.autocast("cpu", torch.bfloat16, enabled=half):
                    outputs = module(images)
                torch.nn.functional.cross_entropy(outputs.float(), labels).backward()
                module.zero_grad()

            seconds = take_turns({"float32": lambda: step(False), "bfloat16": lambda: step(True)}, 3)
            found.append(ratio(seconds["float32"], seconds["bfloat16"]))
        lines.append(f"| {name} | {np.median(found):.2f} [{min(found):.2f} to {max(found):.2f}] | {number} |")
    return "\n".join(lines)


def teacher() -> xr.DataTree:
    """V4 and IT of macaques, recorded."""
    root = recordings.data_root(None)
    v4 = BrainIORecordings(
        source="brainio",
        assembly="brainio/assy_cowley_V4Objects2023.nc",
        stimuli_csv="brainio/stimulus_cowley_V4Objects2023.csv",
        stimuli_zip="brainio/stimulus_cowley_V4Objects2023.zip",
        visual_degrees=8,
    )
    it = Kriegeskorte2008Recordings(source="kriegeskorte2008", species="monkey", visual_degrees=7)
    settings = RecordedTeacher(
        kind="recordings",
        targets={"V4": {"recordings": "v4", "region": "V4"}, "IT": {"recordings": "it", "region": "IT"}},
    )
    made = {"v4": recordings.make(v4, root), "it": recordings.make_published_rdm(it, root)}
    return teachers.make(settings, "macaque", recordings=made, task=task())


def task() -> tasks.Task:
    """A part of CIFAR-10."""
    settings = Cifar10(source="cifar10", n_train=3000, n_validation=4000)
    return tasks.make(settings, recordings.data_root(None))


def trainings(number: int, results: Path) -> list[dict[str, object]]:
    """Train what the file of results lacks; return all of it."""
    done = {}
    if results.exists():
        lines = map(json.loads, results.read_text("utf-8").splitlines())
        done = {(line["space"], line["architecture"], line["way"]): line for line in lines}
    learned, macaque = task(), teacher()
    for name in DENSE:
        small = (one for one in architectures(name) if one[2] <= MAX_FLOPS)
        for index, (space, arch, _) in enumerate(itertools.islice(small, number)):
            for way, (precision, seed) in WAYS.items():
                if (name, index, way) in done:
                    continue
                recipe = Recipe(epochs=2, precision=precision, checkpoints=[1.0])
                module = training.initial_module(space, arch, learned.n_classes, 10 * index + seed)
                training.train(module, learned, recipe, 10 * index + seed)
                part = learned.validation
                judged = training.evaluate(
                    module, part.images, part.labels, mean=learned.mean, std=learned.std
                )
                rsa = scoring.score(module, None, macaque)
                line = {
                    "space": name,
                    "architecture": index,
                    "way": way,
                    "accuracy": judged.accuracy,
                    **{target: rsa.sel(target=target).values.tolist() for target in ("V4", "IT")},
                }
                done[name, index, way] = line
                with results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
    return [line for line in done.values() if line["architecture"] < number]


def agreement(lines: list[dict[str, object]]) -> str:
    """The second table."""
    table = [
        "| space | of | measure | float32, mean | bfloat16 - float32: mean ± SE | 95 % interval | sd "
        "| other seed - float32: mean ± SE | sd |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    measures = {
        "accuracy": lambda line: line["accuracy"],
        "TG, V4": lambda line: np.nanmax(line["V4"]),
        "TG, IT": lambda line: np.nanmax(line["IT"]),
        "mean over layers, V4": lambda line: np.nanmean(line["V4"]),
        "mean over layers, IT": lambda line: np.nanmean(line["IT"]),
    }
    for name in DENSE:
        for measure, value in measures.items():
            found = {
                way: np.array(
                    [
                        value(line)
                        for line in sorted(lines, key=lambda line: line["architecture"])
                        if (line["space"], line["way"]) == (name, way)
                    ]
                )
                for way in WAYS
            }
            half, seed = found["bfloat16"] - found["float32"], found["other seed"] - found["float32"]
            low, high = stats.t.interval(0.95, len(half) - 1, half.mean(), stats.sem(half))
            table.append(
                f"| {name} | {len(half)} | {measure} | {found['float32'].mean():.3f} "
                f"| {half.mean():+.4f} ± {stats.sem(half):.4f} | {low:+.4f} to {high:+.4f} "
                f"| {half.std(ddof=1):.4f} | {seed.mean():+.4f} ± {stats.sem(seed):.4f} "
                f"| {seed.std(ddof=1):.4f} |"
            )
    return "\n".join(table)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trainings", type=int, default=10, help="architectures of each space; 0 for none")
    parser.add_argument("--results", type=Path, default=Path("precision.jsonl"), help="file to go on from")
    options = parser.parse_args()
    print(f"{processor()}; {versions()}\n\n{speed(10)}", flush=True)
    if options.trainings:
        print(f"\n{agreement(trainings(options.trainings, options.results))}")


if __name__ == "__main__":
    main()
