"""The CIFAR ResNet of He et al. 2016, section 4.2: three stacks of n blocks, 6n + 2 layers."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)
"""Pixel mean and standard deviation, as fractions of 255, of many public CIFAR ResNets."""


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch normalisation, and a shortcut without parameters (option A).

    Where the block halves the resolution, the shortcut takes every second pixel and pads the channels
    with zeros, half of them before and half after.
    """

    def __init__(self, channels_in: int, channels: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.stride = stride
        self.widening = channels - channels_in

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, channels_in, height, width) to (n, channels, height / stride, width / stride)."""
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.stride != 1 or self.widening:
            before = self.widening // 2
            x = functional.pad(
                x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.widening - before)
            )
        return functional.relu(y + x)


class CifarResNet(nn.Module):
    """A residual network for small images: (n, channels, height, width) -> (n, classes).

    Parameter names are those of akamaster/pytorch_resnet_cifar10, whose checkpoints load into it. A probe is
    the output of a stack's last block, after its ReLU. There are ``blocks_per_stack`` blocks in each stack (9
    give ResNet-56) and ``width`` channels in the first; the others have twice and four times as many.
    """

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    probe_names = ("layer1", "layer2", "layer3")

    def __init__(self, blocks_per_stack: int, width: int, n_classes: int, in_channels: int = 3):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        channels_in = width
        for stack in range(3):
            channels = width * 2**stack
            blocks = []
            for block in range(blocks_per_stack):
                blocks.append(BasicBlock(channels_in, channels, 2 if stack and not block else 1))
                channels_in = channels
            self.add_module(f"layer{stack + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(channels_in, n_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: torch.Tensor = self.linear(x.mean((2, 3)))
        return logits


def initial(blocks_per_stack: int, width: int, n_classes: int, seed: int) -> CifarResNet:
    """Return a network with parameters drawn from a seed; torch's own random state is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CifarResNet(blocks_per_stack, width, n_classes)
