"""A space and a sampler in one file of plugins."""

from __future__ import annotations

from typing import Literal

from torch import nn

from tgsage.plugins import register
from tgsage.samplers import Sampler
from tgsage.samplers.settings import SamplerSettings
from tgsage.spaces import Architecture, Space
from tgsage.spaces.settings import SpaceSettings


class Columns(Space):
    """Three convolutions; the order of the last two numbers of filters says nothing of the function."""

    def __init__(self, settings):
        super().__init__(settings)
        numbers = list(range(2, settings.widest + 1))
        self.choices = {"kernel": [1, 3, 5], "stem": numbers, "left": numbers, "right": numbers}

    def canonical(self, arch):
        self.check(arch)
        choices = dict(arch.choices)
        choices["left"], choices["right"] = sorted((choices["left"], choices["right"]))
        return Architecture(self.name, tuple(choices.items()))

    def _assemble(self, arch, n_classes, in_channels):
        return Network(dict(arch.choices), n_classes, in_channels)


class Network(nn.Module):
    probe_names = ("stem", "left", "right")

    def __init__(self, choices, n_classes, in_channels):
        super().__init__()
        kernel = choices["kernel"]
        self.stem = nn.Conv2d(in_channels, choices["stem"], kernel, padding=kernel // 2)
        self.left = nn.Conv2d(choices["stem"], choices["left"], 3, padding=1)
        self.right = nn.Conv2d(choices["stem"], choices["right"], 3, padding=1)
        self.heads = nn.ModuleList(nn.Linear(choices[side], n_classes) for side in ("left", "right"))

    def forward(self, x):
        x = self.stem(x).relu()
        sides = [part(x).relu().mean((2, 3)) for part in (self.left, self.right)]
        return sum(head(side) for head, side in zip(self.heads, sides, strict=True))


class Climber(Sampler):
    """Mutations of the best candidate."""

    def begin(self, state):
        space, rng = state.space, state.rng
        known = [trial for trial in state.trials if trial.ok]
        if not known:
            return lambda: space.sample(rng)
        best = max(known, key=lambda trial: trial.score).architecture

        def ask():
            arch = best
            for _ in range(self.settings.steps):
                arch = space.mutate(arch, rng)
            return arch

        return ask


@register
class ColumnsSettings(SpaceSettings):
    code = Columns
    name: Literal["columns"]
    widest: int = 8


@register
class ClimberSettings(SamplerSettings):
    code = Climber
    name: Literal["climber"]
    steps: int = 1
