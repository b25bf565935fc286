"""Digests of files that lie outside of a run."""

from __future__ import annotations

import hashlib
import json
import os

import pytest

from tgsage.store import contents as module
from tgsage.store.contents import ABSENT, contents


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two files that count as settled at once."""
    monkeypatch.setattr(module, "SETTLED_SECONDS", -1.0)
    (tmp_path / "data" / "a").mkdir(parents=True)
    paths = [tmp_path / "data" / "a" / "x.bin", tmp_path / "elsewhere.bin"]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


def told(files, tmp_path):
    return contents(files, tmp_path / "data", tmp_path / "cache" / "c.json")


def sha(content):
    return hashlib.sha256(content).hexdigest()[:16]


def test_content_by_name(files, tmp_path):
    assert told(files, tmp_path) == {"a/x.bin": sha(b"x.bin"), str(files[1]): sha(b"elsewhere.bin")}


def test_content_counts_and_time_does_not(files, tmp_path):
    before = told(files, tmp_path)
    os.utime(files[0], (1, 1))
    assert told(files, tmp_path) == before
    files[0].write_bytes(b"y.bin")
    os.utime(files[0], (1, 1))
    assert told(files, tmp_path)["a/x.bin"] == sha(b"y.bin")
    files[0].write_bytes(b"x.bin")
    assert told(files, tmp_path) == before


def test_a_file_is_read_once(files, tmp_path, monkeypatch):
    before = told(files, tmp_path)
    monkeypatch.setattr(module, "_digest", lambda path: pytest.fail(f"{path} was read again"))
    assert told(files, tmp_path) == before


def test_a_file_that_has_just_changed_is_read_again(files, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SETTLED_SECONDS", 60.0)
    told(files, tmp_path)
    read = []
    monkeypatch.setattr(module, "_digest", lambda path: read.append(path) or "0")
    told(files, tmp_path)
    assert read == files


def test_an_absent_file_is_as_it_was_last_seen(files, tmp_path):
    before = told(files, tmp_path)
    files[0].unlink()
    assert told(files, tmp_path) == before
    (tmp_path / "cache" / "c.json").unlink()
    assert told(files, tmp_path)["a/x.bin"] == ABSENT
    files[0].write_bytes(b"new")
    assert told(files, tmp_path)["a/x.bin"] == sha(b"new")


@pytest.mark.parametrize("damage", ["", "[1]", "{", '{"a": 1}'])
def test_a_damaged_cache_costs_time_only(files, tmp_path, damage):
    before = told(files, tmp_path)
    (tmp_path / "cache" / "c.json").write_text(damage)
    assert told(files, tmp_path) == before
    assert len(json.loads((tmp_path / "cache" / "c.json").read_text())) >= 2


@pytest.mark.parametrize("limit", ["SEPARATE", "READ"])
def test_many_files_are_one_entry(files, tmp_path, monkeypatch, limit):
    monkeypatch.setattr(module, limit, 1)
    before = told(files, tmp_path)
    assert list(before) == ["2 files"] and told(files, tmp_path) == before
    files[1].write_bytes(b"longer than it was")
    assert told(files, tmp_path) != before
    assert told(files[:1], tmp_path) == {"a/x.bin": sha(b"x.bin")}


def test_moving_the_data_folder_changes_nothing(files, tmp_path):
    before = told(files[:1], tmp_path)
    (tmp_path / "data").rename(tmp_path / "moved")
    moved = [tmp_path / "moved" / "a" / "x.bin"]
    assert contents(moved, tmp_path / "moved", tmp_path / "cache" / "c.json") == before
