"""The page opens offline, is well formed, says what is simulated, and fails in one line."""

from __future__ import annotations

import base64
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import h5py
import netCDF4
import pytest

from helpers import made_up_run
from tgsage import report
from tgsage.errors import TgsageError

VOID = {"meta", "link", "img", "br", "hr", "input", "col"}


class Reader(HTMLParser):
    """Checks that tags nest, and keeps attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)


@pytest.fixture(scope="module")
def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def said(read: Reader) -> str:
    return " ".join(" ".join(read.text).split())


def test_nothing_is_fetched(page, read):
    for tag, attributes in read.tags:
        for name in ("src", "href", "srcset", "data", "action"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, name, value[:80])
        assert tag not in ("iframe", "object", "embed")
        assert tag != "script" or attributes == {"type": "application/json", "id": "numbers"}
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style and "@import" not in style


def test_links_within_the_page_lead_somewhere(read):
    names = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(names) == len(set(names))
    links = [attributes["href"] for tag, attributes in read.tags if tag == "a"]
    assert links and all(link.removeprefix("#") in names for link in links)


def test_every_figure_has_words_and_is_a_whole_svg(read):
    images = [attributes for tag, attributes in read.tags if tag == "img"]
    # Comparison; trajectory, scatter, layers, similarity, RDMs, cell; trajectory, cell; reliability, stimuli.
    assert len(images) == 1 + 6 + 2 + 2
    for image in images:
        assert len(image["alt"]) > 15
        kind, content = image["src"].split(",", 1)
        assert kind == "data:image/svg+xml;base64"
        root = ElementTree.fromstring(base64.b64decode(content))
        assert root.tag.endswith("svg")
    assert re.findall(r"Figure (\d+)\.", said(read)) == [str(number + 1) for number in range(len(images))]


def test_page_says_what_it_must(read):
    text = said(read)
    for sentence in (
        "No animal was recorded",
        "Guided & <searched>",
        "rendered_objects: 4,000 training, 800 validation and 2,000 test",
        "8 classes (animals, boats",
        "Arm none: 2 search seeds",
        "82.0 %",
        "80.3 to 83.6 %",
        "1,640 of 2,000",
        "Chance 12.5 %",
        "not available",
        "34 ok, 1 failed, 0 invalid, 1 timeout",
        "of which not ok",
        "no control teacher",
        "Candidates were trained on AMD EPYC 9V74.",
        "one training seed",
    ):
        assert sentence in text, sentence
    assert "There is no arm without teacher" not in text


def test_the_leaderboard_is_in_order_and_marks_the_winner(page, reported_run):
    section = page[page.index('id="search-0"') :]
    rows = re.findall(
        r'<tr( class="winner")?><th scope="row">(\d+)</th><td class="text"><code title="(\w+)">', section
    )
    final = json.loads((reported_run / "search/monkey/seed_0/final.json").read_text())
    assert [int(rank) for _, rank, _ in rows[:13]] == [*range(1, 11), 1, 2, 3]
    assert {candidate for marked, _, candidate in rows[:13] if marked} == {final["candidate"]}


def test_the_page_is_the_same_each_time(reported_run):
    pages = [made_up_run.page(reported_run, ["none"]) for _ in range(2)]
    assert pages[0] == pages[1]
    assert "Rendered images." in pages[0] and "No animal was recorded" not in pages[0]
    assert "by accuracy alone" in pages[0] or "searches for a network" in pages[0]


def test_a_page_without_its_teacher_is_refused_and_not_written(reported_run, tmp_path):
    files = made_up_run.files_of_page(reported_run, ["monkey"]) | {"teachers": []}
    with pytest.raises(TgsageError, match=r"unknown teacher of .*'monkey'"):
        report.write(tmp_path / "page.html", title="", **files)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def copy(reported_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(reported_run, tmp_path / "made_up")


def refused(run: Path, arms: list[str], message: str) -> None:
    with pytest.raises(TgsageError, match=message) as caught:
        made_up_run.page(run, arms)
    assert "\n" not in str(caught.value)


def test_errors_name_the_file(copy):
    refused(copy, [], r"report\.arms: is empty")
    with netCDF4.Dataset(copy / "search/monkey/seed_0/final/pack_0/rsa.nc", "a") as file:
        file["candidate_0"].teacher_digest = "0" * 64
    refused(copy, ["monkey"], r"monkey\.nc: is not the teacher that scored")
    (copy / "teachers/monkey.nc").unlink()
    refused(copy, ["monkey"], r"teachers/monkey\.nc: no such file")
    (copy / "search/monkey/seed_0/ledger.csv").unlink()
    refused(copy, ["monkey"], r"ledger\.csv: no such ledger")
    (copy / "search/none/seed_1/final/pack_0/training.json").write_text("[")
    refused(copy, ["none"], r"training\.json: not valid JSON")


def test_errors_of_the_task(copy):
    with h5py.File(copy / "task/rendered.h5", "a") as file:
        del file["validation"]
    refused(copy, ["none"], r"rendered\.h5")
    (copy / "task/rendered.h5").unlink()
    refused(copy, ["none"], r"rendered\.h5: no such task file")


def test_figures_that_were_not_drawn_are_named(copy):
    shutil.rmtree(copy / "figures/none/seed_1")
    shutil.rmtree(copy / "figures/none/seed_0")
    refused(copy, ["none"], r"figures\.json: missing")


def test_any_figure_in_the_folder_is_on_the_page(copy):
    folder = copy / "figures/none/seed_0"
    content = json.loads((folder / "figures.json").read_text())
    content["figures"].append(content["figures"][0] | {"name": "mine", "caption": "A figure of mine."})
    (folder / "figures.json").write_text(json.dumps(content))
    shutil.copy(folder / "cell.svg", folder / "mine.svg")
    assert "A figure of mine." in made_up_run.page(copy, ["none"])


def test_several_kinds_of_processors_are_told(copy):
    path = copy / "search/none/seed_1/ledger.csv"
    path.write_text(path.read_text().replace(*made_up_run.PROCESSORS))
    page = made_up_run.page(copy, ["none"])
    assert f"2 kinds of processors ({'; '.join(made_up_run.PROCESSORS)})" in page


def test_numbers_cannot_break_out_of_their_script(page):
    block = page[page.index('id="numbers">') + len('id="numbers">') :]
    inside = block[: block.index("</script>")]
    assert json.loads(inside)["title"] == "Guided & <searched>"
    assert "<" not in inside and "&" not in inside
