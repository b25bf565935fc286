"""Networks of timm and torchvision as teachers. Neither library is asked: fakes stand in for both."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import tgsage.teacher as teachers
from tgsage.errors import TgsageError
from tgsage.rdm import rdm
from tgsage.teacher.geometry import to_network_input
from tgsage.teacher.kinds.pretrained.plugin import PretrainedTeacher
from tgsage.teacher.kinds.pretrained.teacher import library_network


class StandIn(torch.nn.Module):
    """What a library would give: named blocks, one of them with two outputs."""

    def __init__(self, seed: int = 0):
        super().__init__()
        torch.manual_seed(seed)
        self.stem = torch.nn.Conv2d(3, 4, 3, 2)
        self.blocks = torch.nn.Sequential(torch.nn.Conv2d(4, 6, 3, 2), torch.nn.ReLU())
        self.pair = Pair()
        self.head = torch.nn.Linear(6, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, _ = self.pair(self.blocks(self.stem(x)))
        return self.head(x.mean((2, 3)))


class Pair(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """Stand-ins for both libraries; what they were asked for."""
    asked: list[tuple] = []

    def create_model(name: str, pretrained: bool = False) -> torch.nn.Module:
        asked.append(("timm", name, pretrained))
        if name == "vit_tiny":
            raise RuntimeError(f"Unknown model ({name})")
        return StandIn(7 if pretrained else 0)

    def get_model(name: str, weights: str | None = None) -> torch.nn.Module:
        asked.append(("torchvision", name, weights))
        if name == "resnet_0":
            raise ValueError(f"Unknown model {name}")
        if weights is not None and name == "far":
            raise OSError("no network\nconnection")
        return StandIn(7 if weights else 0)

    timm, torchvision = types.ModuleType("timm"), types.ModuleType("torchvision")
    models = types.ModuleType("torchvision.models")
    timm.create_model, models.get_model, torchvision.models = create_model, get_model, models
    for name, module in (("timm", timm), ("torchvision", torchvision), ("torchvision.models", models)):
        monkeypatch.setitem(sys.modules, name, module)
    return asked


def settings(**changes: Any) -> PretrainedTeacher:
    plain = {
        "kind": "pretrained",
        "architecture": "timm:resnet_tiny",
        "layers": ["stem", "blocks.1"],
        "n_stimuli": 72,
        "subsamples": 1,
        "subsample_features": 10_000,
    }
    return PretrainedTeacher.model_validate({**plain, **changes})


@pytest.mark.parametrize("architecture", ["timm:resnet_tiny", "torchvision:resnet_tiny"])
def test_targets_are_the_layers(
    make_task: Callable, libraries: list, tmp_path: Path, architecture: str
) -> None:
    before = torch.random.get_rng_state()
    chosen = settings(architecture=architecture, resolution=24, mean=[0.5, 0.4, 0.3], std=[0.2, 0.3, 0.4])
    teacher = teachers.make(chosen, "named", task=make_task())
    assert libraries in ([("timm", "resnet_tiny", True)], [("torchvision", "resnet_tiny", "DEFAULT")])
    assert (torch.random.get_rng_state() == before).all()
    assert list(teacher.children) == ["stem", "blocks.1"]
    wanted = {"kind": "pretrained", "network": architecture, "uses_validation": 1, "network_resolution": 24}
    assert {key: teacher.attrs[key] for key in wanted} == wanted
    assert teacher.attrs["weights"] == "the library's own"
    target = teacher["blocks.1"]
    shown = to_network_input(target["images"].values, resolution=24, visual_degrees=1.0, resample="bicubic")
    x = torch.from_numpy((shown / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.3, 0.4]).float().permute(0, 3, 1, 2)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        module = StandIn(7)
        expected = module.blocks(module.stem(x)).flatten(1).double().numpy()
    np.testing.assert_allclose(target["rdm"].values, rdm(expected), atol=1e-5)
    assert np.isnan(target["ceiling_upper"].values).all()
    teachers.save(teacher, tmp_path / "named.nc")
    assert list(teachers.load(tmp_path / "named.nc").children) == ["stem", "blocks.1"]


@pytest.mark.parametrize("form", ["safetensors", "pth"])
def test_weights_from_a_file(make_task: Callable, libraries: list, tmp_path: Path, form: str) -> None:
    with torch.random.fork_rng(devices=[]):
        state = {f"module.{key}": value for key, value in StandIn(3).state_dict().items()}
    if form == "safetensors":
        save_file(state, tmp_path / "w.safetensors")
    else:
        torch.save({"state_dict": state}, tmp_path / "w.pth")
    network = library_network("timm:resnet_tiny", f"w.{form}", "t", tmp_path)
    assert libraries == [("timm", "resnet_tiny", False)]
    assert all((network.state_dict()[key[7:]] == value).all() for key, value in state.items())
    assert not network.training
    teacher = teachers.make(settings(weights=f"w.{form}"), "t", task=make_task(), data_root=tmp_path)
    assert teacher.attrs["weights"] == f"w.{form}"


class Harmful:
    """What a checkpoint must not be able to do."""

    def __reduce__(self) -> tuple:
        return (print, ("harm",))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architecture": "timm:vit_tiny"}, "teacher 't': timm does not give 'vit_tiny' .*check the name"),
        ({"architecture": "torchvision:resnet_0"}, "torchvision does not give 'resnet_0'"),
        ({"architecture": "torchvision:far"}, "'far' .no network connection.*name a file of weights"),
        ({"layers": ["blocks.7"]}, "teacher 't', timm:resnet_tiny: unknown layer 'blocks.7'"),
        ({"layers": ["pair"]}, "layer 'pair' does not return one tensor"),
        ({"weights": "absent.pth"}, "weights 'absent.pth': no such file"),
        ({"weights": "other.pth"}, "other.pth: do not fit timm:resnet_tiny"),
        ({"weights": "harmful.pth"}, "harmful.pth: not a torch checkpoint"),
        ({"weights": "text.safetensors"}, "text.safetensors: not a safetensors file"),
        ({"n_stimuli": 100}, "n_stimuli is 100 and the task has 80"),
    ],
)
def test_what_does_not_serve_is_one_line(
    make_task: Callable,
    libraries: list,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    changes: dict,
    words: str,
) -> None:
    torch.save({"fc.weight": torch.zeros(2)}, tmp_path / "other.pth")
    torch.save({"state_dict": Harmful()}, tmp_path / "harmful.pth")
    (tmp_path / "text.safetensors").write_text("nothing of the kind")
    with pytest.raises(TgsageError, match=words) as caught:
        teachers.make(settings(**changes), "t", task=make_task(), data_root=tmp_path)
    assert "\n" not in str(caught.value)
    assert "harm" not in capsys.readouterr().out


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_a_library_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(TgsageError, match=rf"needs {library}, .*pip install 'tgsage\[vision\]'") as caught:
        library_network(f"{library}:resnet18", None, "t", None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architecture": "resnet18"}, "architecture"),
        ({"architecture": "keras:resnet18"}, "architecture"),
        ({"layers": []}, "layers"),
        ({"layers": ["stem", "stem"]}, "names a layer twice"),
        ({"mean": [0.5, 0.5]}, "mean"),
        ({"std": [0.5, 0.5, 0.0]}, "std"),
    ],
)
def test_settings_are_checked(changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        settings(**changes)
