"""Published recordings, read, compared with each other and with what their papers say."""

from __future__ import annotations

import brainio.assemblies
import brainio.stimuli
import numpy as np
import pytest
import scipy.io

from tgsage import recordings
from tgsage.errors import TgsageError
from tgsage.recordings import Selection
from tgsage.recordings.readers.cowley2023.plugin import Cowley2023Recordings
from tgsage.recordings.readers.kriegeskorte2008.plugin import Kriegeskorte2008Recordings


@pytest.fixture(scope="module", autouse=True)
def _data_root(data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TGSAGE_DATA", str(data))
        yield


@pytest.fixture(scope="module")
def objects():
    return recordings.make(recordings.card("cowley_v4_objects").source)


@pytest.fixture(scope="module")
def raw():
    return recordings.make(Cowley2023Recordings(source="cowley2023", session="210325", responses="raw"))


@pytest.mark.parametrize("name", ["cowley2023", "cowley_v4_objects", "kriegeskorte2008"])
def test_the_files_are_those_on_the_card(name):
    assert set(recordings.verify(name).values()) == {"matches"}


def test_brainio_package_is_as_brainio_reads_it(data, objects):
    assembly, stimuli = objects
    loader = brainio.assemblies.AssemblyLoader(
        cls=brainio.assemblies.NeuronRecordingAssembly,
        file_path=data / "brainio" / "assy_cowley_V4Objects2023.nc",
    )
    theirs = loader.load()
    assert assembly.dims == theirs.dims == ("neuroid", "presentation", "time_bin")
    np.testing.assert_array_equal(assembly.values, theirs.values)
    for name in brainio.assemblies.get_levels(theirs):
        np.testing.assert_array_equal(assembly[name].values, theirs[name].values)
    assert assembly.shape == (50, 4840, 1)
    assert stimuli.images.shape == (640, 112, 112, 3)
    assert stimuli.attrs["stimulus_set_identifier"] == theirs.attrs["stimulus_set_identifier"]
    names, counts = np.unique(stimuli.category.values, return_counts=True)
    assert len(names) == 8
    assert (counts == 80).all()


def test_brainio_reads_what_we_write_of_real_data(objects, tmp_path):
    assembly, _ = objects
    recordings.save(assembly, tmp_path / "assembly.nc")
    theirs = brainio.assemblies.NeuronRecordingAssembly.from_files(
        tmp_path / "assembly.nc", stimulus_set_identifier="cowley.V4Objects2023", stimulus_set=None
    )
    np.testing.assert_array_equal(theirs.values, assembly.values)
    np.testing.assert_array_equal(theirs["neuroid_id"].values, assembly.neuroid_id.values)
    assert recordings.load(tmp_path / "assembly.nc").equals(assembly)


def test_two_layouts_of_one_session_agree(objects, raw):
    (package, package_stimuli), (assembly, stimuli) = objects, raw
    np.testing.assert_array_equal(package.values[:, :, 0], assembly.values)
    for name in ("stimulus_id", "repetition", "animal", "region"):
        np.testing.assert_array_equal(package[name].values, assembly[name].values)
    np.testing.assert_array_equal(package_stimuli.images.values, stimuli.images.values)


def test_published_means_are_the_means_of_the_raw_counts(data, raw):
    published, _ = recordings.make(Cowley2023Recordings(source="cowley2023", session="210325"))
    means = recordings.stimulus_means(raw[0])
    np.testing.assert_array_equal(published.stimulus_id.values, means.stimulus_id.values)
    np.testing.assert_allclose(published.values, means.values, rtol=1e-12)
    assert published.attrs["repeats_averaged"] == 8
    assert means.n_repeats.values.min() == 6
    assert means.n_repeats.values.max() == 10
    # and the published array itself, read without any of our code
    array = np.load(data / "cowley2023_v4" / "responses_raw" / "responses_210325.npy")
    np.testing.assert_allclose(np.nanmean(array, axis=2), means.values, rtol=1e-12)


def test_natural_images():
    assembly, stimuli = recordings.load("cowley2023"), recordings.load_stimuli("cowley2023")
    assert assembly.shape == (89, 1200)
    assert stimuli.images.shape == (1200, 112, 112, 3)
    assert set(assembly.region.values) == {"V4"}
    assert set(assembly.animal.values) == {"PE"}
    assert assembly.neuroid_id.values[0] == "201025_000"
    assert assembly.attrs["repeats_averaged"] == 12
    with pytest.raises(TgsageError, match="its 12 repetitions are published averaged"):
        recordings.reliability(assembly)
    with pytest.raises(TgsageError, match="has 1 repetitions"):
        recordings.select(assembly, Selection(equal_repeats=2))


def test_reliability_of_v4_sites(objects):
    """Sorted V4 units, 6 to 10 repetitions of 100 ms counts: between .5 and .95, about .75 in the middle."""
    values = recordings.reliability(objects[0]).values
    assert 0.70 < np.median(values) < 0.80
    assert values.min() > 0.4
    assert values.max() < 0.96
    # Fewer repetitions, less reliable: Spearman-Brown predicts by how much.
    few = recordings.reliability(recordings.select(objects[0], Selection(equal_repeats=4))).values
    n = 4 / recordings.repeats(objects[0]).values.mean()
    expected = n * values / (1 + (n - 1) * values)
    np.testing.assert_allclose(np.median(few), np.median(expected), atol=0.03)


def test_monkey_and_human_it(data):
    monkey, stimuli = recordings.make_published_rdm(
        Kriegeskorte2008Recordings(source="kriegeskorte2008", species="monkey")
    )
    human, _ = recordings.make_published_rdm(
        Kriegeskorte2008Recordings(source="kriegeskorte2008", species="human")
    )
    assert monkey.rdm.shape == (1, 4186)
    assert human.rdm.shape == (8, 4186)
    assert human.attrs["n_animals"] == 4
    # The order of pairs: the human average is published in both files, as a square and as a vector.
    file = scipy.io.loadmat(data / "kriegeskorte2008" / "Kriegeskorte_Neuron2008_supplementalData.mat")
    average = file["RDMs_mIT_hIT_fig1"][0, 1]["RDM"].ravel()
    np.testing.assert_allclose(human.rdm.mean("measurement"), average, atol=1e-6)
    # Kriegeskorte et al. 2008 report r = 0.49 between monkey and human.
    assert np.corrcoef(monkey.rdm.values[0], average)[0, 1] == pytest.approx(0.49, abs=0.005)
    assert stimuli.images.shape == (92, 175, 175, 3)
    assert (stimuli.images.values[:, 0, 0] == 128).mean() > 0.95  # the grey background
    names, counts = np.unique(stimuli.category.values, return_counts=True)
    assert dict(zip(names, counts, strict=True)) == {
        "human bodypart": 12, "human face": 12, "nonhuman bodypart": 12, "nonhuman face": 12,
        "natural inanimate": 23, "artificial inanimate": 21,
    }  # fmt: skip
    np.testing.assert_array_equal(
        stimuli.face.values, [name.endswith("face") for name in stimuli.category.values]
    )
    assert recordings.load_stimuli("kriegeskorte2008").equals(stimuli)
    with pytest.raises(TgsageError, match="RDMs and no responses"):
        recordings.load("kriegeskorte2008")


def test_published_package_with_its_own_stimulus_set(data, objects, tmp_path):
    """BrainIO's own stimulus loader names the same images for the same identifiers."""
    import zipfile

    from PIL import Image

    with zipfile.ZipFile(data / "brainio" / "stimulus_cowley_V4Objects2023.zip") as archive:
        archive.extractall(tmp_path)
    table = tmp_path / "stimuli.csv"
    content = (data / "brainio" / "stimulus_cowley_V4Objects2023.csv").read_text()
    lines = [f"{line},{line.split(',')[0]}.jpg" for line in content.splitlines()]
    table.write_text("\n".join([content.splitlines()[0] + ",filename", *lines[1:]]))
    theirs = brainio.stimuli.StimulusSet.from_files(table, tmp_path)
    stimuli = objects[1]
    for index in (0, 17, 320, 639):
        name = stimuli.stimulus_id.values[index]
        pixels = np.asarray(Image.open(theirs.get_stimulus(name)).convert("RGB"))
        np.testing.assert_array_equal(stimuli.images.values[index], pixels)
