"""What an encoded teacher and its controls share: stimuli, feature network, features, folds, targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr

from ....errors import TgsageError
from ....rdm import compare, rdm
from ....recordings.assembly import stimulus_codes, stimulus_means
from ....recordings.split_half import reliability
from ....tasks import image_hashes
from ...ceilings import absent
from ...format import TargetAttributes, TeacherAttributes, marked, simulation, target
from ...geometry import to_network_input
from ...patterns import (
    animal_names,
    category_rdms,
    constant_sites,
    refuse_constant,
    refuse_not_finite,
    site_names,
    sites_of_region,
    standardised,
)
from ...stimuli import at_resolution, image_rows, refuse_shared, spanned_degrees, task_pictures, task_stimuli
from .encoding import Fitted, Model, fold_labels, noise_corrected, pls, predict, reduce, ridge, standardise
from .feature_networks import feature_network

if TYPE_CHECKING:
    from ...settings import Target
    from ...stage import TeacherContext
    from .plugin import EncodedTeacher

Pair = tuple[torch.Tensor, torch.Tensor]
"""Features (recorded stimuli, features) and (task images, features)."""
ENCODED = "Encoded (in-silico) responses, predicted for these stimuli and not recorded"


@dataclass(frozen=True)
class Recorded:
    """One region's mean responses and the facts about its sites."""

    means: np.ndarray  # float64 (stimuli, sites)
    neuroid_id: np.ndarray  # (sites,)
    reliability: np.ndarray  # (sites,); NaN where repetitions were averaged
    shared: Mapping[str, Any]  # of TargetAttributes
    n_recorded: Mapping[str, int]  # attributes n_recorded_sites and n_recorded_stimuli


class EncodingContext:
    """Stimuli, splits, feature network, features and folds of an encoded teacher for the teacher ``name``."""

    def __init__(self, settings: EncodedTeacher, name: str, context: TeacherContext):
        if not settings.targets:
            raise TgsageError(f"teacher {name!r}: has no targets; name at least one region")
        task = context.needed_task(name, "encoded")
        self.settings, self.name, self.task, self.device = settings, name, task, context.device
        self._recordings = context.loaded(settings.datasets({}))
        self.stimuli, self.images = task_stimuli(
            task, settings.n_stimuli, settings.splits, settings.seed, name
        )
        self.network = feature_network(settings.features, name, task, context, settings.threads)
        self.layers = tuple(dict.fromkeys(settings.layers or self.network.layers))
        self._forbidden = task_pictures(task)
        self._pictures: dict[str, np.ndarray] = {}
        self._reduced: dict[str, dict[str, Pair]] = {}
        self._task_features: dict[tuple[float, tuple[str, ...]], dict[str, torch.Tensor]] = {}

    def recorded(self, where: Target, what: str) -> Recorded:
        """Return the mean responses of a target's region."""
        assembly = self._assembly(where.recordings, what)
        assembly = sites_of_region(assembly, where.region, what, where.recordings)
        mean_responses = stimulus_means(assembly)
        means = np.ascontiguousarray(mean_responses.values.T)
        names = site_names(assembly)
        refuse_not_finite(means, names, mean_responses["stimulus_id"].values, what)
        refuse_constant(means, names, what)
        counts = mean_responses["n_repeats"].values
        repeated = int((counts > 1).sum()) >= 3
        return Recorded(
            means,
            names,
            reliability(assembly).values if repeated else np.full(len(names), np.nan),
            shared={
                "region": where.region,
                "recordings": where.recordings,
                "n_repeats": float(np.median(counts)),
                "n_animals": len(np.unique(animal_names(assembly))),
                "weight": where.weight,
                "simulated": int(assembly.attrs.get("simulated", 0)),
            },
            n_recorded={"n_recorded_sites": len(names), "n_recorded_stimuli": len(means)},
        )

    def _assembly(self, dataset: str, what: str) -> xr.DataArray:
        if dataset not in self._recordings:
            raise TgsageError(f"{what}: the recordings {dataset!r} were not handed over")
        assembly = self._recordings[dataset][0]
        if isinstance(assembly, xr.Dataset):
            raise TgsageError(
                f"{what}: recordings {dataset!r} publish an RDM only, to which no encoding model can be "
                "fitted; name a data set with responses"
            )
        return assembly

    def pictures(self, dataset: str) -> np.ndarray:
        """Return the recorded stimuli as the feature network gets them, in the order of mean responses."""
        if dataset not in self._pictures:
            ids = stimulus_codes(self._assembly(dataset, f"teacher {self.name!r}"))[1].astype(str)
            self._pictures[dataset] = self._shown(dataset, ids, self._recordings[dataset][1])
        return self._pictures[dataset]

    def folds(self, dataset: str) -> np.ndarray:
        """Return the fold of every recorded stimulus, (stimuli,) int."""
        pictures = self.pictures(dataset)
        try:
            return fold_labels(len(pictures), self.settings.folds, self.settings.seed, image_hashes(pictures))
        except TgsageError as error:
            raise TgsageError(f"teacher {self.name!r}, recordings {dataset!r}: {error}") from None

    def standardised(self, dataset: str, layers: Sequence[str]) -> dict[str, Pair]:
        """Return features by layer, standardised by those of the recorded stimuli."""
        try:
            recorded = self.network.features(self.pictures(dataset), layers, self.device)
            of_task = self._features_of_task(dataset, layers)
            return {layer: standardise(recorded.pop(layer), of_task[layer]) for layer in layers}
        except TgsageError as error:
            raise TgsageError(f"teacher {self.name!r}, recordings {dataset!r}: {error}") from None

    def features(self, dataset: str, layers: Sequence[str] | None = None) -> dict[str, Pair]:
        """Return standardised features by layer, reduced to what the regression gets."""
        layers = self.layers if layers is None else layers
        reduced, settings = self._reduced.setdefault(dataset, {}), self.settings
        if missing := [layer for layer in layers if layer not in reduced]:
            for layer, pair in self.standardised(dataset, missing).items():
                reduced[layer] = reduce(*pair, settings.reduction, settings.n_features, settings.seed)
        return {layer: reduced[layer] for layer in layers}

    def _shown(self, dataset: str, ids: np.ndarray, stimuli: xr.Dataset | None) -> np.ndarray:
        where = f"recordings {dataset!r}"
        if stimuli is None:
            raise TgsageError(f"{where}: have no images, without which nothing predicts their responses")
        raw, geometry = stimuli["images"].values[image_rows(ids, stimuli, where)], self.settings.geometry
        small = at_resolution(raw, stimuli, geometry, self.task.resolution, where)
        for candidate in (raw, small):
            refuse_shared(image_hashes(candidate), self._forbidden, ids, where)
        side = self.network.resolution
        if not self.settings.at_task_resolution:
            return at_resolution(raw, stimuli, geometry, side, where)
        return to_network_input(
            small, resolution=side, visual_degrees=1.0, resample=self.settings.task_resample
        )

    def _features_of_task(self, dataset: str, layers: Sequence[str]) -> dict[str, torch.Tensor]:
        # Data sets whose stimuli span the same degrees show the task's images alike.
        stimuli = self._recordings[dataset][1]
        assert stimuli is not None  # self.pictures() was asked for before
        _, spanned = spanned_degrees(stimuli, self.settings.geometry, f"recordings {dataset!r}")
        task_degrees = self.settings.task_degrees or spanned
        key = (task_degrees / spanned, tuple(layers))
        if key not in self._task_features:
            shown = to_network_input(
                self.images,
                resolution=self.network.resolution,
                visual_degrees=task_degrees,
                network_degrees=spanned,
                padding=self.settings.geometry.padding,
                resample=self.settings.task_resample,
            )
            self._task_features[key] = self.network.features(shown, layers, self.device)
        return self._task_features[key]

    def model(self) -> Model:
        """Return the regression of the settings."""
        settings = self.settings
        return ridge(settings.penalties) if settings.method == "ridge" else pls(settings.components)

    def predicted_target(
        self,
        recorded: Recorded,
        features: Mapping[str, Pair],
        fitted: Fitted,
        kept: np.ndarray,
        measured: np.ndarray,
        what: str,
    ) -> xr.Dataset:
        """Return the target of sites ``kept`` (sites,) bool, predicted on the task's images, with its table.

        ``recorded`` is what the encoding is fitted to, ``measured`` (stimuli, sites) what the sites answered.
        """
        settings = self.settings
        of_recorded, of_task = features[fitted.layer]
        patterns = predict(
            of_recorded, recorded.means[:, kept], of_task, self.model(), fitted.candidate[kept]
        )
        flat = constant_sites(patterns)
        if len(flat):
            raise TgsageError(
                f"{what}: site {recorded.neuroid_id[kept][flat[0]]} is predicted to answer alike to all "
                "images; raise minimal_predictivity or lower the penalties"
            )
        if settings.zscore:
            patterns = standardised(patterns)
        corrected = noise_corrected(fitted.predictivity, recorded.reliability)
        similarity = self.held_out_similarity(
            str(recorded.shared["recordings"]), fitted.held_out[:, kept], measured[:, kept], settings.zscore
        )
        group = self.target_of(
            patterns,
            what,
            shared={**recorded.shared, "n_sites": int(kept.sum()), "zscore": int(settings.zscore)},
            specific={
                **recorded.n_recorded,
                "layer": fitted.layer,
                "fold_layers": ", ".join(fitted.fold_layers),
                "median_predictivity": float(np.median(fitted.predictivity)),
                "median_predictivity_kept": float(np.median(fitted.predictivity[kept])),
                "median_noise_corrected": float(np.median(corrected)),
                "held_out_similarity": similarity,
                "encoded": 1,
            },
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
            reason = "responses are averaged over repetitions or were not repeated"
            group["reliability"].attrs["reason"] = reason
        return group

    def held_out_similarity(
        self, dataset: str, patterns: np.ndarray, measured: np.ndarray, zscore: bool
    ) -> float:
        """Return the mean over folds of Spearman's correlation of the patterns' RDM with the recordings'.

        Do predictions for stimuli that the encoding has not seen arrange them as the recorded sites do?
        Patterns (stimuli, sites or features) are made without knowledge of the stimulus's fold, and z-scored
        over stimuli where ``zscore`` is true. Mean responses ``measured`` (stimuli, sites) are z-scored where
        the settings say so. NaN where an RDM is undefined.
        """
        metric, fold = self.settings.metric, self.folds(dataset)
        measured = standardised(measured) if self.settings.zscore else measured
        patterns = standardised(patterns) if zscore else patterns
        similarities = []
        for number in np.unique(fold):
            members = fold == number
            one, two = (rdm(values[members], metric)[None] for values in (patterns, measured))
            similarities.append(float(compare(one, two, "spearman")[0, 0]))
        return float(np.mean(similarities))

    def target_of(
        self, patterns: np.ndarray, what: str, *, shared: Mapping[str, Any], specific: Mapping[str, Any]
    ) -> xr.Dataset:
        """Return a target of patterns (task images, sites or features) with these attributes."""
        settings, parts = self.settings, self.stimuli.parts()
        rows = None
        if settings.rdm == "category":
            rows = category_rdms(patterns, self.stimuli.category, parts.values(), settings.metric)
        condensed = rdm(patterns, settings.metric)
        if not (np.isfinite(condensed).all() and all(np.isfinite(row).all() for row in rows or ())):
            raise TgsageError(f"{what}: the patterns of some images are constant; choose another metric")
        simulated = int(shared["simulated"] or self.task.simulated)
        return target(
            self.stimuli,
            condensed,
            ceilings=dict.fromkeys(parts, absent("predicted responses have no measurement noise")),
            category_rdms=rows,
            attributes=TargetAttributes(
                **{**shared, "metric": settings.metric, "simulated": simulated}, specific=specific
            ),
        )

    def attributes(
        self, groups: Mapping[str, xr.Dataset], encoded: bool, control_mark: str = "", **changes: Any
    ) -> TeacherAttributes:
        """Return the root attributes of a teacher of these targets; ``encoded``: of predicted responses."""
        settings = self.settings
        simulated = max(int(group.attrs["simulated"]) for group in groups.values())
        values: dict[str, Any] = {
            "teacher": self.name,
            "kind": "encoded",
            "simulated": simulated,
            "simulated_recordings": simulated,
            "rdm": settings.rdm,
            "metric": settings.metric,
            "resolution": self.task.resolution,
            "uses_validation": 1,
            "mark": marked(simulation(simulated, simulated), ENCODED if encoded else "", control_mark),
            "specific": {
                "encoded": int(encoded),
                "features": self.network.name,
                "features_resolution": self.network.resolution,
                "method": settings.method,
                "folds": settings.folds,
                "minimal_predictivity": settings.minimal_predictivity,
                **changes.pop("specific", {}),
            },
        }
        return TeacherAttributes(**values | changes)
