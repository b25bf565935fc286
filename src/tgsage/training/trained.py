"""What was trained once is never trained again.

An entry of the store, kind ``trained``, is a candidate's weights at every checkpoint
(``weights.safetensors``) and what training it said and cost (``record.json``). Its key holds everything
that can change either, and nothing else: the canonical architecture with the settings and the code of its
space; the recipe except its timeout; the content of the task; the code of the training loop; torch's
version; the class of device, the dtype and, through the recipe, the number of threads. Teacher, metric,
alpha, arm, round and slot are not in it.

A candidate that fails for a reason of its own (it cannot be built or run, or it diverges) is an entry too:
the same key would fail again, and its cost counts. A timeout, a crash and a lack of memory depend on the
machine and its load, and leave no entry.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ..config.training import Recipe
from ..errors import TgsageError
from ..store import Store, digest, stage_digest, write_json
from .counts import count_flops, count_parameters
from .devices import device_class, resolve_device, resolve_precision, threads
from .loop import Diverged, candidate_seed, initial_module, train

if TYPE_CHECKING:
    from ..spaces import Architecture, Space
    from ..tasks import Task

KIND = "trained"
WEIGHTS = "weights.safetensors"
RECORD = "record.json"


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
        (of the original run), ``device``, ``recipe``, and under ``key`` what the key was made from.
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
    report: Callable[[dict[str, Any]], None] | None = None,
) -> Stored:
    """Return a trained candidate, training it if the store has no intact entry.

    Parameters
    ----------
    store
        Where entries are.
    space, arch, recipe, task, device
        As in :func:`candidate_key`.
    report
        Called with progress: ``parameters``, ``flops`` and ``probes`` once known, then ``examples``.

    Returns
    -------
    Stored
        ``record["status"]`` is ``"ok"`` or ``"failed"``.

    Raises
    ------
    OutOfMemory
        If the candidate does not fit; nothing is stored.
    """
    device = resolve_device(device)
    content = key_content(space, arch, recipe, task, device)
    key = digest(content)

    def make(folder: Path) -> None:
        states, record = _train_entry(space, arch, recipe, task, device, report or (lambda _: None))
        if states:
            save_file(states, folder / WEIGHTS)
        write_json(folder / RECORD, {**record, "key": content})

    return _read(store.ensure(KIND, key, make), key)


def stored_candidate(
    store: Store,
    key: str,
    space: Space,
    arch: Architecture,
    recipe: Recipe,
    task: Task,
    device: str | torch.device,
) -> Stored:
    """Return the entry that a ``training.json`` names, training it again if it is lost or corrupt.

    Unlike :func:`ensure_trained` this reads weights that another class of device has made, and refuses to
    train under another key than the one named: a score must belong to the training it is filed beside.

    Raises
    ------
    TgsageError
        If the entry is lost and what would be trained now has another key.
    """

    def make(folder: Path) -> None:
        now = candidate_key(space, arch, recipe, task, device)
        if now != key:
            raise TgsageError(
                f"{store.path(KIND, key)}: the trained weights are lost, and code, versions, task or device "
                f"have changed since (the key would be {now[:12]}...); run this candidate's training again"
            )
        states, record = _train_entry(space, arch, recipe, task, resolve_device(device), lambda _: None)
        if states:
            save_file(states, folder / WEIGHTS)
        write_json(folder / RECORD, {**record, "key": key_content(space, arch, recipe, task, device)})

    return _read(store.ensure(KIND, key, make), key)


def _read(folder: Path, key: str) -> Stored:
    return Stored(folder, key, json.loads((folder / RECORD).read_text(encoding="utf-8")))


def _train_entry(
    space: Space,
    arch: Architecture,
    recipe: Recipe,
    task: Task,
    device: torch.device,
    report: Callable[[dict[str, Any]], None],
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Train; return tensors to save, named ``<checkpoint>/<name in the state dict>``, and the record."""
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
    seen = 0

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
                return {}, {**record, "reason": f"cannot be built: {one_line(error)}"}
            known = {
                "parameters": count_parameters(module),
                "flops": flops,
                "probes": list(module.probe_names),
            }
        record.update(known)
        report(known)
        trained = train(module, task, recipe, seed, device, report=watch)
    except Diverged as error:
        record.update(
            reason=f"diverged: {error}", examples=error.examples, seconds=error.seconds, curve=error.curve
        )
        return {}, record
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
    return states, record


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
    module = type(space).__module__
    if module.split(".")[0] == "tgsage":
        return stage_digest(module.removeprefix("tgsage."))
    # A space of the user's own: its file, whole.
    try:
        return hashlib.sha256(inspect.getsource(inspect.getmodule(type(space))).encode()).hexdigest()[:16]
    except (OSError, TypeError):
        raise TgsageError(
            f"space {space.name!r}: the source of {type(space).__name__} cannot be read, so that a change of "
            "it would go unnoticed; define the class in a file"
        ) from None
