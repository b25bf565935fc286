"""Similarity of the layers of a network with the targets of a teacher."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr

from ..errors import TgsageError, unknown
from ..rdm import category_means, compare, rdm, subset
from ..runs.rsa import SPLITS
from ..training.devices import reproducible, resolve_device
from ..training.probes import activations, feature_counts

CANDIDATE_METRIC = {"crossnobis": "sqeuclidean", "poisson": "sqeuclidean"}
"""Metric of a network's RDM where it is not that of the teacher's. Crossnobis is an unbiased estimate of
squared distance from repetitions, of which a network needs none; the Poisson divergence is one of spike
rates, which activations (they may be negative) are not."""

MEMORY = 256 << 20
"""Bytes of activations and RDMs that are held at a time, or one layer's if that is more."""


@dataclass(frozen=True)
class _Part:
    """Some stimuli of a target, the target's RDM of them, and their categories if it is a category RDM."""

    members: np.ndarray
    rdm: np.ndarray
    labels: np.ndarray | None


@dataclass(frozen=True)
class Prepared:
    """A target made ready for many networks: images uint8 (n, y, x, 3), metric, and its parts by name."""

    images: np.ndarray
    metric: str
    parts: dict[str, _Part]


def score(  # noqa: PLR0913
    module: torch.nn.Module,
    stimuli: xr.Dataset | None,
    teacher: xr.DataTree,
    *,
    layers: Sequence[str] | None = None,
    method: str = "spearman",
    split: str | None = None,
    mean: Sequence[float] | np.ndarray | None = None,
    std: Sequence[float] | np.ndarray | None = None,
    device: str | torch.device | None = None,
    batch_size: int = 256,
) -> xr.DataArray:
    """Return the similarity of a network's layers with a teacher's targets.

    ``score(module, None, teacher).max("layer").mean()`` is the TG of Bashivan et al. 2019.

    Parameters
    ----------
    module
        Any torch module that takes float32 (batch, 3, H, W). Its mode is put back.
    stimuli
        ``images`` uint8 (stimulus, y, x, rgb) and ``stimulus_id`` (stimulus), at the size that the module
        takes, all stimuli of the teacher among them; None: the images that the teacher holds.
    teacher
        As :func:`tgsage.teacher.build` makes it.
    layers
        Names of submodules; None: ``module.probe_names``.
    method
        How RDMs are compared: ``spearman``, ``pearson``, ``kendall``, ``rho_a``, ``cosine``, ``whitened``.
    split
        ``"choose"``, ``"reward"`` or ``"report"``: these stimuli only; None: all of them.
    mean, std
        (3,), fractions of 255: the module sees (pixel / 255 - mean) / std. None: what
        :func:`tgsage.training.train` left on the module as ``normalisation``, else 0 and 1.
    device
        Where to run; None: where the module is.
    batch_size
        Images per forward pass.

    Returns
    -------
    xarray.DataArray
        (layer, target) float64 in [-1, 1]; NaN where a layer answers to some stimulus with a constant pattern
        or a value that is not finite. Attributes: ``method``, ``split``, ``teacher``, ``simulated``.

    Raises
    ------
    TgsageError
        If the teacher holds no images and none are given, a stimulus is missing, a layer does not exist, or
        the split or method is unknown.
    """
    layers = getattr(module, "probe_names", None) if layers is None else layers
    if layers is None:
        raise TgsageError(
            f"{type(module).__name__} has no probe_names; say layers=[...], names of module.named_modules()"
        )
    if split is not None and split not in SPLITS:
        raise unknown("split", split, SPLITS)
    kept_mean, kept_std = getattr(module, "normalisation", ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
    prepared = prepare(teacher, stimuli, [split])
    scores = similarities(
        module,
        prepared,
        list(layers),
        method=method,
        mean=kept_mean if mean is None else mean,
        std=kept_std if std is None else std,
        device=device,
        batch_size=batch_size,
    )
    part = "all" if split is None else split
    for name in prepared:
        if (part, name) not in scores:
            raise TgsageError(
                f"teacher target {name!r} has no stimuli in split {split!r}; choose another split"
            )
    values = np.stack([scores[part, name] for name in prepared], axis=1)
    return xr.DataArray(
        values,
        dims=("layer", "target"),
        coords={"layer": list(layers), "target": list(prepared)},
        name="rsa",
        attrs={
            "method": method,
            "split": part,
            "teacher": str(teacher.attrs.get("teacher", "")),
            "simulated": int(teacher.attrs.get("simulated", 0)),
        },
    )


def prepare(
    teacher: xr.DataTree, stimuli: xr.Dataset | None, splits: Sequence[str | None]
) -> dict[str, Prepared]:
    """Take from a teacher what comparing needs, by target, once for all checkpoints.

    The split None is all stimuli, under the name ``"all"``. A part without stimuli is left out.
    """
    category_form = teacher.attrs.get("rdm", "image") == "category"
    prepared: dict[str, Prepared] = {}
    for name, node in teacher.children.items():
        group = node.to_dataset()
        where = f"teacher {teacher.attrs.get('teacher', '')!r}, target {name!r}"
        assigned = group["split"].values.astype(str)
        parts: dict[str, _Part] = {}
        for split in splits:
            members = np.arange(len(assigned)) if split is None else np.flatnonzero(assigned == split)
            if len(members) == 0:
                continue
            if category_form:
                parts[split or "all"] = _category_part(group, split, members, where)
            else:
                condensed = np.asarray(group["rdm"].values, dtype=np.float64)
                condensed = condensed if split is None else subset(condensed, members)
                parts[split or "all"] = _Part(members, condensed, None)
        metric = str(group.attrs.get("metric", teacher.attrs.get("metric", "correlation")))
        images = _images_of(group, stimuli, where)
        prepared[str(name)] = Prepared(images, CANDIDATE_METRIC.get(metric, metric), parts)
    return prepared


def _category_part(group: xr.Dataset, split: str | None, members: np.ndarray, where: str) -> _Part:
    if split is None:
        raise TgsageError(f"{where}: holds category RDMs of each split, not of all stimuli; name a split")
    row = list(group["part"].values.astype(str)).index(split)
    labels = group["category"].values.astype(str)[members]
    condensed = np.asarray(group["category_rdm"].values[row], dtype=np.float64)
    n = len(np.unique(labels))
    if n * (n - 1) // 2 != len(condensed):
        raise TgsageError(
            f"{where}: split {split!r} has {n} categories, and its category RDM {len(condensed)} pairs; "
            "make the teacher again"
        )
    return _Part(members, condensed, labels)


def _images_of(group: xr.Dataset, stimuli: xr.Dataset | None, where: str) -> np.ndarray:
    if stimuli is None:
        if "images" not in group:
            raise TgsageError(
                f"{where}: the teacher was made without images; hand over the stimuli, or make it with them"
            )
        return np.asarray(group["images"].transpose("stimulus", "y", "x", "rgb").values)
    place = {str(name): index for index, name in enumerate(stimuli["stimulus_id"].values)}
    wanted = [str(name) for name in group["stimulus_id"].values]
    missing = [name for name in wanted if name not in place]
    if missing:
        raise TgsageError(
            f"{where}: stimulus {missing[0]!r} is not among the {len(place)} stimuli given "
            f"({len(missing)} missing); hand over the stimuli of these recordings"
        )
    images = np.asarray(stimuli["images"].transpose("stimulus", "y", "x", "rgb").values)
    return images[[place[name] for name in wanted]]


def similarities(
    module: torch.nn.Module,
    prepared: Mapping[str, Prepared],
    layers: Sequence[str],
    *,
    method: str,
    mean: Sequence[float] | np.ndarray,
    std: Sequence[float] | np.ndarray,
    device: str | torch.device | None,
    batch_size: int,
) -> dict[tuple[str, str], np.ndarray]:
    """Compare layers with prepared targets: (part, target) -> (layers,) float64.

    Targets with the same images share the forward pass and the layers' RDMs. Layers are taken in groups that
    fit into :data:`MEMORY`, at least one at a time; a group is one pass over the images.
    """
    if device is not None:
        module.to(resolve_device(device))
    scores = {
        (part, name): np.full(len(layers), np.nan)
        for name, target in prepared.items()
        for part in target.parts
    }
    for names in _sharing(prepared):
        target = prepared[names[0]]
        # Parts of the targets by their stimuli: equal ones are compared in one call.
        same: dict[tuple[bytes, tuple[str, ...] | None], list[tuple[str, str]]] = {}
        for name in names:
            for part, content in prepared[name].parts.items():
                labels = None if content.labels is None else tuple(content.labels)
                same.setdefault((content.members.tobytes(), labels), []).append((part, name))
        n = len(target.images)
        counts = feature_counts(module, layers, target.images.shape[1:3])
        for group in _groups(counts, n):
            outputs = activations(module, target.images, group, mean=mean, std=std, batch_size=batch_size)
            with reproducible(next(iter(outputs.values())).device):
                collected = _layer_rdms(outputs, group, target.metric, prepared, same)
            for keys, rdms in zip(same.values(), collected, strict=True):
                teachers = np.stack([prepared[name].parts[part].rdm for part, name in keys])
                values = np.asarray(torch.as_tensor(compare(rdms, teachers, method)).cpu())
                rows = [layers.index(layer) for layer in group]
                for key, column in zip(keys, values.T, strict=True):
                    scores[key][rows] = column
    return scores


def _layer_rdms(
    outputs: dict[str, torch.Tensor],
    group: Sequence[str],
    metric: str,
    prepared: Mapping[str, Prepared],
    same: Mapping[Any, list[tuple[str, str]]],
) -> list[torch.Tensor]:
    """For every set of stimuli, the (layers, pairs) RDMs of the group; frees the activations on the way."""
    contents = [prepared[keys[0][1]].parts[keys[0][0]] for keys in same.values()]
    rows: list[list[torch.Tensor]] = [[] for _ in contents]
    for layer in group:
        values = outputs.pop(layer)
        whole = None
        for content, layer_rdms in zip(contents, rows, strict=True):
            if content.labels is not None:
                chosen = values[torch.from_numpy(content.members).to(values.device)]
                layer_rdms.append(rdm(category_means(chosen, content.labels), metric))
                continue
            whole = rdm(values, metric) if whole is None else whole
            everything = len(content.members) == len(values)
            layer_rdms.append(whole if everything else subset(whole, content.members))
    return [torch.stack(layer_rdms) for layer_rdms in rows]


def _sharing(prepared: Mapping[str, Prepared]) -> list[list[str]]:
    """Group targets whose images and metric are the same."""
    groups: list[list[str]] = []
    for name, target in prepared.items():
        for group in groups:
            first = prepared[group[0]]
            if first.metric == target.metric and np.array_equal(first.images, target.images):
                group.append(name)
                break
        else:
            groups.append([name])
    return groups


def _groups(counts: Mapping[str, int], n: int) -> Iterator[list[str]]:
    """Split layers, in the order in which they run, into groups that fit into memory."""
    group: list[str] = []
    held = 0
    for layer, features in counts.items():
        # Activations and their copy while an RDM is made, all in float32, and the RDM with its parts.
        size = 4 * n * features + 2 * 4 * n * (n - 1) // 2
        if group and held + size > MEMORY:
            yield group
            group, held = [], 0
        group.append(layer)
        held += size
    if group:
        yield group
