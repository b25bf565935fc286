"""The kind of teacher in docs/teachers.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

import tgsage.teacher as teachers
from helpers.plugin_files import registered
from tgsage import plugins
from tgsage.store import stage_digest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "teachers.md"


def test_a_file_adds_a_kind_of_teacher(
    make_assembly: Callable, make_stimuli: Callable, tmp_path: Path
) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "colours.py").write_text(source, encoding="utf-8")
    with registered(str(tmp_path / "colours.py")):
        chosen = plugins.settings("teacher", {"kind": "colours", "of": "monkey", "levels": 4})
        monkey = teachers.build(make_assembly(), "V4", stimuli=make_stimuli(), name="monkey")
        made = teachers.make(chosen, "colours", original=monkey)
        assert made.attrs["kind"] == "colours"
        assert made.attrs["mark"] == "Simulated recordings; control: colours"
        assert np.isnan(made["V4"]["ceiling_upper"].values).all()
        images = made["V4"]["images"].values[:2] // 64
        one, two = (
            np.array([np.bincount(image[..., channel].ravel(), minlength=256) for channel in range(3)])
            for image in images
        )
        np.testing.assert_allclose(made["V4"]["rdm"].values[0], ((one - two) ** 2).mean())
        digest = stage_digest("teacher.stage", settings=[chosen])
        source = source.replace("minlength=256", "minlength=512")
        (tmp_path / "colours.py").write_text(source, encoding="utf-8")
        plugins.load_files([str(tmp_path / "colours.py")])
        changed = plugins.settings("teacher", {"kind": "colours", "of": "monkey", "levels": 4})
        assert stage_digest("teacher.stage", settings=[changed]) != digest
