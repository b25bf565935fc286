"""Teachers from recordings: an assembly, or a published RDM, to target RDMs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from ..config.teacher import Geometry, RecordedTeacher, Splits
from ..errors import TgsageError, unknown
from ..rdm import METRICS, category_means, n_stimuli, rdm, subset
from ..recordings.assembly import responses, stimulus_codes
from ..store import seed_from
from . import files
from .ceilings import animal_bounds, measurement_ceiling, noise_ceiling, standardised
from .geometry import to_network_input
from .shown import image_rows, refuse_shared, task_pictures
from .splits import assign_splits, parts_in_use

LEAST_SITES = 3
"""With two sites every correlation of patterns is 1 or -1."""
LEAST_CATEGORIES = 4


@dataclass(frozen=True)
class _Stimuli:
    """The stimuli of one data set as a teacher holds them, in the order of its RDMs."""

    stimulus_id: np.ndarray
    category: np.ndarray
    split: np.ndarray
    images: np.ndarray | None
    attributes: dict[str, Any]

    def parts(self, splits: Splits) -> dict[str, np.ndarray]:
        return {part: np.flatnonzero(self.split == part) for part in parts_in_use(splits)}


def build(
    assembly: xr.DataArray,
    regions: str | Sequence[str] | Mapping[str, str],
    metric: str = "correlation",
    *,
    stimuli: xr.Dataset | None = None,
    zscore: bool = True,
    rdm: str = "image",
    geometry: Geometry | None = None,
    splits: Splits | None = None,
    resolution: int | None = None,
    task: Any = None,
    method: str = "spearman",
    ceiling_splits: int = 20,
    weights: Mapping[str, float] | None = None,
    name: str = "recordings",
) -> xr.DataTree:
    """Make a teacher of recordings: one target RDM per region.

    ``build(assembly, ["V4", "IT"], stimuli=stimuli, task=task)["V4"]["rdm"]`` is the condensed RDM,
    1 - Pearson's r of the z-scored mean responses of the V4 sites, over all pairs of stimuli.

    Parameters
    ----------
    assembly
        (neuroid, presentation[, time_bin]) with ``region`` on neuroid and ``stimulus_id`` on presentation.
        Time bins are averaged: choose a window before.
    regions
        Regions of the assembly, or a mapping of target names to regions.
    metric
        ``correlation``, ``sqeuclidean``, ``cosine``, ``crossnobis`` (needs equal repetitions) or ``poisson``
        (needs rates: ``zscore=False``).
    stimuli
        ``images`` uint8 (stimulus, y, x, rgb) and ``stimulus_id``; attr ``visual_degrees``. None leaves the
        images out: scoring then needs them.
    zscore
        Z-score every site over stimuli (all of them, whatever their split) before the RDM.
    rdm
        ``image``, or ``category``: an RDM over category means for each part of the stimuli, beside the image
        RDM.
    geometry, splits
        Settings; None takes the defaults.
    resolution
        Side of the images in pixels; None takes the task's, or that of the stimuli.
    task
        A task whose training and test images must not be among the stimuli.
    method
        Of comparison, for the noise ceilings.
    ceiling_splits
        Random halvings of the repetitions.
    weights
        Weight by target in the teacher-guidance mean; 1 where not given.
    name
        Of the teacher.

    Returns
    -------
    xarray.DataTree
        As the package's documentation shows.

    Raises
    ------
    TgsageError
        For a region that is absent, a site that never varies, stimuli without image, images shared with the
        task, a part of fewer than 20 stimuli, and what the metric cannot take.
    """
    named = _named(regions)
    weights = weights or {}
    if metric not in METRICS:
        raise unknown("RDM metric", metric, METRICS)
    if rdm not in ("image", "category"):
        raise unknown("form of RDM", rdm, ("image", "category"))
    settings = RecordedTeacher(
        kind="recordings",
        targets={
            target: {"recordings": "recordings", "region": region, "weight": weights.get(target, 1.0)}
            for target, region in named.items()
        },
        metric=metric,
        zscore=zscore,
        rdm=rdm,
        geometry=geometry or Geometry(),
        splits=splits or Splits(),
        ceiling_splits=ceiling_splits,
    )
    return make_recorded(
        settings, name, {"recordings": (assembly, stimuli)}, task=task, method=method, resolution=resolution
    )


def make_recorded(
    settings: RecordedTeacher,
    name: str,
    recordings: Mapping[str, tuple[xr.DataArray | xr.Dataset, xr.Dataset | None]],
    *,
    task: Any = None,
    method: str = "spearman",
    resolution: int | None = None,
) -> xr.DataTree:
    """Make a teacher whose targets may come from several data sets with different stimuli.

    Parameters
    ----------
    settings
        Targets, metric, form of the RDM, geometry and splits.
    name
        Of the teacher.
    recordings
        By name of the data set: (assembly, stimuli), or (published RDM, stimuli).
    task, method, resolution
        As for :func:`build`.
    """
    if not settings.targets:
        raise TgsageError(f"teacher {name!r}: has no targets; name at least one region")
    side = task.resolution if resolution is None and task is not None else resolution
    forbidden = task_pictures(task)
    known: dict[str, str] = {}
    prepared: dict[str, tuple[xr.DataArray | xr.Dataset, _Stimuli]] = {}
    groups: dict[str, xr.Dataset] = {}
    for target, where in settings.targets.items():
        if where.recordings not in recordings:
            raise unknown(f"recordings of teacher {name!r}, target {target!r}:", where.recordings, recordings)
        if where.recordings not in prepared:
            source, stimuli = recordings[where.recordings]
            if not isinstance(source, xr.Dataset):
                source = _controlled(source, settings)
            prepared[where.recordings] = (
                source,
                _stimuli(source, stimuli, where.recordings, settings, side, forbidden, known),
            )
        source, shown = prepared[where.recordings]
        make = _published if isinstance(source, xr.Dataset) else _recorded
        groups[target] = make(source, shown, where, settings, method, f"teacher {name!r}, target {target!r}")
    simulated = max(int(group.attrs["simulated"]) for group in groups.values())
    sides = {group.sizes["x"] for group in groups.values() if "images" in group}
    attributes = {
        "teacher": name,
        "kind": "recordings",
        "simulated": simulated,
        "rdm": settings.rdm,
        "metric": settings.metric,
        # Without task or resolution, two data sets may have stimuli of different sides.
        "resolution": sides.pop() if len(sides) == 1 else 0,
        "of": "",
        "compare": method,
        "uses_validation": 0,
        "control": _control_name(settings),
    }
    return files.tree(groups, attributes)


def _named(regions: str | Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    if isinstance(regions, str):
        return {regions: regions}
    if isinstance(regions, Mapping):
        return dict(regions)
    return {region: region for region in regions}


def _control_name(settings: RecordedTeacher) -> str:
    names = []
    if settings.noise:
        names.append("noise")
    if settings.n_sites is not None:
        names.append(f"{settings.n_sites} sites")
    return ", ".join(names)


def _controlled(assembly: xr.DataArray, settings: RecordedTeacher) -> xr.DataArray:
    """Apply the controls that are made of the recordings themselves."""
    if settings.n_sites is None and not settings.noise:
        return assembly
    from .surrogates import noise_recordings, subsample_sites

    if settings.n_sites is not None:
        regions = sorted({where.region for where in settings.targets.values()})
        present = set(assembly["region"].values.astype(str))
        regions = [region for region in regions if region in present]
        assembly = subsample_sites(assembly, settings.n_sites, regions=regions, seed=settings.control_seed)
    if settings.noise:
        assembly = noise_recordings(assembly, seed=settings.control_seed)
    return assembly


def _stimuli(
    source: xr.DataArray | xr.Dataset,
    stimuli: xr.Dataset | None,
    dataset: str,
    settings: RecordedTeacher,
    side: int | None,
    forbidden: Mapping[str, str],
    known: dict[str, str],
) -> _Stimuli:
    """Order, show, categorise and split the stimuli of a data set."""
    where = f"recordings {dataset!r}"
    if isinstance(source, xr.DataArray):
        ids = stimulus_codes(source)[1].astype(str)
    else:
        ids = source["stimulus_id"].values.astype(str)
    images = pictures = None
    attributes: dict[str, Any] = {"visual_degrees": np.nan, "network_degrees": np.nan}
    category = _categories_of_assembly(source, ids)
    if stimuli is not None:
        rows = image_rows(ids, stimuli, where)
        for column in ("category", "object_name"):
            if column in stimuli:
                category = stimuli[column].values.astype(str)[rows]
                break
        raw = stimuli["images"].values[rows]
        images, attributes = _show(raw, stimuli, settings.geometry, side or max(raw.shape[1:3]), where)
        from ..tasks import image_hashes

        pictures = image_hashes(images)
        for candidate in (pictures, image_hashes(raw)):
            refuse_shared(candidate, forbidden, ids, where)
    split = assign_splits(category, settings.splits, where=where, pictures=pictures, known=known)
    return _Stimuli(ids, category, split, images, attributes)


def _categories_of_assembly(source: xr.DataArray | xr.Dataset, ids: np.ndarray) -> np.ndarray:
    shown = source["stimulus_id"]
    for column in ("category", "object_name"):
        if column in source.coords and source[column].dims == shown.dims:
            first = dict(
                zip(shown.values.astype(str)[::-1], source[column].values.astype(str)[::-1], strict=True)
            )
            return np.array([first[stimulus] for stimulus in ids])
    return np.full(len(ids), "", dtype="<U1")


def _show(
    raw: np.ndarray, stimuli: xr.Dataset, geometry: Geometry, side: int, where: str
) -> tuple[np.ndarray, dict[str, Any]]:
    if "visual_degrees" not in stimuli.attrs:
        raise TgsageError(f"{where}: the stimuli say no visual_degrees; set the attribute to their size")
    degrees = float(stimuli.attrs["visual_degrees"])
    network_degrees = degrees if geometry.network_degrees is None else geometry.network_degrees
    images = to_network_input(
        raw,
        resolution=side,
        visual_degrees=degrees,
        network_degrees=network_degrees,
        padding=geometry.padding,
        resample=geometry.resample,
    )
    return images, {
        "visual_degrees": degrees,
        "network_degrees": network_degrees,
        "padding": geometry.padding,
        "resample": geometry.resample,
    }


def _recorded(
    assembly: xr.DataArray, shown: _Stimuli, where: Any, settings: RecordedTeacher, method: str, what: str
) -> xr.Dataset:
    """The target of one region of an assembly."""
    regions = assembly["region"].values.astype(str)
    if where.region not in regions:
        raise unknown(f"region of {what}, recordings {where.recordings!r}:", where.region, np.unique(regions))
    assembly = assembly.isel(neuroid=np.flatnonzero(regions == where.region))
    if assembly.sizes["neuroid"] < LEAST_SITES:
        raise TgsageError(
            f"{what}: region {where.region!r} has {assembly.sizes['neuroid']} sites, and at least "
            f"{LEAST_SITES} are needed for a pattern"
        )
    data = responses(assembly)
    index, _ = stimulus_codes(assembly)
    counts = np.bincount(index)
    _check_responses(data, assembly, shown, index, what)
    patterns = _patterns(data, index, counts, assembly, settings, what)
    condensed = _finite(rdm(patterns, settings.metric), shown.stimulus_id, what)
    parts = shown.parts(settings.splits)
    categories = _categories(shown, parts, what) if settings.rdm == "category" else None
    ceilings = noise_ceiling(
        data,
        index,
        parts,
        metric=settings.metric,
        zscore=settings.zscore,
        method=method,
        categories=None if categories is None else shown.category,
        n_splits=settings.ceiling_splits,
        seed=seed_from("noise ceiling", where.recordings, where.region, settings.splits.seed),
    )
    if counts.max() == 1:
        averaged = "every stimulus has one response: repetitions were averaged or not made"
        ceilings = {part: replace(ceiling, reason=averaged) for part, ceiling in ceilings.items()}
    animals = assembly["animal"].values.astype(str) if "animal" in assembly.coords else np.array(["unknown"])
    return files.target(
        rdm=condensed,
        stimulus_id=shown.stimulus_id,
        category=shown.category,
        split=shown.split,
        images=shown.images,
        ceilings=ceilings,
        animals=_between_animals(patterns, animals, shown, parts, categories, settings.metric, method),
        category_rdm=None
        if categories is None
        else [_category_rdm(patterns, members, shown, settings.metric, what) for members in parts.values()],
        category_name=categories,
        attributes={
            "region": where.region,
            "recordings": where.recordings,
            "n_sites": assembly.sizes["neuroid"],
            "n_repeats": float(np.median(counts)),
            "n_animals": len(np.unique(animals)),
            "weight": where.weight,
            "metric": settings.metric,
            "zscore": int(settings.zscore),
            "simulated": int(assembly.attrs.get("simulated", 0)),
            "published_rdm": 0,
            **shown.attributes,
        },
    )


def _check_responses(
    data: np.ndarray, assembly: xr.DataArray, shown: _Stimuli, index: np.ndarray, what: str
) -> None:
    bad = np.argwhere(~np.isfinite(data))
    names = assembly["neuroid_id"].values if "neuroid_id" in assembly.coords else np.arange(data.shape[1])
    if len(bad):
        raise TgsageError(
            f"{what}: site {names[bad[0][1]]} has no finite response to stimulus "
            f"{str(shown.stimulus_id[index[bad[0][0]]])!r}; leave out the site or the presentation"
        )
    constant = np.flatnonzero(np.ptp(data, axis=0) == 0)
    if len(constant):
        raise TgsageError(
            f"{what}: site {names[constant[0]]} never varies ({len(constant)} such); leave it out of the "
            "recordings"
        )


def _patterns(
    data: np.ndarray,
    index: np.ndarray,
    counts: np.ndarray,
    assembly: xr.DataArray,
    settings: RecordedTeacher,
    what: str,
) -> np.ndarray:
    """(stimuli, sites) mean responses; for crossnobis (stimuli, repetitions, sites)."""
    n = len(counts)
    total = np.zeros((n, data.shape[1]))
    np.add.at(total, index, data)
    means = total / counts[:, None]
    deviation = means.std(axis=0)
    # Means of a site that varies may still be equal, to rounding.
    flat = np.flatnonzero(deviation <= 1e-12 * np.abs(means).max(axis=0))
    if len(flat) and settings.zscore:
        names = assembly["neuroid_id"].values if "neuroid_id" in assembly.coords else np.arange(data.shape[1])
        raise TgsageError(
            f"{what}: the mean response of site {names[flat[0]]} never varies over stimuli; leave it out"
        )
    if settings.metric == "poisson" and (settings.zscore or (data < 0).any()):
        raise TgsageError(
            f"{what}: metric 'poisson' takes rates, not z-scores or negative values; set zscore: false "
            "and subtract no baseline"
        )
    if settings.metric != "crossnobis":
        return standardised(means) if settings.zscore else means
    if counts.min() != counts.max() or counts.min() < 2:
        raise TgsageError(
            f"{what}: metric 'crossnobis' needs two or more repetitions, as many of every stimulus, and "
            f"there are {counts.min()} to {counts.max()}; set selection.equal_repeats"
        )
    blocks = data[np.argsort(index, kind="stable")].reshape(n, counts[0], -1)
    return (blocks - means.mean(axis=0)) / deviation if settings.zscore else blocks


def _finite(condensed: np.ndarray, stimulus_id: np.ndarray, what: str) -> np.ndarray:
    """Refuse an RDM with undefined distances, naming the stimulus that has most of them."""
    condensed = np.asarray(condensed, np.float64)
    bad = ~np.isfinite(condensed)
    if bad.any():
        first, second = np.triu_indices(len(stimulus_id), 1)
        hits = np.bincount(np.concatenate([first[bad], second[bad]]), minlength=len(stimulus_id))
        raise TgsageError(
            f"{what}: the distances of stimulus {str(stimulus_id[int(hits.argmax())])!r} are undefined (the "
            "same response at every site?); leave out the stimulus or choose another metric"
        )
    return condensed


def _categories(shown: _Stimuli, parts: Mapping[str, np.ndarray], what: str) -> np.ndarray:
    """Names of the categories, sorted; every part of the stimuli must have all of them."""
    names = np.unique(shown.category)
    if "" in names or len(names) < LEAST_CATEGORIES:
        raise TgsageError(
            f"{what}: rdm 'category' needs the category of every stimulus, and {LEAST_CATEGORIES} or more "
            "categories; set rdm: image"
        )
    for part, members in parts.items():
        lacking = sorted(set(names) - set(shown.category[members]))
        if lacking:
            raise TgsageError(
                f"{what}: split {part!r} has no stimulus of category {str(lacking[0])!r}; give the split a "
                "larger share or set rdm: image"
            )
    return names


def _category_rdm(
    patterns: np.ndarray, members: np.ndarray, shown: _Stimuli, metric: str, what: str
) -> np.ndarray:
    labels = shown.category[members]
    return _finite(rdm(category_means(patterns[members], labels), metric), np.unique(labels), what)


def _between_animals(
    patterns: np.ndarray,
    animals: np.ndarray,
    shown: _Stimuli,
    parts: Mapping[str, np.ndarray],
    categories: np.ndarray | None,
    metric: str,
    method: str,
) -> dict[str, tuple[float, float]] | None:
    """Agreement of the animals' own RDMs by part, where two or more animals have enough sites."""
    names = [name for name in np.unique(animals) if (animals == name).sum() >= LEAST_SITES]
    if len(names) < 2:
        return None
    found = {}
    for part, members in parts.items():
        own = [patterns[members][..., animals == name] for name in names]
        if categories is not None:
            own = [category_means(one, shown.category[members]) for one in own]
        found[part] = animal_bounds(np.array([rdm(one, metric) for one in own]), method)
    return found


def _published(
    published: xr.Dataset, shown: _Stimuli, where: Any, settings: RecordedTeacher, method: str, what: str
) -> xr.Dataset:
    """The target of a data set of which only RDMs were published."""
    region, metric = str(published.attrs["region"]), str(published.attrs.get("metric", "correlation"))
    if where.region != region:
        raise unknown(f"region of {what}, recordings {where.recordings!r}:", where.region, [region])
    if settings.metric != metric:
        raise TgsageError(
            f"{what}: the published RDM is of metric {metric!r}, not {settings.metric!r}; set metric: "
            f"{metric}"
        )
    if settings.rdm == "category":
        raise TgsageError(
            f"{what}: recordings {where.recordings!r} publish an RDM of images only, of which no category "
            "RDM can be made; set rdm: image"
        )
    if settings.noise or settings.n_sites is not None:
        raise TgsageError(
            f"{what}: recordings {where.recordings!r} publish an RDM only; noise and n_sites need responses"
        )
    rdms = np.asarray(published["rdm"].transpose("measurement", "pair").values, np.float64)
    if n_stimuli(rdms.shape[1]) != len(shown.stimulus_id):
        raise TgsageError(
            f"{what}: the published RDM has {rdms.shape[1]} pairs and {len(shown.stimulus_id)} stimuli, "
            "which do not fit"
        )
    parts = shown.parts(settings.splits)
    units = _subjects(published, rdms)
    ceilings = measurement_ceiling(
        units,
        parts,
        method=method,
        n_splits=settings.ceiling_splits,
        seed=seed_from("noise ceiling", where.recordings, where.region, settings.splits.seed),
    )
    animals = {
        part: animal_bounds(np.array([subset(row, members) for row in units]), method)
        for part, members in parts.items()
    }
    return files.target(
        rdm=_finite(units.mean(axis=0), shown.stimulus_id, what),
        stimulus_id=shown.stimulus_id,
        category=shown.category,
        split=shown.split,
        images=shown.images,
        ceilings=ceilings,
        animals=animals if len(units) > 1 else None,
        attributes={
            "region": region,
            "recordings": where.recordings,
            "n_sites": int(published.attrs.get("n_sites", 0)),
            "n_repeats": np.nan,
            "n_animals": int(published.attrs.get("n_animals", len(units))),
            "weight": where.weight,
            "metric": metric,
            # Whatever was done to the sites was done by the authors.
            "zscore": 0,
            "simulated": int(published.attrs.get("simulated", 0)),
            "published_rdm": 1,
            **shown.attributes,
        },
    )


def _subjects(published: xr.Dataset, rdms: np.ndarray) -> np.ndarray:
    """Mean RDM of every subject: sessions of one subject are not independent of each other."""
    if "animal" not in published:
        return rdms
    names = published["animal"].values.astype(str)
    return np.array([rdms[names == name].mean(axis=0) for name in dict.fromkeys(names)])
