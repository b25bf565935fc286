"""The page on guidance: every snippet is valid and every example runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from guidance_tables import made_up, mature_of

from tgsage import guidance, plugins
from tgsage.config.search import Arm
from tgsage.runs import ledger, profiles

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "guidance.md").read_text(encoding="utf-8")
SNIPPETS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.S)]
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: str(snippet["guidance"]))
def test_every_snippet_is_a_guidance(snippet):
    settings = plugins.settings("guidance", snippet["guidance"])
    assert settings.name == snippet["guidance"]["name"]
    arm = Arm.model_validate({"teacher": "monkey", **snippet})
    assert arm.guidance == settings
    assert arm.observe or not getattr(settings, "match_variance", False)


def test_every_guidance_has_a_snippet_and_a_line_of_the_table():
    names = {plugin.plugin_name() for plugin in plugins.every("guidance")}
    assert {snippet["guidance"]["name"] for snippet in SNIPPETS} == names
    assert set(re.findall(r"^\| `(\w+)` \| .* \| ledger", PAGE, flags=re.M)) == names


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    table, layers = made_up(60)
    scored, fitted = EXAMPLES
    exec(scored, {"ledger": table, "profiles": layers})
    folder = tmp_path / "results" / "earlier" / "search" / "monkey" / "seed_0"
    folder.mkdir(parents=True)
    ledger.write(table, folder / "ledger.csv")
    profiles.save(layers, folder / "profiles.nc")
    mature_of(table.index / 100, table).rename_axis("architecture").to_csv(tmp_path / "pool.csv")
    monkeypatch.chdir(tmp_path)
    exec(fitted, {})
    assert capsys.readouterr().out.count("spearman=") == 3
    snippet = next(s["guidance"] for s in SNIPPETS if "fitted" in s["guidance"])
    assert guidance.get(snippet)(table, layers).notna().sum() == (table["status"] == "ok").sum()
