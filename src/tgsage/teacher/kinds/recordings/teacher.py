"""Teachers from recordings: an assembly, or a published RDM, to target RDMs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from .... import plugins
from ....errors import TgsageError, unknown
from ....rdm import category_means, n_stimuli, rdm, subset
from ....recordings.assembly import means_by_code, responses, stimulus_codes
from ....store import seed_from
from ....tasks import image_hashes
from ...ceilings import animal_bounds, measurement_ceiling, noise_ceiling
from ...format import TargetAttributes, TeacherAttributes, marked, simulation, target, tree
from ...patterns import (
    LEAST_SITES,
    animal_names,
    category_rdms,
    refuse_constant,
    refuse_not_finite,
    site_names,
    sites_of_region,
    standardised,
)
from ...splits import assign_splits
from ...stage import Source, TeacherContext
from ...stimuli import Stimuli, at_resolution, image_rows, refuse_shared, spanned_degrees, task_pictures
from .surrogates import noise_recordings, subsample_sites

if TYPE_CHECKING:
    from ....tasks.task import Task
    from ...settings import Target
    from .plugin import RecordedTeacher

LEAST_CATEGORIES = 4


def build(
    assembly: Source,
    targets: str | Sequence[str] | Mapping[str, str | Mapping[str, Any]],
    *,
    stimuli: xr.Dataset | None = None,
    task: Task | None = None,
    method: str = "spearman",
    resolution: int | None = None,
    name: str = "recordings",
    **settings: Any,
) -> xr.DataTree:
    """Make a teacher of recordings: one target RDM per region.

    ``build(assembly, ["V4", "IT"], stimuli=stimuli, task=task)["V4"]["rdm"]`` is the condensed RDM,
    1 - Pearson's r of the z-scored mean responses of the V4 sites, over all pairs of stimuli.
    :mod:`tgsage.teacher.format` shows the tree.

    Parameters
    ----------
    assembly
        (neuroid, presentation[, time_bin]) with ``region`` on neuroid and ``stimulus_id`` on presentation.
        Time bins are averaged: choose a window before. Or a published RDM.
    targets
        Regions; or by name of the target a region, or ``{"region": …, "weight": …}`` with its weight in the
        mean over targets.
    stimuli
        ``images`` uint8 (stimulus, y, x, rgb) and ``stimulus_id``; attr ``visual_degrees``. None leaves the
        images out: scoring then needs them.
    task
        A task whose training and test images must not be among the stimuli.
    method
        Of comparison, for the noise ceilings.
    resolution
        Side of the images in pixels; None takes the task's, or that of the stimuli.
    name
        Of the teacher.
    **settings
        Those of a teacher of kind ``recordings``: ``metric``, ``zscore``, ``rdm``, ``geometry``, …

    Raises
    ------
    TgsageError
        For a region that is absent, a site that never varies, stimuli without image, images shared with the
        task, a part of fewer than 20 stimuli, what the metric cannot take, and a setting that is unknown.
    """
    if not isinstance(targets, Mapping):
        targets = {region: region for region in ([targets] if isinstance(targets, str) else targets)}
    sections = {
        target: {"recordings": "recordings", **({"region": where} if isinstance(where, str) else where)}
        for target, where in targets.items()
    }
    chosen = plugins.settings("teacher", "recordings", targets=sections, **settings)
    context = TeacherContext(task=task, recordings={"recordings": (assembly, stimuli)}, method=method)
    return make(chosen, name, context, resolution)


def make(
    settings: RecordedTeacher, name: str, context: TeacherContext, resolution: int | None = None
) -> xr.DataTree:
    """Make a teacher whose targets may come from several data sets with different stimuli.

    ``resolution`` is the side of the images in pixels; None takes the task's, or that of the stimuli.
    """
    if not settings.targets:
        raise TgsageError(f"teacher {name!r}: has no targets; name at least one region")
    task, method = context.task, context.method
    recordings = context.loaded(settings.datasets({}))
    side = task.resolution if resolution is None and task is not None else resolution
    forbidden = task_pictures(task)
    part_of_picture: dict[str, str] = {}
    datasets: dict[str, _Dataset] = {}
    groups: dict[str, xr.Dataset] = {}
    for target_name, where in settings.targets.items():
        what = f"teacher {name!r}, target {target_name!r}"
        if where.recordings not in recordings:
            raise unknown(f"recordings of {what}:", where.recordings, context.recordings)
        if where.recordings not in datasets:
            datasets[where.recordings] = _prepared(
                *recordings[where.recordings], where.recordings, settings, side, forbidden, part_of_picture
            )
        dataset = datasets[where.recordings]
        if isinstance(dataset.source, xr.Dataset):
            groups[target_name] = _published(dataset.source, dataset, where, settings, method, what)
        else:
            groups[target_name] = _recorded(dataset.source, dataset, where, settings, method, what)
    simulated = max(int(group.attrs["simulated"]) for group in groups.values())
    sides = {group.sizes["x"] for group in groups.values() if "images" in group}
    n_sites = [] if settings.n_sites is None else [f"{settings.n_sites} sites"]
    control = ", ".join(["noise"] * settings.noise + n_sites)
    attributes = TeacherAttributes(
        teacher=name,
        kind=settings.kind,
        simulated=simulated,
        simulated_recordings=simulated,
        rdm=settings.rdm,
        metric=settings.metric,
        # Without task or resolution, two data sets may have stimuli of different sides.
        resolution=sides.pop() if len(sides) == 1 else 0,
        compare=method,
        control=control,
        mark=marked(simulation(simulated, simulated), f"Control: {control}" if control else ""),
        words=("Simulated recordings" if simulated else "Recordings")
        + (f"; a control: {control}." if control else "."),
    )
    return tree(groups, attributes.flat())


def _controlled(assembly: xr.DataArray, settings: RecordedTeacher) -> xr.DataArray:
    """Apply the controls that are made of the recordings themselves."""
    if settings.n_sites is not None:
        regions = sorted({where.region for where in settings.targets.values()})
        present = set(assembly["region"].values.astype(str))
        regions = [region for region in regions if region in present]
        assembly = subsample_sites(assembly, settings.n_sites, regions=regions, seed=settings.control_seed)
    if settings.noise:
        assembly = noise_recordings(assembly, seed=settings.control_seed)
    return assembly


@dataclass(frozen=True)
class _Dataset:
    """A data set of a teacher: its responses or published RDM, and its stimuli in the order of the RDMs."""

    source: Source
    stimuli: Stimuli
    shown: dict[str, Any]
    """How the stimuli are shown: attributes of the targets."""


def _prepared(
    source: Source,
    stimuli: xr.Dataset | None,
    name: str,
    settings: RecordedTeacher,
    side: int | None,
    forbidden: Mapping[str, str],
    part_of_picture: dict[str, str],
) -> _Dataset:
    """Order, show, categorise and split the stimuli of a data set."""
    where = f"recordings {name!r}"
    if isinstance(source, xr.DataArray):
        source = _controlled(source, settings)
        ids = stimulus_codes(source)[1].astype(str)
    else:
        ids = source["stimulus_id"].values.astype(str)
    images = pictures = None
    shown: dict[str, Any] = {}
    category = _categories_of_assembly(source, ids)
    if stimuli is not None:
        rows = image_rows(ids, stimuli, where)
        for column in ("category", "object_name"):
            if column in stimuli:
                category = stimuli[column].values.astype(str)[rows]
                break
        raw, geometry = stimuli["images"].values[rows], settings.geometry
        images = at_resolution(raw, stimuli, geometry, side or max(raw.shape[1:3]), where)
        visual_degrees, network_degrees = spanned_degrees(stimuli, geometry, where)
        shown = {
            "visual_degrees": visual_degrees,
            "network_degrees": network_degrees,
            "padding": geometry.padding,
            "resample": geometry.resample,
        }
        pictures = image_hashes(images)
        for candidate in (pictures, image_hashes(raw)):
            refuse_shared(candidate, forbidden, ids, where)
    split = assign_splits(
        category, settings.splits, where=where, pictures=pictures, part_of_picture=part_of_picture
    )
    return _Dataset(source, Stimuli(ids, category, split, images), shown)


def _categories_of_assembly(source: Source, ids: np.ndarray) -> np.ndarray:
    shown = source["stimulus_id"]
    for column in ("category", "object_name"):
        if column in source.coords and source[column].dims == shown.dims:
            values = source[column].values.astype(str)
            first = dict(zip(shown.values.astype(str)[::-1], values[::-1], strict=True))
            return np.array([first[stimulus] for stimulus in ids])
    return np.full(len(ids), "", dtype="<U1")


def _recorded(
    assembly: xr.DataArray,
    dataset: _Dataset,
    where: Target,
    settings: RecordedTeacher,
    method: str,
    what: str,
) -> xr.Dataset:
    """Return the target of one region of an assembly."""
    assembly = sites_of_region(assembly, where.region, what, where.recordings)
    stimuli, parts = dataset.stimuli, dataset.stimuli.parts()
    data = responses(assembly)
    index, _ = stimulus_codes(assembly)
    counts = np.bincount(index)
    patterns = _patterns(assembly, data, index, stimuli, settings, what)
    condensed = _finite(rdm(patterns, settings.metric), stimuli.stimulus_id, what)
    rows = None
    if settings.rdm == "category":
        _check_categories(stimuli, parts, what)
        names = np.unique(stimuli.category)
        by_part = category_rdms(patterns, stimuli.category, parts.values(), settings.metric)
        rows = [_finite(row, names, what) for row in by_part]
    ceilings = noise_ceiling(
        data,
        index,
        parts,
        metric=settings.metric,
        zscore=settings.zscore,
        method=method,
        categories=None if rows is None else stimuli.category,
        n_splits=settings.ceiling_splits,
        seed=seed_from("noise ceiling", where.recordings, where.region, settings.splits.seed),
    )
    if counts.max() == 1:
        averaged = "every stimulus has one response: repetitions were averaged or not made"
        ceilings = {part: replace(ceiling, reason=averaged) for part, ceiling in ceilings.items()}
    animals = animal_names(assembly)
    return target(
        stimuli,
        condensed,
        ceilings=ceilings,
        animals=_between_animals(patterns, animals, stimuli, settings, method),
        category_rdms=rows,
        attributes=TargetAttributes(
            region=where.region,
            recordings=where.recordings,
            n_sites=assembly.sizes["neuroid"],
            n_repeats=float(np.median(counts)),
            n_animals=len(np.unique(animals)),
            weight=where.weight,
            metric=settings.metric,
            zscore=int(settings.zscore),
            simulated=int(assembly.attrs.get("simulated", 0)),
            **dataset.shown,
        ),
    )


def _patterns(
    assembly: xr.DataArray,
    data: np.ndarray,
    index: np.ndarray,
    stimuli: Stimuli,
    settings: RecordedTeacher,
    what: str,
) -> np.ndarray:
    """Return mean responses (stimuli, sites); for crossnobis (stimuli, repetitions, sites)."""
    sites = site_names(assembly)
    refuse_not_finite(data, sites, stimuli.stimulus_id[index], what)
    means = means_by_code(data, index)
    refuse_constant(means if settings.zscore else data, sites, what)
    if settings.metric == "poisson" and (settings.zscore or (data < 0).any()):
        raise TgsageError(
            f"{what}: metric 'poisson' takes rates, not z-scores or negative values; set zscore: false "
            "and subtract no baseline"
        )
    if settings.metric != "crossnobis":
        return standardised(means) if settings.zscore else means
    counts = np.bincount(index)
    if counts.min() != counts.max() or counts.min() < 2:
        raise TgsageError(
            f"{what}: metric 'crossnobis' needs two or more repetitions, as many of every stimulus, and "
            f"there are {counts.min()} to {counts.max()}; set selection.equal_repeats"
        )
    blocks = data[np.argsort(index, kind="stable")].reshape(len(counts), counts[0], -1)
    return (blocks - means.mean(axis=0)) / means.std(axis=0) if settings.zscore else blocks


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


def _check_categories(stimuli: Stimuli, parts: Mapping[str, np.ndarray], what: str) -> None:
    """Raise unless every stimulus has a category and every part of the stimuli has all categories."""
    names = np.unique(stimuli.category)
    if "" in names or len(names) < LEAST_CATEGORIES:
        raise TgsageError(
            f"{what}: rdm 'category' needs the category of every stimulus, and {LEAST_CATEGORIES} or more "
            "categories; set rdm: image"
        )
    for part, members in parts.items():
        lacking = sorted(set(names) - set(stimuli.category[members]))
        if lacking:
            raise TgsageError(
                f"{what}: split {part!r} has no stimulus of category {str(lacking[0])!r}; give the split a "
                "larger share or set rdm: image"
            )


def _between_animals(
    patterns: np.ndarray, animals: np.ndarray, stimuli: Stimuli, settings: RecordedTeacher, method: str
) -> dict[str, tuple[float, float]] | None:
    """Return the agreement of the animals' own RDMs by part, where two or more have enough sites."""
    names = [name for name in np.unique(animals) if (animals == name).sum() >= LEAST_SITES]
    if len(names) < 2:
        return None
    bounds = {}
    for part, members in stimuli.parts().items():
        of_animals = [patterns[members][..., animals == name] for name in names]
        if settings.rdm == "category":
            of_animals = [category_means(one, stimuli.category[members]) for one in of_animals]
        bounds[part] = animal_bounds(np.array([rdm(one, settings.metric) for one in of_animals]), method)
    return bounds


def _published(
    published: xr.Dataset, dataset: _Dataset, where: Target, settings: RecordedTeacher, method: str, what: str
) -> xr.Dataset:
    """Return the target of a data set of which only RDMs were published."""
    region, metric = str(published.attrs["region"]), str(published.attrs.get("metric", "correlation"))
    _check_published(region, metric, where, settings, what)
    stimuli, parts = dataset.stimuli, dataset.stimuli.parts()
    rdms = np.asarray(published["rdm"].transpose("measurement", "pair").values, np.float64)
    if n_stimuli(rdms.shape[1]) != len(stimuli.stimulus_id):
        raise TgsageError(
            f"{what}: the published RDM has {rdms.shape[1]} pairs and {len(stimuli.stimulus_id)} stimuli, "
            "which do not fit"
        )
    units = rdms
    if "animal" in published:
        # Sessions of one subject are not independent of each other.
        names = published["animal"].values.astype(str)
        units = np.array([rdms[names == name].mean(axis=0) for name in dict.fromkeys(names)])
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
    return target(
        stimuli,
        _finite(units.mean(axis=0), stimuli.stimulus_id, what),
        ceilings=ceilings,
        animals=animals if len(units) > 1 else None,
        attributes=TargetAttributes(
            region=region,
            recordings=where.recordings,
            n_sites=int(published.attrs.get("n_sites", 0)),
            n_animals=int(published.attrs.get("n_animals", len(units))),
            weight=where.weight,
            metric=metric,
            # The authors may have z-scored the sites.
            zscore=0,
            simulated=int(published.attrs.get("simulated", 0)),
            published_rdm=1,
            **dataset.shown,
        ),
    )


def _check_published(region: str, metric: str, where: Target, settings: RecordedTeacher, what: str) -> None:
    """Raise if the settings ask for what a published RDM cannot give."""
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
