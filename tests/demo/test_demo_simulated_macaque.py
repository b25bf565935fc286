from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr
from pydantic import ValidationError

from tgsage import plugins, recordings
from tgsage.demo.rendering import CATEGORIES, render
from tgsage.demo.simulated_macaque.network import (
    AREAS,
    Adam,
    VentralStream,
    train_ventral_stream,
    training_images,
)
from tgsage.demo.simulated_macaque.plugin import SimulatedRecordings
from tgsage.demo.simulated_macaque.reader import UNITS_PER_SITE, _drive, read
from tgsage.tasks import image_hashes

SITES = {"monkey_1": {"V4": 5, "aIT": 3}, "monkey_2": {"V4": 4, "pIT": 2}}
TINY = {"n_stimuli": 48, "resolution": 16, "training_images": 64, "epochs": 1, "sites": SITES}


def settings(**changes):
    return SimulatedRecordings(source="simulated", **{**TINY, **changes})


def simulate(settings):
    return read(settings, None)[:2]


@pytest.fixture(scope="module")
def recorded():
    return simulate(settings())


def test_form_of_the_assembly(recorded):
    assembly, _ = recorded
    assert assembly.dims == ("neuroid", "presentation", "time_bin")
    assert assembly.dtype == np.float32
    assert (assembly.values == np.round(assembly.values)).all()
    assert assembly.values.min() == 0
    assert assembly.attrs["simulated"] == 1
    assert len(set(assembly["neuroid_id"].values)) == 14
    found = {}
    for animal, region in zip(assembly["animal"].values, assembly["region"].values, strict=True):
        found.setdefault(str(animal), {}).setdefault(str(region), 0)
        found[str(animal)][str(region)] += 1
    assert found == SITES
    assert (assembly["time_bin_start"].item(), assembly["time_bin_end"].item()) == (70, 170)
    assert all(coordinate.ndim == 1 for coordinate in assembly.coords.values())


def test_repetitions_are_unequal_and_count_from_nought(recorded):
    assembly, stimuli = recorded
    counts = []
    for stimulus in stimuli["stimulus_id"].values:
        repetitions = assembly["repetition"].values[assembly["stimulus_id"].values == stimulus]
        assert sorted(repetitions) == list(range(len(repetitions)))
        counts.append(len(repetitions))
    assert (min(counts), max(counts)) == (6, 10)
    assert assembly.sizes["presentation"] == sum(counts)


def test_stimuli_are_the_teacher_stream_and_nobody_elses(recorded):
    assembly, stimuli = recorded
    assert stimuli.attrs["visual_degrees"] == 8
    assert stimuli.attrs["simulated"] == 1
    assert stimuli["images"].dims == ("stimulus", "y", "x", "rgb")
    assert sorted(set(stimuli["category"].values)) == sorted(CATEGORIES)
    assert set(np.unique(stimuli["category"], return_counts=True)[1]) == {6}
    assert np.unique(stimuli["variation"], return_counts=True)[1].tolist() == [24, 24]
    high = render(24, resolution=16, variation="high", seed=2019, stream="teacher", first=24)
    np.testing.assert_array_equal(stimuli["images"].values[24:], high.images)
    np.testing.assert_array_equal(stimuli["position_x"].values[24:], high.x)
    seen = render(64, resolution=16, variation="high", seed=2019, stream="simulated_macaque").images
    assert not set(image_hashes(seen)) & set(image_hashes(stimuli["images"].values))
    lookup = dict(zip(stimuli["stimulus_id"].values, stimuli["object_name"].values, strict=True))
    assert [lookup[key] for key in assembly["stimulus_id"].values] == list(assembly["object_name"].values)


def test_the_same_settings_give_the_same_recordings(recorded, monkeypatch):
    """Whatever the global random state and the number of threads are: the settings' number counts."""
    torch.manual_seed(77)
    np.random.seed(77)  # noqa: NPY002
    state = torch.get_rng_state()
    threads_of_batches = set()
    forward = VentralStream.areas

    def areas(network, grey):
        threads_of_batches.add(torch.get_num_threads())
        return forward(network, grey)

    monkeypatch.setattr(VentralStream, "areas", areas)
    torch.set_num_threads(2)
    try:
        again, stimuli = simulate(settings())
        assert (threads_of_batches, torch.get_num_threads()) == ({1}, 2)
        torch.set_num_threads(1)
        simulate(settings(threads=2))
        assert (threads_of_batches, torch.get_num_threads()) == ({1, 2}, 1)
    finally:
        torch.set_num_threads(1)
    assert torch.equal(torch.get_rng_state(), state)
    xr.testing.assert_identical(recorded[0], again)
    xr.testing.assert_identical(recorded[1], stimuli)
    other, _ = simulate(settings(seed=1))
    assert not np.array_equal(other.values[:, :200], again.values[:, :200])


def test_more_sites_of_one_animal_leave_the_others_as_they_were(recorded):
    more = {"monkey_1": {"V4": 6}, "monkey_2": SITES["monkey_2"]}
    assembly, _ = simulate(settings(sites=more, repeats=(120, 120)))
    few, _ = simulate(settings(repeats=(120, 120)))
    mine, theirs = (
        recordings.stimulus_means(a.isel(neuroid=a["animal"].values == "monkey_2")).values
        for a in (assembly, few)
    )
    # The same rates, other spikes: means of 120 Poisson counts agree to a few standard errors.
    order = [np.argsort(a["stimulus_id"].values) for a in map(recordings.stimulus_means, (assembly, few))]
    mine, theirs = mine[:, order[0]], theirs[:, order[1]]
    error = (mine - theirs) / np.sqrt((mine + theirs + 1e-9) / 120)
    assert np.abs(error).max() < 5
    assert error.std() == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize(("region", "spread"), [("V4", 0.1), ("pIT", 0.25), ("aIT", np.inf)])
def test_drive_is_a_weighted_sum_over_channels_and_places(region, spread):
    """Against loops over the definition, with the same draws."""
    maps = np.random.default_rng(0).normal(size=(3, 12, 4, 4))
    drive = _drive(maps, region, 2, np.random.default_rng(1))
    rng = np.random.default_rng(1)
    places = (np.arange(4) + 0.5) / 4
    for site in range(2):
        channels = rng.choice(12, UNITS_PER_SITE, replace=False)
        sizes = rng.exponential(1.0, UNITS_PER_SITE)
        signs = [1 if draw < 0.75 else -1 for draw in rng.random(UNITS_PER_SITE)]
        down, right = rng.uniform(0.2, 0.8, 2)
        distances = np.array([[np.hypot(y - down, x - right) for x in places] for y in places])
        window = np.exp(-(distances**2) / (2 * spread**2))
        for image in range(3):
            expected = sum(
                sign * size * (maps[image, channel] * window).sum() / window.sum()
                for channel, size, sign in zip(channels, sizes, signs, strict=True)
            )
            assert drive[site, image] == pytest.approx(expected, rel=1e-12)


def test_counts_are_poisson():
    assembly, _ = simulate(settings(repeats=(120, 120)))
    values = assembly.squeeze("time_bin").groupby("stimulus_id")
    mean, variance = values.mean("presentation").values, values.var("presentation", ddof=1).values
    enough = mean > 0.5
    assert np.mean(variance[enough] / mean[enough]) == pytest.approx(1, abs=0.05)


def test_the_stage_accepts_them_and_their_files_keep_them(tmp_path):
    assembly, stimuli = recordings.make(settings())
    assert assembly.attrs["units"] == "counts"
    recordings.save(assembly, tmp_path / "assembly.nc")
    recordings.save_stimuli(stimuli, tmp_path / "stimuli.h5")
    found, shown = recordings.load(tmp_path / "assembly.nc"), recordings.load_stimuli(tmp_path / "stimuli.h5")
    np.testing.assert_array_equal(found.values, assembly.values)
    assert found.attrs["simulated"] == shown.attrs["simulated"] == 1
    np.testing.assert_array_equal(shown["images"].values, stimuli["images"].values)
    np.testing.assert_array_equal(shown["category"].values, stimuli["category"].values)


def test_network_names_its_areas_and_learns():
    network = VentralStream()
    found = network.areas(torch.zeros(2, 1, 32, 32))
    assert tuple(found) == AREAS
    assert [tuple(found[area].shape[1:]) for area in AREAS] == [
        (16, 32, 32), (32, 16, 16), (64, 8, 8), (96, 4, 4), (128, 4, 4),
    ]  # fmt: skip
    images = training_images(settings(training_images=600))
    early, late = (
        train_ventral_stream(settings(epochs=epochs), images)[1]["held_out_loss"] for epochs in (0.1, 6)
    )
    assert late < early - 0.1


def test_adam_is_torchs():
    modules = [torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4)) for _ in range(2)]
    modules[1].load_state_dict(modules[0].state_dict())
    ours = Adam(modules[0].parameters(), 0.1)
    theirs = torch.optim.Adam(modules[1].parameters(), lr=0.1)
    inputs = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for rate in (0.1, 0.03, 0.01):
        ours.learning_rate = theirs.param_groups[0]["lr"] = rate
        for module, optimiser in zip(modules, (ours, theirs), strict=True):
            module.zero_grad()
            module(inputs).pow(3).sum().backward()
            optimiser.step()
    for one, other in zip(modules[0].parameters(), modules[1].parameters(), strict=True):
        assert one.grad is None
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_stimuli": 50}, "multiple of the 8 categories, e.g. 56"),
        ({"repeats": (4, 2)}, "smaller one first"),
        ({"window_ms": (170, 70)}, "start and its later end"),
        ({"sites": {"monkey_1": {"V4": 0}}}, "at least one site"),
        ({"sites": {"monkey_1": {"LGN": 3}}}, "'V1', 'V2', 'V4', 'pIT' or 'aIT'"),
    ],
)
def test_wrong_settings(changes, words):
    with pytest.raises(ValidationError, match=words):
        settings(**changes)


@pytest.mark.slow
def test_defaults_resemble_real_recordings(data):
    """The figures of docs/simulated_macaque.md."""
    assembly, stimuli = simulate(SimulatedRecordings(source="simulated"))
    assert assembly.sizes["neuroid"] == 296
    assert np.unique(assembly["region"], return_counts=True)[1].tolist() == [128, 70, 98]  # V4, aIT, pIT
    assert np.unique(stimuli["object"], return_counts=True)[1].tolist() == [4] * 64
    assert assembly.attrs["network_held_out_accuracy"] > 0.65  # chance is 0.125
    cowley = plugins.settings(
        "recordings",
        "brainio",
        assembly="brainio/assy_cowley_V4Objects2023.nc",
        stimuli_csv="brainio/stimulus_cowley_V4Objects2023.csv",
        stimuli_zip="brainio/stimulus_cowley_V4Objects2023.zip",
    )
    real, _ = recordings.make(cowley, data)
    shares = [0.05, 0.25, 0.5, 0.75, 0.95]
    wanted = np.quantile(recordings.reliability(real), shares)
    made = recordings.reliability(assembly.isel(neuroid=assembly["region"].values == "V4"))
    np.testing.assert_allclose(np.quantile(made, shares), wanted, atol=0.06)

    # Deeper regions tell categories apart better, and the two animals agree.
    means = recordings.stimulus_means(assembly)
    label = means["category"].values if "category" in means.coords else None
    if label is None:
        names = dict(zip(stimuli["stimulus_id"].values, stimuli["category"].values, strict=True))
        label = np.array([names[key] for key in means["stimulus_id"].values])
    upper = np.triu_indices(len(label), 1)
    within = (label[:, None] == label)[upper]
    gaps = []
    for region in ("V4", "pIT", "aIT"):
        here = means["region"].values == region
        z = means.values[here]
        z = (z - z.mean(1, keepdims=True)) / z.std(1, keepdims=True)
        dissimilarity = 1 - np.corrcoef(z.T)[upper]
        gaps.append(dissimilarity[~within].mean() - dissimilarity[within].mean())
        animal = means["animal"].values[here]
        pair = [1 - np.corrcoef(z[animal == name].T)[upper] for name in ("monkey_1", "monkey_2")]
        assert np.corrcoef(pair)[0, 1] > 0.15
    assert 0 < gaps[0] < gaps[1] < gaps[2]
