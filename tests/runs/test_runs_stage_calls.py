"""Stages called by name with plain values."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from tgsage.runs.settings import Scoring
from tgsage.errors import TgsageError
from tgsage.guidance.paper.plugin import PPlusTg
from tgsage.runs.settings import Measuring
from tgsage.runs.stage_calls import call_stage

if TYPE_CHECKING:
    from tgsage.runs.settings import GuidanceSettings

called: dict[str, object] = {}


def stage(
    out: str, *, files: Sequence[str], one: str | None, none: str | None, guidance: GuidanceSettings,
    measuring: Measuring, space: dict | None = None,
) -> None:  # fmt: skip
    called.update(locals())


NAME = f"{__name__}:stage"
VALUES = {
    "out": "o", "files": ["a", "b"], "one": ["a"], "none": [], "guidance": {"name": "p_plus_tg", "alpha": 2},
    "measuring": {"scoring": {"compare": "pearson"}, "targets": ["V4"]}, "other": 1,
}  # fmt: skip


def test_plain_values_become_what_the_annotations_say():
    assert __name__ in sys.modules
    assert call_stage(NAME, VALUES) == set(VALUES) - {"other"}
    assert called == {
        "out": "o", "files": ["a", "b"], "one": "a", "none": None, "space": None,
        "guidance": PPlusTg(name="p_plus_tg", alpha=2),
        "measuring": Measuring(scoring=Scoring(compare="pearson"), targets=["V4"]),
    }  # fmt: skip


def test_a_setting_that_is_wrong_is_one_line():
    with pytest.raises(TgsageError, match="guidance p_plus_tg: alpha"):
        call_stage(NAME, VALUES | {"guidance": {"name": "p_plus_tg", "alpha": -1}})
