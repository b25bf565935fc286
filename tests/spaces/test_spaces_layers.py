"""Layers that spaces share."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from tgsage.spaces.layers import StridedPointwise, convolution


@pytest.mark.parametrize("stride", [2, 3, (1, 2)])
def test_a_strided_pointwise_convolution_is_torchs(stride):
    ours = convolution(16, 8, 1, stride)
    assert isinstance(ours, StridedPointwise)
    theirs = nn.Conv2d(16, 8, 1, stride, bias=False)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(3, 16, 9, 10, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    ours(x).square().sum().backward()
    theirs(y).square().sum().backward()
    torch.testing.assert_close(ours(x), theirs(y))
    torch.testing.assert_close(x.grad, y.grad)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)


def test_few_channels_do_not_corrupt_memory():
    """In a process of its own: what this guards against ends the process (oneDNN issue 6035)."""
    code = (
        "import torch\n"
        "from tgsage.spaces.layers import convolution\n"
        "torch.set_num_threads(1)\n"
        "for channels in (3, 4, 6):\n"
        "    layer = convolution(channels, 8, 1, 2).to(memory_format=torch.channels_last)\n"
        "    for _ in range(100):\n"
        "        x = torch.randn(32, channels, 16, 16).to(memory_format=torch.channels_last)\n"
        "        layer(x.requires_grad_()).square().mean().backward()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
