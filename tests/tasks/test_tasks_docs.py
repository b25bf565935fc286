"""The page on tasks: every snippet is valid, every source has one, and the example runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tgsage import plugins, tasks
from tgsage.errors import TgsageError

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "tasks.md").read_text(encoding="utf-8")
SNIPPETS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.S)]
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: snippet["task"]["source"])
def test_every_snippet_is_a_task(snippet, tmp_path):
    settings = plugins.settings("task", snippet["task"])
    assert settings.source == snippet["task"]["source"]
    assert plugins.settings("task", settings.plain()) == settings
    # Nothing was downloaded here: the reader gets as far as to miss it, and names the place.
    if settings.source != "rendered":
        with pytest.raises(TgsageError, match=f"{tmp_path}/.* no such (file|folder or zip)"):
            tasks.make(settings, tmp_path)
        files = settings.raw_files(tmp_path)
        assert files
        assert all(file.is_relative_to(tmp_path) and not file.exists() for file in files)
    else:
        assert settings.raw_files(tmp_path) == []


def test_every_source_has_a_section_a_snippet_and_a_line_of_the_table():
    names = [plugin.plugin_name() for plugin in plugins.every("task")]
    assert set(re.findall(r"^## `(\w+)`$", PAGE, flags=re.M)) == set(names)
    assert {snippet["task"]["source"] for snippet in SNIPPETS} == set(names)
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.M)) == {"source", *names}


@pytest.mark.slow
def test_the_example_runs(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = EXAMPLES
    names = {"data_folder": data}
    exec(example, names)
    assert (len(names["task"].train), len(names["task"].test)) == (9000, 1000)
    assert [entry.name for entry in tmp_path.iterdir()] == ["task.h5"]
