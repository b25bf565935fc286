"""REINFORCE (Williams 1992) with an LSTM controller, after Zoph and Le 2017."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..config.samplers import ReinforceSampler as Settings
from ..spaces.base import Architecture, Space
from ..store.hashing import seed_from
from .base import Sampler, Situation, Trial

BLOCK = 16
"""Sequences drawn at once."""


class ReinforceSampler(Sampler):
    """A policy over the choices, one after the other, improved by the policy gradient once a round.

    On-policy, so it may propose what it proposed before (the store then trains nothing); only what failed is
    passed over. Nothing is kept between rounds: the controller is made anew from the seed and replays the
    ledger. As a proposal is canonical and the policy drew one of many equal sequences, the replay draws again
    what it drew then, and takes the gradient at the sequence that was drawn; where a row of the ledger is not
    what this policy would have drawn (another sampler's, another processor's), at the canonical one.

    The update of a round is a step of Adam on
    - mean((score - baseline) * log p(sequence)) - entropy * mean entropy of the choices.
    The baseline is the exponential moving average of the rounds' mean scores before the round; at first, the
    mean of the first round. ``failed`` and ``invalid`` candidates count with the lowest score so far;
    ``timeout`` ones not at all.
    """

    name = "reinforce"
    repeats = True
    settings: Settings

    def begin(self, situation: Situation) -> Callable[[], Architecture]:
        space, trials = situation.space, situation.trials
        controller = Controller(space, self.settings, seed_from("reinforce", situation.seed))
        rounds: dict[int, list[Trial]] = {}
        for trial in trials:
            rounds.setdefault(trial.round, []).append(trial)
        lag = situation.round - trials[-1].round - 1 if trials else 0
        drawn: dict[int, list[list[int]]] = {}
        learned = Learned()
        waiting = sorted(rounds)
        for round_ in [*sorted(rounds), situation.round]:
            # The policy of this round had seen the rounds before it, less the lag.
            while waiting and waiting[0] < round_ - lag:
                past = waiting.pop(0)
                learned.update(controller, rounds[past], drawn[past], self.settings)
            if round_ in rounds:
                sequences = controller.draw(_stream(situation.seed, round_))
                drawn[round_] = _recognise(space, controller, rounds[round_], sequences)
        sequences = controller.draw(_stream(situation.seed, situation.round))
        return lambda: controller.decode(next(sequences))


def _stream(seed: int, round: int) -> np.random.Generator:
    return np.random.default_rng(seed_from("reinforce draws", seed, round))


class Learned:
    """What is remembered between rounds beside the weights."""

    def __init__(self) -> None:
        self.baseline: float | None = None
        self.lowest: float | None = None

    def update(
        self, controller: Controller, trials: list[Trial], sequences: list[list[int]], settings: Settings
    ) -> None:
        """Learn from one round."""
        scores = [trial.score for trial in trials if trial.ok]
        if scores:
            self.lowest = min(scores if self.lowest is None else [self.lowest, *scores])
        if self.lowest is None:
            return
        rewards, taken = [], []
        for trial, sequence in zip(trials, sequences, strict=True):
            if trial.ok or trial.status != "timeout":
                rewards.append(trial.score if trial.ok else self.lowest)
                taken.append(sequence)
        if not rewards:
            return
        mean = float(np.mean(rewards))
        if self.baseline is None:
            self.baseline = mean
        controller.step(taken, [reward - self.baseline for reward in rewards])
        self.baseline = settings.baseline_decay * self.baseline + (1 - settings.baseline_decay) * mean


def _recognise(
    space: Space, controller: Controller, trials: list[Trial], sequences: Iterator[list[int]]
) -> list[list[int]]:
    """The sequences that the policy drew for these rows; the canonical one where it did not."""
    found = []
    foreign = False
    for trial in trials:
        match = None
        # As many draws as the sampler could have been asked for one slot.
        for _ in range(0 if foreign else 64):
            sequence = next(sequences)
            if space.canonical(controller.decode(sequence)) == trial.architecture:
                match = sequence
                break
        if match is None:
            # From here on the draws are out of step.
            foreign = True
            match = controller.encode(trial.architecture)
        found.append(match)
    return found


class Controller:
    """The LSTM: reads the option taken last, writes a distribution over the options of the next choice.

    Parameters
    ----------
    space
        Its choices, in order, are the steps of a sequence.
    settings
        Width of the LSTM, learning rate, entropy bonus.
    seed
        Seed of the initial weights.
    """

    def __init__(self, space: Space, settings: Settings, seed: int):
        import torch

        self.space = space
        self.settings = settings
        self.options = list(space.choices.values())
        widest = max(len(options) for options in self.options)
        generator = torch.Generator().manual_seed(seed)

        def parameter(*shape: int) -> torch.Tensor:
            # Uniform in +-0.08 as in Zoph and Le. Doubles: a replay must not drift.
            values = torch.rand(*shape, generator=generator, dtype=torch.float64) * 0.16 - 0.08
            return values.requires_grad_()

        hidden, steps = settings.hidden, len(self.options)
        self.start = parameter(hidden)
        self.embedding = parameter(steps, widest, hidden)
        self.gates_x = parameter(4 * hidden, hidden)
        self.gates_h = parameter(4 * hidden, hidden)
        self.gates_b = parameter(4 * hidden)
        self.heads = parameter(steps, hidden, widest)
        self.heads_b = parameter(steps, widest)
        # Options that a choice does not have.
        self.absent = torch.tensor(
            [[index >= len(options) for index in range(widest)] for options in self.options]
        )
        self.optimizer = torch.optim.Adam(
            [
                self.start,
                self.embedding,
                self.gates_x,
                self.gates_h,
                self.gates_b,
                self.heads,
                self.heads_b,
            ],
            lr=settings.learning_rate,
        )

    def draw(self, rng: np.random.Generator) -> Iterator[list[int]]:
        """Draw sequences (option index per choice) from the policy as it is now, without end."""
        names = ("start", "embedding", "gates_x", "gates_h", "gates_b", "heads", "heads_b", "absent")
        weights = {name: getattr(self, name).detach().numpy().copy() for name in names}
        return self._draw(weights, rng)

    def _draw(self, weights: dict[str, np.ndarray], rng: np.random.Generator) -> Iterator[list[int]]:
        # In numpy: for so small a network torch would spend ten times as long on its own overhead.
        hidden, steps = self.settings.hidden, len(self.options)

        def sigmoid(values: np.ndarray) -> np.ndarray:
            return 1 / (1 + np.exp(-values))

        while True:
            uniform = rng.random((steps, BLOCK, 1))
            taken = np.empty((BLOCK, steps), dtype=int)
            x = np.broadcast_to(weights["start"], (BLOCK, hidden))
            h = cell = np.zeros((BLOCK, hidden))
            for step in range(steps):
                gates = x @ weights["gates_x"].T + h @ weights["gates_h"].T + weights["gates_b"]
                write, keep, value, show = (gates[:, k * hidden : (k + 1) * hidden] for k in range(4))
                cell = sigmoid(keep) * cell + sigmoid(write) * np.tanh(value)
                h = sigmoid(show) * np.tanh(cell)
                logits = h @ weights["heads"][step] + weights["heads_b"][step]
                logits[:, weights["absent"][step]] = -np.inf
                cumulative = np.exp(logits - logits.max(axis=1, keepdims=True)).cumsum(axis=1)
                options = (cumulative < uniform[step] * cumulative[:, -1:]).sum(axis=1)
                taken[:, step] = np.minimum(options, len(self.options[step]) - 1)
                x = weights["embedding"][step, taken[:, step]]
            yield from taken.tolist()

    def step(self, sequences: list[list[int]], advantages: list[float]) -> None:
        """One step of Adam on the policy gradient of these sequences, with the entropy bonus."""
        import torch

        taken = torch.tensor(sequences)
        n, steps = taken.shape
        x = self.start.expand(n, -1)
        h = cell = torch.zeros(n, self.settings.hidden, dtype=torch.float64)
        states = []
        for step in range(steps):
            h, cell = torch.lstm_cell(x, (h, cell), self.gates_x, self.gates_h, self.gates_b)
            states.append(h)
            x = self.embedding[step, taken[:, step]]
        logits = torch.einsum("snh,sho->sno", torch.stack(states), self.heads) + self.heads_b[:, None]
        log_p = torch.log_softmax(logits.masked_fill(self.absent[:, None], -torch.inf), dim=2)
        likelihood = log_p.gather(2, taken.T[:, :, None]).sum(dim=(0, 2))
        # 0 * log 0 of absent options is 0.
        entropy = -(log_p.exp() * log_p.masked_fill(self.absent[:, None], 0.0)).sum(dim=(0, 2)) / steps
        loss = -(torch.tensor(advantages, dtype=torch.float64) * likelihood).mean()
        loss = loss - self.settings.entropy * entropy.mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def decode(self, sequence: list[int]) -> Architecture:
        """The architecture of a sequence of option indices."""
        return self.space.decode(
            {
                name: options[index]
                for (name, options), index in zip(self.space.choices.items(), sequence, strict=True)
            }
        )

    def encode(self, arch: Architecture) -> list[int]:
        """The option index per choice."""
        values = self.space.encode(arch)
        return [options.index(values[name]) for name, options in self.space.choices.items()]
