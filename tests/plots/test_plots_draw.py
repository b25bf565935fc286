"""Files of figures: which, the same each time, no global state; comparison of arms; errors of one line."""

from __future__ import annotations

import itertools
import json
import shutil

import made_up_run
import matplotlib
import numpy as np
import pytest
import xarray as xr
from test_plots_candidates import words

from tgsage import plots
from tgsage.errors import TgsageError
from tgsage.plots import draw, files, style
from tgsage.runs import search_files

WITH_TEACHER = ["cell", "layers", "layers_over_training", "p_against_tg", "rdms", "similarity", "trajectory"]


def test_figures_of_an_arm_with_teacher(run, tmp_path, monkeypatch):
    drawn = []
    original = draw.search_drawings
    monkeypatch.setattr(
        draw, "search_drawings", lambda *args, **options: drawn.extend(original(*args, **options)) or drawn
    )
    written = plots.arm_figures(
        run / "search" / "monkey" / "seed_0", run / "teachers" / "monkey.nc", made_up_run.space().settings,
        tmp_path / "figures", n_validation=800,
    )  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == sorted(
        f"{name}.{kind}" for name in WITH_TEACHER for kind in ("svg", "png")
    )
    assert sorted(written) == sorted((tmp_path / "figures").iterdir())
    for path in written:
        content = path.read_bytes()
        if path.suffix == ".png":
            assert content.startswith(b"\x89PNG") and b"Software" not in content
        else:
            assert content.startswith(b"<?xml") and b"dc:date" not in content
    for drawing in drawn:
        if drawing.name != "cell":  # an architecture is not simulated
            assert "Simulated recordings" in words(drawing.figure), drawing.name
        assert drawing.caption.endswith(".") and drawing.alt


def test_figures_of_an_arm_without_teacher_seed_by_seed(run, tmp_path):
    plots.arm_figures(run / "search" / "none", None, made_up_run.space(), tmp_path)
    assert sorted(path.stem for path in (tmp_path / "seed_0").glob("*.svg")) == ["cell", "trajectory"]


def test_figures_of_a_teacher(run, tmp_path):
    assembly = run / "recordings" / "simulated_macaque" / "assembly.nc"
    plots.teacher_figures(run / "teachers" / "monkey.nc", assemblies=[assembly], out_folder=tmp_path)
    assert sorted(path.stem for path in tmp_path.glob("*.svg")) == [
        "ceilings", "rdms", "reliability_simulated_macaque", "stimuli_V4", "stimuli_aIT", "stimuli_pIT",
    ]  # fmt: skip


def test_marks_of_what_is_simulated(search, teacher):
    real = teacher.copy()
    real.attrs["simulated"] = 0
    assert draw.mark({"simulated": True}, teacher) is True
    assert draw.mark({"simulated": True}, real) == draw.RENDERED == draw.mark({"simulated": True}, None)
    assert draw.mark({"simulated": False}, real) is False
    network = teacher.copy()
    network.attrs["network"] = "ResNet-20"
    assert draw.mark({"simulated": True}, network) == draw.RENDERED


def with_v4_alone(teacher):
    """One target is drawn faster than three."""
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=teacher.attrs), "/V4": teacher["V4"].to_dataset()})


def test_what_is_encoded_or_a_control_says_so(teacher, search):
    encoded = teacher.copy()
    encoded.attrs |= {"simulated": 0, "kind": "encoded", "encoded": 1}
    for name in encoded.children:
        group = encoded[name].to_dataset()
        n = int(group.attrs["n_sites"])
        encoded[name] = group.assign(encoding_r=("neuroid", np.linspace(0, 1, n)))
    for drawing in draw.teacher_drawings(with_v4_alone(encoded)):
        assert "Encoded (in-silico)" in words(drawing.figure), drawing.name
        assert "encoded (in-silico)" in drawing.caption
    drawings = draw.search_drawings(search, encoded, made_up_run.space())
    for drawing in drawings:
        if drawing.name != "cell":
            assert "Encoded (in-silico)" in words(drawing.figure), drawing.name
            assert "simulated (rendered) images" in words(drawing.figure), drawing.name
    encoded.attrs["simulated"] = 1
    assert draw.teacher_words(encoded) == (
        "Simulated recordings; encoded (in-silico) responses, predicted for these stimuli and not recorded"
    )
    shuffled = teacher.copy()
    shuffled.attrs |= {"simulated": 0, "kind": "shuffled", "of": "monkey", "within": "category"}
    assert draw.teacher_words(shuffled) == "Control: stimuli of monkey shuffled within categories"
    pixels = encoded.copy()
    pixels.attrs |= {"simulated": 0, "kind": "images", "control": "pixels"}
    assert draw.teacher_words(pixels) == "Control: pixels"
    for control, encoded_too, told in (
        ("shuffled", 1, "recordings of v4 shuffled before the encoding"),
        ("bare", 0, "features of v4 without recordings"),
    ):
        other = encoded.copy()
        other.attrs |= {
            "simulated": 0, "kind": "encoded_control", "of": "v4", "control": control, "encoded": encoded_too,
        }  # fmt: skip
        assert told in draw.teacher_words(other)
        assert ("Encoded (in-silico)" in draw.teacher_words(other)) is bool(encoded_too)
    # The page asks whether recordings are simulated, whatever else is to be told.
    shuffled.attrs["simulated"] = 1
    assert draw.teacher_mark(shuffled) is draw.teacher_mark(encoded) is True


def test_real_recordings_of_an_encoded_teacher_are_not_called_simulated(teacher, run):
    from tgsage import recordings

    encoded = teacher.copy()
    encoded.attrs |= {"simulated": 0, "encoded": 1}
    assembly = recordings.load(run / "recordings" / "simulated_macaque" / "assembly.nc")
    assembly.attrs.pop("simulated", None)
    encoded = with_v4_alone(encoded)
    drawn = {drawing.name: drawing for drawing in draw.teacher_drawings(encoded, {"real": assembly})}
    assert "imulated" not in words(drawn["reliability_real"].figure)
    assert "ncoded" not in words(drawn["reliability_real"].figure)


def test_ceiling_of_tg_is_the_weighted_mean_of_the_targets(search, teacher):
    bounds = np.array([files.ceiling(group, "reward") for _, group in files.targets(teacher)])
    best = search.ledger.loc[search.ledger["status"] == "ok", "tg"].max()
    lower, upper = bounds.mean(axis=0)
    assert f"{100 * best / upper:.0f} to {100 * best / lower:.0f} % of it" in draw.tg_ceiling(
        search.ledger, teacher
    )
    # Another weighting than the ledger's, or a TG of another making: no ceiling is told.
    other = teacher.copy()
    other["V4"].attrs["weight"] = 3.0
    assert draw.tg_ceiling(search.ledger, other) == ""
    group = teacher["aIT"].to_dataset().copy(deep=True)
    group["ceiling_upper"][:] = np.nan
    other = teacher.copy()
    other["aIT"] = group
    assert draw.tg_ceiling(search.ledger, other) == "Noise ceiling of TG: not available (none for aIT)."


def test_figures_are_the_same_bytes_whatever_the_users_settings(search):
    def drawn():
        return plots.trajectory({"monkey": search.ledger.head(8)}, simulated=True)

    first = style.svg(drawn())
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "svg.hashsalt": "other"}):
        before = dict(matplotlib.rcParams)
        assert style.svg(drawn()) == first
        assert dict(matplotlib.rcParams) == before
    assert style.png(drawn(), dpi=40) == style.png(drawn(), dpi=40)


def test_intervals_contain_the_similarity_that_was_scored(search, teacher):
    intervals = plots.similarity_intervals(search, teacher)
    assert set(intervals) == {"V4", "pIT", "aIT"}
    for target, interval in intervals.items():
        assert interval.value == pytest.approx(search.final["similarity"][target]["report"], abs=1e-9)
        assert interval.low < interval.value < interval.high
        assert interval.n == search.final["similarity"][target]["n_stimuli_report"]


def test_no_interval_where_the_stored_rdm_is_not_the_one_that_was_scored(search, teacher):
    final = json.loads(json.dumps(search.final))
    final["similarity"]["V4"]["report"] += 0.1
    final["similarity"]["pIT"]["report"] = None
    other = search_files.SearchFiles(**{**vars(search), "final": final})
    assert set(plots.similarity_intervals(other, teacher)) == {"aIT"}


def test_comparison_counts_the_examples_of_failed_candidates(run):
    searches = [search_files.read_search(run / "search" / arm / "seed_0") for arm in ("monkey", "none")]
    drawing = plots.comparison_drawing(searches, n_validation=800)
    steps = drawing.figure.axes[0].lines
    for line, search in zip(steps, searches, strict=True):
        np.testing.assert_allclose(line.get_xdata() * 1e3, np.cumsum(search.ledger["examples"]))
    tested = [line for line in drawing.figure.axes[2].lines if line.get_marker() == "D"]
    assert [float(line.get_ydata()[0]) for line in tested] == [0.82, 0.82]
    assert "not comparable" in words(drawing.figure) and "1 search seed per arm" in words(drawing.figure)


@pytest.mark.parametrize(
    "names", [["monkey", "none"], ["monkey", "none", "shuffled"], ["monkey", "none", "shuffled", "random"]]
)
def test_names_of_arms_do_not_touch(search, names):
    figure = plots.comparison(
        {name: [search.ledger] for name in names}, {name: [search.finalists] for name in names}
    )
    figure.canvas.draw()
    labels = figure.axes[2].get_xticklabels()
    assert [label.get_text() for label in labels] == names
    if labels[0].get_rotation() == 0:
        boxes = [label.get_window_extent() for label in labels]
        assert all(one.x1 + 2 < two.x0 for one, two in itertools.pairwise(boxes))
    assert (labels[0].get_rotation() > 0) == (len(names) == 4)


@pytest.fixture
def copy(run, tmp_path):
    return shutil.copytree(run / "search" / "monkey" / "seed_0", tmp_path / "seed_0")


def test_a_missing_file_is_named(copy):
    (copy / "final" / "slot_0" / "rdms.nc").unlink()
    with pytest.raises(TgsageError, match=r"rdms\.nc: missing"):
        search_files.read_search(copy)
    (copy / "final.json").unlink()
    with pytest.raises(TgsageError, match=r"final\.json: missing"):
        search_files.read_search(copy)
    with pytest.raises(TgsageError, match="no search has ended there"):
        search_files.search_folders(copy.parent / "absent")


def test_a_broken_file_is_named(copy):
    (copy / "final" / "slot_0" / "rsa.nc").write_bytes(b"nothing")
    with pytest.raises(TgsageError, match=r"rsa\.nc: cannot be read"):
        search_files.read_search(copy)
    (copy / "finalists.csv").write_text("a,b\n1,2\n")
    with pytest.raises(TgsageError, match=r"finalists\.csv: lacks the columns"):
        search_files.read_search(copy)
    (copy / "final.json").write_text("{")
    with pytest.raises(TgsageError, match=r"final\.json: not valid JSON"):
        search_files.read_search(copy)


def test_keys_that_look_like_numbers_stay_text(copy):
    table = (copy / "finalists.csv").read_text().splitlines()
    first = table[1].split(",")
    first[1] = "0012345678901234"
    (copy / "finalists.csv").write_text("\n".join([table[0], ",".join(first)]) + "\n")
    assert search_files.read_finalists(copy / "finalists.csv")["candidate"].tolist() == ["0012345678901234"]


def test_another_teacher_is_refused(search, teacher):
    other = teacher.copy().filter(lambda node: node.name != "pIT")
    with pytest.raises(TgsageError, match="'pIT' is not in the teacher"):
        plots.search_drawings(search, other, made_up_run.space())
