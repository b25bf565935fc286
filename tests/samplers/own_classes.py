"""A space and a sampler as a user would write them, for ``{name: python, file: ..., class: ...}``."""

from __future__ import annotations

from torch import nn

from tgsage.samplers import Sampler
from tgsage.spaces import Architecture, Space


class Columns(Space):
    """Three convolutions; the order of the last two numbers of filters says nothing of the function."""

    name = "columns"

    def __init__(self, widest=8):
        self.choices = {
            "kernel": [1, 3, 5],
            "stem": list(range(2, widest + 1)),
            "left": list(range(2, widest + 1)),
            "right": list(range(2, widest + 1)),
        }

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

    name = "climber"

    def __init__(self, steps=1):
        self.steps = steps

    def begin(self, situation):
        space, rng = situation.space, situation.rng
        known = [trial for trial in situation.trials if trial.ok]
        if not known:
            return lambda: space.sample(rng)
        best = max(known, key=lambda trial: trial.score).architecture

        def ask():
            arch = best
            for _ in range(self.steps):
                arch = space.mutate(arch, rng)
            return arch

        return ask
