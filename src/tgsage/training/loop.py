"""The training loop.

Stochastic gradient descent with Nesterov momentum, a linear warm-up and a cosine to zero; no weight decay on
biases and normalisation layers; clipped gradients; averaged weights; recomputed batch-norm statistics. This
module, :mod:`tgsage.training.seeds` and what they import decide the weights: their code is in a store's key.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import TgsageError
from ..store.hashing import seed_from
from ..threads import threads
from .data import DeviceDataset, batches
from .devices import (
    autocast,
    own_randomness,
    random_states,
    reproducible,
    resolve_device,
    resolve_precision,
    set_random_states,
    to_channels_last,
)
from .ema import EmaCheckpointer
from .sgd import SGD

if TYPE_CHECKING:
    from ..tasks import Task
    from .data import Pixels
    from .settings import Recipe

CURVE_POINTS = 20
"""Points of a learning curve (fewer where there are fewer steps)."""


@dataclass(frozen=True)
class Checkpoint:
    """Weights kept during a training.

    Attributes
    ----------
    share, examples
        Share of the training done, 0 (untrained) to 1, and training images seen, repetitions counted.
    state
        The module's state dict on the CPU, tensors contiguous: averaged weights (if the recipe averages)
        with batch-norm statistics recomputed for them.
    """

    share: float
    examples: int
    state: dict[str, torch.Tensor]


@dataclass(frozen=True)
class TrainingState:
    """What the next step of a stopped training depends on, but for what its recipe and seed decide.

    Attributes
    ----------
    tensors
        On the CPU, contiguous, none sharing memory: ``parameters/<name>`` and ``buffers/<name>`` of the
        module as the next step would find them (not averaged); ``velocity/<name>`` of the parameters that
        have moved with momentum; ``average/<name>`` if the recipe averages; ``losses`` float32 (steps done,),
        of the minibatches; ``random/cpu`` and on a GPU ``random/cuda``, uint8, the states of torch's default
        generators, from which layers like dropout draw.
    checkpoints, seconds
        As in :class:`Trained`, so far.
    """

    tensors: Mapping[str, torch.Tensor]
    checkpoints: list[Checkpoint]
    seconds: float

    @property
    def step(self) -> int:
        """Number of steps done."""
        return len(self.tensors["losses"])


@dataclass(frozen=True)
class Trained:
    """What a training leaves.

    Attributes
    ----------
    checkpoints
        Those of the recipe before its ``stop``, and at ``stop``, which is the result.
    curve
        At most :data:`CURVE_POINTS` points, each with ``examples`` and ``epoch`` at its end, the mean
        minibatch ``loss`` since the point before, and the ``learning_rate`` of its last step.
    training_loss_sum
        TSE of Ru et al. 2021 (Speedy Performance Estimation for NAS, eq. 1): the sum over epochs of the mean
        minibatch loss, here sum(minibatch losses) * batch size / number of training images, which is the same
        for whole epochs and defined for fractions. The loss is the one that is minimised (with label
        smoothing and augmentation). Lower is better.
    examples
        Training images seen, repetitions counted, since the first step.
    seconds
        Wall clock of the training including checkpoints; of a continued one with what came before.
    resume
        What :func:`train` can continue from; None at the end of the schedule.
    """

    checkpoints: list[Checkpoint]
    curve: list[dict[str, float]]
    training_loss_sum: float
    examples: int
    seconds: float
    resume: TrainingState | None = None


class Diverged(TgsageError):
    """The loss or the weights became infinite or not a number.

    Attributes
    ----------
    examples, seconds, curve
        As in :class:`Trained`, up to the failure: a diverged candidate has cost something.
    """

    def __init__(self, message: str, *, examples: int, seconds: float, curve: list[dict[str, float]]):
        super().__init__(message)
        self.examples = examples
        self.seconds = seconds
        self.curve = curve


def train(
    module: torch.nn.Module,
    task: Task,
    recipe: Recipe,
    seed: int,
    device: str | torch.device = "cpu",
    *,
    resume: TrainingState | None = None,
    report: Callable[[dict[str, Any]], None] | None = None,
) -> Trained:
    """Train a module on a task.

    The same module, task, recipe and seed give bitwise the same weights on one kind of CPU with the recipe's
    number of threads, in one go or continued from any earlier stop. Torch's generators and number of threads
    are as before afterwards. On a GPU cuDNN is held to deterministic kernels.

    Parameters
    ----------
    module
        Takes float32 (batch, 3, H, W), returns logits (batch, n_classes). Trained in place: afterwards it
        holds the last checkpoint, in evaluation mode and on ``device``, and has an attribute
        ``normalisation`` = (mean, std) of the pixels it was trained on, which :func:`tgsage.scoring.score`
        reads.
    task
        Its part ``train`` (and ``validation`` where the recipe says so) is learned.
    recipe
        How. ``precision: auto`` is float32 on a CPU here: only of a space's networks it is known whether
        bfloat16 is faster, see :func:`tgsage.training.ensure_trained`.
    seed
        Seed of the order of the images, of augmentation, and of layers that draw (dropout).
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    resume
        Continue from here: what a training of the same module, task, recipe (but for a smaller ``stop``),
        seed and kind of device has left. The module's own values do not matter then.
    report
        Called now and then with ``{"examples": n}``.

    Returns
    -------
    Trained

    Raises
    ------
    Diverged
        If the loss or a weight is not finite.
    TgsageError
        If the recipe does not fit the images, or ``resume`` not the module or the recipe.
    """
    device = resolve_device(device)
    with threads(recipe.threads), reproducible(device), own_randomness(seed_from("module", seed), device):
        run = _Run(module, task, recipe, seed, device)
        first = 0
        if resume is not None:
            run.restore(resume)
            first = resume.step
        draws = batches(
            run.dataset.n,
            run.schedule.batch_size,
            seed,
            flip=recipe.flip,
            crop_padding=recipe.crop_padding,
            device=run.dataset.home,
            skip=first,
        )
        module.train()
        for step in range(first, run.schedule.stop + 1):
            if run.curve.extend(step) and report is not None:
                report({"examples": step * run.schedule.batch_size})
            run.keep_checkpoints(step)
            if step < run.schedule.stop:
                run.step(step, *next(draws))
        return run.finish(task)


def set_normalisation(module: torch.nn.Module, task: Task) -> None:
    """Note on a module which (mean, std) of the pixels, fractions of 255, it was trained on."""
    # torch declares the attributes of modules to be tensors and modules.
    module.normalisation = (np.asarray(task.mean), np.asarray(task.std))  # type: ignore[assignment]


class _Schedule:
    """The steps of a training on n images: their ``total`` number, learning rates, and where it stops."""

    def __init__(self, recipe: Recipe, n: int):
        self.n = n
        self.batch_size = min(recipe.batch_size, n)
        self.total = max(1, round(recipe.epochs * n / self.batch_size))
        self.stop = self.step_of(recipe.stop)
        self._peak = recipe.learning_rate
        self._warm = round(recipe.warmup * self.total)

    def step_of(self, share: float) -> int:
        """Only a share of 0 is no step."""
        return max(1, round(share * self.total)) if share else 0

    def learning_rate(self, step: int) -> float:
        """Linear up to the peak, then half a cosine, which would be zero at the step after the last."""
        if step < self._warm:
            return self._peak * (step + 1) / self._warm
        return self._peak * 0.5 * (1 + math.cos(math.pi * (step - self._warm) / (self.total - self._warm)))

    def diverged(self, what: str, step: int, noticed: int, curve: _Curve) -> Diverged:
        return Diverged(
            f"{what} at step {step} of {self.total} (learning rate {self._peak:g})",
            examples=noticed * self.batch_size,
            seconds=time.perf_counter() - curve.start,
            curve=curve.points,
        )


class _Curve:
    """The losses of the minibatches, and the learning curve that sums them up; when the training began."""

    def __init__(self, schedule: _Schedule, device: torch.device, start: float):
        # Losses stay on the device: reading one would make a GPU wait at every step.
        self.losses = torch.zeros(schedule.stop, device=device)
        self.points: list[dict[str, float]] = []
        self.start = start
        self._schedule = schedule
        points = min(CURVE_POINTS, schedule.stop)
        self._due = sorted({round((point + 1) * schedule.stop / points) for point in range(points)})
        self._summed = 0

    def extend(self, step: int) -> bool:
        """Add the points that are due after a step; whether there were any."""
        extended = False
        while self._due and self._due[0] <= step:
            self._add(self._due.pop(0))
            extended = True
        return extended

    def _add(self, step: int) -> None:
        schedule = self._schedule
        recent = self.losses[self._summed : step].double().cpu()
        bad = (~recent.isfinite()).nonzero()
        if len(bad):
            index = int(bad[0])
            what = f"the loss became {recent[index].item()}"
            raise schedule.diverged(what, self._summed + index + 1, step, self)
        self.points.append(
            {
                "examples": step * schedule.batch_size,
                "epoch": step * schedule.batch_size / schedule.n,
                "loss": float(recent.mean()),
                "learning_rate": schedule.learning_rate(step - 1),
            }
        )
        self._summed = step


class _Run:
    """A training under way: everything that a step changes."""

    def __init__(self, module: torch.nn.Module, task: Task, recipe: Recipe, seed: int, device: torch.device):
        start = time.perf_counter()
        pixels, labels = _training_images(task, recipe)
        self.schedule = _Schedule(recipe, len(labels))
        self.module, self.recipe, self.seed, self.device = module, recipe, seed, device
        module.to(device)
        if recipe.channels_last:
            to_channels_last(module)
        self.dataset = DeviceDataset(
            pixels, task.mean, task.std, device=device, channels_last=recipe.channels_last
        )
        self._targets = torch.from_numpy(np.array(labels, dtype=np.int64)).to(self.dataset.home)
        self._dtype = resolve_precision(recipe.precision, device)
        self._parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        if not self._parameters:
            raise TgsageError("the module has no trainable parameters")
        self.sgd = SGD(
            self._parameters,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            fused=device.type == "cuda",
        )
        self.ema = EmaCheckpointer(
            module,
            self.dataset,
            decay=recipe.average,
            statistics_images=recipe.recompute_batchnorm,
            batch_size=self.schedule.batch_size,
            seed=seed,
            dtype=self._dtype,
        )
        self.curve = _Curve(self.schedule, device, start)
        self.checkpoints: list[Checkpoint] = []
        shares = [*(share for share in recipe.checkpoints if share < recipe.stop), recipe.stop]
        self._due = [(share, self.schedule.step_of(share)) for share in shares]

    def step(self, step: int, index: torch.Tensor, *augmentation: torch.Tensor) -> None:
        """Take a step on a batch; see :func:`tgsage.training.data.batches`."""
        inputs = self.dataset.augmented(index, *augmentation)
        with autocast(self.device, self._dtype):
            outputs = self.module(inputs)
        loss = torch.nn.functional.cross_entropy(
            outputs.float(), self._targets[index].to(self.device), label_smoothing=self.recipe.label_smoothing
        )
        self.sgd.zero_grad()
        loss.backward()
        if self.recipe.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters, self.recipe.clip_norm, foreach=True)
        self.sgd.step(self.schedule.learning_rate(step))
        self.ema.update()
        self.curve.losses[step] = loss.detach()

    def keep_checkpoints(self, step: int) -> None:
        """Keep the weights if that is due after a step."""
        while self._due and self._due[0][1] == step:
            # Layers that draw in evaluation mode too must not move the stream of the training.
            with own_randomness(seed_from("checkpoint", self.seed), self.device):
                state = self.ema.state_dict()
            if not all(value.isfinite().all() for value in state.values() if value.is_floating_point()):
                what = "a weight became infinite or not a number"
                raise self.schedule.diverged(what, step, step, self.curve)
            share, _ = self._due.pop(0)
            self.checkpoints.append(Checkpoint(share, step * self.schedule.batch_size, state))

    def finish(self, task: Task) -> Trained:
        """Put the last checkpoint into the module, and return what the training leaves."""
        schedule = self.schedule
        seconds = time.perf_counter() - self.curve.start
        resume = None
        if self.recipe.stop < 1:
            resume = TrainingState(self._snapshot(), self.checkpoints, seconds)
        self.module.load_state_dict(self.checkpoints[-1].state)
        self.module.eval()
        set_normalisation(self.module, task)
        return Trained(
            checkpoints=self.checkpoints,
            curve=self.curve.points,
            training_loss_sum=float(self.curve.losses.double().sum()) * schedule.batch_size / schedule.n,
            examples=schedule.stop * schedule.batch_size,
            seconds=seconds,
            resume=resume,
        )

    def _live(self, moved: Callable[[str], bool]) -> dict[str, torch.Tensor]:
        """The tensors that a step changes, by name; parameters that have ``moved`` get a velocity."""
        live = {f"parameters/{name}": value.detach() for name, value in self.module.named_parameters()}
        # Not the state dict: it leaves out buffers that are not persistent.
        live |= {f"buffers/{name}": value for name, value in self.module.named_buffers()}
        for name, parameter in self.module.named_parameters():
            if moved(f"velocity/{name}"):
                live[f"velocity/{name}"] = self.sgd.velocity(parameter)
        if self.ema.decay is not None:
            live |= {f"average/{name}": value.detach() for name, value in self.ema.shadow.named_parameters()}
        return live

    def _snapshot(self) -> dict[str, torch.Tensor]:
        """What a later step depends on; see :class:`TrainingState`."""
        parameters = self.module.named_parameters()
        moved = {f"velocity/{name}": self.sgd.has_moved(parameter) for name, parameter in parameters}
        live = self._live(moved.__getitem__) | {"losses": self.curve.losses} | random_states(self.device)
        return {
            name: value.to("cpu").clone(memory_format=torch.contiguous_format) for name, value in live.items()
        }

    @torch.no_grad()
    def restore(self, state: TrainingState) -> None:
        """Put everything back to where it was; tensors keep their place and layout in memory."""
        if state.step > self.schedule.stop:
            raise TgsageError(
                f"recipe.stop: {self.recipe.stop:g} of the training is step {self.schedule.stop}, and what "
                f"it should be continued from has {state.step}; continue from an earlier stop"
            )
        live = self._live(state.tensors.__contains__)
        random = random_states(self.device)
        here = {name: value.shape for name, value in (live | random).items()}
        there = {name: value.shape for name, value in state.tensors.items() if name != "losses"}
        if here != there:
            name = min(name for name in here | there if here.get(name) != there.get(name))
            sizes = [str(tuple(found[name])) if name in found else "absent" for found in (there, here)]
            raise TgsageError(
                f"the training that is to be continued was of another module, recipe or device: {name} is "
                f"{sizes[0]} there and {sizes[1]} here"
            )
        for name, value in live.items():
            value.copy_(state.tensors[name])
        self.curve.losses[: state.step] = state.tensors["losses"].to(self.device)
        self.curve.start -= state.seconds
        self.ema.step = state.step
        set_random_states(self.device, {name: state.tensors[name] for name in random})
        earlier = {checkpoint.share: checkpoint for checkpoint in state.checkpoints}
        while self._due and (self._due[0][0] in earlier or self._due[0][1] < state.step):
            share, step = self._due.pop(0)
            if share not in earlier or earlier[share].examples != step * self.schedule.batch_size:
                raise TgsageError(
                    f"recipe.checkpoints: the training that is to be continued kept none at {share:g}; "
                    "continue with the recipe that it was started with"
                )
            self.checkpoints.append(earlier[share])


def _training_images(task: Task, recipe: Recipe) -> tuple[list[Pixels], np.ndarray]:
    parts = [task.train] if recipe.images == "train" else [task.train, task.validation]
    pixels: list[Pixels] = [part.images for part in parts]
    labels = np.concatenate([part.labels for part in parts])
    if len(labels) < 2:
        raise TgsageError(f"training needs at least two images, the task has {len(labels)}")
    height, width = pixels[0].shape[1:3]
    if recipe.crop_padding >= min(height, width):
        raise TgsageError(
            f"recipe.crop_padding: {recipe.crop_padding} pixels cannot be reflected from images of "
            f"{height} x {width}; choose less than the side"
        )
    return pixels, labels
