"""Labelled images on the device, and batches of them: augmented for training, plain for statistics."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from ..errors import TgsageError
from ..store.digest import seed_from


class DeviceImages:
    """All images of a part as one uint8 tensor on the device, normalised when a batch is taken.

    Parameters
    ----------
    images
        uint8, (n, H, W, 3).
    mean, std
        (3,), fractions of 255: a pixel v of channel c becomes (v / 255 - mean[c]) / std[c].
    device
        Where the images are kept and the batches are made.
    channels_last
        Memory layout of the batches; their logical shape is (batch, 3, H, W) either way.
    """

    def __init__(
        self,
        images: np.ndarray | torch.Tensor,
        mean: np.ndarray,
        std: np.ndarray,
        *,
        device: torch.device,
        channels_last: bool = True,
    ):
        # Copied: arrays that come from a file may be read-only, which a tensor cannot express.
        tensor = images if isinstance(images, torch.Tensor) else torch.from_numpy(np.array(images))
        if tensor.dtype != torch.uint8 or tensor.ndim != 4 or tensor.shape[-1] != 3:
            raise TgsageError(
                f"images: expected uint8 (n, height, width, 3), got {tensor.dtype} {tuple(tensor.shape)}"
            )
        self.n, self.height, self.width, _ = tensor.shape
        self.device = device
        self.channels_last = channels_last
        # One row per pixel: crop, mirror image and choice of images become one lookup of rows.
        self._pixels = tensor.contiguous().to(device).view(-1, 3)
        mean = torch.as_tensor(np.asarray(mean, dtype=np.float64))
        std = torch.as_tensor(np.asarray(std, dtype=np.float64))
        pixels = self.height * self.width
        # Repeated to whole rows: broadcasting over three channels is seven times slower on a CPU.
        self._scale = (1 / (255 * std)).float().repeat(pixels).to(device)
        self._shift = (-mean / std).float().repeat(pixels).to(device)
        self._rows = torch.arange(self.height, device=device)
        self._columns = torch.arange(self.width, device=device)

    def plain(self, index: torch.Tensor | slice) -> torch.Tensor:
        """Return images as float32 (batch, 3, H, W), not augmented."""
        return self._normalise(self._pixels.view(self.n, -1)[index])

    def augmented(
        self, index: torch.Tensor, mirror: torch.Tensor, down: torch.Tensor, right: torch.Tensor
    ) -> torch.Tensor:
        """Return images mirrored and shifted as float32 (batch, 3, H, W).

        A shift takes the crop whose corner is that many pixels down and right (negative: up and left) in
        the image continued by reflection; mirroring comes last.

        Parameters
        ----------
        index
            int64 (batch,), which images.
        mirror
            bool (batch,), whether the crop is mirrored left to right.
        down, right
            int64 (batch,), shift of the crop in pixels, less than the size of the image.
        """
        columns = torch.where(mirror[:, None], self.width - 1 - self._columns, self._columns)
        columns = _reflect(columns + right[:, None], self.width)
        rows = _reflect(self._rows + down[:, None], self.height) + (index * self.height)[:, None]
        lookup = (rows * self.width)[:, :, None] + columns[:, None, :]
        return self._normalise(self._pixels.index_select(0, lookup.view(-1)).view(len(index), -1))

    def _normalise(self, rows: torch.Tensor) -> torch.Tensor:
        flat = rows.to(torch.float32).mul_(self._scale).add_(self._shift)
        batch = flat.view(-1, self.height, self.width, 3).permute(0, 3, 1, 2)
        return batch if self.channels_last else batch.contiguous()


def _reflect(position: torch.Tensor, size: int) -> torch.Tensor:
    """Fold positions outside 0 .. size-1 back by reflection at the border pixels."""
    return size - 1 - (size - 1 - position.abs()).abs()


def draws(
    n: int, batch: int, seed: int, *, flip: bool, crop_padding: int, device: torch.device
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Yield, without end, which images make a batch and how each is augmented.

    The images come in random order, every one once before any comes again; a batch may reach over the end
    of a pass, so that batches are all of one size and no image is left out. Draws are made on the CPU, a
    pass at a time, so that every device sees the same batches. Order, mirroring and shifts have streams
    of their own: switching one off leaves the others as they were.

    Parameters
    ----------
    n
        Number of images.
    batch
        Images per batch, at most ``n``.
    seed
        Seed of the three streams.
    flip, crop_padding
        As in :class:`tgsage.config.training.Recipe`.
    device
        Where the results are put.

    Yields
    ------
    tuple of tensors
        index (batch,), mirror (batch,) bool, down (batch,), right (batch,): the arguments of
        :meth:`DeviceImages.augmented`.
    """
    order, mirrors, shifts = (
        torch.Generator().manual_seed(seed_from(purpose, seed)) for purpose in ("order", "mirror", "shift")
    )
    waiting = torch.empty((0, 4), dtype=torch.int64, device=device)
    while True:
        while len(waiting) < batch:
            columns = torch.zeros((n, 4), dtype=torch.int64)
            columns[:, 0] = torch.randperm(n, generator=order)
            if flip:
                columns[:, 1] = torch.randint(0, 2, (n,), generator=mirrors)
            if crop_padding:
                columns[:, 2:] = torch.randint(-crop_padding, crop_padding + 1, (n, 2), generator=shifts)
            waiting = torch.cat([waiting, columns.to(device)])
        now, waiting = waiting[:batch], waiting[batch:]
        yield now[:, 0], now[:, 1].bool(), now[:, 2], now[:, 3]
