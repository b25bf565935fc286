"""Devices, precision, threads, and other people's generators."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from training_fakes import pretend_processor

from tgsage import plugins, spaces
from tgsage.errors import TgsageError
from tgsage.threads import threads
from tgsage.training import device_class, resolve_device, resolve_precision
from tgsage.training.devices import own_randomness


def test_devices_that_are_here() -> None:
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device(torch.device("cpu")) == torch.device("cpu")
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert device_class("cpu") == "cpu"


def test_absent_cuda_is_an_error_and_no_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")
    with pytest.raises(TgsageError, match="sees no CUDA device here; set device: cpu or auto"):
        resolve_device("cuda")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cud"])
def test_unknown_devices(name: str) -> None:
    with pytest.raises(TgsageError, match="unknown device"):
        resolve_device(name)


def test_a_gpu_is_known_by_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100 80GB HBM3")
    assert resolve_device("auto") == torch.device("cuda")
    assert device_class("cuda") == "NVIDIA H100 80GB HBM3"
    with pytest.raises(TgsageError, match="this machine has 1"):
        resolve_device("cuda:1")


ZEN3 = "avx2 fma"
SKYLAKE = "avx2 fma avx512f"
ZEN4 = "avx2 fma avx512f avx512_bf16"
SAPPHIRE_RAPIDS = "avx2 fma avx512f avx512_bf16 amx_bf16"
GRAVITON3 = "asimd sve bf16"


@pytest.mark.parametrize(
    ("precision", "device", "dense", "flags", "dtype"),
    [
        ("auto", "cpu", True, ZEN3, torch.float32),
        ("auto", "cpu", True, SKYLAKE, torch.float32),
        ("auto", "cpu", True, GRAVITON3, torch.float32),
        ("auto", "cpu", True, None, torch.float32),
        ("auto", "cpu", True, ZEN4, torch.bfloat16),
        ("auto", "cpu", True, SAPPHIRE_RAPIDS, torch.bfloat16),
        ("auto", "cpu", False, ZEN4, torch.float32),
        ("auto", "cpu", False, SAPPHIRE_RAPIDS, torch.float32),
        ("auto", "cuda", True, ZEN3, torch.bfloat16),
        ("auto", "cuda", False, ZEN3, torch.bfloat16),
        ("float32", "cpu", True, ZEN4, torch.float32),
        ("float32", "cuda", True, ZEN4, torch.float32),
        ("bfloat16", "cpu", False, ZEN3, torch.bfloat16),
    ],
)
def test_precision(
    precision: str,
    device: str,
    dense: bool,
    flags: str | None,
    dtype: torch.dtype,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend_processor(monkeypatch, tmp_path, flags)
    assert resolve_precision(precision, torch.device(device), dense=dense) is dtype


def test_an_unknown_precision() -> None:
    with pytest.raises(TgsageError, match="unknown precision 'float16'"):
        resolve_precision("float16", torch.device("cpu"))


OPTIONS = {"convnet10": {}, "convnet20": {}, "nasbench201": {"repeats": 1}, "cell": {"blocks": 2}}


def test_spaces_say_truly_whether_their_convolutions_are_dense() -> None:
    kinds = {kind.plugin_name(): kind for kind in plugins.every("space")}
    assert {name for name, kind in kinds.items() if kind.dense} == {"convnet10", "convnet20", "nasbench201"}
    rng = np.random.default_rng(0)
    for name, options in OPTIONS.items():
        space = spaces.get(name, **options)
        networks = [space.build(space.sample(rng), 3) for _ in range(8)]
        groups = {
            part.groups
            for network in networks
            for part in network.modules()
            if isinstance(part, torch.nn.Conv2d)
        }
        assert (groups == {1}) == space.settings.dense


def test_threads_are_put_back_after_an_error() -> None:
    torch.set_num_threads(1)
    with pytest.raises(ZeroDivisionError), threads(2):
        assert torch.get_num_threads() == 2
        _ = 1 / 0
    assert torch.get_num_threads() == 1


def test_own_randomness() -> None:
    before = torch.get_rng_state()
    drawn = []
    for _ in range(2):
        with own_randomness(3, torch.device("cpu")):
            drawn.append(torch.rand(4))
    assert torch.equal(*drawn)
    assert torch.equal(torch.get_rng_state(), before)
