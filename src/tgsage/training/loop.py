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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch.optim.sgd import sgd
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ..config.training import Recipe
from ..errors import TgsageError
from ..store.digest import seed_from
from .batchnorm import recompute_batchnorm
from .devices import autocast, own_randomness, reproducible, resolve_device, resolve_precision, threads
from .images import DeviceImages, draws

CURVE_POINTS = 20
"""Points of a learning curve (fewer where there are fewer steps)."""

NOT_IN_THE_SEED = frozenset(
    {
        "average",
        "recompute_batchnorm",
        "checkpoints",
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
class Trained:
    """What a training leaves.

    Attributes
    ----------
    checkpoints
        In the order of the recipe's shares; the last one is the result.
    curve
        At most :data:`CURVE_POINTS` points, each with ``examples`` and ``epoch`` at its end, the mean
        minibatch ``loss`` since the point before, and the ``learning_rate`` of its last step.
    training_loss_sum
        TSE of Ru et al. 2021 (Speedy Performance Estimation for NAS, eq. 1): the sum over epochs of the mean
        minibatch loss, here sum(minibatch losses) * batch size / number of training images, which is the same
        for whole epochs and defined for fractions. The loss is the one that is minimised (with label
        smoothing and augmentation). Lower is better.
    examples
        Training images seen, repetitions counted.
    seconds
        Wall clock of the training including checkpoints.
    device
        ``"cpu"`` or ``"cuda"``.
    """

    checkpoints: list[Checkpoint]
    curve: list[dict[str, float]]
    training_loss_sum: float
    examples: int
    seconds: float
    device: str


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
    report: Callable[[dict[str, Any]], None] | None = None,
) -> Trained:
    """Train a module on a task.

    The same module, task, recipe and seed give bitwise the same weights on a CPU with the recipe's number of
    threads. Torch's generators and number of threads are as before afterwards. On a GPU cuDNN is held to
    deterministic kernels.

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
        If the recipe does not fit the images.
    """
    device = resolve_device(device)
    with threads(recipe.threads), reproducible(device), own_randomness(seed_from("module", seed), device):
        return _train(module, task, recipe, seed, device, report or (lambda _: None))


def _train(
    module: torch.nn.Module,
    task: _Task,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    report: Callable[[dict[str, Any]], None],
) -> Trained:
    start = time.perf_counter()
    pixels, labels = _training_images(task, recipe)
    n = len(labels)
    batch = min(recipe.batch_size, n)
    steps = max(1, round(recipe.epochs * n / batch))

    module.to(device)
    if recipe.channels_last:
        module.to(memory_format=torch.channels_last)
    images = DeviceImages(pixels, task.mean, task.std, device=device, channels_last=recipe.channels_last)
    targets = torch.from_numpy(np.array(labels, dtype=np.int64)).to(device)
    dtype = resolve_precision(recipe.precision, device)
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not parameters:
        raise TgsageError("the module has no trainable parameters")
    descent = Descent(parameters, recipe)
    keeper = Keeper(module, images, recipe, batch, seed, dtype)
    batches = draws(n, batch, seed, flip=recipe.flip, crop_padding=recipe.crop_padding, device=device)

    # Losses stay on the device: reading one would make a GPU wait at every step.
    losses = torch.zeros(steps, device=device)
    points = min(CURVE_POINTS, steps)
    marks = {round((point + 1) * steps / points) for point in range(points)}
    due = [(share, round(share * steps)) for share in recipe.checkpoints]
    curve: list[dict[str, float]] = []
    checkpoints: list[Checkpoint] = []
    marked = 0
    rate = 0.0

    def failure(what: str, step: int, seen: int) -> Diverged:
        return Diverged(
            f"{what} at step {step} of {steps} (learning rate {recipe.learning_rate:g})",
            examples=seen * batch,
            seconds=time.perf_counter() - start,
            curve=curve,
        )

    module.train()
    for step in range(steps + 1):
        if step in marks:
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
                    "learning_rate": rate,
                }
            )
            marked = step
            report({"examples": step * batch})
        while due and due[0][1] == step:
            state = keeper.state()
            if not all(value.isfinite().all() for value in state.values() if value.is_floating_point()):
                raise failure("a weight became infinite or not a number", step, step)
            checkpoints.append(Checkpoint(due.pop(0)[0], step * batch, state))
        if step == steps:
            break
        rate = _learning_rate(step, steps, recipe)
        index, mirror, down, right = next(batches)
        inputs = images.augmented(index, mirror, down, right)
        with autocast(device, dtype):
            outputs = module(inputs)
        loss = torch.nn.functional.cross_entropy(
            outputs.float(), targets[index], label_smoothing=recipe.label_smoothing
        )
        descent.zero_grad()
        loss.backward()
        if recipe.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, recipe.clip_norm, foreach=True)
        descent.step(rate)
        keeper.update()
        losses[step] = loss.detach()

    module.load_state_dict(checkpoints[-1].state)
    module.eval()
    module.normalisation = (np.asarray(task.mean), np.asarray(task.std))
    return Trained(
        checkpoints=checkpoints,
        curve=curve,
        training_loss_sum=float(losses.double().sum()) * batch / n,
        examples=steps * batch,
        seconds=time.perf_counter() - start,
        device=device.type,
    )


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
        self._pieces = [piece.to(images.device) for piece in chosen.tensor_split(pieces)] if pieces else []

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


def _training_images(task: _Task, recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    parts = [task.train] if recipe.images == "train" else [task.train, task.validation]
    pixels = parts[0].images if len(parts) == 1 else np.concatenate([part.images for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    if len(labels) < 2:
        raise TgsageError(f"training needs at least two images, the task has {len(labels)}")
    if recipe.crop_padding >= min(pixels.shape[1:3]):
        raise TgsageError(
            f"recipe.crop_padding: {recipe.crop_padding} pixels cannot be reflected from images of "
            f"{pixels.shape[1]} x {pixels.shape[2]}; choose less than the side"
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
