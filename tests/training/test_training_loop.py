"""The training loop: against a slow one that anyone can read, and what it promises."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional
from training_fakes import TinyNet, easy_task, tiny_net

from tgsage.errors import TgsageError
from tgsage.store import seed_from
from tgsage.training import Diverged, data, evaluate, train
from tgsage.training.data import batches as endless_batches
from tgsage.training.settings import Recipe
from tgsage.training.sgd import SGD


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def slow_image(image: np.ndarray, mirror: bool, down: int, right: int, pad: int, task: object) -> np.ndarray:
    size = image.shape[0]
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    crop = padded[pad + down : pad + down + size, pad + right : pad + right + size]
    if mirror:
        crop = crop[:, ::-1]
    return ((crop / 255 - task.mean) / task.std).transpose(2, 0, 1)


def slow_train(module: TinyNet, task: object, recipe: Recipe, seed: int) -> tuple[list[dict], list[float]]:
    """Weights after every step (from 0) in float64, and the minibatch losses."""
    module = module.double().train()
    names = [name for name, _ in module.named_parameters()]
    velocity = {name: torch.zeros_like(value) for name, value in module.named_parameters()}
    n = len(task.train.labels)
    steps = round(recipe.epochs * n / recipe.batch_size)
    warm = round(recipe.warmup * steps)
    batches = endless_batches(
        n, recipe.batch_size, seed, flip=True, crop_padding=recipe.crop_padding, device=torch.device("cpu")
    )
    history = [{name: value.detach().clone() for name, value in module.named_parameters()}]
    losses = []
    for step, (index, mirror, down, right) in enumerate(itertools.islice(batches, steps)):
        rate = recipe.learning_rate
        if step < warm:
            rate *= (step + 1) / warm
        else:
            rate *= (1 + math.cos(math.pi * (step - warm) / (steps - warm))) / 2
        rows = zip(index.tolist(), mirror.tolist(), down.tolist(), right.tolist(), strict=True)
        pixels = np.stack(
            [slow_image(task.train.images[i], m, d, r, recipe.crop_padding, task) for i, m, d, r in rows]
        )
        logs = functional.log_softmax(module(torch.from_numpy(pixels)), dim=1)
        labels = torch.from_numpy(task.train.labels)[index]
        target = (1 - recipe.label_smoothing) * functional.one_hot(labels, 3) + recipe.label_smoothing / 3
        loss = -(target * logs).sum(1).mean()
        losses.append(float(loss.detach()))
        module.zero_grad()
        loss.backward()
        norm = math.sqrt(sum(float((p.grad**2).sum()) for p in module.parameters()))
        with torch.no_grad():
            for name, value in module.named_parameters():
                gradient = value.grad * min(1, recipe.clip_norm / (norm + 1e-6))
                if name in ("first.weight", "second.weight", "head.weight"):
                    gradient = gradient + recipe.weight_decay * value
                velocity[name] = recipe.momentum * velocity[name] + gradient if step else gradient
                value -= rate * (gradient + recipe.momentum * velocity[name])
        history.append({name: value.detach().clone() for name, value in module.named_parameters()})
    assert names
    return history, losses


def slow_statistics(
    module: TinyNet, weights: dict, pieces: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    arrived = []
    for pixels in pieces:
        arrived.append(
            functional.conv2d(torch.from_numpy(pixels), weights["first.weight"], padding=1).numpy()
        )
    values = np.concatenate(arrived).transpose(1, 0, 2, 3).reshape(module.norm.num_features, -1)
    return values.mean(1), values.var(1, ddof=1)


RECIPE = Recipe(
    epochs=1.5,
    batch_size=16,
    learning_rate=0.2,
    warmup=0.3,
    label_smoothing=0.1,
    weight_decay=0.01,
    clip_norm=0.5,
    crop_padding=1,
    average=0.8,
    recompute_batchnorm=40,
    checkpoints=[0.0, 0.5, 1.0],
)


@pytest.mark.parametrize("average", [0.8, None])
@pytest.mark.parametrize("channels_last", [True, False])
def test_weights_average_and_statistics_equal_the_slow_loop(
    average: float | None, channels_last: bool
) -> None:
    task = easy_task()
    recipe = RECIPE.model_copy(update={"average": average, "channels_last": channels_last})
    trained = train(tiny_net(), task, recipe, 5)
    history, losses = slow_train(tiny_net(), task, recipe, 5)
    steps = len(losses)
    assert steps == 9 and trained.examples == 144
    assert [kept.examples for kept in trained.checkpoints] == [0, 64, 144]  # round(4.5) is 4
    chosen = torch.randperm(96, generator=torch.Generator().manual_seed(seed_from("batch norm", 5)))[:40]
    pieces = [
        np.stack([slow_image(task.train.images[i], False, 0, 0, 0, task) for i in piece])
        for piece in np.array_split(chosen.numpy(), 3)
    ]
    for kept, done in zip(trained.checkpoints, [0, 4, 9], strict=True):
        weights = history[done]
        if average is not None and done:
            shares = np.array([average ** (done - step) for step in range(1, done + 1)])
            shares /= shares.sum()
            weights = {
                name: sum(share * history[step][name] for step, share in enumerate(shares, start=1))
                for name in history[0]
            }
        for name, value in weights.items():
            np.testing.assert_allclose(kept.state[name], value, rtol=1e-3, atol=2e-5)
        mean, variance = slow_statistics(tiny_net(), weights, pieces)
        np.testing.assert_allclose(kept.state["norm.running_mean"], mean, rtol=1e-3, atol=2e-5)
        np.testing.assert_allclose(kept.state["norm.running_var"], variance, rtol=1e-3, atol=2e-5)
        assert all(value.is_contiguous() for value in kept.state.values())
    assert trained.training_loss_sum == pytest.approx(sum(losses) * 16 / 96, rel=1e-4)
    # Nine steps: a point of the curve for each.
    np.testing.assert_allclose([point["loss"] for point in trained.curve], losses, rtol=1e-3)
    assert trained.curve[-1]["examples"] == 144 and trained.curve[-1]["epoch"] == 1.5
    assert [round(point["learning_rate"], 4) for point in trained.curve[:3]] == [0.0667, 0.1333, 0.2]


def test_same_inputs_same_bits_and_nobody_elses_randomness() -> None:
    task = easy_task()
    torch.set_num_threads(2)
    state = torch.get_rng_state()
    runs = [train(tiny_net(dropout=0.5), task, RECIPE, 1) for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == 2
    for one, other in zip(*(run.checkpoints for run in runs), strict=True):
        assert same(one.state, other.state)
    assert runs[0].curve == runs[1].curve and runs[0].training_loss_sum == runs[1].training_loss_sum
    torch.rand(3)  # Whatever the caller's stream is at, the result is the same.
    third = train(tiny_net(dropout=0.5), task, RECIPE, 1)
    assert same(third.checkpoints[-1].state, runs[0].checkpoints[-1].state)
    other = train(tiny_net(dropout=0.5), task, RECIPE, 2)
    assert same_weights(other.checkpoints[0].state, runs[0].checkpoints[0].state)
    assert not same_weights(other.checkpoints[-1].state, runs[0].checkpoints[-1].state)


def same_weights(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one if "running" not in name)


def test_dropout_is_drawn_from_the_seed() -> None:
    task = easy_task()
    recipe = RECIPE.model_copy(update={"flip": False, "crop_padding": 0})
    with_dropout = train(tiny_net(dropout=0.5), task, recipe, 1)
    without = train(tiny_net(), task, recipe, 1)
    assert not same(with_dropout.checkpoints[-1].state, without.checkpoints[-1].state)


def test_checkpoints_do_not_disturb_the_training() -> None:
    task = easy_task()
    many = train(tiny_net(dropout=0.5), task, RECIPE, 1)
    few = train(tiny_net(dropout=0.5), task, RECIPE.model_copy(update={"checkpoints": [1.0]}), 1)
    assert same(many.checkpoints[-1].state, few.checkpoints[0].state)


def test_checkpoint_0_is_the_untrained_network_and_the_module_holds_the_last() -> None:
    module = tiny_net()
    start = {name: value.detach().clone() for name, value in module.named_parameters()}
    trained = train(module, easy_task(), RECIPE, 1)
    assert trained.checkpoints[0].share == 0 and trained.checkpoints[0].examples == 0
    assert all(torch.equal(trained.checkpoints[0].state[name], value) for name, value in start.items())
    assert not torch.equal(trained.checkpoints[0].state["norm.running_var"], torch.ones(4))
    assert same(dict(module.state_dict()), trained.checkpoints[-1].state)
    assert not module.training


def test_it_learns() -> None:
    task = easy_task(n_train=256, n_validation=90)
    module = tiny_net(width=8)
    recipe = Recipe(
        epochs=6, batch_size=32, learning_rate=0.2, crop_padding=1, average=0.9, checkpoints=[0.0, 1.0]
    )
    trained = train(module, task, recipe, 0)
    options = {"mean": task.mean, "std": task.std}
    accuracy = evaluate(module, task.validation.images, task.validation.labels, **options).accuracy
    assert accuracy > 0.9
    module.load_state_dict(trained.checkpoints[0].state)
    assert evaluate(module, task.validation.images, task.validation.labels, **options).accuracy < 0.7
    assert trained.curve[-1]["loss"] < 0.5 * trained.curve[0]["loss"]


def test_fractions_of_an_epoch_and_validation_images() -> None:
    task = easy_task(n_train=96, n_validation=40)
    short = train(tiny_net(), task, Recipe(epochs=0.5, batch_size=16), 0)
    assert short.examples == 48
    shortest = train(tiny_net(), task, Recipe(epochs=0.001, batch_size=16), 0)
    assert shortest.examples == 16
    both = train(tiny_net(), task, Recipe(epochs=1, batch_size=8, images="train+validation"), 0)
    assert both.examples == 136
    tiny = train(tiny_net(), easy_task(n_train=5), Recipe(epochs=2, batch_size=64), 0)
    assert tiny.examples == 10


def test_images_in_files_and_images_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = easy_task()
    recipe = RECIPE.model_copy(update={"images": "train+validation"})
    expected = train(tiny_net(), task, recipe, 1)
    for name in ("train", "validation"):
        part = getattr(task, name)
        np.save(tmp_path / f"{name}.npy", part.images)
        part.images = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    monkeypatch.setattr(data, "KEPT_APART_BYTES", 0)
    result = train(tiny_net(), task, recipe, 1)
    assert result.curve == expected.curve
    for one, other in zip(result.checkpoints, expected.checkpoints, strict=True):
        assert same(one.state, other.state)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("fused", [False, True])
def test_descent_is_torchs_sgd(momentum: float, fused: bool) -> None:
    recipe = RECIPE.model_copy(update={"momentum": momentum})
    modules = [tiny_net(), tiny_net()]
    for module in modules:
        module.unused = torch.nn.Linear(2, 2)
        torch.nn.init.ones_(module.unused.weight)
    ours = SGD(
        list(modules[0].parameters()), momentum=momentum, weight_decay=recipe.weight_decay, fused=fused
    )
    matrices = [p for p in modules[1].parameters() if p.ndim > 1]
    vectors = [p for p in modules[1].parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors}]
    theirs = torch.optim.SGD(groups, lr=0.1, momentum=momentum, nesterov=momentum > 0)
    inputs = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for rate in (0.1, 0.3, 0.05):
        for group in theirs.param_groups:
            group["lr"] = rate
        for module, optimiser in zip(modules, (ours, theirs), strict=True):
            optimiser.zero_grad()
            module(inputs).square().sum().backward()
        ours.step(rate)
        theirs.step()
    pairs = list(zip(modules[0].parameters(), modules[1].parameters(), strict=True))
    for one, other in pairs[:-2]:
        torch.testing.assert_close(one, other)
    assert torch.equal(modules[0].unused.weight, torch.ones(2, 2))


def test_divergence_is_told_with_its_cost() -> None:
    recipe = Recipe(epochs=4, batch_size=16, learning_rate=1e30, clip_norm=None, warmup=0)
    with pytest.raises(
        Diverged, match=r"the loss became (nan|inf) at step \d+ of 24 \(learning rate 1e\+30\)"
    ) as caught:
        train(tiny_net(), easy_task(), recipe, 0)
    assert 0 < caught.value.examples < 384 and caught.value.seconds > 0
    assert all(math.isfinite(point["loss"]) for point in caught.value.curve)
    assert isinstance(caught.value, TgsageError)


def test_a_weight_that_is_not_finite_is_a_divergence() -> None:
    module = tiny_net()
    module.spare = torch.nn.Parameter(torch.tensor([float("nan")]))
    with pytest.raises(Diverged, match="a weight became infinite or not a number at step 0"):
        train(module, easy_task(), RECIPE, 0)


@pytest.mark.parametrize(
    ("update", "message"),
    [({"crop_padding": 8}, r"recipe\.crop_padding: 8 pixels cannot be reflected from images of 8 x 8")],
)
def test_a_recipe_that_does_not_fit_is_one_line(update: dict, message: str) -> None:
    with pytest.raises(TgsageError, match=message):
        train(tiny_net(), easy_task(), RECIPE.model_copy(update=update), 0)


def test_a_module_without_parameters_is_refused() -> None:
    with pytest.raises(TgsageError, match="no trainable parameters"):
        train(torch.nn.Flatten(), easy_task(), RECIPE, 0)


@pytest.mark.parametrize("checkpoints", [[], [0.0], [1.0, 0.0], [0.5, 0.5, 1.0], [-0.1, 1.0]])
def test_checkpoints_are_ascending_shares(checkpoints: list[float]) -> None:
    with pytest.raises(ValueError, match="checkpoints"):
        Recipe(checkpoints=checkpoints)


def test_bfloat16_where_it_is_asked_for() -> None:
    seen: list[torch.dtype] = []
    module = tiny_net()
    module.second.register_forward_hook(lambda _m, _i, output: seen.append(output.dtype))
    trained = train(
        module, easy_task(), RECIPE.model_copy(update={"precision": "bfloat16", "epochs": 0.2}), 0
    )
    assert set(seen) == {torch.bfloat16}
    assert all(
        value.dtype in (torch.float32, torch.int64) for value in trained.checkpoints[-1].state.values()
    )


def test_what_the_loop_imports() -> None:
    # What training.loop imports of this package is in the key of every trained network. And torch's compiler,
    # which torch.optim and FlopCounterMode import, would cost a second in every process.
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import tgsage.training.loop\n"
        "print(*sorted(name for name in sys.modules if name.startswith('tgsage.')))\n"
        "from training_fakes import easy_task, tiny_net\n"
        "from tgsage.training.settings import Recipe\n"
        "from tgsage.training import count_flops, train\n"
        "count_flops(tiny_net(), 8)\n"
        "train(tiny_net(), easy_task(), Recipe(epochs=0.5), 0)\n"
        "assert 'torch._dynamo' not in sys.modules and 'sympy' not in sys.modules"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert {name.split(".")[1] for name in loaded} == {"errors", "store", "threads", "training"}
    assert "tgsage.training.isolation" not in loaded


@pytest.mark.cuda
def test_on_cuda() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device: bfloat16, fused descent, resident images and resuming were not tried")
    task = easy_task(n_train=256)
    modules = [tiny_net(), tiny_net()]
    recipe = Recipe(epochs=4, batch_size=32)
    half = train(tiny_net(), task, recipe.model_copy(update={"stop": 0.5}), 1, "cuda").resume
    runs = [
        train(module, task, recipe, 1, "cuda", resume=resume)
        for module, resume in zip(modules, (None, half), strict=True)
    ]
    assert same(runs[0].checkpoints[-1].state, runs[1].checkpoints[-1].state)
    assert next(modules[0].parameters()).is_cuda
    exact = train(tiny_net(), task, RECIPE.model_copy(update={"precision": "float32"}), 1, "cuda")
    reference = train(tiny_net(), task, RECIPE, 1, "cpu")
    for name, value in reference.checkpoints[-1].state.items():
        torch.testing.assert_close(exact.checkpoints[-1].state[name], value, rtol=1e-3, atol=1e-4)
