"""Similarity of the layers of a network with the targets of a teacher."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import xarray as xr

from ..errors import TgsageError, unknown
from ..rdm import RANKED, Comparable, category_means, comparable, compare, rdm, subset
from ..runs.rsa import SPLITS
from ..teacher.ranks import stored_ranks
from ..training.devices import reproducible, resolve_device
from ..training.probes import activations, feature_counts
from .memory import HELD

CANDIDATE_METRIC = {"crossnobis": "sqeuclidean", "poisson": "sqeuclidean"}
"""Metric of a network's RDM where it is not that of the teacher's. Crossnobis is an unbiased estimate of
squared distance from repetitions, of which a network needs none; the Poisson divergence is one of spike
rates, which activations (they may be negative) are not."""


@dataclass(frozen=True)
class _Part:
    """Some stimuli of a target, its RDM, and their categories if that is a category RDM."""

    members: np.ndarray
    labels: np.ndarray | None
    condensed: np.ndarray
    """Of all stimuli of the target; or the category RDM."""
    ranks: np.ndarray | None
    made: dict[str, Comparable] = field(default_factory=dict)

    def comparable(self, method: str) -> Comparable:
        """Return the RDM ready for a method, made when it is first asked for."""
        if method not in self.made:
            if self.ranks is not None and method in RANKED:
                self.made[method] = comparable(self.ranks, method, ranked=True)
            elif self.labels is not None:
                self.made[method] = comparable(self.condensed, method)
            else:
                self.made[method] = comparable(subset(self.condensed, self.members), method)
        return self.made[method]


_Same = tuple[_Part, list[tuple[str, str]]]
"""A part, and (part, target) of all that have its stimuli."""


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
    """Take from a teacher what comparing needs, by target, once for all candidates and checkpoints.

    The split None is all stimuli, under the name ``"all"``. A part without stimuli is left out. RDMs of parts
    whose ranks the teacher does not hold, which a file does, are ranked when they are first compared.
    """
    by_category = teacher.attrs.get("rdm", "image") == "category"
    prepared: dict[str, Prepared] = {}
    for name, node in teacher.children.items():
        group = node.to_dataset()
        where = f"teacher {teacher.attrs.get('teacher', '')!r}, target {name!r}"
        assigned = group["split"].values.astype(str)
        ranks = stored_ranks(group, by_category, where)
        parts: dict[str, _Part] = {}
        for split in splits:
            members = np.arange(len(assigned)) if split is None else np.flatnonzero(assigned == split)
            if len(members) == 0:
                continue
            if by_category:
                labels, condensed = _categories(group, split, members, where)
            else:
                labels, condensed = None, np.asarray(group["rdm"].values, dtype=np.float64)
            parts[split or "all"] = _Part(members, labels, condensed, ranks.get(split or "all"))
        metric = str(group.attrs.get("metric", teacher.attrs.get("metric", "correlation")))
        images = _images_of(group, stimuli, where)
        prepared[str(name)] = Prepared(images, CANDIDATE_METRIC.get(metric, metric), parts)
    return prepared


def _categories(
    group: xr.Dataset, split: str | None, members: np.ndarray, where: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the categories of the stimuli of a split, and its category RDM."""
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
    return labels, condensed


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
    held: int = HELD,
) -> dict[tuple[str, str], np.ndarray]:
    """Compare layers with prepared targets: (part, target) -> (layers,) float64.

    Every image passes through the network once. Targets with the same images share the pass and the layers'
    RDMs; stimuli that no part needs together (choose, reward and report, as a rule) pass and are compared
    apart, so that the activations of one part are held at a time. If they need more than ``held`` bytes they
    wait in temporary files (in ``TMPDIR``), from which the host reads them in blocks of features.
    """
    if device is not None:
        module.to(resolve_device(device))
    scores = {
        (part, name): np.full(len(layers), np.nan)
        for name, target in prepared.items()
        for part in target.parts
    }
    for names in _sharing(prepared):
        first = prepared[names[0]]
        # Parts of the targets by their stimuli: equal ones are compared with one RDM.
        same: dict[tuple[bytes, tuple[str, ...] | None], list[tuple[str, str]]] = {}
        for name in names:
            for part, content in prepared[name].parts.items():
                labels = None if content.labels is None else tuple(content.labels)
                same.setdefault((content.members.tobytes(), labels), []).append((part, name))
        sets = [(prepared[keys[0][1]].parts[keys[0][0]], keys) for keys in same.values()]
        for shown, together in _apart(sets):
            outputs = _activations(module, first.images[shown], layers, mean, std, batch_size, held)
            for row, layer in enumerate(layers):
                values = outputs.pop(layer)
                for content, keys in together:
                    chosen = values
                    if len(content.members) < len(shown):
                        place = torch.from_numpy(np.searchsorted(shown, content.members))
                        chosen = values[place.to(values.device)]
                    if content.labels is not None:
                        chosen = category_means(chosen, content.labels)
                    with reproducible(values.device):
                        ours = comparable(rdm(chosen, first.metric), method)
                        for part, name in keys:
                            theirs = prepared[name].parts[part].comparable(method)
                            scores[part, name][row] = float(compare(ours, theirs, method)[0, 0])
    return scores


def _activations(
    module: torch.nn.Module,
    images: np.ndarray,
    layers: Sequence[str],
    mean: Sequence[float] | np.ndarray,
    std: Sequence[float] | np.ndarray,
    batch_size: int,
    held: int,
) -> dict[str, torch.Tensor]:
    """Return float32 (n, features) of each layer: where the module is, or on the disk if it is too much."""
    n = len(images)
    counts = feature_counts(module, layers, images.shape[1:3])
    if 4 * n * sum(counts.values()) <= held:
        return activations(module, images, layers, mean=mean, std=std, batch_size=batch_size)
    outputs = {layer: _on_disk(n, counts[layer]) for layer in layers}
    for begin in range(0, n, batch_size):
        rows = slice(begin, begin + batch_size)
        batch = activations(module, images[rows], layers, mean=mean, std=std, batch_size=batch_size)
        for layer, values in batch.items():
            outputs[layer][rows] = values.cpu()
    return outputs


def _on_disk(n: int, n_features: int) -> torch.Tensor:
    """Return a tensor that lies in a file without a name, which vanishes with it."""
    size = 4 * n * n_features
    with tempfile.TemporaryFile() as file:
        try:
            # The space is taken now: to run out of it while writing would end the process.
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            raise TgsageError(
                f"activations of a layer need {size / 1e9:.1f} GB in {tempfile.gettempdir()}: "
                f"{error.strerror}; set TMPDIR to a folder on a larger disk"
            ) from None
        return torch.from_numpy(np.memmap(file, np.float32, "r+", shape=(n, n_features)))


def _apart(sets: Sequence[_Same]) -> list[tuple[np.ndarray, list[_Same]]]:
    """Group sets of stimuli that overlap: the stimuli of each group, sorted, and its sets."""
    groups: list[tuple[np.ndarray, list[_Same]]] = []
    for one in sets:
        shown, together = one[0].members, [one]
        separate = []
        for group in groups:
            if np.intersect1d(shown, group[0]).size:
                shown, together = np.union1d(shown, group[0]), [*group[1], *together]
            else:
                separate.append(group)
        groups = [*separate, (shown, together)]
    return groups


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
