"""Reading a configuration, and what is said about a wrong one."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from tgsage import plugins
from tgsage.config import load
from tgsage.errors import TgsageError
from tgsage.plugins import Section

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted((ROOT / "config").rglob("*.yaml"))


@pytest.fixture
def raw() -> dict:
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text())


def test_default_is_a_search_of_at_least_24_candidates(raw):
    search = load(raw).search
    assert search.rounds >= 4 and search.candidates_per_round >= 6
    assert (
        sum(sum(regions.values()) for regions in load(raw).recordings["simulated_macaque"].sites.values())
        == 296
    )


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_config_loads_from_its_own_keys_alone(path):
    config = load(path)
    assert config.run == ("default" if path.name == "config.yaml" else path.stem)


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("macaque_*.yaml")), ids=lambda path: path.name)
def test_configs_of_real_recordings_hold_nothing_of_the_simulated_default(path):
    text = yaml.safe_dump(load(path).plain())
    assert "simulated_macaque" not in text and "rendered" not in text


def test_every_plugin_has_a_whole_example():
    """Everything that a configuration can name is named by a shipped one."""
    used = set()

    def visit(value):
        if isinstance(value, plugins.Plugin):
            used.add((value.plugin_kind, value.plugin_name()))
        if isinstance(value, Section):
            value = dict(value)
        for item in value.values() if isinstance(value, dict) else []:
            visit(item)

    for path in SHIPPED:
        visit(load(path))
    kinds = [kind for kind in plugins.TAGS if kind != "figure"]
    assert used == {(kind, plugin.plugin_name()) for kind in kinds for plugin in plugins.every(kind)}


# What a user gets wrong, and the words that must be in the line.
MISTAKES = {
    "unknown key at the top": (lambda c: c.update(sarch={}), ["sarch", "did you mean 'search'"]),
    "unknown key in a recipe": (
        lambda c: c["search"]["premature"].update(epoch=3),
        ["search.premature.epoch", "did you mean 'epochs'"],
    ),
    "unknown key in a union": (
        lambda c: c["task"].update(resolutoin=3),
        ["task.resolutoin", "did you mean 'resolution'"],
    ),
    "unknown source": (
        lambda c: c["recordings"]["simulated_macaque"].update(source="simulatd"),
        ["recordings.simulated_macaque.source", "did you mean 'simulated'"],
    ),
    "unknown sampler": (
        lambda c: c["search"]["arms"]["monkey"]["sampler"].update(name="tpee"),
        ["search.arms.monkey.sampler.name", "did you mean 'tpe'"],
    ),
    "missing section": (lambda c: c.pop("task"), ["missing key task"]),
    "wrong type": (lambda c: c["search"].update(rounds="many"), ["search.rounds", "integer", "'many'"]),
    "negative alpha": (
        lambda c: c["search"]["arms"]["monkey"]["guidance"].update(alpha=-1),
        ["search.arms.monkey.guidance.alpha", "greater than or equal to 0", "-1"],
    ),
    "too many rounds": (
        lambda c: c["search"].update(rounds=400),
        ["search.rounds", "100", "candidates_per_round"],
    ),
    "unknown data set": (
        lambda c: c["teachers"]["monkey"]["targets"]["V4"].update(recordings="simulated_macaqe"),
        ["teachers.monkey.targets.V4.recordings", "did you mean 'simulated_macaque'"],
    ),
    "unknown teacher": (
        lambda c: c["search"]["arms"]["monkey"].update(teacher="monky"),
        ["search.arms.monkey.teacher", "did you mean 'monkey'"],
    ),
    "guidance without teacher": (
        lambda c: c["search"]["arms"]["none"].update(guidance={"name": "p_plus_tg"}),
        ["search.arms.none", "needs a teacher"],
    ),
    "shuffling the shuffled": (
        lambda c: c["teachers"].update(again={"kind": "shuffled", "of": "shuffled"}),
        ["teachers.again.of", "itself a control"],
    ),
    "no layer choice": (
        lambda c: c["scoring"].update(layer_choice="split"),
        ["teachers.monkey.splits.choose", "is 0"],
    ),
    "lag beyond the rounds": (lambda c: c["search"].update(lag=4), ["search.lag", "search.rounds = 4"]),
    "unknown arm in the report": (
        lambda c: c["report"].update(arms=["monkeys"]),
        ["report.arms", "did you mean 'monkey'"],
    ),
    "observing the teacher": (
        lambda c: c["search"]["arms"]["monkey"].update(observe="monkey"),
        ["search.arms.monkey.observe", "is the teacher already"],
    ),
    "variance matched to nobody's": (
        lambda c: c["search"]["arms"]["monkey"]["guidance"].update(match_variance=True),
        ["search.arms.monkey", "guidance.match_variance", "observe"],
    ),
    "gain over what was not kept": (
        lambda c: (
            c["search"]["premature"].update(checkpoints=[1.0]),
            c["search"]["arms"]["monkey"].update(guidance={"name": "profile", "reading": "gain"}),
        ),
        ["search.arms.monkey", "'gain'", "search.premature.checkpoints"],
    ),
    "rungs out of order": (
        lambda c: c["search"].update(halving={"shares": [0.5, 0.25]}),
        ["search.halving.shares", "ascending"],
    ),
    "a rung at the end": (
        lambda c: c["search"].update(halving={"shares": [0.5, 1.0]}),
        ["search.halving.shares", "between 0 and 1"],
    ),
    "run name with a path": (lambda c: c.update(run="../x"), ["run", "../x"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_names_the_key(raw, mistake):
    change, words = MISTAKES[mistake]
    wrong = copy.deepcopy(raw)
    change(wrong)
    with pytest.raises(TgsageError) as raised:
        load(wrong)
    message = str(raised.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("content", "word"), [(None, "no such config file"), ("a: [", "not valid YAML"), ("- 1", "holds no keys")]
)
def test_an_unreadable_file_is_one_line(tmp_path, content, word):
    path = tmp_path / "c.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(TgsageError, match=word) as raised:
        load(path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


def test_plain_values_come_back_as_the_same_settings(raw):
    settings = load(raw).recordings["simulated_macaque"]
    assert plugins.settings("recordings", settings.plain()) == settings


def test_settings_are_immutable(raw):
    config = load(raw)
    assert isinstance(config, Section)
    with pytest.raises(Exception, match="frozen"):
        config.run = "other"


def test_rungs_of_a_round(raw):
    assert load(raw).search.rungs == [(1.0, load(raw).search.candidates_per_round)]
    raw["search"] |= {"candidates_per_round": 10, "halving": {"shares": [0.25, 0.5], "keep": 0.3}}
    assert load(raw).search.rungs == [(0.25, 10), (0.5, 3), (1.0, 1)]
