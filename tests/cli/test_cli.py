"""The command line."""

from __future__ import annotations

import hashlib
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


def test_cards_say_what_is_here(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(["cards", "--root", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "\nmajajhong2015: Macaque V4 and IT" in out and "  regions: V4, IT\n" in out
    assert "  licence: GPL-3.0" in out and out.count("0 of ") == out.count("licence: ")
    path = tmp_path / "majajhong2015" / "image_dicarlo_hvm-public.csv"
    path.parent.mkdir()
    path.write_text("not it")
    assert main(["cards", "--root", str(tmp_path), "--verify"]) == 0
    expected = "1 of 3 files present, 0 verified, majajhong2015/image_dicarlo_hvm-public.csv differs"
    assert expected in capsys.readouterr().out


def test_fetch(tmp_path, capsys, monkeypatch):
    """Without a network: what is there already, and what cannot be fetched."""
    content = b"stand-in"
    (tmp_path / "neural_data").mkdir()
    text = (ROOT / "src/tgsage/recordings/data_cards/kriegeskorte2008.yaml").read_text()
    head, source = text[: text.index("files:")], text[text.index("limits:") :]
    digest = hashlib.sha256(content).hexdigest()
    files = f"files:\n  - {{path: a/b.mat, url: 'http://x.org/b.mat', sha256: {digest}}}\n"
    (tmp_path / "neural_data" / "kriegeskorte2008.yaml").write_text(head + files + source)
    monkeypatch.chdir(tmp_path)
    command = ["fetch", "kriegeskorte2008", "--root", "data"]
    assert main(command) == 1
    told = capsys.readouterr()
    assert "licence: " in told.out and "cite: Kriegeskorte N" in told.out
    assert (
        told.err
        == "tgsage: card kriegeskorte2008: address http://x.org/b.mat: only https is downloaded from\n"
    )
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "data" / "a" / "b.mat").write_bytes(content)
    assert main(command) == 0
    assert "data/a/b.mat: present\n" in capsys.readouterr().out
    assert main([*command, "--file", "a/c.mat"]) == 1
    assert "did you mean 'a/b.mat'" in capsys.readouterr().err
    assert main(["fetch", "kriegeskorte"]) == 1
    assert "did you mean 'kriegeskorte2008'" in capsys.readouterr().err


def test_an_interrupted_command_says_so(capsys, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr("tgsage.recordings.card_names", interrupt)
    assert main(["cards"]) == 130
    assert capsys.readouterr().err == "tgsage: interrupted\n"


def test_wrong_words_are_status_2():
    with pytest.raises(SystemExit) as raised:
        main(["stauts"])
    assert raised.value.code == 2
