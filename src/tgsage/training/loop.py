"""The training loop.

Stochastic gradient descent with Nesterov momentum, a linear warm-up and a cosine to zero; no weight decay on
biases and normalisation layers; clipped gradients; weights averaged over the last steps; batch-norm
statistics recomputed for whatever is kept. Everything that decides the weights is in this module and in
what it imports, so that a digest of its code can be part of a store's key.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch.optim.sgd import sgd
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ..errors import TgsageError
from ..store.hashing import seed_from
from .batchnorm import recompute_batchnorm
from .devices import (
    autocast,
    own_randomness,
    random_states,
    reproducible,
    resolve_device,
    resolve_precision,
    set_random_states,
    threads,
)
from .images import DeviceImages, draws
from .settings import Recipe

CURVE_POINTS = 20
"""Points of a learning curve (fewer where there are fewer steps)."""

NOT_IN_THE_SEED = frozenset(
    {
        "average",
        "recompute_batchnorm",
        "checkpoints",
        "stop",
        "precision",
        "channels_last",
        "threads",
        "timeout_seconds",
    }
)
"""Fields of a recipe that say what is kept or how it is computed: they leave order and start as they were."""


class _Images(Protocol):
    images: np.ndarray
    labels: np.ndarray


class _Task(Protocol):
    """What the loop reads of a :class:`tgsage.tasks.Task`."""

    train: _Images
    validation: _Images
    mean: np.ndarray
    std: np.ndarray

    @property
    def n_classes(self) -> int: ...
    @property
    def resolution(self) -> int: ...
    @property
    def digest(self) -> str: ...


@dataclass(frozen=True)
class Checkpoint:
    """Weights kept during a training.

    Attributes
    ----------
    share
        Share of the training done, 0 (untrained) to 1.
    examples
        Training images seen so far, repetitions counted.
    state
        The module's state dict on the CPU, tensors contiguous: averaged weights (if the recipe averages)
        with batch-norm statistics recomputed for them.
    """

    share: float
    examples: int
    state: dict[str, torch.Tensor]


@dataclass(frozen=True)
class Paused:
    """A training that has stopped before the end of its schedule: all that its next step depends on.

    What a recipe and a seed decide is not in it: the order of the images is drawn again.

    Attributes
    ----------
    tensors
        On the CPU, contiguous, none sharing memory: ``parameters/<name>`` and ``buffers/<name>`` of the
        module as the next step would find them (not averaged); ``velocity/<name>`` of the parameters that
        have moved with momentum; ``average/<name>`` if the recipe averages; ``losses`` float32 (steps done,),
        of the minibatches; ``random/cpu`` and on a GPU ``random/cuda``, uint8, the states of torch's default
        generators, from which layers like dropout draw.
    checkpoints
        Those of the training so far.
    seconds
        What it has taken so far.
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
        In the order of :meth:`tgsage.training.settings.Recipe.kept`; the last one is the result.
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
    device
        ``"cpu"`` or ``"cuda"``.
    paused
        What :func:`train` can continue from; None at the end of the schedule.
    """

    checkpoints: list[Checkpoint]
    curve: list[dict[str, float]]
    training_loss_sum: float
    examples: int
    seconds: float
    device: str
    paused: Paused | None = None


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


def candidate_seed(space: Any, arch: Any, recipe: Recipe, task: _Task) -> int:
    """Return the seed of all random streams of a candidate of the pipeline.

    A hash of the training seed, the canonical architecture, the task's content and the recipe (without the
    fields in :data:`NOT_IN_THE_SEED`): one architecture has one result, whichever arm, round or search asks.
    """
    settings = {name: value for name, value in recipe.plain().items() if name not in NOT_IN_THE_SEED}
    canonical = space.canonical(arch)
    return seed_from(
        "candidate", recipe.seed, space.key(canonical), space.format(canonical), task.digest, settings
    )


def initial_module(space: Any, arch: Any, n_classes: int, seed: int) -> torch.nn.Module:
    """Build an architecture with parameters drawn from ``seed``, leaving torch's generator as it was."""
    with own_randomness(seed_from("initial weights", seed), torch.device("cpu")):
        return space.build(arch, n_classes)


def train(
    module: torch.nn.Module,
    task: _Task,
    recipe: Recipe,
    seed: int,
    device: str | torch.device = "cpu",
    *,
    paused: Paused | None = None,
    report: Callable[[dict[str, Any]], None] | None = None,
) -> Trained:
    """Train a module on a task.

    The same module, task, recipe and seed give bitwise the same weights on a CPU with the recipe's number of
    threads, in one go or continued from any earlier stop. Torch's generators and number of threads are as
    before afterwards. On a GPU cuDNN is held to deterministic kernels.

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
        How.
    seed
        Seed of the order of the images, of augmentation, and of layers that draw (dropout).
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    paused
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
        If the recipe does not fit the images, or ``paused`` not the module or the recipe.
    """
    device = resolve_device(device)
    with threads(recipe.threads), reproducible(device), own_randomness(seed_from("module", seed), device):
        return _train(module, task, recipe, seed, device, paused, report or (lambda _: None))


def _train(
    module: torch.nn.Module,
    task: _Task,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    paused: Paused | None,
    report: Callable[[dict[str, Any]], None],
) -> Trained:
    start = time.perf_counter() - (0.0 if paused is None else paused.seconds)
    pixels, labels = _training_images(task, recipe)
    n = len(labels)
    batch = min(recipe.batch_size, n)
    steps = max(1, round(recipe.epochs * n / batch))
    last = _step_of(recipe.stop, steps)
    first = 0 if paused is None else paused.step
    if first > last:
        raise TgsageError(
            f"recipe.stop: {recipe.stop:g} of the training is step {last}, and what it should be continued "
            f"from has {first}; continue from an earlier stop"
        )

    module.to(device)
    if recipe.channels_last:
        module.to(memory_format=torch.channels_last)
    images = DeviceImages(pixels, task.mean, task.std, device=device, channels_last=recipe.channels_last)
    targets = torch.from_numpy(np.array(labels, dtype=np.int64)).to(images.home)
    dtype = resolve_precision(recipe.precision, device)
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not parameters:
        raise TgsageError("the module has no trainable parameters")
    descent = Descent(parameters, recipe)
    keeper = Keeper(module, images, recipe, batch, seed, dtype)
    batches = draws(
        n, batch, seed, flip=recipe.flip, crop_padding=recipe.crop_padding, device=images.home, skip=first
    )

    # Losses stay on the device: reading one would make a GPU wait at every step.
    losses = torch.zeros(last, device=device)
    points = min(CURVE_POINTS, last)
    marks = {round((point + 1) * last / points) for point in range(points)}
    due = [(share, _step_of(share, steps)) for share in recipe.kept()]
    curve: list[dict[str, float]] = []
    checkpoints: list[Checkpoint] = []
    marked = 0

    def mark(step: int) -> None:
        nonlocal marked
        recent = losses[marked:step].double().cpu()
        bad = (~recent.isfinite()).nonzero()
        if len(bad):
            index = int(bad[0])
            raise failure(f"the loss became {recent[index].item()}", marked + index + 1, step)
        curve.append(
            {
                "examples": step * batch,
                "epoch": step * batch / n,
                "loss": float(recent.mean()),
                "learning_rate": _learning_rate(step - 1, steps, recipe),
            }
        )
        marked = step
        report({"examples": max(step, first) * batch})

    def failure(what: str, step: int, seen: int) -> Diverged:
        return Diverged(
            f"{what} at step {step} of {steps} (learning rate {recipe.learning_rate:g})",
            examples=seen * batch,
            seconds=time.perf_counter() - start,
            curve=curve,
        )

    if paused is not None:
        _restore(paused, module, descent, keeper, losses, device)
        made = {kept.share: kept for kept in paused.checkpoints}
        while due and (due[0][0] in made or due[0][1] < first):
            share, step = due.pop(0)
            if share not in made or made[share].examples != step * batch:
                raise TgsageError(
                    f"recipe.checkpoints: the training that is to be continued kept none at {share:g}; "
                    "continue with the recipe that it was started with"
                )
            checkpoints.append(made[share])
        for step in sorted(step for step in marks if step < first):
            mark(step)

    module.train()
    for step in range(first, last + 1):
        if step in marks:
            mark(step)
        while due and due[0][1] == step:
            # Layers that draw in evaluation mode too must not move the stream of the training.
            with own_randomness(seed_from("checkpoint", seed), device):
                state = keeper.state()
            if not all(value.isfinite().all() for value in state.values() if value.is_floating_point()):
                raise failure("a weight became infinite or not a number", step, step)
            checkpoints.append(Checkpoint(due.pop(0)[0], step * batch, state))
        if step == last:
            break
        rate = _learning_rate(step, steps, recipe)
        index, mirror, down, right = next(batches)
        inputs = images.augmented(index, mirror, down, right)
        with autocast(device, dtype):
            outputs = module(inputs)
        loss = torch.nn.functional.cross_entropy(
            outputs.float(), targets[index].to(device), label_smoothing=recipe.label_smoothing
        )
        descent.zero_grad()
        loss.backward()
        if recipe.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, recipe.clip_norm, foreach=True)
        descent.step(rate)
        keeper.update()
        losses[step] = loss.detach()

    seconds = time.perf_counter() - start
    left = None
    if recipe.stop < 1:
        left = Paused(_snapshot(module, descent, keeper, losses, device), checkpoints, seconds)
    module.load_state_dict(checkpoints[-1].state)
    module.eval()
    module.normalisation = (np.asarray(task.mean), np.asarray(task.std))
    return Trained(
        checkpoints=checkpoints,
        curve=curve,
        training_loss_sum=float(losses.double().sum()) * batch / n,
        examples=last * batch,
        seconds=seconds,
        device=device.type,
        paused=left,
    )


def _step_of(share: float, steps: int) -> int:
    """The step after which a share of the training is done; a share that is not 0 is one step at least."""
    return max(1, round(share * steps)) if share else 0


def _live(
    module: torch.nn.Module, descent: Descent, keeper: Keeper, *, moved: Callable[[str], bool]
) -> dict[str, torch.Tensor]:
    """The tensors that a step changes, by name; velocities are made for parameters that have ``moved``."""
    found = {f"parameters/{name}": value.detach() for name, value in module.named_parameters()}
    # Not the state dict: it leaves out buffers that are not persistent.
    found |= {f"buffers/{name}": value for name, value in module.named_buffers()}
    for name, parameter in module.named_parameters():
        if moved(f"velocity/{name}"):
            found[f"velocity/{name}"] = descent.velocity(parameter)
    if keeper.decay is not None:
        found |= {f"average/{name}": value.detach() for name, value in keeper.shadow.named_parameters()}
    return found


def _snapshot(
    module: torch.nn.Module, descent: Descent, keeper: Keeper, losses: torch.Tensor, device: torch.device
) -> dict[str, torch.Tensor]:
    """What a later step depends on; see :class:`Paused`."""
    known = {f"velocity/{name}": descent.has_moved(value) for name, value in module.named_parameters()}
    live = _live(module, descent, keeper, moved=known.__getitem__) | {"losses": losses}
    live |= random_states(device)
    return {
        name: value.to("cpu").clone(memory_format=torch.contiguous_format) for name, value in live.items()
    }


@torch.no_grad()
def _restore(
    paused: Paused,
    module: torch.nn.Module,
    descent: Descent,
    keeper: Keeper,
    losses: torch.Tensor,
    device: torch.device,
) -> None:
    """Put everything back to where it was; tensors keep their place and layout in memory."""
    live = _live(module, descent, keeper, moved=paused.tensors.__contains__)
    states = random_states(device)
    shapes = {name: value.shape for name, value in (live | states).items()}
    given = {name: value.shape for name, value in paused.tensors.items() if name != "losses"}
    if shapes != given:
        name = min(name for name in shapes | given if shapes.get(name) != given.get(name))
        raise TgsageError(
            f"the training that is to be continued was of another module, recipe or device: {name} is "
            f"{_size(given.get(name))} there and {_size(shapes.get(name))} here"
        )
    for name, value in live.items():
        value.copy_(paused.tensors[name])
    losses[: paused.step] = paused.tensors["losses"].to(device)
    keeper.step = paused.step
    set_random_states(device, {name: paused.tensors[name] for name in states})


def _size(shape: torch.Size | None) -> str:
    return "absent" if shape is None else str(tuple(shape))


class Keeper:
    """Averages weights step by step, and makes a checkpoint of them without touching the training.

    The average is the exponential one with its bias removed: after step t the weights w_1 .. w_t have
    shares proportional to decay^(t - i). It starts from nothing, so that a short training is not judged
    partly on its random initial weights.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        images: DeviceImages,
        recipe: Recipe,
        batch: int,
        seed: int,
        dtype: torch.dtype,
    ):
        self.module = module
        self.shadow = copy.deepcopy(module)
        self.shadow.eval()
        self.decay = recipe.average
        self.step = 0
        self.images = images
        self.dtype = dtype
        self._now = [parameter.detach() for parameter in module.parameters()]
        self._average = [parameter.detach() for parameter in self.shadow.parameters()]
        number = min(recipe.recompute_batchnorm, images.n)
        chosen = torch.randperm(
            images.n, generator=torch.Generator().manual_seed(seed_from("batch norm", seed))
        )[:number]
        # Pieces of nearly one size: a last piece of one image would have no variance.
        pieces = math.ceil(number / batch)
        self._pieces = [piece.to(images.home) for piece in chosen.tensor_split(pieces)] if pieces else []

    @torch.no_grad()
    def update(self) -> None:
        self.step += 1
        if self.decay is None:
            return
        kept = 1 - (1 - self.decay) / (1 - self.decay**self.step)
        get_ema_multi_avg_fn(kept)(self._average, self._now, None)

    @torch.no_grad()
    def state(self) -> dict[str, torch.Tensor]:
        if self.decay is None or self.step == 0:
            for average, now in zip(self._average, self._now, strict=True):
                average.copy_(now)
        for kept, now in zip(self.shadow.buffers(), self.module.buffers(), strict=True):
            kept.copy_(now)
        if self._pieces:
            with autocast(self.images.device, self.dtype):
                recompute_batchnorm(self.shadow, self._batches())
        return {
            name: value.detach().to("cpu").clone(memory_format=torch.contiguous_format)
            for name, value in self.shadow.state_dict().items()
        }

    def _batches(self) -> Iterator[torch.Tensor]:
        for piece in self._pieces:
            yield self.images.plain(piece)


def _training_images(task: _Task, recipe: Recipe) -> tuple[list[np.ndarray], np.ndarray]:
    parts = [task.train] if recipe.images == "train" else [task.train, task.validation]
    pixels = [part.images for part in parts]
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


class Descent:
    """SGD with Nesterov momentum, in which only matrices and kernels decay: biases and normalisation have one
    dimension.

    torch's own update, called as a function. ``torch.optim.SGD`` is the same (a test says so), but importing
    the compiler at its first use costs every process a second or more.
    """

    def __init__(self, parameters: list[torch.nn.Parameter], recipe: Recipe):
        self.momentum = recipe.momentum
        self._groups = [
            ([p for p in parameters if p.ndim > 1], recipe.weight_decay),
            ([p for p in parameters if p.ndim <= 1], 0.0),
        ]
        self._velocity: dict[torch.nn.Parameter, torch.Tensor | None] = dict.fromkeys(parameters)

    def has_moved(self, parameter: torch.nn.Parameter) -> bool:
        """Whether a parameter has a velocity: it was moved at least once, with momentum."""
        return self._velocity.get(parameter) is not None

    def velocity(self, parameter: torch.nn.Parameter) -> torch.Tensor:
        """Return a parameter's velocity; where there is none yet it is made, to be overwritten."""
        if not self.has_moved(parameter):
            self._velocity[parameter] = torch.zeros_like(parameter)
        return self._velocity[parameter]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._velocity:
            parameter.grad = None

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move every parameter that has a gradient."""
        for group, decay in self._groups:
            moved = [parameter for parameter in group if parameter.grad is not None]
            velocity = [self._velocity[parameter] for parameter in moved]
            if not moved:
                continue
            sgd(
                moved,
                [parameter.grad for parameter in moved],
                velocity,
                foreach=True,
                weight_decay=decay,
                momentum=self.momentum,
                lr=rate,
                dampening=0.0,
                nesterov=self.momentum > 0,
                maximize=False,
            )
            self._velocity.update(zip(moved, velocity, strict=True))


def _learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """Rate of step 0 .. steps - 1: linear up to the peak, then half a cosine that is zero after the last."""
    warm = round(recipe.warmup * steps)
    if step < warm:
        return recipe.learning_rate * (step + 1) / warm
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))
