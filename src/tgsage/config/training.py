"""How a network is trained."""

from __future__ import annotations

from typing import Literal

from .base import Field, Section


class Recipe(Section):
    """Everything besides architecture, images and seed that decides the weights."""

    epochs: float = Field(default=4, gt=0)
    """Passes over the training images; fractions are allowed."""
    batch_size: int = Field(default=64, ge=2)
    learning_rate: float = Field(default=0.1, gt=0)
    """Peak of the schedule: linear warm-up, then cosine to zero."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps spent warming up."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=5e-4, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    clip_norm: float | None = Field(default=5.0, gt=0)
    """Largest gradient norm; null does not clip."""
    flip: bool = True
    """Mirror training images left to right at random."""
    crop_padding: int = Field(default=2, ge=0)
    """Random crops from images padded by that many pixels."""
    average: float | None = Field(default=0.98, gt=0, lt=1)
    """Decay per step of the exponential moving average of the weights; null judges raw weights."""
    recompute_batchnorm: int = Field(default=1024, ge=0)
    """Training images on which batch-norm statistics are recomputed at each checkpoint."""
    checkpoints: list[float] = [0.0, 1.0]
    """Shares of the training after which weights are kept; 0 is the untrained network."""
    images: Literal["train", "train+validation"] = "train"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """``auto``: bfloat16 autocast on CUDA, float32 on the CPU."""
    channels_last: bool = True
    threads: int = Field(default=1, ge=1)
    """CPU threads of one candidate. Never taken from ``--cores``."""
    seed: int = Field(default=0, ge=0)
    """Training seed: one architecture has one result whichever search asks."""
    timeout_seconds: float | None = Field(default=None, gt=0)
    """Wall clock after which a candidate is recorded as ``timeout``; null waits for ever."""
