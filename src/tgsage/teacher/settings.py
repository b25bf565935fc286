"""Settings that kinds of teachers share, and what a kind of teacher says about itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from pydantic import model_validator

from ..plugins import Field, Plugin, Section, refuse_unknown

if TYPE_CHECKING:
    from ..recordings.settings import RecordingsSettings

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
    """Shares of the stimuli that choose the layer, reward the search and report it; their sum is 1."""

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


class Surroundings(Protocol):
    """What of a run's configuration a teacher is checked against."""

    @property
    def recordings(self) -> Mapping[str, RecordingsSettings]:
        """Data sets by name."""

    @property
    def teachers(self) -> Mapping[str, TeacherSettings]:
        """All teachers by name."""

    @property
    def layers_chosen_by(self) -> str:
        """The setting that has layers chosen on stimuli that do not reward, in words; empty without it."""


class TeacherSettings(Plugin):
    """A kind of teacher.

    Its ``code`` is a function that makes the teacher of settings, a name and a
    :class:`~tgsage.teacher.stage.TeacherContext`.
    """

    plugin_kind: ClassVar[str] = "teacher"
    runs_network: ClassVar[bool] = False
    """Whether making the teacher trains or runs a network, on a GPU where there is one."""
    is_control: ClassVar[bool] = False
    """Whether the teacher is a control of another one, of which no control is made."""

    kind: str
    """Selects this kind."""

    @property
    def original(self) -> str | None:
        """Name of the teacher that this one is made of; None if it is made of no other."""
        return None

    @abstractmethod
    def target_names(self, teachers: Mapping[str, TeacherSettings]) -> list[str]:
        """Return the names of the targets in their order; ``teachers`` are all those of the run by name."""

    def datasets(self, _teachers: Mapping[str, TeacherSettings]) -> list[str]:
        """Return the names of the data sets that the teacher is made of, :attr:`original` left aside."""
        return []

    def check(self, name: str, run: Surroundings) -> None:
        """Check the settings of the teacher ``name`` against the rest of the configuration.

        Raises
        ------
        ValueError
            With one line that names the key and what to do.
        """
        splits = getattr(self, "splits", None)
        if run.layers_chosen_by and splits is not None and splits.choose == 0:
            raise ValueError(
                f"teachers.{name}.splits.choose: is 0, but {run.layers_chosen_by}; give the choice of "
                "layers a share of the stimuli"
            )


class RecordedTargets(TeacherSettings):
    """A teacher whose targets are regions of data sets."""

    targets: dict[str, Target]
    """The RDMs to be similar to, by a name of your choice."""

    def target_names(self, _teachers: Mapping[str, TeacherSettings]) -> list[str]:
        """Return the keys of ``targets``."""
        return list(self.targets)

    def datasets(self, _teachers: Mapping[str, TeacherSettings]) -> list[str]:
        """Return the data sets of the targets, each once."""
        return list(dict.fromkeys(target.recordings for target in self.targets.values()))

    def check(self, name: str, run: Surroundings) -> None:
        """Raise if there are no targets, or a data set is not configured."""
        super().check(name, run)
        if not self.targets:
            raise ValueError(f"teachers.{name}.targets: name at least one target")
        for target, where in self.targets.items():
            key = f"teachers.{name}.targets.{target}.recordings"
            refuse_unknown("data set", key, where.recordings, run.recordings)


class LayerTargets(TeacherSettings):
    """A teacher whose targets are layers of a network, on validation images of the task."""

    runs_network: ClassVar[bool] = True

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
    """CPU threads of the network."""


class ControlSettings(TeacherSettings):
    """A control: a teacher that is made of another one and has its stimuli, splits, targets and weights."""

    is_control: ClassVar[bool] = True

    of: str
    """Name of the teacher that is controlled for."""

    @property
    def original(self) -> str:
        """Name of the teacher that is controlled for."""
        return self.of

    def target_names(self, teachers: Mapping[str, TeacherSettings]) -> list[str]:
        """Return those of the original."""
        return teachers[self.of].target_names(teachers)

    def check(self, name: str, run: Surroundings) -> None:
        """Raise if there is no such teacher, or it is itself a control."""
        super().check(name, run)
        refuse_unknown("teacher", f"teachers.{name}.of", self.of, run.teachers)
        if run.teachers[self.of].is_control:
            raise ValueError(f"teachers.{name}.of: {self.of!r} is itself a control; name the original")
