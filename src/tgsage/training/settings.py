"""How a network is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from ..plugins import Field, Section


class Recipe(Section):
    """Everything besides architecture, images and seed that decides the weights."""

    epochs: float = Field(default=4, gt=0)
    """Passes over the training images; fractions are allowed."""
    batch_size: int = Field(default=64, ge=2)
    """Images at a time."""
    learning_rate: float = Field(default=0.1, gt=0)
    """Peak of the schedule: linear warm-up, then cosine to zero."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps spent warming up."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Nesterov momentum; 0 is plain gradient descent."""
    weight_decay: float = Field(default=5e-4, ge=0)
    """Decay of weight matrices and kernels; biases and normalisation layers are left out."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target spread over all classes."""
    clip_norm: float | None = Field(default=5.0, gt=0)
    """Largest gradient norm; null does not clip."""
    flip: bool = True
    """Mirror training images left to right at random."""
    crop_padding: int = Field(default=2, ge=0)
    """Random crops from images padded (by reflection) with that many pixels."""
    average: float | None = Field(default=0.98, gt=0, lt=1)
    """Decay per step of the exponential moving average of the weights; null judges raw weights."""
    recompute_batchnorm: int = Field(default=1024, ge=0)
    """Training images on which batch-norm statistics are recomputed at each checkpoint; 0 keeps the
    running ones, which belong to the raw weights."""
    checkpoints: list[float] = Field(default=[1.0], min_length=1)
    """Shares of the training after which weights are kept and scored, ascending, the last one 1; 0 is the
    untrained network, which some guidances read, any other share at least one step."""
    stop: float = Field(default=1.0, gt=0, le=1)
    """Share of the training after which it ends, with its schedule (learning rate, positions of the
    checkpoints) as of the whole; weights are kept there and at the checkpoints before."""
    images: Literal["train", "train+validation"] = "train"
    """Which images are learnt."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """``auto``: bfloat16 autocast on CUDA, and on a CPU with AVX512_BF16 if the space has no grouped or
    depthwise convolutions (nasbench201, convnet10, convnet20); else float32. Where a cluster's CPUs differ,
    name one of the two."""
    channels_last: bool = True
    """Memory layout of images and kernels; the faster one on nearly every device."""
    threads: int = Field(default=1, ge=1)
    """CPU threads of one candidate. Never taken from ``--cores``."""
    seed: int = Field(default=0, ge=0)
    """Training seed: one architecture has one result whichever search asks."""
    timeout_seconds: float | None = Field(default=None, gt=0)
    """Wall clock after which a candidate is recorded as ``timeout``; null waits for ever. A training that is
    continued from an earlier stop has it anew."""

    @field_validator("checkpoints")
    @classmethod
    def _ascending_shares(cls, shares: list[float]) -> list[float]:
        if any(not 0 <= share <= 1 for share in shares) or sorted(set(shares)) != shares:
            raise ValueError("must be ascending shares between 0 and 1, none twice")
        if shares[-1] != 1:
            raise ValueError("must end with 1: the last checkpoint is the one that is judged")
        return shares

    @field_validator("recompute_batchnorm")
    @classmethod
    def _statistics_need_two(cls, images: int) -> int:
        if images == 1:
            raise ValueError("must be 0 or at least 2: one image has no variance")
        return images
