"""A guidance fitted to a finished search."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from search_files import MEASURING, SPACE, TARGETS, files_of, measure_all

from tgsage import guidance, search
from tgsage.cli import main
from tgsage.errors import TgsageError
from tgsage.guidance import calibrated
from tgsage.guidance.paper.plugin import PPlusTg
from tgsage.runs import ledger, profiles
from tgsage.runs.settings import Proposing, SearchIdentity
from tgsage.samplers.random.plugin import RandomSettings


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One round of thirty candidates, and a csv that knows the mature accuracy of 26 of them."""
    folder = tmp_path_factory.mktemp("run") / "search" / "monkey" / "seed_0"
    guided = PPlusTg(name="p_plus_tg")
    search.propose_round(
        folder / "round_0" / "proposals.json",
        search=SearchIdentity(run="r", arm="monkey", seed=0),
        proposing=Proposing(space=SPACE, sampler=RandomSettings(name="random"), n=30),
        round=0,
    )
    of_round = folder / "round_0" / "measurements.csv", folder / "round_0" / "profiles.nc"
    packs = measure_all(folder / "round_0", size=10)
    search.collect_round(*of_round, **files_of(packs), measuring=MEASURING)
    search.collect_search(
        folder / "ledger.csv",
        folder / "profiles.nc",
        measurements=of_round[:1],
        round_profiles=of_round[1:],
        guidance=guided,
    )
    table = ledger.read(folder / "ledger.csv")
    known = pd.DataFrame(
        {"architecture": table["architecture"], "final": 50 + 30 * table["accuracy"] + 5 * table["tg_V4"]}
    )
    known.iloc[:26].to_csv(folder / "pool.csv", index=False)
    known.iloc[:5].to_csv(folder / "few.csv", index=False)
    return folder


def test_it_is_the_fit_to_the_ledger_and_its_profiles(finished):
    settings = {"column": "final", "percent": True}
    fitted = search.fit_guidance(finished, finished / "pool.csv", settings)
    table = ledger.read(finished / "ledger.csv")
    layers = profiles.aligned(profiles.load(finished / "profiles.nc"), table)
    assert fitted == calibrated.fit(table, layers, finished / "pool.csv", settings)
    assert fitted.n == 26 and fitted.targets == list(TARGETS)


def test_the_command_writes_what_another_search_starts_from(finished, tmp_path, capsys):
    out = tmp_path / "fitted.json"
    words = ["fit-guidance", str(finished), "--mature", str(finished / "pool.csv"), "--column", "final",
             "--percent", "--feature", "accuracy", "--feature", "max", "--output", str(out)]  # fmt: skip
    assert main(words) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{out}: fitted to 26 candidates, 3 features\n")
    fitted = calibrated.Fitted.load(out)
    assert fitted.features == ["accuracy", "max_V4", "max_IT"]
    for name, weight in zip(fitted.features, fitted.weights, strict=True):
        assert f"  {name}: {weight:+.4f}\n" in said
    assert "simulated" not in said and "fit a control" in said
    assert f"all features: RMSE {fitted.with_teacher.rmse:.4f}, R2 {fitted.with_teacher.r2:.3f}" in said
    assert fitted.with_teacher.r2 > 0.9 and "without the teacher's: RMSE" in said
    table = ledger.read(finished / "ledger.csv")
    layers = profiles.aligned(profiles.load(finished / "profiles.nc"), table)
    scores = guidance.get("calibrated", fitted=str(out))(table, layers)
    pd.testing.assert_series_equal(scores, fitted.predict(table, layers)["predicted"], check_names=False)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--mature", "few.csv"], "5 candidates have a known mature accuracy and every feature, and 20 are"),
        (["--mature", "none.csv"], "none.csv: no such file of mature accuracies"),
        (["--mature", "pool.csv", "--feature", "acuracy"], "accuracy"),
        (["--mature", "pool.csv", "--minimum", "3"], "minimum"),
        (["--mature", "pool.csv", "--output", "round_0"], "round_0: cannot be written: Is a directory"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_file(finished, monkeypatch, capsys, words, told):
    monkeypatch.chdir(finished)
    assert main(["fit-guidance", ".", "--column", "final", "--percent", *words]) == 1
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
    assert not (finished / "fitted.json").exists()


def test_a_folder_without_a_search(tmp_path):
    with pytest.raises(TgsageError, match=str(tmp_path)):
        search.fit_guidance(tmp_path, tmp_path / "pool.csv")


def test_a_ledger_without_candidates(finished, tmp_path):
    header = (finished / "ledger.csv").read_text().splitlines()[0]
    (tmp_path / "ledger.csv").write_text(header + "\n")
    with pytest.raises(TgsageError, match=f"{tmp_path}: its ledger holds no candidate"):
        search.fit_guidance(tmp_path, finished / "pool.csv")


def test_what_was_learnt_from_simulated_data_says_so(finished, tmp_path, capsys):
    (finished / "final.json").write_text('{"simulated": true}')
    out = tmp_path / "f.json"
    words = ["--mature", str(finished / "pool.csv"), "--column", "final", "--percent", "--output", str(out)]
    assert main(["fit-guidance", str(finished), *words]) == 0
    (finished / "final.json").unlink()
    assert "features; simulated data\n" in capsys.readouterr().out


def test_the_file_is_json_that_says_what_it_is(finished, tmp_path):
    fitted = search.fit_guidance(finished, finished / "pool.csv", {"column": "final", "percent": True})
    fitted.save(tmp_path / "f.json")
    assert json.loads((tmp_path / "f.json").read_text())["format"] == "tgsage calibrated guidance 1"
