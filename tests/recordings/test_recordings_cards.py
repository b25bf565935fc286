"""Cards of published data sets, and where data are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tgsage import recordings
from tgsage.errors import TgsageError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", recordings.card_names())
def test_every_card_is_valid(name):
    card = recordings.card(name)
    assert card.name == name
    assert card.doi.startswith("10.")
    assert card.files
    for file in card.files:
        assert not Path(file.path).is_absolute()
        for digest, length in ((file.sha256, 64), (file.sha1, 40)):
            assert digest is None or (len(digest) == length and int(digest, 16) >= 0)
        assert file.sha256 or file.sha1 or file.note
        assert file.as_published or file.note
    assert f"`{name}`" in (ROOT / "neural_data" / "README.md").read_text(encoding="utf-8")


def test_cards_are_found_in_any_folder_and_beside_those_of_one_s_own(tmp_path, monkeypatch):
    names = recordings.card_names()
    assert {"cowley2023", "cowley_v4_objects", "kriegeskorte2008", "majajhong2015"} <= set(names)
    monkeypatch.chdir(tmp_path)
    assert recordings.card_names() == names
    (tmp_path / "neural_data").mkdir()
    content = (ROOT / "src/tgsage/recordings/data_cards/cowley2023.yaml").read_text(encoding="utf-8")
    (tmp_path / "neural_data" / "mine.yaml").write_text(content.replace("name: cowley2023", "name: mine"))
    assert recordings.card_names() == sorted([*names, "mine"])
    assert recordings.card("mine").doi == recordings.card("cowley2023").doi


def test_unknown_names_are_one_line():
    for load in (recordings.card, recordings.load, recordings.load_stimuli):
        with pytest.raises(TgsageError, match=r"unknown data set 'cowley2032'.*did you mean 'cowley2023'"):
            load("cowley2032")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name: mine\n", "missing|required"),
        ("name: [", "not valid YAML"),
        ("nonsense: 1\nname: mine\n", "mine.yaml"),
        ("", "mine.yaml"),
    ],
)
def test_bad_cards_are_one_line(tmp_path, monkeypatch, content, message):
    (tmp_path / "neural_data").mkdir()
    (tmp_path / "neural_data" / "mine.yaml").write_text(content)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TgsageError, match=message) as caught:
        recordings.card("mine")
    assert "\n" not in str(caught.value)


def test_missing_files_of_a_card_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TGSAGE_DATA", str(tmp_path))
    with pytest.raises(TgsageError, match=r"MajajHong2015_public\.nc: no such file"):
        recordings.load("majajhong2015")
    assert set(recordings.verify("majajhong2015").values()) == {"absent"}
    path = tmp_path / recordings.card("majajhong2015").files[0].path
    path.parent.mkdir()
    path.write_bytes(b"something else")
    assert list(recordings.verify("majajhong2015").values()) == ["differs", "absent", "absent"]


def test_data_root(tmp_path, monkeypatch):
    monkeypatch.setenv("TGSAGE_DATA", "/from/environment")
    assert recordings.data_root("/from/config") == Path("/from/config")
    assert recordings.data_root(None) == Path("/from/environment")
    monkeypatch.delenv("TGSAGE_DATA")
    assert recordings.data_root(None).parts[-2:] == ("neural_data", "raw")
    (tmp_path / "neural_data").mkdir()
    monkeypatch.chdir(tmp_path)
    assert recordings.data_root() == Path("neural_data/raw")


def test_settings_find_files_below_data_root(brainio_package, monkeypatch):
    from tgsage.recordings.readers.brainio.plugin import BrainIORecordings

    written = brainio_package.write()
    monkeypatch.setenv("TGSAGE_DATA", str(brainio_package.folder))
    below, _ = recordings.make(BrainIORecordings(**written))
    absolute = {
        key: str(brainio_package.folder / value) if "." in value else value for key, value in written.items()
    }
    elsewhere, _ = recordings.make(BrainIORecordings(**absolute), "/nowhere")
    assert below.identical(elsewhere)
