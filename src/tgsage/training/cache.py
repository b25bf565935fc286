"""What was trained once is never trained again.

An entry of the store, kind ``trained``, holds a candidate's weights at every checkpoint
(``weights.safetensors``) and what its training said and cost (``record.json``). A training that stops before
the end of its schedule (the recipe's ``stop``) also leaves ``resume.safetensors``, from which a later stop
continues. What comes out is the same; only the store's journal tells, by a hit of the earlier entry.

A candidate that fails for a reason of its own (it cannot be built or run, or it diverges) is an entry too:
the same key would fail again, and its cost counts. A timeout, a crash and a lack of memory depend on the
machine and its load, and leave no entry.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ..errors import TgsageError
from ..store import Store, digest, write_json
from ..store.processor import processor
from ..threads import threads
from .counts import count_flops, count_parameters
from .devices import device_class, resolve_device
from .keys import builder, key_content, with_precision
from .loop import Checkpoint, Diverged, TrainingState, train
from .probes import feature_counts, probe_names
from .seeds import candidate_seed, initial_module

if TYPE_CHECKING:
    from ..spaces import Architecture, Space
    from ..tasks import Task
    from .settings import Recipe

KIND = "trained"
WEIGHTS = "weights.safetensors"
RECORD = "record.json"
RESUME = "resume.safetensors"


class OutOfMemory(TgsageError):
    """A candidate did not fit into memory, after ``examples`` training images; a bigger machine may do."""

    def __init__(self, message: str, *, examples: int = 0):
        super().__init__(message)
        self.examples = examples


@dataclass(frozen=True)
class Stored:
    """An entry of the store: its folder, its key, and its record.

    Attributes
    ----------
    record
        ``status`` ("ok" or "failed"), ``reason``, ``parameters``, ``flops``, ``probes``, ``curve``,
        ``checkpoints`` (``share`` and ``examples`` of each), ``training_loss_sum``, ``examples``, ``seconds``
        (of the original run; both since the first step, however often it was continued), ``device``,
        ``processor`` (see :func:`tgsage.store.processor.processor`), ``recipe``, ``space`` (the settings of
        the space that builds the network), and under ``key`` what the key was made from.
    """

    folder: Path
    key: str
    record: dict[str, Any]

    @property
    def n_checkpoints(self) -> int:
        """Number of checkpoints; 0 for a failed candidate."""
        return len(self.record["checkpoints"])

    def load(self, checkpoint: int = -1) -> dict[str, torch.Tensor]:
        """Return the state dict of a checkpoint on the CPU; negative numbers count from the last.

        Raises
        ------
        TgsageError
            If there is no such checkpoint.
        """
        number = self.n_checkpoints
        if not -number <= checkpoint < number:
            raise TgsageError(
                f"{self.folder}: there is no checkpoint {checkpoint}; the entry has {number} "
                f"(status {self.record['status']})"
            )
        prefix = f"{checkpoint % number}/"
        # Copied: the tensors are views of the mapped file, which would change with it.
        with safe_open(self.folder / WEIGHTS, framework="pt", device="cpu") as file:
            return {
                name.removeprefix(prefix): file.get_tensor(name).clone()
                for name in file.keys()  # noqa: SIM118 (the file is no mapping)
                if name.startswith(prefix)
            }


def ensure_trained(
    store: Store,
    space: Space,
    arch: Architecture,
    recipe: Recipe,
    task: Task,
    device: str | torch.device,
    *,
    earlier: Sequence[float] = (),
    report: Callable[[dict[str, Any]], None] | None = None,
) -> Stored:
    """Return a trained candidate, training it if the store has no intact entry.

    The training continues from the latest of the ``earlier`` stops that the store has an intact entry of. The
    result is the same: on a CPU every tensor, the curve and the record but for its ``seconds``.

    Parameters
    ----------
    store
        Where entries are.
    space, arch, recipe, task, device
        As in :func:`tgsage.training.candidate_key`.
    earlier
        Shares at which this candidate may have stopped before, as a recipe's ``stop``; those that are not
        before this recipe's do not count.
    report
        Called with progress: ``parameters``, ``flops``, ``probes`` and ``features`` (the number of each
        probe's) before training, then ``examples``; and
        ``seconds_before``, what the training had taken when it was continued.

    Returns
    -------
    Stored
        ``record["status"]`` is ``"ok"`` or ``"failed"``.

    Raises
    ------
    OutOfMemory
        If the candidate does not fit; nothing is stored.
    TgsageError
        If a share is not between 0 and 1.
    """
    device = resolve_device(device)
    content = key_content(space, arch, recipe, task, device)
    key = digest(content)
    _check_shares(earlier)

    def make(folder: Path) -> None:
        resume = _earlier_state(store, content, earlier)
        _write_entry(folder, space, arch, recipe, task, device, content, resume, report)

    return _read(store.ensure(KIND, key, make), key)


def stored_candidate(
    store: Store,
    key: str,
    space: Space,
    arch: Architecture,
    recipe: Recipe,
    task: Task,
    device: str | torch.device,
    *,
    earlier: Sequence[float] = (),
) -> Stored:
    """Return the entry that a ``training.json`` names, training it again if it is lost or corrupt.

    Arguments as in :func:`ensure_trained`. Unlike it, this reads weights that another class of device has
    made, and trains under no other key: a score must belong to the training it is filed beside.

    Raises
    ------
    TgsageError
        If the entry is lost and what would be trained now has another key.
    """
    _check_shares(earlier)

    def make(folder: Path) -> None:
        place = resolve_device(device)
        content = key_content(space, arch, recipe, task, place)
        now = digest(content)
        if now != key:
            raise TgsageError(
                f"{store.path(KIND, key)}: the trained weights are lost, and code, versions, task, device or "
                f"processor have changed since (the key would be {now[:12]}...); run this candidate's "
                "training again"
            )
        resume = _earlier_state(store, content, earlier)
        _write_entry(folder, space, arch, recipe, task, place, content, resume)

    return _read(store.ensure(KIND, key, make), key)


def _read(folder: Path, key: str) -> Stored:
    return Stored(folder, key, json.loads((folder / RECORD).read_text(encoding="utf-8")))


def _check_shares(shares: Sequence[float]) -> None:
    for share in shares:
        if not 0 < share <= 1:
            raise TgsageError(f"earlier: {share!r} is no share of a training; give shares between 0 and 1")


def _earlier_state(store: Store, content: dict[str, Any], earlier: Sequence[float]) -> TrainingState | None:
    """What the latest earlier stop of the same training has left in the store; None without one.

    Locks, which wait for other processes, are taken from later stops to earlier ones: never in a circle.
    """

    def make(folder: Path) -> None:
        raise FileNotFoundError(folder)

    for share in sorted(set(earlier), reverse=True):
        if share >= content["recipe"]["stop"]:
            continue
        key = digest({**content, "recipe": {**content["recipe"], "stop": float(share)}})
        try:
            stored = _read(store.ensure(KIND, key, make), key)
            if stored.record["status"] != "ok":
                continue  # It diverged, and will again.
            checkpoints = [
                Checkpoint(checkpoint["share"], checkpoint["examples"], stored.load(number))
                for number, checkpoint in enumerate(stored.record["checkpoints"])
            ]
            return TrainingState(load_file(stored.folder / RESUME), checkpoints, stored.record["seconds"])
        except FileNotFoundError:
            continue  # Never made, damaged, or pruned since it was found.
    return None


def _write_entry(
    folder: Path,
    space: Space,
    arch: Architecture,
    recipe: Recipe,
    task: Task,
    device: torch.device,
    content: dict[str, Any],
    resume: TrainingState | None,
    report: Callable[[dict[str, Any]], None] | None = None,
) -> None:
    """Train, and write the files of an entry."""
    seed = candidate_seed(space, arch, recipe, task)
    states, tensors, record = train_entry(space, arch, seed, recipe, task, device, resume, report)
    if states:
        save_file(states, folder / WEIGHTS)
    if tensors:
        save_file(tensors, folder / RESUME)
    write_json(folder / RECORD, {**record, "space": builder(space).settings.plain(), "key": content})


def train_entry(
    space: Space,
    arch: Architecture,
    seed: int,
    recipe: Recipe,
    task: Task,
    device: torch.device,
    resume: TrainingState | None = None,
    report: Callable[[dict[str, Any]], None] | None = None,
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], dict[str, Any]]:
    """Train, and return weights (``<checkpoint>/<name>``), tensors to continue from, and the record."""
    record: dict[str, Any] = {
        "status": "failed",
        "reason": None,
        "parameters": None,
        "flops": None,
        "probes": [],
        "training_loss_sum": None,
        "examples": 0,
        "seconds": 0.0,
        "curve": [],
        "checkpoints": [],
        "device": device_class(device),
        "processor": processor(str(device)),
        "recipe": recipe.plain(),
    }
    examples = 0 if resume is None else resume.checkpoints[-1].examples

    def watch(progress: dict[str, Any]) -> None:
        nonlocal examples
        examples = progress.get("examples", examples)
        if report is not None:
            report(progress)

    try:
        with threads(recipe.threads):
            try:
                module = initial_module(space, arch, task.n_classes, seed)
                # Counting runs the forward pass once: what cannot run fails here, as the candidate's fault.
                flops = count_flops(module, task.resolution)
                probes = probe_names(module)
                features = feature_counts(module, probes, (task.resolution, task.resolution))
            except Exception as error:
                if _is_out_of_memory(error):
                    raise
                return {}, {}, {**record, "reason": f"cannot be built: {_one_line(error)}"}
            counts = {
                "processor": record["processor"],
                "parameters": count_parameters(module),
                "flops": flops,
                "probes": probes,
            }
        record |= counts
        watch({**counts, "features": list(features.values())})
        if resume is not None:
            watch({"seconds_before": resume.seconds, "examples": examples})
        exact = with_precision(recipe, space, device)
        trained = train(module, task, exact, seed, device, resume=resume, report=watch)
    except Diverged as error:
        record.update(
            reason=f"diverged: {error}", examples=error.examples, seconds=error.seconds, curve=error.curve
        )
        return {}, {}, record
    except Exception as error:
        if _is_out_of_memory(error):
            raise OutOfMemory(f"out of memory: {_one_line(error)}", examples=examples) from error
        raise
    record["status"] = "ok"
    for name in ("training_loss_sum", "examples", "seconds", "curve"):
        record[name] = getattr(trained, name)
    record["checkpoints"] = [{"share": one.share, "examples": one.examples} for one in trained.checkpoints]
    states = {
        f"{number}/{name}": value
        for number, checkpoint in enumerate(trained.checkpoints)
        for name, value in checkpoint.state.items()
    }
    tensors = {} if trained.resume is None else dict(trained.resume.tensors)
    return states, tensors, record


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def _one_line(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__
