"""REINFORCE (Williams 1992) with an LSTM controller, after Zoph and Le 2017."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...store import seed_from
from ..base import Sampler, SearchState, Trial

if TYPE_CHECKING:
    import torch

    from ...spaces import Architecture, Space
    from .plugin import ReinforceSettings

BLOCK = 16
"""Number of sequences that are drawn at once."""


class ReinforceSampler(Sampler):
    """A policy over the sequence of choices that is improved by the policy gradient once a round.

    The sampler is on-policy: it may repeat a proposal (the store then trains nothing), and skips only failed
    candidates. Nothing is kept between rounds: the controller is initialised from the seed and replays the
    ledger. A proposal is canonical, while the policy drew one of many sequences for it. Therefore the replay
    repeats the draws and takes the gradient at the sequence that was drawn. If a row of the ledger is not
    what this policy would have drawn (say, on another processor), it takes the canonical sequence.

    The update of a round is a step of Adam, over the first ``batch`` candidates, on
    - mean((score - baseline) * log p(sequence)) - entropy * mean entropy of the choices.
    The baseline is the exponential moving average of the mean scores of earlier rounds; in the first round it
    is the mean of that round. Candidates that are ``failed`` or ``invalid`` count with the lowest score so
    far; those with status ``timeout`` do not count.
    """

    repeats = True
    settings: ReinforceSettings

    def begin(self, state: SearchState) -> Callable[[], Architecture]:
        """Learn from the ledger; see the class for how."""
        space, trials = state.space, state.trials
        controller = Controller(space, self.settings, seed_from("reinforce", state.seed))
        rounds: dict[int, list[Trial]] = {}
        for trial in trials:
            rounds.setdefault(trial.round, []).append(trial)
        lag = state.round - trials[-1].round - 1 if trials else 0
        drawn: dict[int, list[list[int]]] = {}
        learned = Learned()
        unlearned = sorted(rounds)
        for round_ in [*sorted(rounds), state.round]:
            # The policy of this round had learned from the rounds before it, except for the lag.
            while unlearned and unlearned[0] < round_ - lag:
                past = unlearned.pop(0)
                learned.update(controller, rounds[past], drawn[past], self.settings)
            if round_ in rounds:
                batch = rounds[round_][: self.settings.batch]
                sequences = controller.draw(_stream(state.seed, round_), len(batch))
                drawn[round_] = _recognise(space, controller, batch, sequences)
        sequences = controller.draw(_stream(state.seed, state.round))
        return lambda: controller.decode(next(sequences))


def _stream(seed: int, round: int) -> np.random.Generator:
    return np.random.default_rng(seed_from("reinforce draws", seed, round))


class Learned:
    """What the policy remembers besides its weights."""

    def __init__(self) -> None:
        self.baseline: float | None = None
        self.lowest: float | None = None

    def update(
        self,
        controller: Controller,
        trials: list[Trial],
        sequences: list[list[int]],
        settings: ReinforceSettings,
    ) -> None:
        """Learn from one round; ``sequences`` are those of its first candidates."""
        scores = [trial.score for trial in trials if trial.ok]
        if scores:
            self.lowest = min(scores if self.lowest is None else [self.lowest, *scores])
        if self.lowest is None:
            return
        rewards = {
            slot: trial.score if trial.ok else self.lowest
            for slot, trial in enumerate(trials)
            if trial.ok or trial.status != "timeout"
        }
        if not rewards:
            return
        mean = float(np.mean(list(rewards.values())))
        if self.baseline is None:
            self.baseline = mean
        learned = [slot for slot in rewards if slot < len(sequences)]
        if learned:
            controller.step(
                [sequences[slot] for slot in learned], [rewards[slot] - self.baseline for slot in learned]
            )
        self.baseline = settings.baseline_decay * self.baseline + (1 - settings.baseline_decay) * mean


def _recognise(
    space: Space, controller: Controller, trials: list[Trial], sequences: Iterator[list[int]]
) -> list[list[int]]:
    """Return the sequence that the policy drew for each row, or the canonical one if it did not draw it."""
    recognised = []
    foreign = False
    for trial in trials:
        match = None
        # At least as many draws as the sampler could have been asked for a slot.
        for _ in range(0 if foreign else 64):
            sequence = next(sequences)
            if space.canonical(controller.decode(sequence)) == trial.architecture:
                match = sequence
                break
        if match is None:
            # From here on the draws are out of step.
            foreign = True
            match = controller.encode(trial.architecture)
        recognised.append(match)
    return recognised


class Controller:
    """An LSTM that reads the last chosen option and returns a distribution over the next choice's options.

    The choices of the space, in order, are the steps of a sequence; ``seed`` is that of the initial weights.
    """

    weights = ("start", "embedding", "gates_x", "gates_h", "gates_b", "heads", "heads_b")

    def __init__(self, space: Space, settings: ReinforceSettings, seed: int):
        import torch

        self.space = space
        self.settings = settings
        self.options = list(space.choices.values())
        widest = max(len(options) for options in self.options)
        generator = torch.Generator().manual_seed(seed)

        def parameter(*shape: int) -> torch.Tensor:
            # Uniform in [-0.08, 0.08] as in Zoph and Le; in double precision, so that no replay drifts.
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
        # The options that a choice lacks.
        self.absent = torch.tensor(
            [[index >= len(options) for index in range(widest)] for options in self.options]
        )
        learned = [getattr(self, name) for name in self.weights]
        self.optimizer = torch.optim.Adam(learned, lr=settings.learning_rate)

    def draw(self, rng: np.random.Generator, wanted: int = 1) -> Iterator[list[int]]:
        """Return an endless iterator over sequences (option index per choice) from the current policy.

        ``wanted`` sequences are drawn at once, and then more as they are asked for; the sequences are the
        same, however many are wanted.
        """
        names = (*self.weights, "absent")
        weights = {name: getattr(self, name).detach().numpy().copy() for name in names}
        return self._draw(weights, rng, -(-wanted // BLOCK))

    def _draw(
        self, weights: dict[str, NDArray[Any]], rng: np.random.Generator, blocks: int
    ) -> Iterator[list[int]]:
        # With numpy, for torch takes ten times as long for such a small network.
        hidden, steps = self.settings.hidden, len(self.options)

        def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.asarray(1 / (1 + np.exp(-values)))

        while True:
            n = blocks * BLOCK
            uniform = rng.random((blocks, steps, BLOCK)).transpose(1, 0, 2).reshape(steps, n, 1)
            sequences = np.empty((n, steps), dtype=int)
            x = np.broadcast_to(weights["start"], (n, hidden))
            h = cell = np.zeros((n, hidden))
            for step in range(steps):
                gates = x @ weights["gates_x"].T + h @ weights["gates_h"].T + weights["gates_b"]
                write, keep, value, show = (gates[:, k * hidden : (k + 1) * hidden] for k in range(4))
                cell = sigmoid(keep) * cell + sigmoid(write) * np.tanh(value)
                h = sigmoid(show) * np.tanh(cell)
                logits = h @ weights["heads"][step] + weights["heads_b"][step]
                logits[:, weights["absent"][step]] = -np.inf
                cumulative = np.exp(logits - logits.max(axis=1, keepdims=True)).cumsum(axis=1)
                options = (cumulative < uniform[step] * cumulative[:, -1:]).sum(axis=1)
                sequences[:, step] = np.minimum(options, len(self.options[step]) - 1)
                x = weights["embedding"][step, sequences[:, step]]
            yield from sequences.tolist()
            blocks = 1

    def step(self, sequences: list[list[int]], advantages: list[float]) -> None:
        """Take one step of Adam on the policy gradient of these sequences, with the entropy bonus."""
        import torch

        options = torch.tensor(sequences)
        n, steps = options.shape
        # Taken at once: an index for each step would make a gradient of the whole embedding for each.
        chosen = self.embedding[torch.arange(steps)[:, None], options.T]
        h = cell = torch.zeros(n, self.settings.hidden, dtype=torch.float64)
        states = []
        for x in (self.start.expand(n, -1), *chosen[:-1].unbind()):
            h, cell = torch.lstm_cell(x, (h, cell), self.gates_x, self.gates_h, self.gates_b)
            states.append(h)
        logits = torch.einsum("snh,sho->sno", torch.stack(states), self.heads) + self.heads_b[:, None]
        log_p = torch.log_softmax(logits.masked_fill(self.absent[:, None], -torch.inf), dim=2)
        likelihood = log_p.gather(2, options.T[:, :, None]).sum(dim=(0, 2))
        # Absent options count as 0 * log 0 = 0.
        entropy = -(log_p.exp() * log_p.masked_fill(self.absent[:, None], 0.0)).sum(dim=(0, 2)) / steps
        loss = -(torch.tensor(advantages, dtype=torch.float64) * likelihood).mean()
        loss = loss - self.settings.entropy * entropy.mean()
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()

    def decode(self, sequence: list[int]) -> Architecture:
        """Return the architecture of a sequence of option indices."""
        chosen = (options[index] for options, index in zip(self.options, sequence, strict=True))
        return self.space.decode(dict(zip(self.space.choices, chosen, strict=True)))

    def encode(self, arch: Architecture) -> list[int]:
        """Return the option index of each choice."""
        values = self.space.encode(arch)
        return [options.index(values[name]) for name, options in self.space.choices.items()]
