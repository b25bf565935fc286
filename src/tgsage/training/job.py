"""One candidate of a search, trained in a process of its own, and its ``training.json``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import plugins, spaces
from ..errors import TgsageError
from ..plugins import checked
from .isolation import PRELOAD, Outcome, Report, run_isolated
from .settings import Recipe  # a declaration, which is in no key: it reads a recipe from plain values

if TYPE_CHECKING:
    from ..spaces.settings import SpaceSettings
    from ..tasks import Task


def train_candidate(  # noqa: PLR0913
    proposal: Mapping[str, Any],
    recipe: Recipe | Mapping[str, Any],
    task_path: str | os.PathLike[str],
    space: SpaceSettings | Mapping[str, Any] | str,
    store_root: str | os.PathLike[str],
    device: str,
    *,
    round: int | None = None,
    earlier: Sequence[float] = (),
    preload: Sequence[str] = PRELOAD,
    check: Callable[[Sequence[int]], object] | None = None,
    then: Callable[[dict[str, Any], Task], Any] | None = None,
) -> tuple[dict[str, Any], Outcome | None]:
    """Train a proposed architecture, or take it from the store.

    The work is done in a child process. What goes wrong with the candidate is returned, not raised: it cannot
    be built, diverges, lacks memory or crashes (``failed``), or takes longer than the recipe allows
    (``timeout``). ``examples`` and ``seconds`` count since the first step, also of a candidate that was
    continued or comes from the store.

    Parameters
    ----------
    proposal
        ``slot``, ``architecture`` (canonical JSON text), and, if present, ``candidate`` (its key, which is
        checked) and ``round``.
    recipe
        How it is trained.
    task_path
        The task's file.
    space
        Settings of the space.
    store_root
        The store's folder.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``. CUDA starts in the child only.
    round
        Round, where the proposal has none.
    earlier
        Shares of the training at which it may have stopped before; it is continued from the latest that the
        store has, see :func:`tgsage.training.ensure_trained`.
    preload
        As in :func:`tgsage.training.run_isolated`.
    check
        Called before anything is trained with the number of features of each probe; a TgsageError of its ends
        the job. Like a function that is run in another process, it has to be importable.
    then
        Called in the same process with what ``training.json`` holds and the task, once there is such a
        record, for no longer than the training may take.

    Returns
    -------
    dict
        What ``training.json`` holds of a candidate: ``status``, ``reason``, ``candidate``, ``architecture``,
        ``round``, ``slot``, ``parameters``, ``flops``, ``probes``, ``n_probes``, ``examples``, ``seconds``,
        ``training_loss_sum``, ``curve``, ``checkpoints``, ``store_key``, ``device``, ``processor`` (see
        :func:`tgsage.store.processor.processor`), ``recipe``. Unknown values are null.
    Outcome or None
        What came of ``then``; None if it was not called.

    Raises
    ------
    TgsageError
        For what is wrong with the set-up rather than with the candidate: no such task file, no such device, a
        proposal of another space, a recipe that does not fit the task; or if ``then`` raised one.
    """
    recipe = recipe if isinstance(recipe, Recipe) else checked("recipe", Recipe, recipe)
    chosen = spaces.get(space)
    arch = chosen.canonical(chosen.parse(proposal["architecture"]))
    key = chosen.key(arch)
    if proposal.get("candidate", key) != key:
        raise TgsageError(
            f"slot {proposal['slot']}: the proposal is candidate {proposal['candidate']}, but its "
            f"architecture has the key {key} in this space; they were made with other settings of "
            "search.space, propose again"
        )
    known: dict[str, Any] = {
        "status": "failed",
        "reason": None,
        "candidate": key,
        "architecture": chosen.format(arch),
        "round": proposal.get("round", round),
        "slot": proposal["slot"],
        "parameters": None,
        "flops": None,
        "probes": [],
        "n_probes": 0,
        "examples": 0,
        "seconds": 0.0,
        "training_loss_sum": None,
        "curve": [],
        "checkpoints": [],
        "store_key": None,
        "device": None,
        "processor": None,
        "recipe": recipe.plain(),
    }
    outcome = run_isolated(
        _train_here,
        (
            known,
            recipe,
            os.fspath(task_path),
            chosen.settings.plain(),
            os.fspath(store_root),
            device,
            tuple(earlier),
            plugins.loaded_files(),
            check,
            then,
        ),
        recipe.timeout_seconds,
        reports=True,
        preload=preload,
    )
    # What the child reported before it was lost: counts, the images seen, what an earlier part had cost, and,
    # if it was lost after the training, what that came to.
    told = dict(outcome.reports)
    if "trained" in told:
        record: dict[str, Any] = told["trained"]
        return record, None if then is None else outcome
    assert outcome.failure is not None
    told["seconds"] = outcome.seconds + told.pop("seconds_before", 0.0)
    if outcome.failure.kind == "timeout":
        told["status"] = "timeout"
    told["reason"] = f"{outcome.failure.kind}: {outcome.failure.reason}"
    return _record(known, told), None


def _record(known: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in values.items() if name in known and value is not None}
    return {**known, **found, "n_probes": len(found.get("probes", ())), "recipe": known["recipe"]}


def _train_here(  # noqa: PLR0913
    known: dict[str, Any],
    recipe: Recipe,
    task_path: str,
    space: dict[str, Any],
    store_root: str,
    device: str,
    earlier: tuple[float, ...],
    plugin_files: tuple[str, ...],
    check: Callable[[Sequence[int]], object] | None,
    then: Callable[[dict[str, Any], Task], Any] | None,
    *,
    report: Report,
) -> Any:
    """What the child runs: report the record as ``trained``, and return what ``then`` returns."""
    # Only the child needs torch.
    from .. import tasks
    from ..store import Store
    from .cache import OutOfMemory, ensure_trained

    told: dict[str, Any] = {}

    def checked_report(progress: dict[str, Any]) -> None:
        told.update(progress)
        report(progress)
        if check is not None and "features" in progress:
            check(progress["features"])

    plugins.load_files(plugin_files)
    chosen = spaces.get(space)
    task = tasks.load(task_path)
    start = time.perf_counter()
    try:
        stored = ensure_trained(
            Store(store_root),
            chosen,
            chosen.parse(known["architecture"]),
            recipe,
            task,
            device,
            earlier=earlier,
            report=checked_report,
        )
        values = {**stored.record, "store_key": stored.key}
    except OutOfMemory as error:
        seconds = time.perf_counter() - start + told.get("seconds_before", 0.0)
        values = {**told, "status": "failed", "reason": str(error), "examples": error.examples}
        values["seconds"] = seconds
    record = _record(known, values)
    report({"trained": record}, anew=True)
    return None if then is None else then(record, task)
