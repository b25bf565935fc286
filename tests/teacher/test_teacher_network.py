"""The network teacher."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tgsage.errors import TgsageError
from tgsage.rdm import category_means, rdm
from tgsage.teacher import make
from tgsage.teacher.kinds.network.plugin import NetworkTeacher
from tgsage.teacher.learned_resnet import load_weights, trained
from tgsage.teacher.resnet import BasicBlock, CifarResNet, initial
from tgsage.teacher.settings import Splits
from tgsage.teacher.weights import find_weights
from tgsage.training import activations


def settings(**changes: Any) -> NetworkTeacher:
    plain = {
        "kind": "network",
        "blocks_per_stack": 1,
        "width": 4,
        "epochs": 2,
        "n_stimuli": 72,
        "subsamples": 3,
    }
    return NetworkTeacher.model_validate({**plain, "subsample_features": 50, **changes})


@pytest.mark.parametrize(("n", "layers", "parameters"), [(3, 20, 269_722), (9, 56, 853_018)])
def test_size_is_that_of_the_paper(n: int, layers: int, parameters: int) -> None:
    # He et al. 2016, table 6: 0.27 M and 0.85 M.
    module = CifarResNet(n, 16, 10)
    weighted = [part for part in module.modules() if isinstance(part, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(weighted) == layers
    assert sum(parameter.numel() for parameter in module.parameters()) == parameters


def test_shortcut_takes_every_second_pixel_and_pads_with_zeros() -> None:
    block = BasicBlock(4, 8, 2).eval()
    torch.nn.init.zeros_(block.conv2.weight)
    x = torch.rand(2, 4, 6, 6)
    with torch.no_grad():
        y = block(x)
    assert y.shape == (2, 8, 3, 3)
    for row in range(3):
        for column in range(3):
            assert (y[:, 2:6, row, column] == x[:, :, 2 * row, 2 * column]).all()
    assert (y[:, :2] == 0).all()
    assert (y[:, 6:] == 0).all()


def test_probes_are_the_three_stacks() -> None:
    module = CifarResNet(1, 4, 10)
    shapes = {}
    for name in module.probe_names:
        module.get_submodule(name).register_forward_hook(
            lambda _module, _input, output, name=name: shapes.update({name: tuple(output.shape)})
        )
    assert module(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    assert shapes == {"layer1": (2, 4, 32, 32), "layer2": (2, 8, 16, 16), "layer3": (2, 16, 8, 8)}


def test_parameters_come_from_the_seed_only() -> None:
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    one, same, two = (initial(1, 4, 10, seed) for seed in (1, 1, 2))
    assert (torch.random.get_rng_state() == before).all()
    assert (one.conv1.weight == same.conv1.weight).all()
    assert (one.conv1.weight != two.conv1.weight).any()


def test_a_teacher_that_learns_the_task(make_task: Callable) -> None:
    task = make_task(n_train=200, n_validation=120)
    teacher = make(settings(epochs=12), "network", task=task)
    assert list(teacher.children) == ["stack_1", "stack_2", "stack_3"]
    assert teacher.attrs["uses_validation"] == 1
    assert teacher.attrs["simulated"] == 1
    assert teacher.attrs["resolution"] == 16
    assert teacher.attrs["network"] == "ResNet-8, width 4"
    assert teacher.attrs["validation_accuracy"] > 0.5
    for target in teacher.children.values():
        assert target.sizes["stimulus"] == 72
        assert set(target["split"].values) == {"reward", "report"}
        assert (np.unique(target["category"].values, return_counts=True)[1] == 18).all()
        assert np.isnan(target["ceiling_upper"].values).all()
        for name, image, category in zip(
            target["stimulus_id"].values, target["images"].values, target["category"].values, strict=True
        ):
            row = int(name.removeprefix("validation_"))
            assert (task.validation.images[row] == image).all()
            assert task.classes[task.validation.labels[row]] == category
    assert (
        make(settings(epochs=12), "network", task=task)["stack_2"]["rdm"].values
        == teacher["stack_2"]["rdm"].values
    ).all()


@pytest.mark.parametrize("form", ["image", "category"])
def test_rdms_are_means_over_feature_subsamples(make_task: Callable, form: str) -> None:
    task = make_task()
    chosen = settings(epochs=0.5, rdm=form)
    teacher = make(chosen, "network", task=task)
    module = trained(chosen, "network", task, seed=chosen.seed)
    target = teacher["stack_1"]
    features = (
        activations(
            module,
            target["images"].values,
            ["layer1"],
            mean=task.mean,
            std=task.std,
            device=torch.device("cpu"),
        )["layer1"]
        .double()
        .numpy()
    )
    assert target.attrs["n_sites"] == features.shape[1] == 4 * 16 * 16
    whole = rdm(features)
    # 3 x 50 of 1024 features: near the RDM of all of them, and not it.
    assert 0.7 < np.corrcoef(whole, target["rdm"].values)[0, 1] < 0.9999
    everything = make(settings(epochs=0.5, rdm=form, subsample_features=5000), "network", task=task)[
        "stack_1"
    ]
    np.testing.assert_allclose(everything["rdm"].values, whole, atol=1e-8)
    assert everything.attrs["subsamples"] == 1
    if form == "category":
        labels = target["category"].values
        report = target["split"].values == "report"
        expected = rdm(category_means(features[report], labels[report]))
        np.testing.assert_allclose(everything["category_rdm"].sel(part="report").values, expected, atol=1e-8)


def test_validation_images_that_are_also_training_images_are_not_stimuli(make_task: Callable) -> None:
    task = make_task()
    task.train.images[:5] = task.validation.images[[0, 7, 11, 12, 40]]
    teacher = make(settings(epochs=0.2), "network", task=task)
    names = set(teacher["stack_1"]["stimulus_id"].values)
    assert not names & {f"validation_{row:05d}" for row in (0, 7, 11, 12, 40)}
    with pytest.raises(TgsageError, match="n_stimuli is 78 and the task has 75"):
        make(settings(n_stimuli=78), "network", task=task)


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("nested", [True, False])
def test_weights_from_a_checkpoint(tmp_path: Path, prefix: str, nested: bool, make_task: Callable) -> None:
    module = initial(1, 4, 4, 8)
    state = {prefix + key: value for key, value in module.state_dict().items()}
    torch.save({"state_dict": state, "best": 1.0} if nested else state, tmp_path / "w.th")
    again = load_weights(tmp_path / "w.th", 1, 4)
    assert all((again.state_dict()[key] == value).all() for key, value in module.state_dict().items())
    teacher = make(settings(weights="w.th"), "network", task=make_task(), data_root=tmp_path)
    assert teacher.attrs["weights"] == "w.th"


class Harmful:
    """What a checkpoint must not be able to do."""

    def __reduce__(self) -> tuple:
        return (print, ("harm",))


def test_weights_that_do_not_serve(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(TgsageError, match="no such file"):
        find_weights("absent.th", tmp_path)
    (tmp_path / "text.th").write_text("nothing")
    torch.save({"state_dict": Harmful()}, tmp_path / "harmful.th")
    torch.save({"epoch": 3}, tmp_path / "none.th")
    torch.save({"fc.weight": torch.zeros(2)}, tmp_path / "other.th")
    torch.save(initial(2, 8, 4, 0).state_dict(), tmp_path / "larger.th")
    for name, words in (
        ("text.th", "not a torch checkpoint"),
        ("harmful.th", "not a torch checkpoint"),
        ("none.th", "no state dict"),
        ("other.th", "no linear.weight"),
        ("larger.th", "with 2 blocks per stack and width 8, not 1 and 4"),
    ):
        with pytest.raises(TgsageError, match=words) as caught:
            load_weights(tmp_path / name, 1, 4)
        assert "\n" not in str(caught.value)
    assert "harm" not in capsys.readouterr().out


def test_splits_of_too_few_validation_images(make_task: Callable) -> None:
    with pytest.raises(TgsageError, match="split 'report' has 13 of 66"):
        make(
            settings(n_stimuli=66, epochs=0.1, splits=Splits(reward=0.8, report=0.2)),
            "network",
            task=make_task(),
        )
