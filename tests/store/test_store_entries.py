"""The content-addressed store."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from tgsage.store import Store


def _events(store: Store) -> list[str]:
    return [str(row["event"]) for row in store.journal()]


def _maker(text: str = "weights"):
    def make(folder: Path) -> None:
        (folder / "weights").write_text(text)

    return make


def test_an_entry_is_made_once(tmp_path):
    store = Store(tmp_path / "store")
    first = store.ensure("trained", "ab12", _maker("one"))
    second = store.ensure("trained", "ab12", _maker("two"))
    assert first == second == store.path("trained", "ab12")
    assert (second / "weights").read_text() == "one"
    assert _events(store) == ["write", "hit"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "weights").unlink(),
        lambda folder: (folder / "weights").write_text("other"),
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / "manifest.json").write_text("{"),
        lambda folder: (folder / "manifest.json").write_text("[]"),
    ],
)
def test_a_damaged_entry_is_refused_and_made_again(tmp_path, damage):
    store = Store(tmp_path)
    damage(store.ensure("trained", "ab12", _maker("one")))
    assert (store.ensure("trained", "ab12", _maker("two")) / "weights").read_text() == "two"
    assert _events(store)[0] == "write" and _events(store)[-1] == "write"


def test_nothing_is_left_of_an_entry_whose_maker_fails(tmp_path):
    store = Store(tmp_path)

    def make(folder: Path) -> None:
        (folder / "weights").write_text("half")
        raise RuntimeError("full disk")

    with pytest.raises(RuntimeError, match="full disk"):
        store.ensure("trained", "ab12", make)
    assert not list(tmp_path.rglob("weights"))
    assert store.usage() == []


def _slow_entry(root: str) -> None:
    def make(folder: Path) -> None:
        time.sleep(0.3)
        (folder / "weights").write_text(str(os.getpid()))

    Store(root).ensure("trained", "ab12", make)


def test_two_processes_make_one_entry(tmp_path):
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=_slow_entry, args=(str(tmp_path),)) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(30)
        assert child.exitcode == 0
    assert sorted(_events(Store(tmp_path))) == ["hit", "hit", "write"]


def test_usage_and_pruning(tmp_path):
    store = Store(tmp_path)
    old = store.ensure("trained", "ab12", _maker("x" * 1000))
    store.ensure("trained", "cd34", _maker("y" * 1000))
    store.ensure("rdm", "ef56", _maker("z"))
    week_ago = time.time() - 7 * 86400
    os.utime(old, (week_ago, week_ago))
    usage = {row.kind: row for row in store.usage()}
    assert usage["trained"].entries == 2 and usage["trained"].bytes > 2000 and usage["rdm"].entries == 1
    linked = store.ensure("trained", "ba21", _maker("w" * 1000))
    (file,) = (path for path in old.iterdir() if path.name != "manifest.json")
    os.link(file, linked / "linked")  # as adoption files an entry twice
    assert store.usage()[-1].bytes < usage["trained"].bytes + 1500
    assert store.prune(3, dry_run=True)[0] == 1 and old.exists()
    entries, size = store.prune(3)
    assert entries == 1 and size > 1000 and not old.exists()
    assert store.prune(3) == (0, 0)


def test_using_an_entry_keeps_it_from_being_pruned(tmp_path):
    store = Store(tmp_path)
    folder = store.ensure("trained", "ab12", _maker())
    os.utime(folder, (0, 0))
    store.ensure("trained", "ab12", _maker())
    assert store.prune(1) == (0, 0)


def test_pruning_sweeps_what_a_killed_writer_has_left(tmp_path):
    store = Store(tmp_path)
    kept = store.ensure("trained", "ab12", _maker())
    left = kept.parent / ".ab34.xyz"
    left.mkdir()
    os.utime(left, (0, 0))
    store.prune(1)
    assert not left.exists() and kept.exists()
