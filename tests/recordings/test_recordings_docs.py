"""The pages about recordings: a row and a page for every layout, and snippets that work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tgsage import plugins, recordings
from tgsage.recordings.readers.hdf5.plugin import Hdf5Recordings

PAGES = Path(__file__).resolve().parents[2] / "docs" / "recordings"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.M | re.S)


@pytest.mark.parametrize("source", [plugin.plugin_name() for plugin in plugins.every("recordings")])
def test_every_layout_has_a_row_and_a_page(source):
    row = re.search(
        rf"^\| `{source}` \|.*\[\S+\]\((\S+)\) \|$", (PAGES / "README.md").read_text(), flags=re.M
    )
    assert row is not None
    page = (PAGES / row[1]).resolve()
    assert page.is_file() and (source == "simulated" or f"source: {source}" in page.read_text())


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.name)
def test_every_snippet_is_a_valid_configuration(page):
    for block in blocks(page, "yaml"):
        for settings in yaml.safe_load(block).get("recordings", {}).values():
            assert plugins.settings("recordings", settings).source == settings["source"]
    assert blocks(page, "yaml") or page.name in ("README.md", "downloads.md")


def test_the_example_writes_a_file_that_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = blocks(PAGES / "hdf5.md", "python")
    exec(code, {})
    assembly, stimuli = recordings.make(Hdf5Recordings(source="hdf5", file="mine.h5"), tmp_path)
    assert assembly.shape == (20, 120) and stimuli.sizes["stimulus"] == 40
    assert recordings.repeats(assembly).values.tolist() == [3] * 40
    assert recordings.units(assembly) == "counts" and stimuli.attrs["visual_degrees"] == 8.0
