"""The JSON files of a run: what they hold, their versions, one reader and one writer.

Each file says under ``version`` which version of its format it is of; the first did not say so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from ..errors import TgsageError
from ..plugins import checked, loaded_files
from ..store.atomic import write_json
from .settings import SearchSettings

PathLike = str | os.PathLike[str]

VERSIONS = {"training": 2, "proposals": 1, "search": 2, "final": 1, "best_architecture": 1}
"""Version of each file that is written, and the only one that is read."""


class Proposal(TypedDict):
    """An architecture that is to be trained."""

    slot: int
    candidate: str
    """Its key in the space of the stage."""
    architecture: str
    """Canonical JSON text."""
    searched: NotRequired[str]
    """Its key in the search, where the stage trains it to maturity."""


class Proposals(TypedDict):
    """``proposals.json``: the architectures of a stage, in slot order."""

    run: str
    arm: str
    seed: int
    round: int
    """-1 for finalists and final training."""
    stage: str
    proposals: list[Proposal]


class Training(TypedDict):
    """What became of a candidate, as :func:`tgsage.training.train_candidate` returns it; null is unknown."""

    status: str
    reason: str | None
    candidate: str
    architecture: str
    round: int
    slot: int
    parameters: int | None
    flops: int | None
    probes: list[str]
    n_probes: int
    examples: int
    seconds: float
    training_loss_sum: float | None
    curve: list[Any]
    checkpoints: list[dict[str, Any]]
    store_key: str | None
    device: str | None
    processor: NotRequired[dict[str, Any] | None]
    """What it was trained on: :func:`tgsage.store.processor.processor`."""
    recipe: dict[str, Any]


class Similarity(TypedDict):
    """How similar the winner is to a target, at the layer that is nearest to it."""

    layer: str | None
    reward: float | None
    report: float | None
    ceiling_lower: float | None
    ceiling_upper: float | None
    n_stimuli_report: int
    n_sites: int


class Observed(TypedDict):
    """The same of a second teacher; its name is null without one."""

    teacher: str | None
    similarity: dict[str, Similarity]


class Final(TypedDict):
    """``final.json``: the winner's test, where it came from and what the search has cost."""

    run: str
    arm: str
    seed: int
    simulated: bool
    candidate: str
    architecture: str
    parameters: int
    flops: int
    chance: float
    n_classes: int
    test: dict[str, Any]
    premature: dict[str, Any]
    finalist: dict[str, Any]
    similarity: dict[str, Similarity]
    observed: Observed
    cost: dict[str, Any]


def read_json(path: PathLike) -> dict[str, Any]:
    """Read a JSON file; a missing or broken one is one line naming it."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TgsageError(f"{path}: missing; run the stage that makes it") from None
    except ValueError as error:
        raise TgsageError(f"{path}: not valid JSON ({error}); delete it and run again") from None
    if not isinstance(content, dict):
        raise TgsageError(f"{path}: holds no keys; delete it and run again")
    return content


def check_version(path: PathLike, version: object, readable: int) -> None:
    """Raise a TgsageError unless a file is of the version that is read."""
    if version != readable:
        raise TgsageError(
            f"{path}: is of version {version} of this file, and this tgsage reads version {readable}; "
            "delete it and run again"
        )


def write_record(kind: str, path: PathLike, content: Mapping[str, Any]) -> None:
    """Write a file of one of the kinds of :data:`VERSIONS`, whole or not at all."""
    write_json(path, {"version": VERSIONS[kind], **content})


def read_record(kind: str, path: PathLike, keys: Sequence[str] = ()) -> dict[str, Any]:
    """Read a file that :func:`write_record` wrote, without its version.

    Raises
    ------
    TgsageError
        If there is no such file, it is of another version, or a key is missing.
    """
    content = read_json(path)
    check_version(path, content.pop("version", 1), VERSIONS[kind])
    for key in keys:
        if key not in content:
            raise TgsageError(f"{path}: lacks {key!r}; delete it and run again")
    return content


def read_proposals(path: PathLike) -> Proposals:
    """Read ``proposals.json``."""
    return cast(Proposals, read_record("proposals", path, tuple(Proposals.__annotations__)))


def write_trainings(path: PathLike, trainings: Sequence[Mapping[str, Any]]) -> None:
    """Write ``training.json``: what became of each candidate of a pack."""
    write_record("training", path, {"candidates": list(trainings)})


def read_trainings(path: PathLike) -> list[Training]:
    """Read ``training.json``."""
    return cast(list[Training], read_record("training", path, ("candidates",))["candidates"])


def read_final(path: PathLike) -> Final:
    """Read ``final.json``."""
    return cast(Final, read_record("final", path, ("arm", "seed", "test", "similarity", "cost")))


def write_settings(settings: PathLike, *, search: SearchSettings) -> None:
    """Write ``search.json``."""
    write_record("search", settings, search.plain())


def read_settings(path: PathLike) -> SearchSettings:
    """Read ``search.json``.

    Raises
    ------
    TgsageError
        If there is no such file, it is of another version, or it names a plugin that is not there.
    """
    content = read_record("search", path)
    # Not run from here: a run may come from somebody else.
    absent = [str(file) for file in content.get("plugins", []) if file not in loaded_files()]
    try:
        return checked(str(path), SearchSettings, content)
    except TgsageError:
        if not absent:
            raise
        hint = f"if you trust them, add --plugins {' --plugins '.join(absent)}"
        raise TgsageError(f"{path}: the search has plugins in {', '.join(absent)}; {hint}") from None
