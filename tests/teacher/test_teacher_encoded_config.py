"""Encoded and pretrained teachers in a run's configuration, and made by the stage from files."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tgsage.teacher as teachers
from tgsage import recordings, tasks
from tgsage.config import load
from tgsage.errors import TgsageError

RUN: dict[str, Any] = {
    "run": "tiny",
    "device": "cpu",
    "recordings": {
        "macaque": {
            "source": "simulated",
            "n_stimuli": 96,
            "resolution": 16,
            "training_images": 128,
            "epochs": 0.5,
            "repeats": [2, 4],
            "sites": {"monkey_1": {"V4": 8, "aIT": 8}, "monkey_2": {"V4": 8, "aIT": 8}},
        },
        "published": {"source": "kriegeskorte2008"},
    },
    "task": {"source": "rendered", "resolution": 16, "n_train": 64, "n_validation": 80, "n_test": 64},
    "teachers": {
        "encoded": {
            "kind": "encoded",
            "targets": {
                "V4": {"recordings": "macaque", "region": "V4"},
                "IT": {"recordings": "macaque", "region": "aIT", "weight": 0.5},
            },
            "features": {"network": "untrained", "blocks_per_stack": 1, "width": 4},
            "n_stimuli": 72,
            "minimal_predictivity": -1,
            "penalties": [0.001, 0.1],
        },
        "bare": {"kind": "encoded_control", "of": "encoded", "control": "bare"},
        "permuted": {"kind": "encoded_control", "of": "encoded", "control": "shuffled", "seed": 4},
        "named": {"kind": "pretrained", "architecture": "timm:resnet18", "layers": ["layer1", "layer2.0"]},
        "shuffled": {"kind": "shuffled", "of": "encoded"},
    },
    "search": {
        "space": {"name": "cell", "blocks": 1, "width": 4, "reductions": 1},
        "rounds": 2,
        "candidates_per_round": 2,
        "arms": {
            "encoded": {
                "teacher": "encoded",
                "guidance": {"name": "p_plus_tg", "alpha": 1.0},
                "sampler": {"name": "random"},
            },
            "bare": {
                "teacher": "bare",
                "guidance": {"name": "p_plus_tg", "alpha": 1.0},
                "sampler": {"name": "random"},
            },
        },
        "premature": {"epochs": 1},
        "finalists": {"top": 1, "recipe": {"epochs": 2}},
        "final": {"recipe": {"epochs": 2}},
    },
    "report": {"arms": ["encoded"]},
}


def test_stage_makes_an_arms_encoded_teacher_from_files(tmp_path: Path) -> None:
    config = load(RUN)
    folder = tmp_path / "recordings" / "macaque"
    assembly, stimuli = recordings.make(config.recordings["macaque"])
    recordings.save(assembly, folder / "assembly.nc")
    recordings.save_stimuli(stimuli, folder / "stimuli.h5")
    tasks.save(tasks.make(config.task, tmp_path), tmp_path / "task.h5")
    more = {"task": tmp_path / "task.h5", "recordings": {"macaque": folder, "teachers": tmp_path}}
    made = teachers.make(config.teachers[config.search.arms["encoded"].teacher], "encoded", **more)
    assert list(made.children) == ["V4", "IT"]
    assert made.attrs["simulated"] == 1
    assert [made[target].attrs["weight"] for target in ("V4", "IT")] == [1.0, 0.5]
    for target in made.children.values():
        assert target.sizes["stimulus"] == 72
        assert target.sizes["neuroid"] == target.attrs["n_sites"] == 16
        assert target.attrs["n_animals"] == 2
        assert np.isfinite(target["rdm"].values).all()
        assert np.isfinite(target["reliability"].values).all()
    teachers.save(made, tmp_path / "encoded.nc")
    for name in ("bare", "permuted", "shuffled"):
        control = teachers.make(config.teachers[name], name, original=tmp_path / "encoded.nc", **more)
        assert control.attrs["of"] == "encoded"
        for target in ("V4", "IT"):
            assert (control[target]["split"].values == made[target]["split"].values).all()
            assert control[target].attrs["weight"] == made[target].attrs["weight"]
            assert (control[target]["rdm"].values != made[target]["rdm"].values).any()
    again = teachers.make(config.teachers["encoded"], "encoded", **more)
    assert again.attrs["digest"] == made.attrs["digest"]


MISTAKES: dict[str, tuple[Callable[[dict], Any], list[str]]] = {
    "unknown data set": (
        lambda t: t["encoded"]["targets"]["V4"].update(recordings="macaqe"),
        ["teachers.encoded.targets.V4.recordings", "did you mean 'macaque'"],
    ),
    "no targets": (
        lambda t: t["encoded"].update(targets={}),
        ["teachers.encoded.targets: name at least one"],
    ),
    "an RDM only": (
        lambda t: t["encoded"]["targets"]["V4"].update(recordings="published"),
        ["teachers.encoded.targets.V4.recordings", "'published' publishes an RDM only"],
    ),
    "unknown feature network": (
        lambda t: t["encoded"]["features"].update(network="resnt"),
        ["teachers.encoded.features.network", "did you mean 'resnet'"],
    ),
    "no feature network named": (
        lambda t: t["encoded"]["features"].pop("network"),
        ["missing key teachers.encoded.features.network"],
    ),
    "unknown key of a feature network": (
        lambda t: t["encoded"]["features"].update(widht=3),
        ["unknown key teachers.encoded.features.widht", "did you mean 'width'"],
    ),
    "unknown key of the teacher": (
        lambda t: t["encoded"].update(fold=3),
        ["unknown key teachers.encoded.fold", "did you mean 'folds'"],
    ),
    "unknown method": (lambda t: t["encoded"].update(method="lasso"), ["teachers.encoded.method", "'lasso'"]),
    "a penalty of 0": (lambda t: t["encoded"].update(penalties=[0.0]), ["teachers.encoded.penalties"]),
    "a control of nothing": (
        lambda t: t["bare"].update(of="encodde"),
        ["teachers.bare.of", "did you mean 'encoded'"],
    ),
    "a control of a control": (
        lambda t: t["bare"].update(of="permuted"),
        ["teachers.bare.of", "'permuted' is itself a control"],
    ),
    "shuffled of a control": (
        lambda t: t["shuffled"].update(of="bare"),
        ["teachers.shuffled.of", "'bare' is itself a control"],
    ),
    "a control of another kind": (
        lambda t: t["bare"].update(of="named"),
        ["teachers.bare.of", "'named' is of kind 'pretrained'"],
    ),
    "an architecture without library": (
        lambda t: t["named"].update(architecture="resnet18"),
        ["teachers.named.architecture"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_names_the_key(mistake: str) -> None:
    raw = copy.deepcopy(RUN)
    spoil, words = MISTAKES[mistake]
    spoil(raw["teachers"])
    with pytest.raises(TgsageError) as caught:
        load(raw)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)
