"""Trained candidates of earlier code, or of another torch, that the code of today would train the same.

A key names the code and torch's version, so that every change of either hides what was trained before. Most
changes move no bit. Here a few entries of each kind are trained anew; if all of them come out the same, bit
by bit, every entry of these kinds is filed under today's key as well.
"""

from __future__ import annotations

import functools
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from .. import spaces
from ..errors import TgsageError
from ..store import Store, digest, write_json
from ..store.processor import processor, same_kind
from .cache import KIND, RECORD, RESUME, WEIGHTS, train_entry
from .devices import resolve_precision
from .keys import recipe_values, versions
from .seeds import recorded_seed
from .settings import Recipe

if TYPE_CHECKING:
    from ..spaces import Space
    from ..tasks import Task

SAMPLES = 3
"""How many entries of each kind are trained anew."""


@dataclass(frozen=True)
class Adoption:
    """What came of an adoption.

    Attributes
    ----------
    trained
        Number of entries that were trained anew and compared.
    adopted
        Number of entries that are filed under today's key now; 0 where something differed.
    left_out
        Why other entries were not looked at, and how many for each reason.
    difference
        The first thing that came out different; None where nothing did.
    """

    trained: int = 0
    adopted: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    difference: str | None = None


class _Entry(NamedTuple):
    """An entry that no key of today reaches: where it is, what it says, and its key of today's code."""

    folder: Path
    record: dict[str, Any]
    content: dict[str, Any]
    space: Space

    @property
    def key(self) -> str:
        return digest(self.content)

    @property
    def group(self) -> tuple[str, ...]:
        """What entries have in common that samples speak for: space, device, and what made them."""
        made_by = self.record["key"]
        same = (made_by[name] for name in ("device", "code", "space_code", "torch", "dtype"))
        return (self.record["space"]["name"], *same)


def unreached(store: Store) -> tuple[int, int]:
    """Count the trained candidates that no key of today's code reaches, and all of them.

    An entry that was adopted counts as reached.
    """
    left_out: Counter[str] = Counter()
    folders = store.folders(KIND)
    return len(_hidden(store, folders, left_out)) + sum(left_out.values()), len(folders)


def adopt(
    store: Store,
    tasks: Sequence[Task],
    *,
    samples: int = SAMPLES,
    report: Callable[[str], None] | None = None,
) -> Adoption:
    """File what was trained before under the keys of today, if today's code would train the same.

    Some entries of each space, device, dtype, code and version of torch are trained anew from the first step,
    those that ended well before others. Weights at all checkpoints, what a later stop continues from, and the
    record but for its seconds must be the same bit by bit. Then the files of all entries of these kinds are
    linked under their keys of today, and the journal has an event ``adopted`` with the old key (``from``) for
    each.

    Parameters
    ----------
    store
        Where the entries are. They stay where they are as well.
    tasks
        Tasks that entries may have learned; found by their digests.
    samples
        How many entries of each kind are trained, at least 1.
    report
        Called with a line before each training.

    Returns
    -------
    Adoption
        Nothing is adopted if anything differs.

    Raises
    ------
    TgsageError
        If ``samples`` is less than 1.
    """
    if samples < 1:
        raise TgsageError(f"samples: at least one entry has to be trained anew, not {samples}")
    learned = {task.digest: task for task in tasks}
    left_out: Counter[str] = Counter()
    groups: dict[tuple[str, ...], list[_Entry]] = {}
    for entry in _hidden(store, store.folders(KIND), left_out):
        reason = _obstacle(store, entry, learned)
        if reason is None:
            groups.setdefault(entry.group, []).append(entry)
        else:
            left_out[reason] += 1
    trained = 0
    for _, entries in sorted(groups.items()):
        # By key, which is as good as by chance.
        order = sorted(entries, key=lambda entry: (entry.record["status"] != "ok", entry.folder.name))
        for entry in order[:samples]:
            if report is not None:
                seconds = entry.record["seconds"]
                report(f"training {entry.folder.name[:12]} of space {entry.group[0]} anew ({seconds:.0f} s)")
            trained += 1
            difference = _difference(entry, learned[entry.content["task"]])
            if difference is not None:
                return Adoption(trained, 0, left_out, f"{entry.folder}: {difference}")
    adopted = [entry for entries in groups.values() for entry in entries]
    for entry in adopted:
        _file(store, entry)
    return Adoption(trained, len(adopted), left_out)


def _hidden(store: Store, folders: Sequence[Path], left_out: Counter[str]) -> list[_Entry]:
    """The entries that no key of today reaches, and those that cannot be read, by reason."""
    hidden: dict[str, _Entry] = {}
    made_by: dict[str, dict[str, str]] = {}
    for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime):
        try:
            record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            content, settings = record["key"], record.get("space")
            recipe = Recipe.model_validate(record["recipe"])
            if settings is None:
                left_out["made by a version that did not note the settings of the space"] += 1
                continue
            space = spaces.get(settings)
            name = json.dumps(settings, sort_keys=True)
            if name not in made_by:
                made_by[name] = versions(space)
            device = torch.device("cpu" if content["device"] == "cpu" else "cuda")
            now = {
                **content,
                **made_by[name],
                "recipe": recipe_values(recipe),
                "dtype": str(resolve_precision(recipe.precision, device)),
            }
        except (TgsageError, ValidationError):
            left_out["of a space or a recipe that is unknown today"] += 1
            continue
        except (OSError, ValueError, KeyError, TypeError):
            left_out["damaged"] += 1
            continue
        key = digest(now)
        if key != folder.name and not store.path(KIND, key).is_dir():
            # One that was adopted before lies there twice or more; the last one is of the youngest code.
            hidden[key] = _Entry(folder, record, now, space)
    return list(hidden.values())


def _obstacle(store: Store, entry: _Entry, learned: Mapping[str, Task]) -> str | None:
    """Why an entry cannot be compared or adopted here; None where it can."""
    content = entry.content
    gpu = content["device"] != "cpu"
    if gpu and not torch.cuda.is_available():
        return "made on a GPU, and there is none here"
    if not same_kind(entry.record.get("processor"), _processor("cuda" if gpu else "cpu")):
        return "made on another kind of processor"
    if content["task"] not in learned:
        return "of a task that was not given"
    if not _is_canonical(entry):
        return "of a space whose canonical forms or keys have changed"
    return None if store.intact(entry.folder) else "damaged"


def _is_canonical(entry: _Entry) -> bool:
    """Whether an architecture has the key and the canonical form today that it had when it was trained."""
    text, space = entry.content["architecture"], entry.space
    try:
        arch = space.parse(text)
    except TgsageError:
        return False
    # Those of a list stay as they are listed.
    same_form = entry.content["space"] != space.name or space.format(space.canonical(arch)) == text
    return bool(same_form and space.key(arch) == entry.content["space_key"])


@functools.cache
def _processor(device: str) -> dict[str, Any]:
    return processor(device)


def _difference(entry: _Entry, task: Task) -> str | None:
    """Train an entry anew; the first thing that comes out different, None where nothing does."""
    content, before = entry.content, entry.record
    recipe = Recipe.model_validate(before["recipe"])
    states, tensors, record = train_entry(
        entry.space,
        entry.space.parse(content["architecture"]),
        recorded_seed(content["space_key"], content["architecture"], recipe, task.digest),
        recipe,
        task,
        torch.device("cpu" if content["device"] == "cpu" else "cuda"),
        None,
        lambda _: None,
    )
    for name, value in json.loads(json.dumps(record)).items():
        if name not in ("seconds", "processor", "recipe") and name in before and value != before[name]:
            return f"{name} is {_short(value)} now and was {_short(before[name])}"
    for file, now in ((WEIGHTS, states), (RESUME, tensors)):
        stored = load_file(entry.folder / file) if (entry.folder / file).is_file() else {}
        if now.keys() != stored.keys():
            return f"{file}: other tensors than before, e.g. {min(now.keys() ^ stored.keys())}"
        for name, value in now.items():
            if not _same_bits(value, stored[name]):
                checkpoint, _, tensor = name.partition("/")
                where = f"checkpoint {checkpoint}, tensor {tensor}" if file == WEIGHTS else f"{file}: {name}"
                return f"{where}: {_how_far(value, stored[name])}"
    return None


def _same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return torch.equal(one.flatten().view(torch.uint8), other.flatten().view(torch.uint8))


def _how_far(one: torch.Tensor, other: torch.Tensor) -> str:
    if one.shape != other.shape:
        return f"shape {tuple(one.shape)} now, {tuple(other.shape)} before"
    if one.dtype != other.dtype:
        return f"{one.dtype} now, {other.dtype} before"
    return f"largest absolute difference {float((one.double() - other.double()).abs().max()):.3g}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _file(store: Store, entry: _Entry) -> None:
    """Link the files of an entry under its key of today."""

    def make(folder: Path) -> None:
        for name in (WEIGHTS, RESUME):
            if (entry.folder / name).is_file():
                os.link(entry.folder / name, folder / name)
        write_json(folder / RECORD, {**entry.record, "key": entry.content})

    store.ensure(KIND, entry.key, make, {"event": "adopted", "from": entry.folder.name})
