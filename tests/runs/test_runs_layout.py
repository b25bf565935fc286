"""Paths, with names and with wildcards in their place."""

from __future__ import annotations

from pathlib import Path

from tgsage.runs.layout import FINAL, RunFolder, StageFolder, round_stage


def test_wildcards_stand_where_names_do():
    run = RunFolder("results/r")
    pattern = run.search("{arm}", "{seed}").stage(round_stage("{round}", "{rung}")).pack("{pack}").rsa
    path = run.search("monkey", 0).stage(round_stage(1, 2)).pack(3).rsa
    assert pattern.format(arm="monkey", seed=0, round=1, rung=2, pack=3) == path
    assert path == "results/r/search/monkey/seed_0/round_1/rung_2/pack_3/rsa.nc"
    assert run.search("monkey", 0).winner == run.search("monkey", 0).stage(FINAL).pack(0)


def test_what_is_there_comes_in_the_order_of_its_numbers(tmp_path):
    for name in ("pack_10", "pack_9", "rung_1/pack_0", "rung_10/pack_0", "rung_2/pack_0"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "rsa.nc").touch()
    (tmp_path / "pack_11").mkdir()
    stage = StageFolder(str(tmp_path))
    assert [Path(pack.path).name for pack in stage.packs()] == ["pack_9", "pack_10"]
    assert [Path(rung.path).name for rung in stage.rungs()[1:]] == ["rung_1", "rung_2", "rung_10"]
