"""The pages on spaces and samplers name all of them, and their snippets run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from tgsage import plugins, samplers, spaces
from tgsage.config.search import Search
from tgsage.runs import ledger

DOCS = Path(__file__).resolve().parents[2] / "docs"
SPACES, SAMPLERS = ((DOCS / name).read_text(encoding="utf-8") for name in ("spaces.md", "samplers.md"))


def snippets(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.S)


def first_table(page):
    rows = page.split("|---|", 1)[1].split("\n\n", 1)[0]
    return [name for row in rows.splitlines()[1:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]


def test_the_tables_name_all():
    for page, kind in ((SPACES, "space"), (SAMPLERS, "sampler")):
        assert sorted(first_table(page)) == [plugin.plugin_name() for plugin in plugins.every(kind)]


def test_sizes_are_those_of_the_table():
    for name, shown in (("cell", "5.57 · 10¹⁴"), ("convnet10", "2.4 · 10³⁶"), ("convnet20", "7.3 · 10¹⁰²")):
        space = spaces.get(name)
        digits, _, power = f"{space.size:.2e}".partition("e+")
        told = re.fullmatch(r"([\d.]+) · 10([⁰¹²³⁴⁵⁶⁷⁸⁹]+)", shown)
        assert shown in SPACES
        assert float(told[1]) == pytest.approx(float(digits), abs=0.05)
        assert int(told[2].translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))) == int(power)


def test_settings_of_samplers_are_those_of_the_table():
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", SAMPLERS, flags=re.M)
    common = set(samplers.get("random").settings.plain())
    told = {}
    names = first_table(SAMPLERS)
    for name, settings in rows[1 : len(names) + 1]:
        told[name] = dict(re.findall(r"`(\w+)` \(`?([\w.]+)`?\)", settings))
    for name in names:
        plain = samplers.get(name).settings.plain()
        assert told[name] == {key: str(v) for key, v in plain.items() if key not in common}


def test_the_snippets_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for snippet in snippets(SPACES, "python"):
        exec(snippet, names)
    assert names["mature"].settings.width == 32
    folder = tmp_path / "results" / "run" / "search" / "monkey" / "seed_0"
    folder.mkdir(parents=True)
    space = spaces.get("nasbench201")
    rng = np.random.default_rng(0)
    archs = [space.canonical(space.sample(rng)) for _ in range(12)]
    rows = [
        {"round": 0, "slot": slot, "candidate": space.key(arch), "architecture": space.format(arch),
         "status": "ok", "score": rng.random(), "parameters": slot}
        for slot, arch in enumerate(archs)
    ]  # fmt: skip
    ledger.write(ledger.build(rows, []), folder / "ledger.csv")
    names = {}
    for snippet in snippets(SAMPLERS, "python"):
        exec(snippet, names)
    assert len(names["proposals"]) == 4


def test_the_configurations_are_valid():
    arms = {"none": {"teacher": None, "guidance": {"name": "p_only"}}}
    common = {"rounds": 1, "candidates_per_round": 2}
    for text in snippets(SPACES, "yaml"):
        Search.model_validate({"arms": arms, **common, **yaml.safe_load(text)["search"]})
    for text in snippets(SAMPLERS, "yaml"):
        Search.model_validate({"space": {"name": "cell"}, **common, **yaml.safe_load(text)["search"]})
