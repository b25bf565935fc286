"""The whole configuration of a run: loading it, and saying what is wrong with it."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ValidationError, model_validator

from ..errors import TgsageError, nearest
from ..plugins import TAGS, Choice, Field, Section, alternatives, load_files, refuse_unknown
from ..recordings.settings import RecordingsSettings
from ..runs.settings import Scoring
from ..tasks.settings import TaskSettings
from ..teacher.settings import TeacherSettings
from .search import Search

MAXIMAL_ROUNDS = 100


class Report(Section):
    """What the run's own page shows."""

    arms: list[str] = ["monkey"]
    """Arms on ``report.html``; ``compare_guidance`` shows every arm of the config."""
    title: str = "Teacher-guided architecture search"
    """Headline of the page."""


class RunConfig(Section):
    """A run: recordings, task, teachers, and a search over arms."""

    run: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """Name of the run; its files are under ``results/<run>/``."""
    results: str = "results"
    """Folder of all runs."""
    store: str = "results/store"
    """Folder of the content-addressed store; runs may share it."""
    data: str | None = None
    """Folder of downloaded data; null means ``TGSAGE_DATA`` or ``neural_data/raw``."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks train and are scored; ``auto`` takes CUDA where there is a device."""
    plugins: list[str] = []
    """Python files of your own that register plugins (docs/extending.md). They are run as they are, with your
    rights: name only files that you trust. Relative paths begin in the working folder."""
    recordings: dict[str, Annotated[RecordingsSettings, Choice("recordings")]]
    """Data sets by a name of your choice."""
    task: Annotated[TaskSettings, Choice("task")]
    """The labelled images that candidates learn."""
    teachers: dict[str, Annotated[TeacherSettings, Choice("teacher")]]
    """Teachers by a name of your choice."""
    scoring: Scoring = Scoring()
    """How a candidate is compared with a teacher."""
    search: Search
    """Space, arms, rounds and recipes."""
    report: Report = Report()
    """The run's own page."""

    @model_validator(mode="after")
    def _names_exist(self) -> RunConfig:
        for name, teacher in self.teachers.items():
            teacher.check(name, self)
        for arm, settings in self.search.arms.items():
            for field in ("teacher", "observe"):
                name = getattr(settings, field)
                if name is not None:
                    refuse_unknown("teacher", f"search.arms.{arm}.{field}", name, self.teachers)
            settings.guidance.check(
                arm,
                teacher=settings.teacher,
                observe=settings.observe,
                keeps_untrained=self.search.premature.checkpoints[0] == 0,
            )
            if settings.observe is not None and settings.observe == settings.teacher:
                raise ValueError(
                    f"search.arms.{arm}.observe: {settings.observe!r} is the teacher already; name another "
                    "one or leave it out"
                )
        for arm in self.report.arms:
            refuse_unknown("arm", "report.arms", arm, self.search.arms)
        if self.search.rounds > MAXIMAL_ROUNDS:
            raise ValueError(
                f"search.rounds: {self.search.rounds} is more than {MAXIMAL_ROUNDS}, which is as many as "
                "the graph takes; raise search.candidates_per_round instead"
            )
        if self.search.lag >= self.search.rounds:
            raise ValueError(
                f"search.lag: {self.search.lag} leaves no round that reads a ledger; "
                f"choose less than search.rounds = {self.search.rounds}"
            )
        return self

    @property
    def folder(self) -> str:
        """``<results>/<run>``."""
        return f"{self.results}/{self.run}"

    @property
    def layers_chosen_by(self) -> str:
        """The setting that has layers chosen on stimuli that do not reward, in words; empty without it."""
        return self.scoring.elsewhere_in_words

    def rdm_only(self, dataset: str) -> bool:
        """Whether the data set publishes RDMs and no responses."""
        return self.recordings[dataset].rdm_only


def load(source: str | Path | Mapping[str, Any]) -> RunConfig:
    """Read and check a configuration.

    Parameters
    ----------
    source
        A YAML file, or its content.

    Raises
    ------
    TgsageError
        With one line per mistake joined by ``;``: the key, what is wrong, and the nearest valid name.
    """
    where = "config"
    if isinstance(source, Mapping):
        raw: Any = dict(source)
    else:
        where = str(source)
        try:
            raw = yaml.safe_load(Path(source).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise TgsageError(f"{where}: no such config file") from None
        except yaml.YAMLError as error:
            raise TgsageError(f"{where}: not valid YAML: {error}") from None
        if not isinstance(raw, dict):
            raise TgsageError(f"{where}: holds no keys; start from config/config.yaml")
    own_plugins = raw.get("plugins")
    if isinstance(own_plugins, list) and all(isinstance(file, str) for file in own_plugins):
        load_files(own_plugins)
    if own_plugins:
        _rebuild(RunConfig)
    try:
        return RunConfig.model_validate(raw)
    except ValidationError as error:
        lines = [_explain(detail) for detail in error.errors()]
        raise TgsageError(f"{where}: " + "; ".join(dict.fromkeys(lines))) from None


def _rebuild(model: type[BaseModel]) -> None:
    """Build the schemas of a model and of all that it holds anew, now that there are more plugins."""
    for inner in reversed(held_models(model)):
        inner.model_rebuild(force=True)


def held_models(model: type[BaseModel]) -> dict[type[BaseModel], None]:
    """Return a model and the models of its fields, fields of these included, in the order of the fields."""
    found: dict[type[BaseModel], None] = {}

    def visit(model: type[BaseModel]) -> None:
        if model in found:
            return
        found[model] = None
        for field in model.model_fields.values():
            for inner in _models(field.annotation, field.metadata):
                visit(inner)

    visit(model)
    return found


def _models(annotation: Any, metadata: Sequence[Any] = ()) -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = []
    for one in alternatives(annotation, metadata):
        if isinstance(one, type) and issubclass(one, BaseModel):
            found.append(one)
        else:
            found += [model for part in typing.get_args(one) for model in _models(part)]
    return found


def _explain(detail: Mapping[str, Any]) -> str:
    """One line for one of pydantic's findings."""
    location, kind = detail["loc"], detail["type"]
    models, path = _walk(location)
    key = ".".join(path)
    if kind == "extra_forbidden":
        valid = sorted({name for model in models for name in model.model_fields})
        return f"unknown key {key}{nearest(path[-1], valid)}; valid here: {', '.join(valid)}"
    if kind == "missing":
        return f"missing key {key}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        context = detail.get("ctx", {})
        tag = context.get("discriminator", "").strip("'")
        expected = context.get("expected_tags", "").replace("'", "")
        if kind == "union_tag_not_found":
            return f"missing key {key}.{tag}"
        given = str(context.get("tag"))
        return (
            f"{key}.{tag}: unknown value {given!r}{nearest(given, expected.split(', '))}; valid: {expected}"
        )
    message = str(detail["msg"]).removeprefix("Value error, ")
    if not key:
        return message
    shown = "" if kind == "value_error" else f", not {detail['input']!r}"
    return f"{key}: {message[0].lower() + message[1:]}{shown}"


def _walk(location: tuple[Any, ...]) -> tuple[list[type[BaseModel]], list[str]]:
    """Follow pydantic's location: the models that hold its last part, and the path as a user wrote it.

    The tag of a discriminated union appears in the location but not in the file; it selects the model.
    """
    current: list[Any] = [RunConfig]
    path: list[str] = []
    holders: list[type[BaseModel]] = [RunConfig]
    for part in location:
        models = [item for item in current if isinstance(item, type) and issubclass(item, BaseModel)]
        tagged = [model for model in models if part in _tags(model)]
        if len(models) > 1 and tagged:
            current = tagged
            continue
        holders = models or holders
        path.append(str(part))
        following: list[Any] = []
        for model in models:
            if part in model.model_fields:
                field = model.model_fields[part]
                following += alternatives(field.annotation, field.metadata)
        for item in current:
            arguments = typing.get_args(item)
            if typing.get_origin(item) in (dict, list, tuple) and arguments:
                following += alternatives(arguments[-1])
        current = following
    return holders, path


def _tags(model: type[BaseModel]) -> set[Any]:
    """The values by which a discriminated union selects this model."""
    tags: set[Any] = set()
    for name in (*set(TAGS.values()), "network"):
        if name in model.model_fields:
            tags |= set(typing.get_args(model.model_fields[name].annotation))
    return tags
