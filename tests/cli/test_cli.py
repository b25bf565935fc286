"""The command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tgsage.cli import main
from tgsage.store import Store

ROOT = Path(__file__).resolve().parents[2]


def test_check_config_tells_what_a_config_will_do(capsys):
    assert main(["check-config", str(ROOT / "config" / "config.yaml")]) == 0
    assert "4 rounds x 6 = 24 candidates" in capsys.readouterr().out


def test_a_mistake_is_one_line_and_status_1(tmp_path, capsys):
    (tmp_path / "c.yaml").write_text("rum: x\n")
    assert main(["check-config", str(tmp_path / "c.yaml")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("tgsage: ") and error.count("\n") == 1 and "did you mean 'run'" in error


def test_status_of_a_folder_without_a_search(tmp_path, capsys):
    assert main(["status", str(tmp_path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_store_size_and_pruning(tmp_path, capsys):
    root = tmp_path / "store"
    assert main(["store", "--root", str(root)]) == 0
    assert "empty" in capsys.readouterr().out
    Store(root).ensure("trained", "ab12", lambda folder: (folder / "w").write_text("x" * 2_000_000) and None)
    main(["store", "--root", str(root)])
    assert "trained: 1 entries, 2.0 MB" in capsys.readouterr().out
    main(["store", "--root", str(root), "--prune-unused-days", "0", "--dry-run"])
    assert "would remove 1 entries" in capsys.readouterr().out
    main(["store", "--root", str(root), "--prune-unused-days", "0"])
    assert "removed 1 entries" in capsys.readouterr().out and Store(root).usage() == []


def test_wrong_words_are_status_2():
    with pytest.raises(SystemExit) as raised:
        main(["stauts"])
    assert raised.value.code == 2
