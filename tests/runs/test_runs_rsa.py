"""Choosing layers, and the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tgsage.errors import TgsageError
from tgsage.runs import rsa as rsa_file
from tgsage.runs.rsa import undefined_target
from tgsage.runs.settings import Scoring

NAN = float("nan")


def make(values: dict[str, dict[str, list[float]]], weights: list[float] | None = None) -> xr.Dataset:
    """Target -> split -> a similarity per layer, at the second of two checkpoints."""
    targets = list(values)
    layers = ["a", "b", "c"]
    rsa = np.full((2, 3, len(targets), 3), NAN)
    rsa[0] = 0.99
    n_stimuli = np.zeros((3, len(targets)), int)
    for column, splits in enumerate(values.values()):
        for row, split in enumerate(("choose", "reward", "report")):
            if split in splits:
                rsa[1, row, column] = splits[split]
                n_stimuli[row, column] = 30
    empty = np.full((3, len(targets)), NAN)
    return xr.Dataset(
        {
            "rsa": (("checkpoint", "split", "target", "layer"), rsa),
            "accuracy": ("checkpoint", [0.1, 0.5]),
            "loss": ("checkpoint", [2.0, 1.0]),
            "ceiling_lower": (("split", "target"), empty),
            "ceiling_upper": (("split", "target"), empty),
            "n_stimuli": (("split", "target"), n_stimuli),
        },
        coords={
            "split": ["choose", "reward", "report"],
            "target": targets,
            "layer": layers,
            "weight": ("target", weights or [1.0] * len(targets)),
            "examples": ("checkpoint", [0, 100]),
            "share": ("checkpoint", [0.0, 1.0]),
        },
        attrs={"status": "ok", "reason": ""},
    )


SAME, SPLIT = Scoring(), Scoring(layer_choice="split")
TWO = {
    "V4": {"choose": [0.1, 0.3, 0.2], "reward": [0.5, 0.2, 0.1], "report": [0.9, 0.9, 0.9]},
    "IT": {"choose": [0.3, 0.3, NAN], "reward": [-0.4, -0.2, 0.6], "report": [0.9, 0.9, 0.9]},
}


def test_same_takes_the_largest_where_it_pays() -> None:
    found = rsa_file.target_scores(make(TWO), SAME)
    assert found.targets == {"V4": (0.5, "a"), "IT": (0.6, "c")}
    assert found.tg == pytest.approx(0.55)


def test_split_takes_the_layer_chosen_elsewhere() -> None:
    found = rsa_file.target_scores(make(TWO), SPLIT)
    # Of equal layers the first; a layer that is dead where it is chosen is never chosen.
    assert found.targets == {"V4": (0.2, "b"), "IT": (-0.4, "a")}
    assert found.tg == pytest.approx(-0.1)


def test_weights() -> None:
    assert rsa_file.target_scores(make(TWO, [3, 1]), SAME).tg == pytest.approx((3 * 0.5 + 0.6) / 4)


def test_dead_layers_are_passed_over_and_a_dead_target_is_undefined() -> None:
    some = {"V4": {"reward": [NAN, -0.1, NAN]}, "IT": {"reward": [NAN] * 3}}
    rsa = make(some)
    found = rsa_file.target_scores(rsa, SAME)
    assert found.targets["V4"] == (-0.1, "b")
    assert np.isnan(found.targets["IT"].tg) and found.targets["IT"].layer is None
    assert np.isnan(found.tg)
    assert undefined_target(rsa, SAME) == "IT"
    assert undefined_target(make(TWO), SAME) is None


def test_split_needs_stimuli_that_choose() -> None:
    with pytest.raises(TgsageError, match=r"'split' needs stimuli that choose, and target 'V4' has none"):
        rsa_file.target_scores(make({"V4": {"reward": [0.1, 0.2, 0.3]}}), SPLIT)


def test_no_other_part_names_the_setting_that_chooses_layers() -> None:
    root = Path(__file__).parents[2]
    sources = [*root.glob("src/**/*.py"), *root.glob("workflow/**/*.smk")]
    naming = {str(path.relative_to(root)) for path in sources if "layer_choice" in path.read_text()}
    assert naming == {"src/tgsage/runs/rsa.py", "src/tgsage/runs/settings.py"}


def test_no_targets_and_no_checkpoints() -> None:
    nothing = rsa_file.target_scores(make({}), SAME)
    assert nothing.targets == {} and np.isnan(nothing.tg)
    failed = rsa_file.target_scores(make(TWO).isel(checkpoint=slice(0)), SAME)
    assert failed.targets["V4"].layer is None and np.isnan(failed.tg)


def test_written_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "pack_0" / "rsa.nc"
    candidates = [make(TWO), make({}), make(TWO).isel(checkpoint=slice(0), layer=slice(0))]
    # In the order of their positions, of which there may be more than ten.
    rsa_file.save([*candidates, *[make({})] * 8, make(TWO)], path)
    again = rsa_file.load(path)
    assert len(again) == 12
    for written, read in zip([*candidates, make(TWO)], [*again[:3], again[11]], strict=True):
        xr.testing.assert_identical(read, written)
    assert [entry.name for entry in path.parent.iterdir()] == ["rsa.nc"]


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rsa.nc"
    with pytest.raises(TgsageError, match=r"rsa\.nc: no such file; score the candidate first"):
        rsa_file.load(path)
    path.write_text("not netCDF")
    with pytest.raises(TgsageError, match="cannot be read as netCDF"):
        rsa_file.load(path)
    # One candidate at the root was the first version.
    make(TWO).to_netcdf(path)
    with pytest.raises(TgsageError, match=r"rsa\.nc: is of version 1 .* reads version 2; delete it"):
        rsa_file.load(path)
    xr.DataTree.from_dict(
        {"/": xr.Dataset(attrs={"version": 2}), "candidate_0": xr.Dataset({"other": ("x", [1.0])})}
    ).to_netcdf(path)
    with pytest.raises(TgsageError, match=r"variable 'rsa' .* is missing; not an rsa\.nc"):
        rsa_file.load(path)
    with pytest.raises(TgsageError, match="variable 'loss'"):
        rsa_file.save([make(TWO).drop_vars("loss")], path)
