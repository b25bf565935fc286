"""What was trained once is never trained again.

An entry of the store, kind ``trained``, is a candidate's weights at every checkpoint
(``weights.safetensors``) and what training it said and cost (``record.json``). Its key holds everything
that can change either, and nothing else: the canonical architecture with the settings and the code of its
space; the recipe except its timeout; the content of the task; the code of the training loop; torch's
version; the class of device, the dtype and, through the recipe, the number of threads. Teacher, metric,
alpha, arm, round and slot are not in it.

A training that stops before the end of its schedule (the recipe's ``stop``) also leaves all that its next
step depends on (``resume.safetensors``), so that a later stop can continue from it. That changes what is
computed, not what comes out: whether an entry was continued, and from where, is not in it. The store's
journal tells, with a hit of the earlier entry.

A candidate that fails for a reason of its own (it cannot be built or run, or it diverges) is an entry too:
the same key would fail again, and its cost counts. A timeout, a crash and a lack of memory depend on the
machine and its load, and leave no entry.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ..errors import TgsageError
from ..store import Store, digest, stage_digest, write_json
from .counts import count_flops, count_parameters
from .devices import device_class, resolve_device, resolve_precision, threads
from .loop import Checkpoint, Diverged, Paused, candidate_seed, initial_module, train
from .settings import Recipe

if TYPE_CHECKING:
    from ..spaces import Architecture, Space
    from ..tasks import Task

KIND = "trained"
WEIGHTS = "weights.safetensors"
RECORD = "record.json"
RESUME = "resume.safetensors"


class OutOfMemory(TgsageError):
    """A candidate did not fit into memory; says nothing about a bigger or an emptier machine.

    Attributes
    ----------
    examples
        Training images seen before.
    """

    def __init__(self, message: str, *, examples: int = 0):
        super().__init__(message)
        self.examples = examples


@dataclass(frozen=True)
class Stored:
    """An entry of the store.

    Attributes
    ----------
    folder
        Where it is.
    key
        Its key.
    record
        ``status`` ("ok" or "failed"), ``reason``, ``parameters``, ``flops``, ``probes``, ``curve``,
        ``checkpoints`` (``share`` and ``examples`` of each), ``training_loss_sum``, ``examples``, ``seconds``
        (of the original run; both since the first step, however often it was continued), ``device``,
        ``recipe``, and under ``key`` what the key was made from.
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


def key_content(
    space: Space, arch: Architecture, recipe: Recipe, task: Task, device: str | torch.device
) -> dict[str, Any]:
    """Return what the key of a candidate is made from, as JSON-ready values."""
    device = resolve_device(device)
    canonical = space.canonical(arch)
    settings = recipe.plain()
    # How long one waits, and the word by which a dtype was chosen, cannot change the weights.
    del settings["timeout_seconds"], settings["precision"]
    return {
        "space": space.name,
        "space_key": space.key(canonical),
        "architecture": space.format(canonical),
        "space_code": _code_of(space),
        "recipe": settings,
        "dtype": str(resolve_precision(recipe.precision, device)),
        "task": task.digest,
        "n_classes": task.n_classes,
        "code": stage_digest("training.loop"),
        "torch": torch.__version__,
        "device": device_class(device),
    }


def candidate_key(
    space: Space, arch: Architecture, recipe: Recipe, task: Task, device: str | torch.device
) -> str:
    """Return the store key of a trained candidate, 64 hexadecimal digits; see the module's page.

    Parameters
    ----------
    space, arch
        The architecture; every spelling of one canonical form has one key.
    recipe
        How it is trained; its ``timeout_seconds`` does not count.
    task
        What it learns; its content counts, its file and name do not.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``; of a GPU the model counts.
    """
    return digest(key_content(space, arch, recipe, task, device))


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

    The training goes on from the latest of the ``earlier`` stops that the store has an intact entry of, and
    from the start if there is none. The result is the same: on a CPU every tensor, the curve and the record
    but for its ``seconds``.

    Parameters
    ----------
    store
        Where entries are.
    space, arch, recipe, task, device
        As in :func:`candidate_key`.
    earlier
        Shares at which this candidate may have stopped before, as a recipe's ``stop``; those that are not
        before this recipe's do not count.
    report
        Called with progress: ``parameters``, ``flops`` and ``probes`` once known, then ``examples``; and
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
        paused = _paused(store, content, earlier)
        _write_entry(folder, space, arch, recipe, task, device, content, paused, report or (lambda _: None))

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
    made, and refuses to train under another key than the one named: a score must belong to the training it
    is filed beside.

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
                f"{store.path(KIND, key)}: the trained weights are lost, and code, versions, task or device "
                f"have changed since (the key would be {now[:12]}...); run this candidate's training again"
            )
        paused = _paused(store, content, earlier)
        _write_entry(folder, space, arch, recipe, task, place, content, paused, lambda _: None)

    return _read(store.ensure(KIND, key, make), key)


def _read(folder: Path, key: str) -> Stored:
    return Stored(folder, key, json.loads((folder / RECORD).read_text(encoding="utf-8")))


def _check_shares(shares: Sequence[float]) -> None:
    for share in shares:
        if not 0 < share <= 1:
            raise TgsageError(f"earlier: {share!r} is no share of a training; give shares between 0 and 1")


class _NotThere(Exception):
    """The store has no intact entry, and none is to be made."""


def _paused(store: Store, content: dict[str, Any], earlier: Sequence[float]) -> Paused | None:
    """What the latest earlier stop of the same training has left in the store; None without one.

    An entry that another process is making is waited for. Locks are taken from later stops to earlier ones
    only, so that nobody waits in a circle.
    """

    def make(_folder: Path) -> None:
        raise _NotThere

    for share in sorted(set(earlier), reverse=True):
        if share >= content["recipe"]["stop"]:
            continue
        key = digest({**content, "recipe": {**content["recipe"], "stop": float(share)}})
        try:
            stored = _read(store.ensure(KIND, key, make), key)
            if stored.record["status"] != "ok":
                continue  # It diverged, and will again.
            checkpoints = [
                Checkpoint(kept["share"], kept["examples"], stored.load(number))
                for number, kept in enumerate(stored.record["checkpoints"])
            ]
            return Paused(load_file(stored.folder / RESUME), checkpoints, stored.record["seconds"])
        except (_NotThere, FileNotFoundError):
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
    paused: Paused | None,
    report: Callable[[dict[str, Any]], None],
) -> None:
    """Train, and write the files of an entry."""
    states, resume, record = _train_entry(space, arch, recipe, task, device, paused, report)
    if states:
        save_file(states, folder / WEIGHTS)
    if resume:
        save_file(resume, folder / RESUME)
    write_json(folder / RECORD, {**record, "key": content})


def _train_entry(
    space: Space,
    arch: Architecture,
    recipe: Recipe,
    task: Task,
    device: torch.device,
    paused: Paused | None,
    report: Callable[[dict[str, Any]], None],
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], dict[str, Any]]:
    """Train; return what is to be saved.

    The weights, named ``<checkpoint>/<name in the state dict>``; the tensors to continue from; the record.
    """
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
        "recipe": recipe.plain(),
    }
    seed = candidate_seed(space, arch, recipe, task)
    seen = 0 if paused is None else paused.checkpoints[-1].examples

    def watch(progress: dict[str, Any]) -> None:
        nonlocal seen
        seen = progress["examples"]
        report(progress)

    try:
        with threads(recipe.threads):
            try:
                module = initial_module(space, arch, task.n_classes, seed)
                # Counting runs the forward pass once: what cannot run fails here, as the candidate's fault.
                flops = count_flops(module, task.resolution)
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                return {}, {}, {**record, "reason": f"cannot be built: {one_line(error)}"}
            known = {
                "parameters": count_parameters(module),
                "flops": flops,
                "probes": list(module.probe_names),
            }
        record.update(known)
        report(known)
        if paused is not None:
            report({"seconds_before": paused.seconds, "examples": seen})
        trained = train(module, task, recipe, seed, device, paused=paused, report=watch)
    except Diverged as error:
        record.update(
            reason=f"diverged: {error}", examples=error.examples, seconds=error.seconds, curve=error.curve
        )
        return {}, {}, record
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory(f"out of memory: {one_line(error)}", examples=seen) from error
        raise
    record.update(
        status="ok",
        training_loss_sum=trained.training_loss_sum,
        examples=trained.examples,
        seconds=trained.seconds,
        curve=trained.curve,
        checkpoints=[{"share": kept.share, "examples": kept.examples} for kept in trained.checkpoints],
    )
    states = {
        f"{number}/{name}": value
        for number, kept in enumerate(trained.checkpoints)
        for name, value in kept.state.items()
    }
    resume = {} if trained.paused is None else dict(trained.paused.tensors)
    return states, resume, record


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory was short, on the GPU or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def one_line(error: BaseException) -> str:
    """Return the type and the first line of what an exception says."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


def _code_of(space: Space) -> str:
    """Digest the code that builds the space's networks."""
    # A list builds the networks of another space.
    space = getattr(space, "of", space)
    if space.code_digest is not None:
        return space.code_digest
    module = type(space).__module__
    if module.split(".")[0] == "tgsage":
        return stage_digest(module.removeprefix("tgsage."))
    # A space of the user's own that was not loaded from the configuration: its file, whole.
    try:
        return hashlib.sha256(inspect.getsource(inspect.getmodule(type(space))).encode()).hexdigest()[:16]
    except (OSError, TypeError):
        raise TgsageError(
            f"space {space.name!r}: the source of {type(space).__name__} cannot be read, so that a change of "
            "it would go unnoticed; define the class in a file"
        ) from None
