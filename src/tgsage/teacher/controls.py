"""Controls that replace the RDMs of another teacher and keep its stimuli, splits, targets and weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from .ceilings import absent
from .format import TargetAttributes, TeacherAttributes, marked, simulation, target, targets_of, tree
from .stimuli import Stimuli

Rdms = tuple[np.ndarray, Sequence[np.ndarray] | None]
"""A condensed RDM over stimuli, and the RDM over category means of each part where there is one."""


def control_of_images(
    original: xr.DataTree,
    rdms: Callable[[str, Stimuli], Rdms],
    *,
    name: str,
    kind: str,
    control: str,
    metric: str,
) -> xr.DataTree:
    """Make a control ``name`` of a kind whose RDMs are of the original's images, and not of any responses.

    Parameters
    ----------
    original
        The teacher that is controlled for.
    rdms
        Given the name and the stimuli of a target, returns its RDM; and, where the original is scored by
        category RDMs (root attribute ``rdm`` is ``category``), the category RDM of each part of the stimuli.
    control, metric
        What the RDMs are of, in a few words for figures and the report, and their metric.
    """
    groups = {}
    for target_name, group in targets_of(original).items():
        stimuli = Stimuli.of_target(group)
        condensed, by_category = rdms(target_name, stimuli)
        groups[target_name] = target(
            stimuli,
            condensed,
            ceilings=dict.fromkeys(stimuli.parts(), absent("RDMs of images have no measurement noise")),
            category_rdms=by_category,
            attributes=TargetAttributes.inherited(
                group.attrs, region=control, n_sites=0, n_repeats=np.nan, n_animals=0, zscore=0, metric=metric
            ),
        )
    attributes = TeacherAttributes.inherited(
        original.attrs,
        teacher=name,
        kind=kind,
        metric=metric,
        of=original.attrs["teacher"],
        of_digest=original.attrs["digest"],
        control=control,
        mark=marked(
            simulation(original.attrs["simulated"], original.attrs["simulated_recordings"]),
            f"Control: {control}",
        ),
        words=f"A control, made from the stimuli of {original.attrs['teacher']} alone: {control}.",
    )
    return tree(groups, attributes.flat())
