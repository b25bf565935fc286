"""A search space with small networks of every kind of behaviour, and a task that is easy to learn."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from torch import nn

from tgsage.spaces import Architecture, Space
from tgsage.spaces.settings import SpaceSettings
from tgsage.store import digest, processor


class TinySettings(SpaceSettings):
    code: ClassVar[str] = "training_fakes:TinySpace"
    name: Literal["tiny"] = "tiny"
    depth: int = 2


class TinyNet(nn.Module):
    def __init__(self, width: int, n_classes: int, in_channels: int = 3, dropout: float = 0.0):
        super().__init__()
        self.first = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * width, n_classes)
        self.probe_names = ("first", "norm", "second")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        x = torch.relu(self.second(x))
        return self.head(self.dropout(x.mean((2, 3))))


class Hungry(TinyNet):
    """Asks for more memory than there is, in the training only."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            torch.empty(1 << 60, dtype=torch.uint8)
        return super().forward(x)


class Explosive(TinyNet):
    """Answers with something infinite as soon as it has learnt a little."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        changed = (self.head.bias - self.start).abs().sum() if hasattr(self, "start") else 0.0
        if self.training and not hasattr(self, "start"):
            self.start = self.head.bias.detach().clone()
        return super().forward(x) / (0.0 if changed else 1.0)


class TinySpace(Space):
    name = "tiny"

    def __init__(self, settings: TinySettings | None = None):
        self.settings = settings or TinySettings()
        self.choices = {
            "width": (4, 8),
            "flavour": ("plain", "plain_too", "dropout", "broken", "misfit", "hungry", "explosive"),
        }

    def canonical(self, arch: Architecture) -> Architecture:
        choices = dict(arch.choices)
        if choices["flavour"] == "plain_too":
            choices["flavour"] = "plain"
        return self.decode(choices)

    def _assemble(self, arch: Architecture, n_classes: int, in_channels: int) -> nn.Module:
        flavour, width = arch["flavour"], arch["width"]
        if flavour == "broken":
            raise ValueError("this one cannot be built\nsecond line")
        if flavour == "misfit":
            module = TinyNet(width, n_classes, in_channels)
            module.head = nn.Linear(1, n_classes)
            return module
        kinds: dict[str, Any] = {"hungry": Hungry, "explosive": Explosive}
        dropout = 0.5 if flavour == "dropout" else 0.0
        return kinds.get(flavour, TinyNet)(width, n_classes, in_channels, dropout)


def easy_task(
    n_train: int = 96, n_validation: int = 40, size: int = 8, n_classes: int = 3, seed: int = 0
) -> SimpleNamespace:
    """Classes differ in the brightness of one colour."""
    rng = np.random.default_rng(seed)

    def part(n: int) -> SimpleNamespace:
        labels = rng.integers(0, n_classes, n)
        images = rng.integers(60, 160, (n, size, size, 3))
        images[np.arange(n), :, :, labels % 3] += 60
        return SimpleNamespace(images=images.astype(np.uint8), labels=labels.astype(np.int64))

    train, validation, test = part(n_train), part(n_validation), part(n_validation)
    pixels = train.images.reshape(-1, 3) / 255
    return SimpleNamespace(
        name="easy",
        train=train,
        validation=validation,
        test=test,
        classes=tuple("abcdefgh"[:n_classes]),
        n_classes=n_classes,
        resolution=size,
        mean=pixels.mean(0).astype(np.float32),
        std=pixels.std(0).astype(np.float32),
        simulated=True,
        digest=digest(train.images, train.labels, validation.images, validation.labels),
    )


def pretend_processor(monkeypatch: pytest.MonkeyPatch, folder: Path, flags: str | None) -> None:
    """Let the processor seem to have these instruction sets; None: a system that does not tell."""
    cpuinfo = folder / "cpuinfo"
    if flags is not None:
        cpuinfo.write_text(f"vendor_id\t: AuthenticAMD\nflags\t\t: {flags}\n")
    monkeypatch.setattr(processor, "CPUINFO", cpuinfo)


def tiny_net(seed: int = 0, width: int = 4, n_classes: int = 3, dropout: float = 0.0) -> TinyNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TinyNet(width, n_classes, dropout=dropout)
