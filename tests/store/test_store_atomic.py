"""Whole or absent."""

from __future__ import annotations

import json
import os

import pytest

from tgsage.store import replacing, replacing_folder, write_json, write_text


def test_a_failed_writer_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.csv"
    write_text(target, "old")
    with pytest.raises(RuntimeError), replacing(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_the_temporary_name_keeps_the_suffix(tmp_path):
    with replacing(tmp_path / "figure.svg") as temporary:
        assert temporary.suffix == ".svg" and temporary.parent == tmp_path
        temporary.write_text("x")


def test_the_file_is_readable_as_the_umask_says(tmp_path):
    write_text(tmp_path / "a", "x")
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o666 & ~mask


def test_json_keeps_the_order_and_refuses_nan(tmp_path):
    write_json(tmp_path / "a.json", {"z": 1, "a": [0.1]})
    assert list(json.loads((tmp_path / "a.json").read_text())) == ["z", "a"]
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "b.json", {"x": float("nan")})
    assert not (tmp_path / "b.json").exists()


def test_a_folder_is_replaced_whole(tmp_path):
    target = tmp_path / "entry"
    for name in ("one", "two"):
        with replacing_folder(target) as temporary:
            (temporary / name).write_text(name)
    assert [path.name for path in target.iterdir()] == ["two"]
    with pytest.raises(RuntimeError), replacing_folder(target) as temporary:
        (temporary / "three").write_text("half")
        raise RuntimeError
    assert [path.name for path in target.iterdir()] == ["two"]
    assert [path.name for path in tmp_path.iterdir()] == ["entry"]
