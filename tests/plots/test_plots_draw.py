"""Files of figures: which, the same each time, no global state; comparison of arms; errors of one line."""

from __future__ import annotations

import io
import itertools
from typing import ClassVar, Literal

import matplotlib
import numpy as np
import pytest
import xarray as xr
from test_plots_candidates import words as text_of

from helpers import made_up_run
from tgsage import plots, plugins
from tgsage.errors import TgsageError
from tgsage.plots import draw, style, words
from tgsage.plots.settings import FigureSettings
from tgsage.plugins import registry
from tgsage.runs import search_files
from tgsage.studies.similarity import ceilings
from tgsage.teacher import targets_of

WITH_TEACHER = ["trajectory", "p_against_tg", "layers", "layers_over_training", "similarity", "rdms", "cell"]
SIMULATED = "Simulated recordings"


def test_figures_of_an_arm_with_teacher(search, teacher, tmp_path):
    drawings = plots.drawings(plots.SearchData(search, teacher, made_up_run.space(), 800))
    for drawing in drawings:
        assert drawing.caption.endswith(".") and drawing.alt
        if drawing.name != "cell":  # an architecture is not simulated
            assert SIMULATED in text_of(drawing.figure), drawing.name
    draw.write(drawings, tmp_path / "figures")
    files = {f"{name}.{kind}" for name in WITH_TEACHER for kind in ("svg", "png")}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {*files, draw.LIST}
    for path in map((tmp_path / "figures").joinpath, files):
        content = path.read_bytes()
        if path.suffix == ".png":
            assert content.startswith(b"\x89PNG") and b"Software" not in content
        else:
            assert content.startswith(b"<?xml") and b"dc:date" not in content
    pictures = draw.read(tmp_path / "figures")
    assert [picture.name for picture in pictures] == WITH_TEACHER
    assert [picture.alt for picture in pictures] == [drawing.alt for drawing in drawings]
    # Two checkpoints: the page shows both.
    assert [picture.name for picture in pictures if not picture.on_page] == ["layers"]


def test_svgs_are_what_savefig_writes(search, teacher):
    data = plots.SearchData(search, teacher, made_up_run.space(), 800)
    for ours, theirs in zip(plots.drawings(data), plots.drawings(data), strict=True):
        buffer = io.BytesIO()
        save = style.styled(theirs.figure.savefig)
        save(buffer, format="svg", metadata={"Date": None, "Creator": "tgsage"})
        assert style.svg(ours.figure) == buffer.getvalue(), ours.name


def test_figures_of_an_arm_without_teacher(run):
    search = search_files.read_search(run / "search" / "none" / "seed_0")
    drawings = plots.drawings(plots.SearchData(search, None, made_up_run.space()))
    assert [drawing.name for drawing in drawings] == ["trajectory", "cell"]


def test_figures_of_a_teacher(run, tmp_path):
    datasets = [run / "recordings" / "simulated_macaque" / name for name in ("assembly.nc", "stimuli.h5")]
    plots.teacher_figures(tmp_path, teacher_file=run / "teachers" / "monkey.nc", datasets=datasets)
    pictures = draw.read(tmp_path)
    assert [picture.name for picture in pictures] == [
        "rdms", "ceilings", "reliability_simulated_macaque", "stimuli_V4", "stimuli_pIT", "stimuli_aIT",
    ]  # fmt: skip
    # What no search's figures show.
    on_page = [picture.name for picture in pictures if picture.on_page]
    assert on_page == ["reliability_simulated_macaque", "stimuli_aIT"]
    (tmp_path / "rdms.svg").unlink()
    with pytest.raises(TgsageError, match=r"figures\.json: does not fit the figures beside it"):
        draw.read(tmp_path)


@pytest.fixture
def third_party():
    """A figure of a search that somebody else registered; it is forgotten afterwards."""

    def best(data: plots.SearchData) -> list[plots.Drawing]:
        figure = style.new(2)
        figure.subplots().plot(data.ledger["accuracy"])
        return [plots.Drawing("best", figure, "Accuracies.", "A line of accuracies.")]

    class BestFigure(FigureSettings):
        """Accuracies."""

        name: Literal["best"]
        code: ClassVar = best
        of: ClassVar = "search"
        position: ClassVar = 15

    plugins.every("figure")
    plugins.register(BestFigure)
    yield BestFigure
    del registry._REGISTRY["figure"]["best"]


def test_a_figure_of_a_third_party_is_drawn_in_its_place(third_party, search, teacher):
    data = plots.SearchData(search, teacher, made_up_run.space())
    assert [drawing.name for drawing in plots.drawings(data)][:3] == ["trajectory", "best", "p_against_tg"]


def test_two_figures_of_one_file_name_are_refused(third_party, search, monkeypatch):
    monkeypatch.setattr(
        third_party, "code", lambda data: [plots.Drawing("trajectory", style.new(1), "A.", "A.")]
    )
    with pytest.raises(TgsageError, match="figure best: another figure has the file name 'trajectory'"):
        plots.drawings(plots.SearchData(search, None, made_up_run.space()))


def test_marks_of_what_is_simulated():
    recorded = {"simulated": 1, "mark": SIMULATED}
    real = {"simulated": 0, "mark": ""}
    control = {"simulated": 0, "mark": "Control: pixels"}
    assert words.search_mark(True, recorded) == SIMULATED
    assert words.search_mark(True, real) == words.RENDERED == words.search_mark(True, None)
    assert words.search_mark(False, real) == words.search_mark(False, None) == ""
    assert words.search_mark(False, control) == "Control: pixels"
    assert words.search_mark(True, control) == "Control: pixels; simulated (rendered) images"


def with_v4_alone(teacher):
    """One target is drawn faster than three."""
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=teacher.attrs), "/V4": teacher["V4"].to_dataset()})


def test_every_figure_has_the_teachers_mark(teacher, search):
    encoded = teacher.copy()
    encoded.attrs |= {"simulated": 0, "mark": "Encoded (in-silico) responses"}
    for drawing in plots.drawings(plots.TeacherData(with_v4_alone(encoded))):
        assert "Encoded (in-silico)" in text_of(drawing.figure), drawing.name
        assert "encoded (in-silico)" in drawing.caption
    for drawing in plots.drawings(plots.SearchData(search, encoded, made_up_run.space())):
        if drawing.name != "cell":
            text = text_of(drawing.figure)
            assert "Encoded (in-silico) responses; simulated (rendered) images" in text, drawing.name


def test_real_recordings_of_an_encoded_teacher_are_not_called_simulated(teacher, run):
    from tgsage import recordings

    encoded = teacher.copy()
    encoded.attrs |= {"simulated": 0, "mark": "Encoded (in-silico) responses"}
    assembly = recordings.load(run / "recordings" / "simulated_macaque" / "assembly.nc")
    assembly.attrs.pop("simulated", None)
    data = plots.TeacherData(with_v4_alone(encoded), {"real": assembly})
    drawn = {drawing.name: drawing for drawing in plots.drawings(data)}
    assert "imulated" not in text_of(drawn["reliability_real"].figure)
    assert "ncoded" not in text_of(drawn["reliability_real"].figure)


def tg_ceiling(search, teacher):
    return plots.SearchData(search, teacher, made_up_run.space()).tg_ceiling


def test_ceiling_of_tg_is_the_weighted_mean_of_the_targets(search, teacher):
    bounds = np.array([ceilings(group)["reward"] for group in targets_of(teacher).values()])
    best = search.ledger.loc[search.ledger["status"] == "ok", "tg"].max()
    lower, upper = bounds.mean(axis=0)
    assert f"{100 * best / upper:.0f} to {100 * best / lower:.0f} % of it" in tg_ceiling(search, teacher)
    # Another weighting than the ledger's, or a TG of another making: no ceiling is told.
    other = teacher.copy()
    other["V4"].attrs["weight"] = 3.0
    assert tg_ceiling(search, other) == tg_ceiling(search, None) == ""
    group = teacher["aIT"].to_dataset().copy(deep=True)
    group["ceiling_upper"][:] = np.nan
    other = teacher.copy()
    other["aIT"] = group
    assert tg_ceiling(search, other) == "Noise ceiling of TG: not available (none for aIT)."


def test_figures_are_the_same_bytes_whatever_the_users_settings(search):
    def drawn():
        return plots.trajectory(search.ledger.head(8), "monkey", mark="Simulated recordings")

    first = style.svg(drawn())
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "svg.hashsalt": "other"}):
        before = dict(matplotlib.rcParams)
        assert style.svg(drawn()) == first
        assert dict(matplotlib.rcParams) == before
    assert style.png(drawn(), dpi=40) == style.png(drawn(), dpi=40)


def test_comparison_counts_the_examples_of_failed_candidates(run):
    searches = [search_files.read_search(run / "search" / arm / "seed_0") for arm in ("monkey", "none")]
    (drawing,) = plots.drawings(plots.ComparisonData(searches, 800))
    steps = drawing.figure.axes[0].lines
    for line, search in zip(steps, searches, strict=True):
        np.testing.assert_allclose(line.get_xdata() * 1e3, np.cumsum(search.ledger["examples"]))
    tested = [line for line in drawing.figure.axes[2].lines if line.get_marker() == "D"]
    assert [float(line.get_ydata()[0]) for line in tested] == [0.82, 0.82]
    assert "not comparable" in text_of(drawing.figure) and "1 search seed per arm" in text_of(drawing.figure)


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


def test_another_teacher_is_refused(search, teacher):
    other = teacher.copy().filter(lambda node: node.name != "pIT")
    with pytest.raises(TgsageError, match="'pIT' is not in the teacher"):
        plots.drawings(plots.SearchData(search, other, made_up_run.space()))
    with pytest.raises(TgsageError, match="no target"):
        plots.TeacherData(xr.DataTree())
