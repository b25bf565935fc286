"""Settings of the encoded teacher and of the networks whose features it uses."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from ....plugins import Field, Section, register
from ...settings import CifarResNet, Geometry, RecordedTargets, Splits, Surroundings


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
class EncodedTeacher(RecordedTargets):
    """Target RDMs of responses that an encoding model of the recorded sites predicts to the task's images."""

    code: ClassVar[str] = "tgsage.teacher.kinds.encoded.teacher:make"
    runs_network: ClassVar[bool] = True

    kind: Literal["encoded"]
    """Selects this kind."""
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

    def check(self, name: str, run: Surroundings) -> None:
        """Raise if a data set has no responses."""
        super().check(name, run)
        for target, where in self.targets.items():
            if run.recordings[where.recordings].rdm_only:
                raise ValueError(
                    f"teachers.{name}.targets.{target}.recordings: {where.recordings!r} publishes an RDM "
                    "only, to which no encoding model can be fitted; name a data set with responses"
                )
