"""Labelled images on the device, and batches of them: augmented for training, plain for statistics."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from ..errors import TgsageError
from ..store.hashing import seed_from

if TYPE_CHECKING:
    from ..tasks.task import Subset

Pixels: TypeAlias = "np.ndarray | Subset | torch.Tensor"
"""uint8 (n, H, W, 3); an array may be memory-mapped."""

KEPT_APART_BYTES = 1 << 30
"""Arrays that are together no larger than this are put into one; larger ones stay where they are."""

DEVICE_SHARE = 0.5
"""Share of a GPU's free memory that images may take; more of them stay on the host."""


class DeviceDataset:
    """Images as uint8 tensors, normalised when a batch is taken.

    On the CPU the array that is given is not copied, so that a memory-mapped one is read a batch at a time.
    On a GPU the pixels are copied there at once if they fit, else a batch at a time. Where they are does not
    change any batch.

    Parameters
    ----------
    images
        uint8, (n, H, W, 3); or several such arrays with images of one size, numbered as if they followed
        each other. They must not change while they are in use.
    mean, std
        (3,), fractions of 255: a pixel v of channel c becomes (v / 255 - mean[c]) / std[c].
    device
        Where the batches are made.
    channels_last
        Memory layout of the batches; their logical shape is (batch, 3, H, W) either way.
    resident
        Whether the pixels are kept on the device as one tensor; None decides by their size.

    Attributes
    ----------
    n, height, width
        Number of images, and their size in pixels.
    home
        Where indices are expected: the device, or the CPU where pixels are not resident.
    """

    def __init__(
        self,
        images: Pixels | Sequence[Pixels],
        mean: np.ndarray,
        std: np.ndarray,
        *,
        device: torch.device,
        channels_last: bool = True,
        resident: bool | None = None,
    ):
        # A list of parts, or one; mypy does not see that a list or tuple is no Pixels.
        arrays: Sequence[Pixels] = images if isinstance(images, list | tuple) else [images]  # type: ignore[list-item]
        parts = [_as_tensor(part) for part in arrays]
        if any(part.shape[1:] != parts[0].shape[1:] for part in parts):
            sizes = ", ".join(str(tuple(part.shape[1:])) for part in parts)
            raise TgsageError(f"images: parts with images of different sizes, {sizes}; resize them to one")
        self.n = sum(len(part) for part in parts)
        self.height, self.width = parts[0].shape[1:3]
        self.device = device
        self.channels_last = channels_last
        if resident is None:
            resident = _fits(parts, device)
        self.home = device if resident else torch.device("cpu")
        if resident and len(parts) > 1:
            joined = torch.empty((self.n, *parts[0].shape[1:]), dtype=torch.uint8, device=device)
            for piece, part in zip(torch.split(joined, [len(part) for part in parts]), parts, strict=True):
                piece.copy_(part)
            parts = [joined]
        elif resident:
            parts = [parts[0].to(device)]
        # One row per pixel: crop, mirror image and choice of images become one lookup of rows.
        self._pixels = parts[0].view(-1, 3) if resident else None
        self._parts = [part.flatten(1) for part in parts]
        centre = torch.as_tensor(np.asarray(mean, dtype=np.float64))
        spread = torch.as_tensor(np.asarray(std, dtype=np.float64))
        pixels = self.height * self.width
        # Repeated to whole rows: broadcasting over three channels is seven times slower on a CPU.
        self._scale = (1 / (255 * spread)).float().repeat(pixels).to(device)
        self._shift = (-centre / spread).float().repeat(pixels).to(device)
        self._rows = torch.arange(self.height, device=device)
        self._columns = torch.arange(self.width, device=device)

    def plain(self, index: torch.Tensor | slice) -> torch.Tensor:
        """Return images as float32 (batch, 3, H, W), not augmented; an index tensor lies at ``home``."""
        if self._pixels is not None:
            return self._normalise(self._parts[0][index])
        if isinstance(index, slice):
            index = torch.arange(self.n)[index]
        return self._normalise(self._fetch(index))

    def augmented(
        self, index: torch.Tensor, mirror: torch.Tensor, down: torch.Tensor, right: torch.Tensor
    ) -> torch.Tensor:
        """Return images mirrored and shifted as float32 (batch, 3, H, W).

        A shift takes the crop whose corner is that many pixels down and right (negative: up and left) in
        the image continued by reflection; mirroring comes last.

        Parameters
        ----------
        index
            int64 (batch,), which images; at ``home``, as the others.
        mirror
            bool (batch,), whether the crop is mirrored left to right.
        down, right
            int64 (batch,), shift of the crop in pixels, less than the size of the image.
        """
        pixels = self._pixels
        if pixels is None:
            pixels = self._fetch(index).view(-1, 3)
            index = torch.arange(len(index), device=self.device)
            mirror, down, right = (values.to(self.device) for values in (mirror, down, right))
        columns = torch.where(mirror[:, None], self.width - 1 - self._columns, self._columns)
        columns = _reflect(columns + right[:, None], self.width)
        rows = _reflect(self._rows + down[:, None], self.height) + (index * self.height)[:, None]
        lookup = (rows * self.width)[:, :, None] + columns[:, None, :]
        return self._normalise(pixels.index_select(0, lookup.view(-1)).view(len(index), -1))

    def _fetch(self, index: torch.Tensor) -> torch.Tensor:
        """Copy images, one a row, from where they are to the device."""
        pinned = self.device.type == "cuda"
        size = self.height * self.width * 3
        rows = torch.empty((len(index), size), dtype=torch.uint8, pin_memory=pinned)
        begin = 0
        for part in self._parts:
            local = index - begin
            inside = ((local >= 0) & (local < len(part))).nonzero().view(-1)
            if len(inside) == len(index):
                torch.index_select(part, 0, local, out=rows)
            else:
                rows[inside] = part.index_select(0, local[inside])
            begin += len(part)
        return rows.to(self.device, non_blocking=pinned)

    def _normalise(self, rows: torch.Tensor) -> torch.Tensor:
        flat = rows.to(torch.float32).mul_(self._scale).add_(self._shift)
        batch = flat.view(-1, self.height, self.width, 3).permute(0, 3, 1, 2)
        return batch if self.channels_last else batch.contiguous()


def _as_tensor(images: Pixels) -> torch.Tensor:
    """Share memory wherever that is possible."""
    if not isinstance(images, torch.Tensor):
        with warnings.catch_warnings():
            # The pixels are read only, which a tensor cannot express, so that torch warns.
            warnings.filterwarnings("ignore", "The given NumPy array is not writ", UserWarning)
            images = torch.from_numpy(np.ascontiguousarray(images[:]))
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise TgsageError(
            f"images: expected uint8 (n, height, width, 3), got {images.dtype} {tuple(images.shape)}"
        )
    return images.contiguous()


def _fits(parts: list[torch.Tensor], device: torch.device) -> bool:
    """Whether the pixels should be one tensor on the device."""
    if len(parts) == 1 and parts[0].device.type == device.type:
        return True
    size = sum(part.numel() for part in parts)
    if device.type == "cuda":
        return size <= DEVICE_SHARE * torch.cuda.mem_get_info(device)[0]
    return size <= KEPT_APART_BYTES


def _reflect(position: torch.Tensor, size: int) -> torch.Tensor:
    """Fold positions outside 0 .. size-1 back by reflection at the border pixels."""
    return size - 1 - (size - 1 - position.abs()).abs()


def batches(
    n: int, batch: int, seed: int, *, flip: bool, crop_padding: int, device: torch.device, skip: int = 0
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Yield, without end, which images make a batch and how each is augmented.

    The images come in random order, every one once before any comes again. A batch may reach over the end of
    a pass, so that all are of one size. Draws are made on the CPU: every device sees the same batches. Order,
    mirroring and shifts have a stream each: switching one off leaves the others as they were.

    Parameters
    ----------
    n, batch
        Number of images, and of images per batch, at most ``n``.
    seed
        Seed of the three streams.
    flip, crop_padding
        As in :class:`tgsage.training.settings.Recipe`.
    device
        Where the results are put.
    skip
        Number of batches to leave out at the start. Their passes are drawn, as nothing jumps a stream.

    Yields
    ------
    tuple of tensors
        index (batch,), mirror (batch,) bool, down (batch,), right (batch,): the arguments of
        :meth:`DeviceDataset.augmented`.
    """
    order, mirrors, shifts = (
        torch.Generator().manual_seed(seed_from(purpose, seed)) for purpose in ("order", "mirror", "shift")
    )
    waiting = torch.empty((0, 4), dtype=torch.int64, device=device)
    left_out = skip * batch
    while True:
        while len(waiting) < batch:
            columns = torch.zeros((n, 4), dtype=torch.int64)
            columns[:, 0] = torch.randperm(n, generator=order)
            if flip:
                columns[:, 1] = torch.randint(0, 2, (n,), generator=mirrors)
            if crop_padding:
                columns[:, 2:] = torch.randint(-crop_padding, crop_padding + 1, (n, 2), generator=shifts)
            if left_out >= n:
                left_out -= n
                continue
            waiting = torch.cat([waiting, columns[left_out:].to(device)])
            left_out = 0
        now, waiting = waiting[:batch], waiting[batch:]
        yield now[:, 0], now[:, 1].bool(), now[:, 2], now[:, 3]
