"""What the training loop costs beside the network's own forward and backward pass.

    python benchmarks/training_bench.py [--device cpu] [--threads 1] [--repeats 5]

One table: images a second of the bare limit (forward, loss and backward on one batch that lies ready), of
the loop of ``tgsage.training``, and the cost of the loop's parts as a share of the bare step. Limit and loop
take turns, and the quickest turn of each counts: on a shared machine it is the least disturbed one.
Checkpoints are left out of the loop's time: they are paid per training, not per step.
"""

from __future__ import annotations

import argparse
import itertools
import platform
import time
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import torch

from tgsage import spaces
from tgsage.training import count_parameters, initial_module, resolve_device, resolve_precision
from tgsage.training.data import DeviceDataset, batches
from tgsage.training.devices import autocast, reproducible
from tgsage.training.ema import EmaCheckpointer
from tgsage.training.settings import Recipe
from tgsage.training.sgd import SGD

RESOLUTION, CLASSES, IMAGES = 32, 8, 4096


def cell_choices(width: int) -> tuple[spaces.Space, spaces.Architecture]:
    """A space and a cell of it that mixes separable convolutions, pooling and identity."""
    space = spaces.get("cell", blocks=3, width=width, repeats=1, reductions=2)
    blocks = (
        ("h-1", "sep_3x3", "h-2", "identity"),
        ("h-1", "sep_5x5", "h-1", "max_pool_3x3"),
        ("h-2", "sep_3x3", "b1", "avg_pool_3x3"),
    )
    fields = ("input_1", "operation_1", "input_2", "operation_2")
    choices = {
        f"b{number}.{field}": value
        for number, block in enumerate(blocks, start=1)
        for field, value in zip(fields, block, strict=True)
    }
    return space, space.decode(choices)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--widths", type=int, nargs="+", default=[8, 16, 19])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = resolve_device(arguments.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "CPU"
    print(f"{name}, {arguments.threads} thread(s), torch {torch.__version__}, {RESOLUTION} pixels a side")
    print(f"quickest of {arguments.repeats} turns of {arguments.steps} steps\n")
    head = (
        "parameters",
        "bare, images/s",
        "loop, images/s",
        "loop / bare",
        "augmentation",
        "clip + SGD",
        "average",
    )
    print("| " + " | ".join(head) + " |")
    print("|---" * len(head) + "|")
    for width in arguments.widths:
        module = initial_module(*cell_choices(width), CLASSES, 0)
        print(row(module, device, arguments.repeats, arguments.steps))


def row(module: torch.nn.Module, device: torch.device, repeats: int, steps: int) -> str:
    """Measure a network; return its line of the table."""
    recipe = Recipe()
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (IMAGES, RESOLUTION, RESOLUTION, 3), dtype=np.uint8)
    targets = torch.from_numpy(rng.integers(0, CLASSES, IMAGES)).to(device)
    task = SimpleNamespace(mean=np.full(3, 0.5), std=np.full(3, 0.25))
    dtype = resolve_precision(recipe.precision, device)
    module.to(device, memory_format=torch.channels_last).train()
    images = DeviceDataset(pixels, task.mean, task.std, device=device)
    draws = batches(IMAGES, recipe.batch_size, 0, flip=True, crop_padding=recipe.crop_padding, device=device)
    sgd = SGD(list(module.parameters()), momentum=recipe.momentum, weight_decay=recipe.weight_decay)
    ema = EmaCheckpointer(
        module,
        images,
        decay=recipe.average,
        statistics_images=recipe.recompute_batchnorm,
        batch_size=recipe.batch_size,
        seed=0,
        dtype=dtype,
    )
    ready = images.plain(slice(0, recipe.batch_size))
    labels = targets[: recipe.batch_size]

    def forward_backward(inputs: torch.Tensor, wanted: torch.Tensor) -> None:
        with autocast(device, dtype):
            outputs = module(inputs)
        loss = torch.nn.functional.cross_entropy(outputs.float(), wanted)
        sgd.zero_grad()
        loss.backward()

    def bare() -> None:
        forward_backward(ready, labels)

    def augment() -> None:
        index, mirror, down, right = next(draws)
        images.augmented(index, mirror, down, right)

    def descend() -> None:
        torch.nn.utils.clip_grad_norm_(module.parameters(), recipe.clip_norm, foreach=True)
        sgd.step(recipe.learning_rate)

    def loop() -> None:
        index, mirror, down, right = next(draws)
        forward_backward(images.augmented(index, mirror, down, right), targets[index])
        descend()
        ema.update()

    parts = {"bare": bare, "loop": loop, "augment": augment, "descend": descend, "average": ema.update}
    times: dict[str, list[float]] = {part: [] for part in parts}
    with reproducible(device):
        for turn, (part, call) in itertools.product(range(repeats + 1), parts.items()):
            taken = seconds(call, steps, device)
            if turn:  # The first turn warms up.
                times[part].append(taken)
    step = {part: min(values) for part, values in times.items()}
    speed = {part: recipe.batch_size / step[part] for part in ("bare", "loop")}
    shares = " | ".join(f"{step[part] / step['bare']:.2%}" for part in ("augment", "descend", "average"))
    return (
        f"| {count_parameters(module):,} | {speed['bare']:,.0f} | {speed['loop']:,.0f} "
        f"| {speed['loop'] / speed['bare']:.2f} | {shares} |"
    )


def seconds(call: Callable[[], None], steps: int, device: torch.device) -> float:
    """Mean seconds of a call over some steps."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    begin = time.perf_counter()
    for _ in range(steps):
        call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - begin) / steps


if __name__ == "__main__":
    main()
