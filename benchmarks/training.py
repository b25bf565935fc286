"""What a training costs beside the network's own forward and backward pass, and beside the usual loop.

    python benchmarks/training.py [--turns 5] [--small]

The peer is the loop of every tutorial: a DataLoader, transforms image by image, torch.optim.SGD with Nesterov
momentum, float32, the default memory format. Its CPU time is taken without workers, whose time would count
for other processes; with two workers its wall clock is taken. The limit is a forward and backward pass of the
same network, on a batch that lies ready, in the dtype and layout that the recipe's `auto` chooses here. Steps
leave checkpoints out. These have rows of their own: a checkpoint beside the forward passes that its
batch-norm statistics need; stopping and going on beside one go; two trainings side by side beside one alone.
Of nine random architectures of a space the one of median FLOPs is taken.
"""

# ruff: noqa: E402 (threads are set before torch is imported)
from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from harness import Measurement, main, ratio, rows, set_threads, take_turns

set_threads()

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset

from tgsage import spaces, tasks, training
from tgsage.store import Store
from tgsage.training.data import DeviceDataset
from tgsage.training.devices import autocast, to_channels_last
from tgsage.training.ema import EmaCheckpointer
from tgsage.training.keys import with_precision
from tgsage.training.settings import Recipe

SPACES: dict[str, dict[str, Any]] = {
    "cell": {"blocks": 5, "width": 8, "stem_stride": 2},
    "nasbench201": {"repeats": 1},
    "convnet10": {},
    "convnet20": {"filters": [12, 24, 36]},
}
"""As in the shipped configurations; convnets of 10 layers as in the paper."""
STEPS = {"cell": 16, "nasbench201": 16, "convnet10": 4, "convnet20": 4}
BATCH, SIDE, CLASSES = 64, 32, 10
CPU = torch.device("cpu")


def architectures(name: str) -> Iterator[tuple[spaces.Space, spaces.Architecture, int]]:
    """Random architectures of a space with their FLOPs, without end, always the same ones."""
    space, rng = spaces.get(name, **SPACES[name]), np.random.default_rng(0)
    while True:
        arch = space.sample(rng)
        yield space, arch, training.count_flops(training.initial_module(space, arch, CLASSES, 0), SIDE)


def middle(name: str) -> tuple[spaces.Space, spaces.Architecture]:
    """Of nine random architectures the one of median FLOPs."""
    found = sorted(itertools.islice(architectures(name), 9), key=lambda one: one[2])
    return found[4][:2]


def noise(n: int) -> tasks.Task:
    """A task of random images, ``n`` of them to train on: nothing is learnt, and the time is the same."""
    rng = np.random.default_rng(0)

    def part(size: int) -> tasks.Part:
        images = rng.integers(0, 256, (size, SIDE, SIDE, 3), dtype=np.uint8)
        return tasks.Part(images, rng.integers(0, CLASSES, size))

    return tasks.Task("noise", part(n), part(BATCH), part(BATCH), tuple(map(str, range(CLASSES))), True)


class Tutorial(Dataset):
    """Images one by one, as torchvision's RandomCrop, RandomHorizontalFlip, ToTensor and Normalize do it."""

    def __init__(self, task: tasks.Task, padding: int, flip: bool):
        self.images, self.labels = np.asarray(task.train.images), task.train.labels
        self.mean, self.std = (
            torch.as_tensor(values, dtype=torch.float32).view(3, 1, 1) for values in (task.mean, task.std)
        )
        self.padding, self.flip = padding, flip

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = Image.fromarray(self.images[index])
        if self.padding:
            left, top = torch.randint(0, 2 * self.padding + 1, (2,)).tolist()
            image = ImageOps.expand(image, self.padding).crop((left, top, left + SIDE, top + SIDE))
        if self.flip and torch.rand(1) < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
        return pixels.float().div(255).sub(self.mean).div(self.std), int(self.labels[index])


def tutorial(
    module: torch.nn.Module, task: tasks.Task, recipe: Recipe, workers: int = 0
) -> Callable[[], None]:
    """The peer: calling it trains for a pass over the images."""
    loader = DataLoader(
        Tutorial(task, recipe.crop_padding, recipe.flip),
        batch_size=BATCH,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    optimiser = torch.optim.SGD(
        module.parameters(), lr=0.1, momentum=recipe.momentum, weight_decay=recipe.weight_decay, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 10_000)
    criterion = torch.nn.CrossEntropyLoss()

    def epoch() -> None:
        module.train()
        running = 0.0
        for inputs, labels in loader:
            optimiser.zero_grad()
            loss = criterion(module(inputs), labels)
            loss.backward()
            optimiser.step()
            schedule.step()
            running += loss.item()

    return epoch


def agree(make: Callable[[], torch.nn.Module], task: tasks.Task, dtype: torch.dtype) -> None:
    """Assert that both loops see the same pixels, and that loss and gradients of a first step agree."""
    plain = Tutorial(task, 0, flip=False)
    theirs = torch.stack([plain[index][0] for index in range(BATCH)])
    ours = DeviceDataset(task.train.images, task.mean, task.std, device=CPU).plain(slice(0, BATCH))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    labels = torch.as_tensor(task.train.labels[:BATCH])
    found = []
    for inputs, chosen in ((theirs, torch.float32), (ours, dtype)):
        module = make().train()
        if inputs is ours:
            to_channels_last(module)
        with autocast(CPU, chosen):
            outputs = module(inputs)
        loss = cross_entropy(outputs.float(), labels)
        loss.backward()
        gradients = torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])
        found.append((loss.item(), gradients))
    (one, first), (other, second) = found
    exact = dtype is torch.float32
    assert abs(one - other) < (1e-4 if exact else 0.03) * abs(one), f"losses {one} and {other}"
    angle = float(torch.nn.functional.cosine_similarity(first, second, dim=0))
    assert angle > (0.9999 if exact else 0.95), f"gradients have a cosine of {angle}"


def loops(name: str, turns: int, small: bool) -> Iterator[Measurement]:
    """Steps of one network: the peer, ours, and the limit."""
    steps = 2 if small else STEPS[name]
    space, arch = middle(name)
    task = noise(steps * BATCH)
    recipe = with_precision(Recipe(epochs=1, checkpoints=[1.0], recompute_batchnorm=0), space, CPU)
    dtype = training.resolve_precision(recipe.precision, CPU)

    def make() -> torch.nn.Module:
        return training.initial_module(space, arch, CLASSES, 0)

    agree(make, task, dtype)
    module, bare = make(), make().train()
    to_channels_last(bare)
    images = DeviceDataset(task.train.images, task.mean, task.std, device=CPU).plain(slice(0, BATCH))
    labels = torch.as_tensor(task.train.labels[:BATCH])

    def limit() -> None:
        for _ in range(steps):
            with autocast(CPU, dtype):
                outputs = bare(images)
            cross_entropy(outputs.float(), labels).backward()
            bare.zero_grad()

    peer, bound = "tutorial loop", "forward + backward"
    shape = f"{training.count_parameters(module):,} parameters, {steps} × {BATCH} images of {SIDE} px"
    ways = {peer: tutorial(make(), task, recipe), bound: limit}
    ways[f"loop, {name}"] = lambda: training.train(module, task, recipe, 0)
    seconds = take_turns(ways, turns)
    word = recipe.precision
    rate = steps * BATCH / np.median(seconds[f"loop, {name}"])
    forbids = f"the limit itself is {ratio(seconds[peer], seconds[bound]):.2f} × the peer"
    yield from rows(
        seconds, f"loop, {name}", shape, limit=bound, note=f"{word}, {rate:,.0f} images/s; {forbids}"
    )
    if name == "cell":
        walls = {"tutorial loop, 2 workers": tutorial(make(), task, recipe, workers=2)}
        walls["loop, cell, wall"] = ways["loop, cell"]
        yield from rows(
            take_turns(walls, turns, clock="wall"), "loop, cell, wall", shape, clock="wall", note=word
        )
    if name in ("cell", "nasbench201"):
        yield checkpoint(name, module, task, recipe, dtype, turns)


def checkpoint(
    name: str, module: torch.nn.Module, task: tasks.Task, recipe: Recipe, dtype: torch.dtype, turns: int
) -> Measurement:
    """A checkpoint with batch-norm statistics of as many images as the task has."""
    dataset = DeviceDataset(task.train.images, task.mean, task.std, device=CPU)
    keeper = EmaCheckpointer(
        module,
        dataset,
        decay=recipe.average,
        statistics_images=dataset.n,
        batch_size=BATCH,
        seed=0,
        dtype=dtype,
    )
    module.train()

    @torch.no_grad()
    def passes() -> None:
        for begin in range(0, dataset.n, BATCH):
            with autocast(CPU, dtype):
                module(dataset.plain(slice(begin, begin + BATCH)))

    seconds = take_turns({"ours": keeper.state_dict, "forward": passes}, turns)
    bound = ratio(seconds["ours"], seconds["forward"])
    shape = f"statistics of {dataset.n} images"
    return Measurement(
        f"checkpoint, {name}", shape, seconds["ours"], limit="forward passes", limit_ratio=bound
    )


def stops(turns: int, small: bool) -> Iterator[Measurement]:
    """A training with stops at 25 and 50 %, as of successive halving."""
    space, arch = middle("cell")
    task = noise(256 if small else 1024)
    every = [0.25, 0.5, 1.0]
    weights: dict[str, bytes] = {}

    def stages(way: str, chosen: list[float], going_on: bool) -> Callable[[], None]:
        def run() -> None:
            with tempfile.TemporaryDirectory() as folder:
                store = Store(Path(folder))
                for number, stop in enumerate(chosen):
                    earlier = chosen[:number] if going_on else []
                    recipe = Recipe(epochs=1, checkpoints=[1.0], stop=stop)
                    done = training.ensure_trained(store, space, arch, recipe, task, CPU, earlier=earlier)
                weights[way] = b"".join(value.numpy().tobytes() for _, value in sorted(done.load().items()))

        return run

    anew, ours, one_go = "every stage anew", "stops at 25 and 50 %, going on", "one go"
    ways = {
        anew: stages(anew, every, going_on=False),
        ours: stages(ours, every, going_on=True),
        one_go: stages(one_go, [1.0], going_on=False),
    }
    seconds = take_turns(ways, turns)
    assert len(set(weights.values())) == 1, "the three ways did not give the same weights"
    shape = f"cell, {len(task.train.labels)} images"
    yield from rows(seconds, ours, shape, limit=one_go, note="the same weights all three ways")


def _train_one(steps: int) -> float:
    """Train in this process; its CPU time."""
    begin = time.process_time()
    space, arch = middle("cell")
    recipe = Recipe(epochs=1, checkpoints=[1.0], recompute_batchnorm=0)
    training.train(training.initial_module(space, arch, CLASSES, 0), noise(steps * BATCH), recipe, 0)
    return time.process_time() - begin


def side_by_side(turns: int, small: bool) -> Measurement:
    """Two candidates at once, in processes of their own as in a search, beside one alone."""
    steps = 6 if small else 30

    used: dict[int, list[float]] = {1: [], 2: []}
    with ProcessPoolExecutor(2, get_context("forkserver")) as pool:

        def at_once(number: int) -> None:
            used[number].append(sum(pool.map(_train_one, [steps] * number)) / number)

        ways = {"two": lambda: at_once(2), "one": lambda: at_once(1)}
        seconds = take_turns(ways, turns, clock="wall")
    share = ratio(used[1][1:], used[2][1:])  # The first turn warms up.
    return Measurement(
        "two candidates side by side",
        f"cell, {steps} × {BATCH} images each",
        seconds["two"],
        limit="one alone",
        limit_ratio=ratio(seconds["two"], seconds["one"]),
        clock="wall",
        note=f"a candidate's CPU time alone is {share:.2f} of that side by side",
    )


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """All rows."""
    for name in SPACES:
        yield from loops(name, options.turns, options.small)
    yield from stops(options.turns, options.small)
    yield side_by_side(options.turns, options.small)


if __name__ == "__main__":
    main(__doc__, measure)
