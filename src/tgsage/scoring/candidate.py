"""A trained candidate: its accuracy, and its similarity with a teacher at every checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr

from ..errors import TgsageError
from ..runs.rsa import SPLITS, as_observed, undefined_target
from ..store import Store
from ..threads import threads
from ..training.cache import Stored, stored_candidate
from ..training.devices import resolve_device, to_channels_last
from ..training.loop import set_normalisation
from ..training.probes import Evaluation, evaluate, feature_counts, probe_names
from ..training.settings import Recipe  # a declaration, which is in no key: it reads a recipe from JSON
from .memory import room_for_activations
from .similarity import prepare, similarities

if TYPE_CHECKING:
    from ..runs.settings import Scoring
    from ..spaces import Space
    from ..tasks import Task

OBSERVED = "observed/"
"""What precedes the names of an observed teacher's targets while they are compared."""


def score_candidate(
    training: Mapping[str, Any],
    task: Task,
    teacher: xr.DataTree | None,
    settings: Scoring,
    store: Store,
    space: Space,
    device: str | torch.device,
    *,
    observed: xr.DataTree | None = None,
    memory: int | None = None,
) -> xr.Dataset:
    """Score a candidate at every checkpoint, on the task's validation part and against a teacher.

    Weights that the store has lost are trained again. Numbers are computed in float32 with the threads of the
    candidate's recipe.

    Parameters
    ----------
    training
        Content of ``training.json``.
    task, store, space, device
        As in :func:`tgsage.training.ensure_trained`.
    teacher
        Targets, with images at the task's resolution; None measures accuracy only.
    settings
        Method of comparison, layer choice (decides what is invalid), batch size.
    observed
        A second teacher that is measured and steers nothing, e.g. the real one beside its shuffled control.
        Targets with the same images share the forward passes and the layers' RDMs.
    memory
        Bytes that this may take, as in :func:`tgsage.scoring.memory.room_for_activations`.

    Returns
    -------
    xarray.Dataset
        ``rsa`` (checkpoint, split, target, layer) float64, NaN for a dead layer and for a split without
        stimuli; ``accuracy`` and ``loss`` (checkpoint) on the validation part; ``ceiling_lower``,
        ``ceiling_upper`` and ``n_stimuli`` (split, target), the teacher's. Coordinates: ``share`` and
        ``examples`` (checkpoint), ``split``, ``target``, ``weight`` (target), ``layer``. Attributes:
        ``status`` ("ok", "failed", "invalid", "timeout"), ``reason``, ``candidate``, ``store_key``,
        those of the scoring (:meth:`Scoring.attributes`), ``teacher``, ``teacher_digest``, ``simulated``,
        ``n_probes``, and ``validation_seen``: 1 if the recipe trained on the validation images, whose
        accuracy is then no estimate of anything. A candidate that failed or timed out has no checkpoints. It
        is ``invalid`` if some target has no layer with a finite similarity. With an observed teacher the same
        of its targets under names with ``observed_`` before them, on the dimension ``observed`` (see
        :func:`tgsage.runs.rsa.observed_part`), and attributes ``observed_teacher`` and ``observed_digest``.

    Raises
    ------
    TgsageError
        If the teacher's images do not fit the task, or the weights are lost and would come out different.
    """
    trees = [tree for tree in (teacher, observed) if tree is not None]
    attributes: dict[str, str | int] = {
        "status": str(training["status"]),
        "reason": str(training["reason"] or ""),
        "candidate": str(training["candidate"]),
        "store_key": str(training["store_key"] or ""),
        **settings.attributes(),
        "teacher": "" if teacher is None else str(teacher.attrs.get("teacher", "")),
        "teacher_digest": "" if teacher is None else str(teacher.attrs.get("digest", "")),
        "simulated": int(bool(task.simulated) or any(tree.attrs.get("simulated", 0) for tree in trees)),
        "n_probes": len(training["probes"]),
        "validation_seen": int(training["recipe"]["images"] == "train+validation"),
    }
    if observed is not None:
        attributes["observed_teacher"] = str(observed.attrs.get("teacher", ""))
        attributes["observed_digest"] = str(observed.attrs.get("digest", ""))
    groups = _groups(teacher, task)
    second = None if observed is None else _groups(observed, task)
    if training["status"] != "ok":
        return _dataset(groups, [], [], {}, [], attributes, second)
    stored, module = _module(training, task, store, space, device)
    layers = probe_names(module)
    prepared = {} if teacher is None else prepare(teacher, None, SPLITS)
    if observed is not None:
        # No target's name holds a slash.
        prepared |= {f"{OBSERVED}{name}": target for name, target in prepare(observed, None, SPLITS).items()}
    options: dict[str, Any] = {"mean": task.mean, "std": task.std, "device": resolve_device(device)}
    options["batch_size"] = settings.batch_size
    features = feature_counts(module, layers, (task.resolution, task.resolution))
    held = room_for_activations(
        trees,
        list(features.values()),
        resolution=task.resolution,
        batch_size=settings.batch_size,
        memory=memory,
    )
    similarity: list[dict[tuple[str, str], np.ndarray]] = []
    evaluations = []
    with threads(training["recipe"]["threads"]):
        for checkpoint in range(stored.n_checkpoints):
            module.load_state_dict(stored.load(checkpoint))
            evaluations.append(evaluate(module, task.validation.images, task.validation.labels, **options))
            similarity.append(
                similarities(module, prepared, layers, method=settings.compare, held=held, **options)
            )
    rsa = {
        key: np.stack([values[key] for values in similarity])  # (checkpoint, layer)
        for key in (similarity[0] if similarity else {})
    }
    scored = _dataset(groups, layers, stored.record["checkpoints"], rsa, evaluations, attributes, second)
    undefined = undefined_target(scored, settings)
    if undefined is not None:
        scored.attrs["status"] = "invalid"
        scored.attrs["reason"] = f"no layer has a finite similarity with target {undefined!r}"
    return scored


def trained_module(
    training: Mapping[str, Any],
    task: Task,
    store: Store,
    space: Space,
    device: str | torch.device = "cpu",
    checkpoint: int = -1,
) -> torch.nn.Module:
    """Return a candidate's network with its trained weights, in evaluation mode.

    Parameters
    ----------
    training
        Content of ``training.json``.
    task, store, space, device
        As in :func:`tgsage.training.ensure_trained`: lost weights are trained again.
    checkpoint
        Which one; negative numbers count from the last.

    Returns
    -------
    torch.nn.Module
        With ``probe_names``, and ``normalisation`` = (mean, std) as :func:`tgsage.scoring.score` reads it.

    Raises
    ------
    TgsageError
        If the candidate has no weights.
    """
    if training["status"] != "ok":
        raise TgsageError(
            f"candidate {training['candidate']} is {training['status']} ({training['reason']}) and has no "
            "weights"
        )
    stored, module = _module(training, task, store, space, device)
    module.load_state_dict(stored.load(checkpoint))
    set_normalisation(module, task)
    return module.to(resolve_device(device))


def _module(
    training: Mapping[str, Any], task: Task, store: Store, space: Space, device: str | torch.device
) -> tuple[Stored, torch.nn.Module]:
    """The candidate's entry, and its network without the entry's weights yet."""
    recipe = Recipe.model_validate(training["recipe"])
    arch = space.parse(training["architecture"])
    stored = stored_candidate(store, training["store_key"], space, arch, recipe, task, device)
    # The parameters will be overwritten; their draws must not move anybody else's stream.
    with torch.random.fork_rng(devices=[]):
        module = space.build(arch, task.n_classes)
    if recipe.channels_last:
        to_channels_last(module)
    return stored, module.eval()


def _groups(teacher: xr.DataTree | None, task: Task) -> dict[str, xr.Dataset]:
    """The targets of a teacher by name; their images have to be of the task's size."""
    if teacher is None:
        return {}
    groups = {str(name): node.to_dataset() for name, node in teacher.children.items()}
    for name, group in groups.items():
        if "images" in group and group["images"].shape[1:3] != (task.resolution, task.resolution):
            raise TgsageError(
                f"teacher {str(teacher.attrs.get('teacher', ''))!r}, target {name!r}: its images are "
                f"{group['images'].shape[1]} pixels and the task's {task.resolution}; make the teacher for "
                "this task"
            )
    return groups


def _dataset(
    groups: Mapping[str, xr.Dataset],
    layers: list[str],
    checkpoints: list[dict[str, Any]],
    rsa: Mapping[tuple[str, str], np.ndarray],
    evaluations: list[Evaluation],
    attributes: Mapping[str, str | int],
    observed: Mapping[str, xr.Dataset] | None,
) -> xr.Dataset:
    dataset = xr.Dataset(
        {
            "accuracy": ("checkpoint", np.array([one.accuracy for one in evaluations], dtype=np.float64)),
            "loss": ("checkpoint", np.array([one.loss for one in evaluations], dtype=np.float64)),
        },
        coords={
            "share": ("checkpoint", np.array([one["share"] for one in checkpoints], dtype=np.float64)),
            "examples": ("checkpoint", np.array([one["examples"] for one in checkpoints], dtype=np.int64)),
            "split": list(SPLITS),
            "layer": np.array(layers, dtype=str),
        },
        attrs=dict(attributes),
    )
    dataset.update(_measured(groups, layers, len(checkpoints), rsa))
    if observed is not None:
        dataset.update(as_observed(_measured(observed, layers, len(checkpoints), rsa, OBSERVED)))
    return dataset


def _measured(
    groups: Mapping[str, xr.Dataset],
    layers: list[str],
    n_checkpoints: int,
    rsa: Mapping[tuple[str, str], np.ndarray],
    prefix: str = "",
) -> xr.Dataset:
    """Similarities, ceilings and numbers of stimuli of one teacher's targets, in ``rsa`` under a prefix."""
    values = np.full((n_checkpoints, len(SPLITS), len(groups), len(layers)), np.nan)
    bounds = np.full((2, len(SPLITS), len(groups)), np.nan)
    n_stimuli = np.zeros((len(SPLITS), len(groups)), dtype=np.int64)
    for column, (name, group) in enumerate(groups.items()):
        assigned = group["split"].values.astype(str)
        parts = [str(part) for part in group["part"].values] if "part" in group else []
        for row, split in enumerate(SPLITS):
            n_stimuli[row, column] = (assigned == split).sum()
            if split in parts:
                for bound, variable in enumerate(("ceiling_lower", "ceiling_upper")):
                    bounds[bound, row, column] = group[variable].values[parts.index(split)]
            if (split, prefix + name) in rsa:
                values[:, row, column] = rsa[split, prefix + name]
    return xr.Dataset(
        {
            "rsa": (("checkpoint", "split", "target", "layer"), values),
            "ceiling_lower": (("split", "target"), bounds[0]),
            "ceiling_upper": (("split", "target"), bounds[1]),
            "n_stimuli": (("split", "target"), n_stimuli),
        },
        coords={
            "target": np.array(list(groups), dtype=str),
            "weight": ("target", np.array([float(g.attrs.get("weight", 1.0)) for g in groups.values()])),
        },
    )
