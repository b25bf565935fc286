"""Activations against direct forward passes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from training_fakes import easy_task, tiny_net

from tgsage.errors import TgsageError
from tgsage.training import activations, evaluate, feature_counts, logits

TASK = easy_task(n_train=23)
NORMAL = {"mean": TASK.mean, "std": TASK.std}


def inputs(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(((images / 255 - TASK.mean) / TASK.std).transpose(0, 3, 1, 2)).float()


@pytest.mark.parametrize("batch_size", [5, 23, 100])
def test_activations_are_those_of_a_direct_forward(batch_size: int) -> None:
    module = tiny_net(dropout=0.5)
    with torch.no_grad():
        module.norm.running_var.fill_(3)
    module.train()
    module.dropout.eval()
    found = activations(module, TASK.train.images, ["second", "first"], batch_size=batch_size, **NORMAL)
    assert module.training and module.norm.training and not module.dropout.training
    assert list(found) == ["second", "first"]
    with torch.no_grad():
        x = inputs(TASK.train.images)
        first = module.first(x)
        normal = first / torch.sqrt(torch.tensor(3 + 1e-5))
        second = module.second(torch.relu(normal))
    assert found["first"].shape == (23, 4 * 8 * 8) and found["first"].dtype == torch.float32
    # Flattened as (channel, row, column), whatever the memory layout is.
    torch.testing.assert_close(found["first"], first.reshape(23, -1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found["second"], second.reshape(23, -1), rtol=1e-4, atol=1e-5)
    assert not found["first"].requires_grad
    assert all(not part._forward_hooks for part in module.modules())


def test_a_layer_that_is_changed_in_place_later_is_kept_as_it_was() -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(inplace=True))
    seen = activations(module, TASK.train.images, ["0"], **NORMAL)["0"]
    assert seen.min() < 0


def test_feature_counts_come_in_running_order() -> None:
    assert feature_counts(tiny_net(), ["second", "norm"], (8, 8)) == {"norm": 256, "second": 8 * 16}


def test_layers_that_cannot_be_probed() -> None:
    module = tiny_net()
    with pytest.raises(TgsageError, match=r"unknown layer 'secnd' \(did you mean 'second'\?\)"):
        activations(module, TASK.train.images, ["secnd"])
    with pytest.raises(TgsageError, match="no layers to probe"):
        activations(module, TASK.train.images, [])
    module.spare = nn.Linear(2, 2)
    with pytest.raises(TgsageError, match="'spare' exists but does not run"):
        activations(module, TASK.train.images, ["first", "spare"])
    relu = nn.ReLU()
    twice = nn.Sequential(nn.Conv2d(3, 4, 1), relu, nn.Conv2d(4, 4, 1), relu)
    with pytest.raises(TgsageError, match="'1' runs more than once per image"):
        activations(twice, TASK.train.images, ["1"])

    class Pair(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x, x

    with pytest.raises(TgsageError, match="'0' does not return one tensor"):
        activations(nn.Sequential(Pair()), TASK.train.images, ["0"])
    assert all(not part._forward_hooks for part in module.modules())


def test_logits_and_evaluation() -> None:
    module = tiny_net()
    with torch.no_grad():
        expected = module.eval()(inputs(TASK.train.images))
    module.train()
    found = logits(module, TASK.train.images, batch_size=7, **NORMAL)
    assert module.training
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    told = evaluate(module, TASK.train.images, TASK.train.labels, **NORMAL)
    right = sum(int(row.argmax()) == label for row, label in zip(expected, TASK.train.labels, strict=True))
    probability = torch.softmax(expected.double(), 1)[range(23), TASK.train.labels.tolist()]
    assert (told.n, told.correct, told.accuracy) == (23, right, right / 23)
    assert told.loss == pytest.approx(float(-probability.log().mean()), rel=1e-5)


def test_an_answer_that_is_not_finite_is_not_correct() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    with torch.no_grad():
        module[1].weight.fill_(float("nan"))
    told = evaluate(module, TASK.train.images, np.zeros(23, int), **NORMAL)
    assert told.correct == 0 and np.isnan(told.loss)
