"""The page on extending: its files are written out of the page, checked, searched with and trained."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from helpers.plugin_files import registered
from helpers.workspaces import make_workspace
from tgsage import guidance, plugins, samplers, spaces, tasks
from tgsage.config import load
from tgsage.config.search import Search
from tgsage.plots import cell
from tgsage.runs import ledger
from tgsage.samplers.cost import cost
from tgsage.store import Store
from tgsage.training import activations, count_flops, count_parameters, train_candidate
from tgsage.training.settings import Recipe

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`(\w+\.py)`:\n\n```python\n(.*?)```", PAGE, flags=re.M | re.S))
NOTEBOOK = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)[-1]
CONFIG = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE, flags=re.S).group(1))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with registered(*CONFIG["plugins"]):
        yield tmp_path


@pytest.fixture
def settings(folder) -> Search:
    return load(CONFIG).search


@pytest.fixture
def space(settings):
    return spaces.get(settings.space)


@pytest.fixture
def sampler(settings):
    return samplers.get(settings.arms["monkey"].sampler)


def test_the_files_are_short():
    lines = {name: len(text.splitlines()) for name, text in FILES.items()}
    assert set(lines) == set(CONFIG["plugins"]) and len(lines) == len(plugins.TAGS)
    assert all(number < 60 for number in lines.values()), lines


@pytest.mark.slow
def test_a_package_of_all_seven_kinds_edits_nothing_else(tmp_path):
    """A search with plugins of an installed package: they are listed, searched with, drawn and reported."""
    workspace = make_workspace(tmp_path)
    site = workspace.folder / "src"  # stands on the path, as site-packages would
    (site / "example").mkdir()
    (site / "example" / "__init__.py").write_text("")
    for name, text in FILES.items():
        (site / "example" / name).write_text(text, encoding="utf-8")
    information = site / "example-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: example\nVersion: 1.0\n")
    entries = [f"{name[:-3]} = example.{name[:-3]}" for name in FILES]
    (information / "entry_points.txt").write_text("\n".join(["[tgsage.plugins]", *entries, ""]))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (100, 16, 16, 3), dtype=np.uint8)
    data = workspace.folder / "data"
    data.mkdir()
    np.savez(data / "session.npz", counts=rng.poisson(5, (12, 100, 4)), images=images)
    config = {key: value for key, value in CONFIG.items() if key != "plugins"} | {
        "data": "data",
        "device": "cpu",
    }
    workspace.write_config(config, "extended.yaml")

    listed = workspace.tgsage("list")
    names = ["session_file", "gratings", "colours", "chain", "hill_climb", "frugal", "accuracy_against_size"]
    assert all(re.search(rf"^  {name} .*\[example\]$", listed, flags=re.M) for name in names), listed
    workspace.tgsage("config-reference", "--write")
    schema = (workspace.folder / "workflow/schemas/config.schema.json").read_text()
    page = (workspace.folder / "config/README.md").read_text()
    assert all(f"`{name}`" in page and f'"{name}"' in schema for name in names if name != names[-1])

    workspace.snakemake("search_with_monkey_teacher", "search_with_colours_teacher", config="extended.yaml")
    run = workspace.folder / "results" / "extended"
    for arm in ("monkey", "colours"):
        assert (run / f"figures/{arm}/seed_0/accuracy_against_size.svg").is_file()
        assert set(ledger.read(run / f"search/{arm}/seed_0/ledger.csv")["status"]) == {"ok"}
    report = (run / "report.html").read_text()
    for words in ("P + TG, and smallness", "hill climbing", "against the size of the network"):
        assert words in report


def test_the_space_conforms(space):
    rng = np.random.default_rng(0)
    outputs: dict[str, torch.Tensor] = {}
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert space.size == 3 * 9**3
    for _ in range(60):
        arch = space.sample(rng)
        assert space.decode(space.encode(arch)) == arch == space.parse(space.format(arch))
        canonical = space.canonical(arch)
        assert space.canonical(canonical) == canonical and space.key(arch) == space.key(canonical)
        child = space.mutate(arch, rng)
        assert space.canonical(child) == child and space.key(child) != space.key(arch)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = space.build(arch, 4).eval()
        assert len(module.probe_names) == arch["depth"]
        found = activations(module, np.zeros((2, 8, 8, 3), np.uint8), module.probe_names)
        assert all(value.min() >= 0 for value in found.values())  # after the ReLU
        assert cost(space, canonical, 8, 4) == (count_parameters(module), count_flops(module, 8))
        with torch.no_grad():
            logits = module(images)
        key = space.key(arch)
        assert key not in outputs or torch.equal(outputs[key], logits)
        outputs[key] = logits
    values = torch.stack(list(outputs.values())).flatten(1).double()
    distance = torch.cdist(values, values) + 9 * torch.eye(len(values))
    assert 20 < len(values) < 60 and distance.min() > 1e-6


def test_functions_of_the_space_are_counted(folder):
    space = spaces.get("chain", layers=2)
    assert len({space.canonical(arch) for arch in space.all()}) == 9 + 9**2


def test_it_is_drawn(space):
    graph = space.graph(space.sample(np.random.default_rng(0)))
    assert len(graph["nodes"]) == len(space.choices) + 2
    figure = cell(graph, title="one's own")
    assert figure.get_axes()


def rows_of(space, archs, round_):
    rng = np.random.default_rng(round_)
    return [
        {
            "round": round_, "slot": slot, "candidate": space.key(arch), "architecture": space.format(arch),
            "status": "failed" if slot == 1 else "ok", "score": float("nan") if slot == 1 else rng.random(),
        }
        for slot, arch in enumerate(archs)
    ]  # fmt: skip


def test_the_sampler_conforms(space, sampler, settings):
    rows = []
    for round_ in range(3):
        known = ledger.build(rows, [])
        archs = sampler.propose(space, known, 4, seed=1, round=round_)
        assert archs == samplers.get(settings.arms["monkey"].sampler).propose(
            space, known.sample(frac=1, random_state=0), 4, seed=1, round=round_
        )
        rows += rows_of(space, archs, round_)
    table = ledger.build(rows, [])
    assert len(set(table["candidate"])) == 12
    assert all(cost(space, space.parse(text), 32, 10)[0] <= 200_000 for text in table["architecture"])
    learned = sampler.propose(space, table, 4, seed=1)
    assert learned != samplers.get("random").propose(space, table, 4, seed=1)
    assert learned != sampler.propose(space, table.assign(score=1 - table["score"]), 4, seed=1)
    assert learned != sampler.propose(space, table, 4, seed=2)
    failed = table.assign(status="failed", score=float("nan"))
    assert not {space.key(a) for a in sampler.propose(space, failed, 4, seed=1)} & set(table["candidate"])


def test_it_climbs(space, sampler):
    """A score that counts filters: later rounds of eight are better than the first."""
    rows = []
    for round_ in range(6):
        archs = sampler.propose(space, ledger.build(rows, []), 8, seed=0, round=round_)
        told = rows_of(space, archs, round_)
        for row, arch in zip(told, archs, strict=True):
            row |= {"status": "ok", "score": sum(arch[f"filters_{n}"] for n in range(1, arch["depth"] + 1))}
        rows += told
    means = pd.DataFrame(rows).groupby("round")["score"].mean()
    assert means[5] > means[0] + 10


def test_the_guidance_conforms(settings):
    table = pd.DataFrame(
        {"status": ["ok", "failed"], "accuracy": [0.5, 0.4], "tg": [0.2, 0.1], "parameters": [1000, 10]}
    )
    scores = guidance.get(settings.arms["monkey"].guidance)(table)
    assert scores.name == "score" and scores[0] == pytest.approx(0.5 + 0.2 - 0.1 * 3) and np.isnan(scores[1])


def test_the_notebook_runs(folder):
    names: dict = {}
    exec(NOTEBOOK, names)
    assert len(names["proposals"]) == 4


def test_a_candidate_is_trained_in_a_process_of_its_own(folder, space, sampler):
    """On eight rendered images a class; again, it comes from the store; after an edit, it does not."""
    sizes = {"resolution": 16, "n_train": 64, "n_validation": 16, "n_test": 16}
    rendered = plugins.settings("task", "rendered", **sizes)
    tasks.write(rendered, folder, folder / "task.h5")
    arch = sampler.propose(space, None, 1, seed=0)[0]
    proposal = {"slot": 0, "candidate": space.key(arch), "architecture": space.format(arch)}
    recipe = Recipe(epochs=1, batch_size=16, crop_padding=1)
    told = []
    for edit in ("", "\n# A remark.\n", "\nCHANGED = True\n"):
        (folder / "my_space.py").write_text(FILES["my_space.py"] + edit, encoding="utf-8")
        plugins.load_files(["my_space.py"])
        told.append(
            train_candidate(proposal, recipe, "task.h5", space.settings.plain(), "store", "cpu", round=0)[0]
        )
    assert [item["status"] for item in told] == ["ok"] * 3, told
    assert told[0]["parameters"] == count_parameters(space.build(arch, 8))
    assert told[0]["probes"] == [f"layers.{index}" for index in range(arch["depth"])]
    assert told[0]["candidate"] == space.key(arch)
    assert told[0]["store_key"] == told[1]["store_key"] != told[2]["store_key"]
    events = [event["event"] for event in Store(folder / "store").journal()]
    assert events == ["write", "hit", "write"]
