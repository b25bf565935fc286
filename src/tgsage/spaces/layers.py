"""Operations that the spaces share. None works in place on a tensor that another operation reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def convolution(
    inputs: int,
    outputs: int,
    kernel: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
) -> nn.Conv2d:
    """Build a convolution without bias; see :class:`StridedPointwise` for strided 1x1 kernels."""
    kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
    stride = (stride, stride) if isinstance(stride, int) else stride
    kind = StridedPointwise if kernel == (1, 1) and stride != (1, 1) else nn.Conv2d
    return kind(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False)


class StridedPointwise(nn.Conv2d):
    """Strided 1x1 convolution that drops the unused pixels first.

    The results are the same as torch's, whose CPU kernel for a strided 1x1 convolution in channels_last
    writes past its buffer in the backward pass if there are fewer input channels than a vector register holds
    (oneDNN issue 6035; with torch 2.13 this corrupts the heap with fewer than 8 channels on AVX2).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Compute the output."""
        rows, columns = self.stride
        return functional.conv2d(x[:, :, ::rows, ::columns], self.weight, self.bias)


class ConvolutionNorm(nn.Sequential):
    """Convolution without bias, then batch norm."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int] = 1,
        *,
        stride: int | tuple[int, int] = 1,
        dilation: int = 1,
        groups: int = 1,
    ):
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (dilation * (height - 1) // 2, dilation * (width - 1) // 2)
        super().__init__(
            convolution(inputs, outputs, (height, width), stride, padding, dilation, groups),
            nn.BatchNorm2d(outputs),
        )


class SeparableConvolution(nn.Sequential):
    """Depthwise convolution, 1x1 convolution, batch norm.

    With ``twice``, a ReLU and the same with stride 1 follow, as in NASNet and PNAS.
    """

    def __init__(self, channels: int, kernel: int, stride: int, twice: bool):
        layers: list[nn.Module] = []
        for step in range(2 if twice else 1):
            if step:
                layers.append(nn.ReLU())
            layers += [
                convolution(channels, channels, kernel, 1 if step else stride, kernel // 2, groups=channels),
                convolution(channels, channels, 1),
                nn.BatchNorm2d(channels),
            ]
        super().__init__(*layers)


class FactorizedReduction(nn.Module):
    """Halve the size (rounding up) with two 1x1 convolutions of stride 2, one shifted by a pixel; batch norm.

    Without the shifted half, three quarters of the pixels would be lost (NASNet's reference code).
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.even = convolution(inputs, outputs - outputs // 2, 1, 2)
        self.odd = convolution(inputs, outputs // 2, 1, 2)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the output."""
        height, width = x.shape[-2:]
        shifted = x[:, :, 1:, 1:]
        if height % 2 or width % 2:
            shifted = functional.pad(shifted, (0, width % 2, 0, height % 2))
        halves: Tensor = self.norm(torch.cat((self.even(x), self.odd(shifted)), dim=1))
        return halves


def average_pool(stride: int) -> nn.Module:
    """Build a 3x3 average pooling that does not count the padding."""
    return nn.AvgPool2d(3, stride, 1, count_include_pad=False)
