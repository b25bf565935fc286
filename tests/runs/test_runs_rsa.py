"""Choosing layers, and the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tgsage.errors import TgsageError
from tgsage.runs import rsa as rsa_file
from tgsage.runs.rsa import undefined_target

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


TWO = {
    "V4": {"choose": [0.1, 0.3, 0.2], "reward": [0.5, 0.2, 0.1], "report": [0.9, 0.9, 0.9]},
    "IT": {"choose": [0.3, 0.3, NAN], "reward": [-0.4, -0.2, 0.6], "report": [0.9, 0.9, 0.9]},
}


def test_same_takes_the_largest_where_it_pays() -> None:
    found = rsa_file.target_scores(make(TWO), "same")
    assert found.targets == {"V4": (0.5, "a"), "IT": (0.6, "c")}
    assert found.tg == pytest.approx(0.55)


def test_split_takes_the_layer_chosen_elsewhere() -> None:
    found = rsa_file.target_scores(make(TWO), "split")
    # Of equal layers the first; a layer that is dead where it is chosen is never chosen.
    assert found.targets == {"V4": (0.2, "b"), "IT": (-0.4, "a")}
    assert found.tg == pytest.approx(-0.1)


def test_weights() -> None:
    assert rsa_file.target_scores(make(TWO, [3, 1]), "same").tg == pytest.approx((3 * 0.5 + 0.6) / 4)


def test_dead_layers_are_passed_over_and_a_dead_target_is_undefined() -> None:
    some = {"V4": {"reward": [NAN, -0.1, NAN]}, "IT": {"reward": [NAN] * 3}}
    rsa = make(some)
    found = rsa_file.target_scores(rsa, "same")
    assert found.targets["V4"] == (-0.1, "b")
    assert np.isnan(found.targets["IT"].tg) and found.targets["IT"].layer is None
    assert np.isnan(found.tg)
    assert undefined_target(rsa, "same") == "IT"
    assert undefined_target(make(TWO), "same") is None


def test_split_needs_stimuli_that_choose() -> None:
    with pytest.raises(TgsageError, match=r"'split' needs stimuli that choose, and target 'V4' has none"):
        rsa_file.target_scores(make({"V4": {"reward": [0.1, 0.2, 0.3]}}), "split")
    with pytest.raises(TgsageError, match="unknown layer choice 'best'"):
        rsa_file.target_scores(make(TWO), "best")


def test_no_targets_and_no_checkpoints() -> None:
    nothing = rsa_file.target_scores(make({}), "same")
    assert nothing.targets == {} and np.isnan(nothing.tg)
    failed = rsa_file.target_scores(make(TWO).isel(checkpoint=slice(0)), "same")
    assert failed.targets["V4"].layer is None and np.isnan(failed.tg)


@pytest.mark.parametrize("rsa", [make(TWO), make({}), make(TWO).isel(checkpoint=slice(0), layer=slice(0))])
def test_written_and_read_again(rsa: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "slot_0" / "rsa.nc"
    rsa_file.save(rsa, path)
    again = rsa_file.load(path)
    xr.testing.assert_identical(again, rsa)
    assert [entry.name for entry in path.parent.iterdir()] == ["rsa.nc"]


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rsa.nc"
    with pytest.raises(TgsageError, match=r"rsa\.nc: no such file; score the candidate first"):
        rsa_file.load(path)
    path.write_text("not netCDF")
    with pytest.raises(TgsageError, match="cannot be read as netCDF"):
        rsa_file.load(path)
    xr.Dataset({"other": ("x", [1.0])}).to_netcdf(path)
    with pytest.raises(TgsageError, match=r"variable 'rsa' .* is missing; not an rsa\.nc"):
        rsa_file.load(path)
    with pytest.raises(TgsageError, match="variable 'loss'"):
        rsa_file.save(make(TWO).drop_vars("loss"), path)
