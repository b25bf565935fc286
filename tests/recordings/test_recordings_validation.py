"""Everything that may be wrong with recordings is one line that names what and where."""

from __future__ import annotations

import numpy as np
import pytest

from tgsage import recordings
from tgsage.errors import TgsageError


def test_good_recordings_pass(small_assembly, small_stimuli):
    for bins in (None, 2):
        recordings.validate(small_assembly(bins=bins), small_stimuli())


def nan(assembly, stimuli):
    assembly[2, 5] = np.nan
    return assembly, stimuli


def infinite(assembly, stimuli):
    assembly[2, 5] = np.inf
    return assembly, stimuli


def negative(assembly, stimuli):
    assembly[1, 3] = -1
    return assembly, stimuli


def negative_without_units(assembly, stimuli):
    del assembly.attrs["units"]
    assembly[1, 3] = -1
    return assembly, stimuli


def constant(assembly, stimuli):
    assembly[4] = 3
    return assembly, stimuli


def same_site_twice(assembly, stimuli):
    names = assembly.neuroid_id.values.copy()
    names[3] = names[0]
    return assembly.assign_coords(neuroid_id=("neuroid", names)), stimuli


def same_repetition_twice(assembly, stimuli):
    numbers = assembly.repetition.values.copy()
    numbers[assembly.stimulus_id.values == "image_03"] = 1
    return assembly.assign_coords(repetition=("presentation", numbers)), stimuli


def no_image(assembly, stimuli):
    return assembly, stimuli.isel(stimulus=slice(0, 11))


def never_shown(assembly, stimuli):
    return assembly.isel(presentation=assembly.stimulus_id.values != "image_04"), stimuli


def no_region(assembly, stimuli):
    return assembly.drop_vars("region"), stimuli


def empty_region(assembly, stimuli):
    return assembly.assign_coords(region=("neuroid", ["V4", "", "V4", "V4", "V4"])), stimuli


def same_stimulus_twice(assembly, stimuli):
    return assembly, stimuli.isel(stimulus=[*range(12), 3])


def float_images(assembly, stimuli):
    return assembly, stimuli.assign(images=stimuli.images / 255)


def grey_images(assembly, stimuli):
    return assembly, stimuli.isel(rgb=[0])


def no_degrees(assembly, stimuli):
    del stimuli.attrs["visual_degrees"]
    return assembly, stimuli


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (nan, r"1 responses are NaN or infinite, the first of site site_2 to stimulus image_\d\d"),
        (infinite, "NaN or infinite"),
        (negative, r"1 counts are negative, the first of site site_1 to stimulus image_\d\d"),
        (negative_without_units, "counts are negative"),
        (constant, "site site_4 never varies over stimuli"),
        (same_site_twice, "neuroid_id site_0 occurs more than once"),
        (same_repetition_twice, "stimulus image_03 has repetition 1 more than once"),
        (no_image, "stimulus image_11 of the assembly has no image"),
        (never_shown, "image image_04 was never shown"),
        (no_region, "no coordinate region on neuroid"),
        (empty_region, "site site_1 has no region"),
        (same_stimulus_twice, "stimulus_id image_03 occurs more than once"),
        (float_images, "images are float64"),
        (grey_images, "have to be uint8"),
        (no_degrees, "visual_degrees is None"),
    ],
)
def test_each_mistake_is_one_line(small_assembly, small_stimuli, spoil, message):
    assembly, stimuli = spoil(small_assembly(), small_stimuli())
    with pytest.raises(TgsageError, match=message) as caught:
        recordings.validate(assembly, stimuli, where="some/file.nc")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("some/file.nc: ")


def test_rates_may_be_negative(small_assembly, small_stimuli):
    assembly = small_assembly()
    standardised = (assembly - assembly.mean()) / assembly.std()
    standardised.attrs = {}
    assert recordings.units(standardised) == "rates"
    recordings.validate(standardised, small_stimuli())
    whole = assembly - 3
    whole.attrs = {"units": "rates"}
    recordings.validate(whole, small_stimuli())


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [("counts", "counts"), ("Spike Counts", "counts"), ("zscore", "zscore"), (None, "counts"), ("Hz", "Hz")],
)
def test_units_by_attribute_or_values(small_assembly, attribute, expected):
    assembly = small_assembly()
    if attribute is None:
        del assembly.attrs["units"]
    else:
        assembly.attrs["units"] = attribute
    assert recordings.units(assembly) == expected
