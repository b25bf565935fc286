"""JSON files: versions, and what is refused."""

from __future__ import annotations

import json

import pytest

from tgsage.errors import TgsageError
from tgsage.guidance.paper.plugin import PPlusTg
from tgsage.runs import records
from tgsage.runs.records import read_settings, write_settings
from tgsage.runs.settings import Scoring, SearchSettings
from tgsage.samplers.random.plugin import RandomSettings

SETTINGS = SearchSettings(
    run="r", arm="monkey", seed=3, teacher=None, observe="monkey", guidance=PPlusTg(name="p_plus_tg"),
    sampler=RandomSettings(name="random"), scoring=Scoring(layer_choice="split"), rounds=2, lag=0, total=8,
)  # fmt: skip


def test_settings_are_read_as_they_were_written(tmp_path):
    write_settings(tmp_path / "search.json", search=SETTINGS)
    assert read_settings(tmp_path / "search.json") == SETTINGS
    assert SETTINGS.measured_with == "monkey"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "missing; run the stage that makes it"),
        ("[", "not valid JSON"),
        ("[1]", "holds no keys"),
        (
            '{"run": "r"}',
            "is of version 1 of this file, and this tgsage reads version 2; delete it and run again",
        ),
        ('{"version": 3}', "is of version 3"),
        ('{"version": 2}', "lacks 'candidates'"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "training.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(TgsageError, match=message) as caught:
        records.read_trainings(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_setting_that_is_wrong_names_the_file_and_the_key(tmp_path):
    path = tmp_path / "search.json"
    write_settings(path, search=SETTINGS)
    content = json.loads(path.read_text())
    content["scoring"]["compare"] = "guess"
    path.write_text(json.dumps(content))
    with pytest.raises(TgsageError, match=r"search\.json: scoring\.compare: "):
        read_settings(path)


def test_reading_a_run_runs_no_file_of_plugins(tmp_path):
    """A folder of results may come from somebody else."""
    path, file = tmp_path / "search.json", tmp_path / "own.py"
    file.write_text("raise SystemExit('was run')")
    write_settings(path, search=SETTINGS.model_copy(update={"plugins": [str(file)]}))
    assert read_settings(path).plugins == [str(file)]
    content = json.loads(path.read_text())
    content["sampler"] = {"name": "own"}
    path.write_text(json.dumps(content))
    with pytest.raises(
        TgsageError, match=r"search\.json: .*if you trust them, add --plugins .*own\.py"
    ) as caught:
        read_settings(path)
    assert "\n" not in str(caught.value)
