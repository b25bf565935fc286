"""Trained candidates of earlier code, or of another torch, that the code of today would train the same.

A key names the code and torch's version, so that a change of either hides what was trained before. Most
changes move no bit. Here a few entries are trained anew; if all of them come out the same, every entry is
filed under today's key as well.
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
from .keys import recipe_values, versions
from .seeds import recorded_seed
from .settings import Recipe

if TYPE_CHECKING:
    from ..spaces import Space
    from ..tasks import Task

SAMPLES = 3
"""How many entries of each space and device are trained anew."""

_processor = functools.cache(processor)


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
    """An entry that no key of today reaches, and what its key would be made from today."""

    folder: Path
    record: dict[str, Any]
    content: dict[str, Any]
    space: Space
    recipe: Recipe

    @property
    def device(self) -> torch.device:
        return torch.device("cpu" if self.content["device"] == "cpu" else "cuda")


def unreached(store: Store) -> tuple[int, int]:
    """Count the trained candidates that no key of today's code reaches, and all of them.

    An entry that was adopted counts as reached.
    """
    entries, left_out = _hidden(store)
    return len(entries) + left_out.total(), len(store.folders(KIND))


def adopt(
    store: Store,
    tasks: Sequence[Task],
    *,
    samples: int = SAMPLES,
    report: Callable[[str], None] | None = None,
) -> Adoption:
    """File what was trained before under the keys of today, if today's code would train the same.

    Some entries of each space and class of device are trained anew from the first step, those that ended well
    before others. Weights at all checkpoints, what a later stop continues from, and the record but for its
    seconds must be the same bit by bit. Then the files of all entries are linked under their keys of today,
    and the journal has an event ``adopted`` with the old key (``from``) for each.

    Parameters
    ----------
    store
        Where the entries are. They stay where they are as well.
    tasks
        Tasks that entries may have learned; found by their digests.
    samples
        How many entries of each space and class of device are trained, at least 1.
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
    hidden, left_out = _hidden(store)
    groups: dict[tuple[str, str], list[_Entry]] = {}
    for entry in hidden:
        reason = _obstacle(store, entry, learned)
        if reason is None:
            groups.setdefault((entry.record["space"]["name"], entry.content["device"]), []).append(entry)
        else:
            left_out[reason] += 1
    trained = 0
    for (space, _), entries in sorted(groups.items()):
        # By key, which is as good as by chance.
        entries.sort(key=lambda entry: (entry.record["status"] != "ok", entry.folder.name))
        for entry in entries[:samples]:
            if report is not None:
                seconds = entry.record["seconds"]
                report(f"training {entry.folder.name[:12]} of space {space} anew ({seconds:.0f} s)")
            trained += 1
            difference = _difference(entry, learned[entry.content["task"]])
            if difference is not None:
                return Adoption(trained, 0, left_out, f"{entry.folder}: {difference}")
    adopted = [entry for entries in groups.values() for entry in entries]
    for entry in adopted:
        make = functools.partial(_link, entry)
        store.ensure(KIND, digest(entry.content), make, {"event": "adopted", "from": entry.folder.name})
    return Adoption(trained, len(adopted), left_out)


def _hidden(store: Store) -> tuple[list[_Entry], Counter[str]]:
    """Find the entries that no key of today reaches; count those that cannot be read, by reason."""
    hidden: dict[str, _Entry] = {}
    left_out: Counter[str] = Counter()
    made_by: dict[str, dict[str, str]] = {}
    for folder in sorted(store.folders(KIND), key=lambda folder: folder.stat().st_mtime):
        try:
            record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            content, settings = record["key"], record.get("space")
            # In the dtype that it was trained in, whichever this processor would choose.
            precision = content["dtype"].removeprefix("torch.")
            recipe = Recipe.model_validate({**record["recipe"], "precision": precision})
            if settings is None:
                left_out["made by a version that did not note the settings of the space"] += 1
                continue
            space = spaces.get(settings)
            name = json.dumps(settings, sort_keys=True)
            if name not in made_by:
                made_by[name] = versions(space)
            entry = _Entry(folder, record, content | made_by[name], space, recipe)
            entry.content["recipe"] = recipe_values(recipe)
        except (TgsageError, ValidationError):
            left_out["of a space or a recipe that is unknown today"] += 1
        except (OSError, ValueError, KeyError, TypeError):
            left_out["damaged"] += 1
        else:
            key = digest(entry.content)
            if key != folder.name and not store.path(KIND, key).is_dir():
                # An entry that was adopted before lies there twice or more; the last is of the youngest code.
                hidden[key] = entry
    return list(hidden.values()), left_out


def _obstacle(store: Store, entry: _Entry, learned: Mapping[str, Task]) -> str | None:
    """Why an entry cannot be compared or adopted here; None where it can."""
    device = entry.device.type
    if device == "cuda" and not torch.cuda.is_available():
        return "made on a GPU, and there is none here"
    if not same_kind(entry.record.get("processor"), _processor(device)):
        return "made on another kind of processor"
    if entry.content["task"] not in learned:
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


def _difference(entry: _Entry, task: Task) -> str | None:
    """Train an entry anew; the first thing that comes out different, None where nothing does."""
    text, before = entry.content["architecture"], entry.record
    seed = recorded_seed(entry.content["space_key"], text, entry.recipe, task.digest)
    arch = entry.space.parse(text)
    states, tensors, record = train_entry(entry.space, arch, seed, entry.recipe, task, entry.device)
    for name, value in json.loads(json.dumps(record)).items():
        if name not in ("seconds", "processor", "recipe") and name in before and value != before[name]:
            return f"{name} is {json.dumps(value):.60} now and was {json.dumps(before[name]):.60}"
    for file, now in ((WEIGHTS, states), (RESUME, tensors)):
        stored = load_file(entry.folder / file) if (entry.folder / file).is_file() else {}
        if now.keys() != stored.keys():
            return f"{file}: other tensors than before, e.g. {min(now.keys() ^ stored.keys())}"
        for name, tensor in now.items():
            difference = _tensor_difference(tensor, stored[name])
            if difference is not None:
                where = f"{file}: {name}"
                if file == WEIGHTS:
                    where = "checkpoint {}, tensor {}".format(*name.split("/", 1))
                return f"{where}: {difference}"
    return None


def _tensor_difference(now: torch.Tensor, before: torch.Tensor) -> str | None:
    """How two tensors differ; None where all bits are the same."""
    if (now.shape, now.dtype) != (before.shape, before.dtype):
        return f"{now.dtype} {tuple(now.shape)} now, {before.dtype} {tuple(before.shape)} before"
    if torch.equal(now.flatten().view(torch.uint8), before.flatten().view(torch.uint8)):
        return None
    return f"largest absolute difference {float((now.double() - before.double()).abs().max()):.3g}"


def _link(entry: _Entry, folder: Path) -> None:
    """Link the files of an entry into the folder of its key of today."""
    for name in (WEIGHTS, RESUME):
        if (entry.folder / name).is_file():
            os.link(entry.folder / name, folder / name)
    write_json(folder / RECORD, {**entry.record, "key": entry.content})
