"""Devices, precision, threads, and other people's generators."""

from __future__ import annotations

import pytest
import torch

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


def test_precision() -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert resolve_precision("auto", cpu) is torch.float32
    assert resolve_precision("auto", cuda) is torch.bfloat16
    assert resolve_precision("bfloat16", cpu) is torch.bfloat16
    assert resolve_precision("float32", cuda) is torch.float32
    with pytest.raises(TgsageError, match="unknown precision 'float16'"):
        resolve_precision("float16", cpu)


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
