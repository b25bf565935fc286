"""Which representational geometry guides the search."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import model_validator

from ..plugin_bases import TeacherSettings
from ..plugins import Choice, register
from ..settings import Field, Section

RdmMetric = Literal["correlation", "sqeuclidean", "cosine", "crossnobis", "poisson"]


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


@register
class RecordedTeacher(TeacherSettings):
    """Target RDMs from recordings."""

    code: ClassVar[str] = "tgsage.teacher.recorded:make_recorded"

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


class CifarResNet(Section):
    """A CIFAR ResNet: its size, and where its weights come from."""

    weights: str | None = None
    """A checkpoint of a CIFAR ResNet, relative to the data folder; null trains one on the task."""
    normalisation: Literal["task", "imagenet"] = "task"
    """Pixel mean and standard deviation that the network expects: the task's, or those of ImageNet."""
    blocks_per_stack: int = Field(default=3, ge=1)
    """Residual blocks in each of the three stacks (n; the paper's teacher has 9)."""
    width: int = Field(default=16, ge=4)
    """Channels of the first stack."""
    epochs: float = Field(default=10, gt=0)
    """Passes over the task's training images, where there is no checkpoint."""


@register
class NetworkTeacher(CifarResNet, TeacherSettings):
    """Target RDMs from a network that was trained on the task: the paper's first teacher."""

    code: ClassVar[str] = "tgsage.teacher.network:network_teacher"

    kind: Literal["network"]
    """Selects this kind."""
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


@register
class PretrainedTeacher(TeacherSettings):
    """Target RDMs from layers of a network of timm or torchvision, which learned something else."""

    code: ClassVar[str] = "tgsage.teacher.pretrained:pretrained_teacher"

    kind: Literal["pretrained"]
    """Selects this kind."""
    architecture: str = Field(pattern=r"^(timm|torchvision):[^:]+$")
    """Library and name, ``timm:<name>`` or ``torchvision:<name>``; needs the extra ``vision``."""
    layers: list[str] = Field(min_length=1)
    """Submodules whose output is taken, a target each, as ``named_modules()`` calls them."""
    weights: str | None = None
    """A state dict (safetensors, or a torch checkpoint of tensors), relative to the data folder; null takes
    the library's own pretrained weights, which it downloads."""
    resolution: int | None = Field(default=None, ge=8)
    """Side in pixels to which the task's images are brought; null leaves them as they are."""
    resample: Literal["area", "bilinear", "bicubic"] = "bicubic"
    """Filter for that."""
    mean: list[float] = Field(default=[0.485, 0.456, 0.406], min_length=3, max_length=3)
    """Pixel mean that the network expects, as fractions of 255; the default is that of ImageNet."""
    std: list[Annotated[float, Field(gt=0)]] = Field(
        default=[0.229, 0.224, 0.225], min_length=3, max_length=3
    )
    """Pixel standard deviation that the network expects, as fractions of 255."""
    n_stimuli: int = Field(default=512, ge=40)
    """Validation images of the task on which the RDMs are taken."""
    subsamples: int = Field(default=10, ge=1)
    """RDMs of that many random feature subsamples are averaged (Bashivan et al. 2019)."""
    subsample_features: int = Field(default=1024, ge=8)
    """Features in each subsample."""
    metric: Literal["correlation", "sqeuclidean", "cosine"] = "correlation"
    """Dissimilarity of two response patterns."""
    rdm: Literal["image", "category"] = "image"
    """One RDM entry per pair of images, or per pair of categories (patterns are averaged first)."""
    splits: Splits = Splits()
    """Which stimuli choose, reward and report."""
    seed: int = Field(default=0, ge=0)
    """Seed of the draws."""
    threads: int = Field(default=1, ge=1)
    """CPU threads of its forward passes."""

    @model_validator(mode="after")
    def _layers_differ(self) -> PretrainedTeacher:
        if len(set(self.layers)) != len(self.layers):
            raise ValueError("layers names a layer twice; name every layer once")
        return self


class ResNetFeatures(CifarResNet):
    """Features of a CIFAR ResNet that learned to name objects."""

    network: Literal["resnet"]
    """Selects this network."""
    resolution: int | None = Field(default=None, ge=8)
    """Side of the images that the network is shown, in pixels; null means the task's."""
    seed: int = Field(default=0, ge=0)
    """Seed of its training."""


class EfficientNetLiteFeatures(Section):
    """Features of EfficientNet-Lite0 with ImageNet weights; needs the extra ``encoding``."""

    network: Literal["efficientnet_lite0"]
    """Selects this network."""
    resolution: int = Field(default=112, ge=32)
    """Side of the images that the network is shown, in pixels; it was trained at 224."""


class UntrainedFeatures(Section):
    """Features of a CIFAR ResNet that was never trained."""

    network: Literal["untrained"]
    """Selects this network."""
    blocks_per_stack: int = Field(default=3, ge=1)
    """Residual blocks in each of the three stacks."""
    width: int = Field(default=16, ge=4)
    """Channels of the first stack."""
    resolution: int | None = Field(default=None, ge=8)
    """Side of the images that the network is shown, in pixels; null means the task's."""
    seed: int = Field(default=0, ge=0)
    """Seed of its parameters."""


FeatureNetwork = Annotated[
    ResNetFeatures | EfficientNetLiteFeatures | UntrainedFeatures, Field(discriminator="network")
]


@register
class EncodedTeacher(TeacherSettings):
    """Target RDMs of responses that an encoding model of the recorded sites predicts to the task's images."""

    code: ClassVar[str] = "tgsage.teacher.encoded:encoded_teacher"

    kind: Literal["encoded"]
    """Selects this kind."""
    targets: dict[str, Target]
    """The recorded regions, by a name of your choice."""
    features: FeatureNetwork
    """The frozen network whose features predict the sites."""
    layers: list[str] | None = Field(default=None, min_length=1)
    """Layers among which cross-validation chooses, for each target; null takes the network's own list."""
    geometry: Geometry = Geometry()
    """How the recorded stimuli are shown to the feature network."""
    task_degrees: float | None = Field(default=None, gt=0)
    """Degrees of visual angle that a task image takes of the feature network's input; null fills it."""
    task_resample: Literal["area", "bilinear", "bicubic"] = "bicubic"
    """Filter that brings the task's images to the feature network's resolution."""
    at_task_resolution: bool = False
    """Bring the recorded stimuli to the task's resolution first: then they are as coarse as its images."""
    reduction: Literal["pca", "projection"] = "pca"
    """Principal components of the recorded stimuli's features, or a Gaussian random projection."""
    n_features: int = Field(default=512, ge=2)
    """Features that the reduction leaves."""
    method: Literal["ridge", "pls"] = "ridge"
    """Ridge regression, or partial least squares (one model for all sites of a target)."""
    penalties: list[Annotated[float, Field(gt=0)]] = Field(
        default=[1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 10.0], min_length=1
    )
    """Ridge penalties to choose from, as shares of the features' total variance."""
    components: list[Annotated[int, Field(ge=1)]] = Field(default=[2, 5, 10, 15, 25, 40], min_length=1)
    """Numbers of PLS components to choose from."""
    choose_per: Literal["site", "region"] = "site"
    """One penalty or number of components for each site, or for all sites of a target."""
    folds: int = Field(default=5, ge=3)
    """Folds over the recorded stimuli; the others' folds choose inside each of them."""
    minimal_predictivity: float = Field(default=0.2, ge=-1, lt=1)
    """Sites whose held-out Pearson r is lower are left out of the RDM."""
    n_stimuli: int = Field(default=512, ge=40)
    """Validation images of the task on which the RDMs are taken."""
    metric: Literal["correlation", "sqeuclidean", "cosine"] = "correlation"
    """Dissimilarity of two predicted response patterns."""
    zscore: bool = True
    """Z-score every site's predictions over the task's images."""
    rdm: Literal["image", "category"] = "image"
    """One RDM entry per pair of images, or per pair of categories (patterns are averaged first)."""
    splits: Splits = Splits()
    """Which stimuli choose, reward and report."""
    seed: int = Field(default=0, ge=0)
    """Seed of the folds, the stimuli and the projection."""
    threads: int = Field(default=1, ge=1)
    """CPU threads."""


@register
class EncodedControl(TeacherSettings):
    """A control of an encoded teacher, with its stimuli, splits, targets, layers and settings."""

    code: ClassVar[str] = "tgsage.teacher.encoded_control:encoded_control"

    kind: Literal["encoded_control"]
    """Selects this kind."""
    of: str
    """Name of the encoded teacher."""
    control: Literal["shuffled", "bare"]
    """``shuffled``: the encoding fitted to responses whose stimulus labels were permuted. ``bare``: RDMs of
    the features themselves, without any recordings."""
    seed: int = Field(default=0, ge=0)
    """Seed of the permutation."""


@register
class ShuffledTeacher(TeacherSettings):
    """A control: the stimulus labels of another teacher's RDMs, permuted."""

    code: ClassVar[str] = "tgsage.teacher.controls:shuffled"

    kind: Literal["shuffled"]
    """Selects this kind."""
    of: str
    """Name of the teacher that is shuffled."""
    within: Literal["all", "category"] = "all"
    """Permute over all stimuli, or within categories only."""
    seed: int = Field(default=0, ge=0)
    """Seed of the draws."""


@register
class ImageTeacher(TeacherSettings):
    """A control: RDMs of the same images that need no brain."""

    code: ClassVar[str] = "tgsage.teacher.images:image_teacher"

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


TeacherSource = Annotated[TeacherSettings, Choice("teacher")]
