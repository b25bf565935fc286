"""Teachers, a task, and a network for the tests of scoring."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch
import xarray as xr
from torch import nn

SIZE = 8


def group(
    images: np.ndarray,
    patterns: np.ndarray,
    split: np.ndarray,
    category: np.ndarray,
    *,
    metric: str = "correlation",
    weight: float = 1.0,
    category_form: bool = False,
) -> xr.Dataset:
    """A target whose RDM is 1 - Pearson's r of ``patterns``."""
    n = len(images)
    parts = [part for part in ("choose", "reward", "report") if part in split]
    above = np.triu_indices(n, 1)
    content = {
        "rdm": ("pair", 1 - np.corrcoef(patterns)[above]),
        "stimulus_id": ("stimulus", np.array([f"s{index}" for index in range(n)])),
        "category": ("stimulus", category.astype(str)),
        "split": ("stimulus", split.astype(str)),
        "images": (("stimulus", "y", "x", "rgb"), images),
        "ceiling_lower": ("part", np.linspace(0.5, 0.6, len(parts))),
        "ceiling_upper": ("part", np.linspace(0.7, 0.8, len(parts))),
    }
    if category_form:
        names = sorted(set(category))
        rows = []
        for part in parts:
            means = [patterns[(split == part) & (category == name)].mean(0) for name in names]
            rows.append((1 - np.corrcoef(means))[np.triu_indices(len(names), 1)])
        content["category_rdm"] = (("part", "category_pair"), np.array(rows))
        content["category_name"] = ("category_index", np.array(names))
    return xr.Dataset(
        content, coords={"part": parts}, attrs={"metric": metric, "weight": weight, "region": "V4"}
    )


def make_teacher(groups: dict[str, xr.Dataset], *, rdm: str = "image", simulated: int = 0) -> xr.DataTree:
    attributes = {"teacher": "monkey", "rdm": rdm, "simulated": simulated, "digest": "abc"}
    return xr.DataTree.from_dict(
        {"/": xr.Dataset(attrs=attributes), **{f"/{k}": v for k, v in groups.items()}}
    )


def stimuli(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, splits and categories of n stimuli."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, SIZE, SIZE, 3), dtype=np.uint8)
    split = np.array(["choose", "reward", "report"])[rng.permutation(np.arange(n) % 3)]
    category = np.array(["boats", "cars", "faces", "fruits", "planes"])[np.arange(n) // 3 % 5]
    return images, split, category


class ProbedNet(nn.Module):
    def __init__(self, n_classes: int = 3):
        super().__init__()
        self.one = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.two = nn.Conv2d(6, 9, 3, stride=2)
        self.dead = nn.ReLU()
        self.head = nn.Linear(9, n_classes)
        self.probe_names = ("norm", "two", "dead")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.two(torch.relu(self.norm(self.one(x))))
        self.dead(x - 1e6)
        return self.head(x.mean((2, 3)))


def probed_net(seed: int = 0) -> ProbedNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = ProbedNet()
    with torch.no_grad():
        net.norm.running_mean.copy_(torch.linspace(-0.2, 0.2, 6))
    return net


def easy_task(size: int = SIZE) -> SimpleNamespace:
    rng = np.random.default_rng(5)

    def part(n: int) -> SimpleNamespace:
        labels = rng.integers(0, 3, n)
        images = rng.integers(60, 160, (n, size, size, 3))
        images[np.arange(n), :, :, labels] += 60
        return SimpleNamespace(images=images.astype(np.uint8), labels=labels)

    return SimpleNamespace(
        train=part(64), validation=part(30), test=part(30), n_classes=3, classes=("a", "b", "c"),
        resolution=size, mean=np.full(3, 0.45, np.float32), std=np.full(3, 0.2, np.float32),
        simulated=False, digest=f"task of {size}",
    )  # fmt: skip
