"""The encoded teacher: recorded sites, modelled, and what they would answer to the task's own images.

A data set's stimuli are few and are not the images that a search's networks learn. An encoding model (Yamins
et al. 2014, PNAS 111; Bashivan, Kar & DiCarlo 2019, Science 364, for V4 and images of the authors' own
choice) predicts every recorded site from features of a frozen network, and is asked for its responses to
validation images of the task. These are predictions, not recordings; the teacher says so (attribute
``encoded`` = 1), and how good they are, site by site, is in the file. What an encoded teacher knows beyond
its feature network is what :mod:`tgsage.teacher.encoded_control` tells.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import xarray as xr

from .. import recordings as io
from ..config.teacher import EncodedTeacher, Target
from ..errors import TgsageError
from ..rdm import category_means, compare, rdm
from ..tasks import image_hashes
from ..training.devices import threads
from . import files
from .ceilings import absent, standardised
from .encoding import (
    Fitted,
    Model,
    cross_validate,
    fold_labels,
    noise_corrected,
    pls,
    predict,
    reduce,
    ridge,
    standardise,
)
from .feature_networks import FeatureNetwork, feature_network
from .geometry import to_network_input
from .shown import image_rows, refuse_shared, task_pictures
from .splits import assign_splits, parts_in_use
from .task_stimuli import task_stimuli

LEAST_SITES = 3
"""With two sites every correlation of patterns is 1 or -1."""

Recordings = Mapping[str, tuple[Any, xr.Dataset]]


def encoded_teacher(
    settings: EncodedTeacher,
    name: str,
    recordings: Recordings,
    task: Any,
    *,
    data_root: str | os.PathLike[str] | None = None,
    device: str = "cpu",
) -> xr.DataTree:
    """Make a teacher of predicted responses: one target per recorded region.

    Its stimuli are validation images of the task, as many of every class as can be; root attribute
    ``uses_validation`` is 1. The ceilings are NaN. Besides the variables of every target, a target has on
    dimension ``neuroid``, of all recorded sites: ``neuroid_id``; ``predictivity``, Pearson's r of held-out
    predictions (:func:`~tgsage.teacher.encoding.cross_validate`); ``reliability`` of the site's mean
    response, NaN where repetitions were averaged; ``noise_corrected``
    (:func:`~tgsage.teacher.encoding.noise_corrected`); ``kept``, 1 where the site is part of the RDM; and
    ``penalty`` or ``components``, what cross-validation chose. Attribute ``held_out_similarity`` is that of
    :func:`held_out_similarity`.

    Parameters
    ----------
    settings
        Recorded regions, feature network, method, threshold, RDM.
    name
        Of the teacher.
    recordings
        By name of the data set: (assembly, stimuli).
    task
        :class:`tgsage.tasks.Task`.
    data_root
        Folder that relative weights of the feature network are looked for in.
    device
        Of the feature network: ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    TgsageError
        If recordings have no responses or no images, share images with the task's training or test part, or
        fewer than 3 sites of a region are predicted well enough; and as the feature network does.
    """
    with threads(settings.threads):
        scene = Scene(settings, name, recordings, task, data_root, device)
        groups = {}
        for target, where in settings.targets.items():
            what = f"teacher {name!r}, target {target!r}"
            recorded = scene.recorded(where, what)
            features = scene.features(where.recordings)
            fitted = cross_validate(
                {layer: pair[0] for layer, pair in features.items()},
                recorded.means,
                scene.folds(where.recordings),
                model(settings),
                settings.choose_per,
            )
            kept = fitted.predictivity >= settings.minimal_predictivity
            if kept.sum() < LEAST_SITES:
                raise TgsageError(
                    f"{what}: {kept.sum()} of {len(kept)} sites are predicted with r of "
                    f"{settings.minimal_predictivity:g} or more (median r "
                    f"{np.median(fitted.predictivity):.2f}), and at least {LEAST_SITES} are needed; lower "
                    "minimal_predictivity or choose other features"
                )
            groups[target] = predicted_target(
                scene, where, recorded, features, fitted, kept, recorded.means, what
            )
    attributes = root_attributes(scene, groups) | {"settings": settings.model_dump_json()}
    return files.tree(groups, attributes)


@dataclass(frozen=True)
class Recorded:
    """One region's mean responses (stimuli, sites) and what is known of its sites."""

    means: np.ndarray
    neuroid_id: np.ndarray
    reliability: np.ndarray
    attributes: dict[str, Any]


@dataclass
class Scene:
    """What an encoded teacher and its controls share: stimuli, splits, feature network, features, folds."""

    settings: EncodedTeacher
    name: str
    recordings: Recordings
    task: Any
    data_root: str | os.PathLike[str] | None
    device: str
    network: FeatureNetwork = field(init=False)
    layers: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        settings, name = self.settings, self.name
        if not settings.targets:
            raise TgsageError(f"teacher {name!r}: has no targets; name at least one region")
        self.images, self.labels, self.index = task_stimuli(
            settings.n_stimuli, settings.seed, name, self.task
        )
        self.category = np.asarray(self.task.classes, str)[self.labels]
        self.split = assign_splits(
            self.category, settings.splits, where=f"teacher {name!r}", pictures=image_hashes(self.images)
        )
        self.parts = {part: np.flatnonzero(self.split == part) for part in parts_in_use(settings.splits)}
        self.forbidden = task_pictures(self.task)
        self.network = feature_network(
            settings.features,
            name,
            self.task,
            data_root=self.data_root,
            device=self.device,
            threads=settings.threads,
        )
        self.layers = tuple(dict.fromkeys(settings.layers or self.network.layers))
        self._pictures: dict[str, np.ndarray] = {}
        self._reduced: dict[str, dict[str, tuple[torch.Tensor, torch.Tensor]]] = {}
        self._of_task: dict[tuple[float, tuple[str, ...]], dict[str, torch.Tensor]] = {}

    def source(self, where: Target, what: str) -> tuple[xr.DataArray, xr.Dataset]:
        """Assembly and stimuli of a target's data set."""
        if where.recordings not in self.recordings:
            raise TgsageError(f"{what}: the recordings {where.recordings!r} were not handed over")
        assembly, stimuli = self.recordings[where.recordings]
        if isinstance(assembly, xr.Dataset):
            raise TgsageError(
                f"{what}: recordings {where.recordings!r} publish an RDM only, to which no encoding model "
                "can be fitted; name a data set with responses"
            )
        return assembly, stimuli

    def recorded(self, where: Target, what: str) -> Recorded:
        """Mean responses of a target's region."""
        assembly, _ = self.source(where, what)
        assembly = io.in_region(assembly, where.region)
        if assembly.sizes["neuroid"] < LEAST_SITES:
            raise TgsageError(
                f"{what}: region {where.region!r} has {assembly.sizes['neuroid']} sites, and at least "
                f"{LEAST_SITES} are needed for a pattern"
            )
        found = io.stimulus_means(assembly)
        means = np.ascontiguousarray(found.values.T)
        names = (
            found["neuroid_id"].values.astype(str)
            if "neuroid_id" in found.coords
            else np.arange(means.shape[1]).astype(str)
        )
        bad = np.argwhere(~np.isfinite(means))
        if len(bad):
            raise TgsageError(
                f"{what}: site {names[bad[0][1]]} has no finite response to stimulus "
                f"{str(found['stimulus_id'].values[bad[0][0]])!r}; leave out the site or the presentation"
            )
        flat = np.flatnonzero(means.std(0) <= 1e-12 * np.abs(means).max(0))
        if len(flat):
            raise TgsageError(
                f"{what}: the mean response of site {names[flat[0]]} never varies over stimuli; leave it out"
            )
        counts = found["n_repeats"].values
        repeated = int((counts > 1).sum()) >= 3
        animals = found["animal"].values.astype(str) if "animal" in found.coords else np.array(["unknown"])
        return Recorded(
            means,
            names,
            io.reliability(assembly).values if repeated else np.full(len(names), np.nan),
            {
                "region": where.region,
                "recordings": where.recordings,
                "n_repeats": float(np.median(counts)),
                "n_animals": len(np.unique(animals)),
                "weight": where.weight,
                "n_recorded_sites": len(names),
                "n_recorded_stimuli": len(means),
                "simulated": int(assembly.attrs.get("simulated", 0)),
            },
        )

    def pictures(self, dataset: str, what: str = "") -> np.ndarray:
        """Recorded stimuli as the feature network gets them, in the order of the mean responses."""
        if dataset not in self._pictures:
            assembly, stimuli = self.recordings[dataset]
            ids = io.repeats(assembly)["stimulus_id"].values.astype(str)
            self._pictures[dataset] = self._shown(dataset, ids, stimuli)
        return self._pictures[dataset]

    def folds(self, dataset: str) -> np.ndarray:
        pictures = self.pictures(dataset)
        try:
            return fold_labels(len(pictures), self.settings.folds, self.settings.seed, image_hashes(pictures))
        except TgsageError as error:
            raise TgsageError(f"teacher {self.name!r}, recordings {dataset!r}: {error}") from None

    def standardised(
        self, dataset: str, layers: Sequence[str]
    ) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """By layer: features of the recorded stimuli and of the task's images, standardised by the former."""
        where = f"teacher {self.name!r}, recordings {dataset!r}"
        try:
            recorded = self.network.features(self.pictures(dataset), layers, self.device)
            shown = self._task_features(dataset, layers)
            return {layer: standardise(recorded.pop(layer), shown[layer]) for layer in layers}
        except TgsageError as error:
            raise TgsageError(f"{where}: {error}") from None

    def features(
        self, dataset: str, layers: Sequence[str] | None = None
    ) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """The same, reduced: what the regression gets."""
        layers = self.layers if layers is None else layers
        own, settings = self._reduced.setdefault(dataset, {}), self.settings
        missing = [layer for layer in layers if layer not in own]
        if missing:
            for layer, pair in self.standardised(dataset, missing).items():
                own[layer] = reduce(*pair, settings.reduction, settings.n_features, settings.seed)
        return {layer: own[layer] for layer in layers}

    def _shown(self, dataset: str, ids: np.ndarray, stimuli: xr.Dataset | None) -> np.ndarray:
        where = f"recordings {dataset!r}"
        if stimuli is None:
            raise TgsageError(f"{where}: have no images, without which nothing predicts their responses")
        raw = stimuli["images"].values[image_rows(ids, stimuli, where)]
        small = self._to_side(raw, stimuli, self.task.resolution, where)
        for candidate in (raw, small):
            refuse_shared(image_hashes(candidate), self.forbidden, ids, where)
        side = self.network.resolution
        if not self.settings.at_task_resolution:
            return self._to_side(raw, stimuli, side, where)
        return to_network_input(
            small, resolution=side, visual_degrees=1.0, resample=self.settings.task_resample
        )

    def _degrees(self, stimuli: xr.Dataset, where: str) -> tuple[float, float]:
        """Visual degrees of the stimuli, and those that the feature network's input spans."""
        if "visual_degrees" not in stimuli.attrs:
            raise TgsageError(f"{where}: the stimuli say no visual_degrees; set the attribute to their size")
        own = float(stimuli.attrs["visual_degrees"])
        return own, self.settings.geometry.network_degrees or own

    def _to_side(self, images: np.ndarray, stimuli: xr.Dataset, side: int, where: str) -> np.ndarray:
        own, spanned = self._degrees(stimuli, where)
        geometry = self.settings.geometry
        return to_network_input(
            images,
            resolution=side,
            visual_degrees=own,
            network_degrees=spanned,
            padding=geometry.padding,
            resample=geometry.resample,
        )

    def _task_features(self, dataset: str, layers: Sequence[str]) -> dict[str, torch.Tensor]:
        # Data sets whose stimuli span the same degrees show the task's images alike.
        _, spanned = self._degrees(self.recordings[dataset][1], f"recordings {dataset!r}")
        own = self.settings.task_degrees or spanned
        key = (own / spanned, tuple(layers))
        if key not in self._of_task:
            shown = to_network_input(
                self.images,
                resolution=self.network.resolution,
                visual_degrees=own,
                network_degrees=spanned,
                padding=self.settings.geometry.padding,
                resample=self.settings.task_resample,
            )
            self._of_task[key] = self.network.features(shown, layers, self.device)
        return self._of_task[key]


def model(settings: EncodedTeacher) -> Model:
    """The regression of the settings."""
    return ridge(settings.penalties) if settings.method == "ridge" else pls(settings.components)


def predicted_target(
    scene: Scene,
    where: Target,
    recorded: Recorded,
    features: Mapping[str, tuple[torch.Tensor, torch.Tensor]],
    fitted: Fitted,
    kept: np.ndarray,
    measured: np.ndarray,
    what: str,
) -> xr.Dataset:
    """The target of sites ``kept`` (sites,) bool, predicted on the task's images, with its table of sites.

    ``recorded`` is what the encoding is fitted to, ``measured`` (stimuli, sites) what the sites answered.
    """
    settings = scene.settings
    own, shown = features[fitted.layer]
    patterns = predict(own, recorded.means[:, kept], shown, model(settings), fitted.candidate[kept])
    flat = np.flatnonzero(patterns.std(0) <= 1e-12 * np.abs(patterns).max(0))
    if len(flat):
        raise TgsageError(
            f"{what}: site {recorded.neuroid_id[kept][flat[0]]} is predicted to answer alike to all images; "
            "raise minimal_predictivity or lower the penalties"
        )
    if settings.zscore:
        patterns = standardised(patterns)
    corrected = noise_corrected(fitted.predictivity, recorded.reliability)
    group = target_of(
        scene,
        patterns,
        {
            **recorded.attributes,
            "n_sites": int(kept.sum()),
            "zscore": int(settings.zscore),
            "layer": fitted.layer,
            "fold_layers": ", ".join(fitted.fold_layers),
            "median_predictivity": float(np.median(fitted.predictivity)),
            "median_predictivity_kept": float(np.median(fitted.predictivity[kept])),
            "median_noise_corrected": float(np.median(corrected)),
            "held_out_similarity": held_out_similarity(
                scene, where.recordings, fitted.held_out[:, kept], measured[:, kept], settings.zscore
            ),
        },
        what,
    )
    options = settings.penalties if settings.method == "ridge" else settings.components
    table = {
        "neuroid_id": recorded.neuroid_id,
        "predictivity": fitted.predictivity,
        "reliability": recorded.reliability,
        "noise_corrected": corrected,
        "kept": kept.astype(np.int8),
        "penalty" if settings.method == "ridge" else "components": np.asarray(options)[fitted.candidate],
    }
    group = group.assign({column: ("neuroid", values) for column, values in table.items()})
    if np.isnan(recorded.reliability).all():
        group["reliability"].attrs["reason"] = "responses are averaged over repetitions or were not repeated"
    return group


def held_out_similarity(
    scene: Scene, dataset: str, patterns: np.ndarray, measured: np.ndarray, zscore: bool
) -> float:
    """Mean over folds of Spearman's correlation between the RDM of patterns and that of the recordings.

    The question that a teacher is about, asked where the answer was recorded: do predictions for stimuli that
    the encoding has not seen arrange them as the recorded sites do?

    Parameters
    ----------
    patterns
        (stimuli, sites or features), for each stimulus without knowledge of its fold.
    measured
        (stimuli, sites) mean responses.
    zscore
        Whether patterns are z-scored over stimuli; the responses are where the settings say so.

    Returns
    -------
    float
        NaN where an RDM is undefined.
    """
    metric, fold = scene.settings.metric, scene.folds(dataset)
    measured = standardised(measured) if scene.settings.zscore else measured
    patterns = standardised(patterns) if zscore else patterns
    found = []
    for number in np.unique(fold):
        members = fold == number
        pair = [rdm(values[members], metric)[None] for values in (patterns, measured)]
        found.append(float(compare(*pair, "spearman")[0, 0]))
    return float(np.mean(found))


def target_of(scene: Scene, patterns: np.ndarray, attributes: Mapping[str, Any], what: str) -> xr.Dataset:
    """A target of patterns (task images, sites or features)."""
    settings = scene.settings
    by_category = settings.rdm == "category"
    rows = [
        rdm(category_means(patterns[members], scene.category[members]), settings.metric)
        for members in (scene.parts.values() if by_category else ())
    ]
    condensed = rdm(patterns, settings.metric)
    if not (np.isfinite(condensed).all() and all(np.isfinite(row).all() for row in rows)):
        raise TgsageError(f"{what}: the patterns of some images are constant; choose another metric")
    return files.target(
        rdm=condensed,
        stimulus_id=np.array([f"validation_{row:05d}" for row in scene.index]),
        category=scene.category,
        split=scene.split,
        images=scene.images,
        ceilings=dict.fromkeys(scene.parts, absent("predicted responses have no measurement noise")),
        category_rdm=rows if by_category else None,
        category_name=np.unique(scene.category) if by_category else None,
        attributes={
            "metric": settings.metric,
            "visual_degrees": np.nan,
            "network_degrees": np.nan,
            "published_rdm": 0,
            "encoded": 1,
            **attributes,
            "simulated": int(attributes["simulated"] or scene.task.simulated),
        },
    )


def root_attributes(scene: Scene, groups: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    """Attributes of the teacher, but for what a control changes."""
    settings = scene.settings
    return {
        "teacher": scene.name,
        "kind": "encoded",
        "simulated": max(int(group.attrs["simulated"]) for group in groups.values()),
        "rdm": settings.rdm,
        "metric": settings.metric,
        "resolution": scene.task.resolution,
        "of": "",
        "compare": "",
        "uses_validation": 1,
        "control": "",
        "encoded": 1,
        "features": scene.network.name,
        "features_resolution": scene.network.resolution,
        "method": settings.method,
        "folds": settings.folds,
        "minimal_predictivity": settings.minimal_predictivity,
    }
