"""Which representational geometry guides the search."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from .base import Field, Section

RdmMetric = Literal["correlation", "sqeuclidean", "cosine", "crossnobis", "poisson"]
CompareMethod = Literal["pearson", "spearman", "kendall", "rho_a", "cosine", "whitened"]


class Geometry(Section):
    """How stimuli reach a candidate's input. All of it is written into the teacher file."""

    network_degrees: float | None = Field(default=None, gt=0)
    """Degrees of visual angle that the network's input spans; null means those of the stimuli."""
    padding: int = Field(default=127, ge=0, le=255)
    """Grey value around a stimulus that is smaller than the network's field of view."""
    resample: Literal["area", "bilinear", "bicubic"] = "area"
    """Filter for resizing; all are anti-aliased."""


class Target(Section):
    """One RDM to be similar to: a region of a data set."""

    recordings: str
    """Name of a data set under ``recordings``."""
    region: str
    """A region of the data set, as its site table names it."""
    weight: float = Field(default=1.0, gt=0)
    """Weight of the target in the teacher-guidance mean."""


class Splits(Section):
    """Shares of the stimuli that choose the layer, reward the search, and report similarity. They sum to "
    "1."""

    choose: float = Field(default=0.0, ge=0, lt=1)
    """Share that chooses the layer; 0 means that layers are chosen where the reward is taken."""
    reward: float = Field(default=0.7, gt=0, lt=1)
    """Share whose similarity is the reward."""
    report: float = Field(default=0.3, gt=0, lt=1)
    """Share that is only reported."""
    seed: int = Field(default=0, ge=0)
    """Seed of the draws."""

    @model_validator(mode="after")
    def _sum_to_one(self) -> Splits:
        total = self.choose + self.reward + self.report
        if abs(total - 1) > 1e-6:
            raise ValueError(f"choose + reward + report is {total:g}; make the three shares sum to 1")
        return self


class RecordedTeacher(Section):
    """Target RDMs from recordings."""

    kind: Literal["recordings"]
    """Selects this kind."""
    targets: dict[str, Target]
    """The RDMs to be similar to, by a name of your choice."""
    metric: RdmMetric = "correlation"
    """Dissimilarity of two response patterns."""
    zscore: bool = True
    """Z-score every site over stimuli, so that the gain of a site does not weight it."""
    rdm: Literal["image", "category"] = "image"
    """One RDM entry per pair of images, or per pair of categories (patterns are averaged first)."""
    geometry: Geometry = Geometry()
    """How stimuli reach a network's input."""
    splits: Splits = Splits()
    """Which stimuli choose, reward and report."""
    ceiling_splits: int = Field(default=20, ge=2)
    """Random halvings of the repetitions that a noise ceiling averages."""
    n_sites: int | None = Field(default=None, ge=3)
    """Control: use this many sites of every region, drawn by ``control_seed``; null uses all."""
    noise: bool = False
    """Control: replace the responses by noise that has their mean, covariance and reliability."""
    control_seed: int = Field(default=0, ge=0)
    """Seed of the two controls above."""


class NetworkTeacher(Section):
    """Target RDMs from a network that was trained on the task: the paper's first teacher."""

    kind: Literal["network"]
    """Selects this kind."""
    weights: str | None = None
    """A checkpoint of a CIFAR ResNet, relative to the data folder; null trains one by the rule below."""
    normalisation: Literal["task", "imagenet"] = "task"
    """Pixel mean and standard deviation that the network expects: the task's, or those of ImageNet."""
    blocks_per_stack: int = Field(default=3, ge=1)
    """Residual blocks in each of the three stacks (n; the paper's teacher has 9)."""
    width: int = Field(default=16, ge=4)
    """Channels of the first stack."""
    epochs: float = Field(default=10, gt=0)
    """Passes over the task's training images."""
    n_stimuli: int = Field(default=512, ge=40)
    """Validation images of the task on which the RDMs are taken."""
    subsamples: int = Field(default=10, ge=1)
    """RDMs of that many random feature subsamples are averaged (Bashivan et al. 2019)."""
    subsample_features: int = Field(default=1024, ge=8)
    """Features in each subsample."""
    metric: RdmMetric = "correlation"
    """Dissimilarity of two response patterns."""
    rdm: Literal["image", "category"] = "image"
    """One RDM entry per pair of images, or per pair of categories (patterns are averaged first)."""
    splits: Splits = Splits()
    """Which stimuli choose, reward and report."""
    seed: int = Field(default=0, ge=0)
    """Seed of the draws."""
    threads: int = Field(default=1, ge=1)
    """CPU threads of its training."""


class ShuffledTeacher(Section):
    """A control: the stimulus labels of another teacher's RDMs, permuted."""

    kind: Literal["shuffled"]
    """Selects this kind."""
    of: str
    """Name of the teacher that is shuffled."""
    within: Literal["all", "category"] = "all"
    """Permute over all stimuli, or within categories only."""
    seed: int = Field(default=0, ge=0)
    """Seed of the draws."""


class ImageTeacher(Section):
    """A control: RDMs of the same images that need no brain."""

    kind: Literal["images"]
    """Selects this kind."""
    of: str
    """Name of the teacher whose stimuli, splits and targets are taken over."""
    features: Literal["pixels", "labels", "gabor", "untrained"]
    """Pixel values; same category or not; V1-like Gabor energy; a CIFAR ResNet that was never trained."""
    metric: Literal["correlation", "sqeuclidean", "cosine"] = "correlation"
    """Metric of the RDM; ``labels`` has 0 within and 1 between categories whatever stands here."""
    seed: int = Field(default=0, ge=0)
    """Seed of the untrained network."""


TeacherSource = Annotated[
    RecordedTeacher | NetworkTeacher | ShuffledTeacher | ImageTeacher, Field(discriminator="kind")
]


class Scoring(Section):
    """How a candidate is compared with a teacher."""

    compare: CompareMethod = "spearman"
    """Correlation of two RDMs: the paper's example is Pearson's, the field reports Spearman's."""
    layer_choice: Literal["same", "split"] = "same"
    """``same``: the layer is chosen where the reward is taken (the paper); ``split``: on other images."""
    batch_size: int = Field(default=256, ge=1)
    """Images at a time."""
