"""The files that a source says it reads are those that it needs, and all that it needs."""

from __future__ import annotations

import importlib

import pytest
from pydantic import TypeAdapter

from tgsage import recordings, tasks
from tgsage.config.recordings import RecordingsSource
from tgsage.errors import TgsageError
from tgsage.recordings import sources

SOURCES = TypeAdapter(RecordingsSource)

LAYOUTS = {
    "brainio": ("brainio_package", {}),
    "cowley2023, raw": ("cowley_folder", {"responses": "raw"}),
    "cowley2023, averaged": ("cowley_folder", {"responses": "averaged"}),
    "kriegeskorte2008, monkey": ("kriegeskorte_folder", {"species": "monkey"}),
    "kriegeskorte2008, human": ("kriegeskorte_folder", {"species": "human"}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_files_that_a_source_reads(request, layout):
    name, options = LAYOUTS[layout]
    package = request.getfixturevalue(name)
    settings = SOURCES.validate_python(package.write(**options))
    published = settings.source == "kriegeskorte2008"

    def read():
        return (recordings.make_published_rdm if published else recordings.make)(settings, package.folder)

    files = sources.raw_files(settings, package.folder)
    expected = read()
    assert len(files) == len(set(files)) >= 1
    for path in package.folder.rglob("*"):
        if path.is_file() and path not in files:
            path.unlink()
    assert read()[0].identical(expected[0]) and read()[1].identical(expected[1])
    for path in files:
        content = path.read_bytes()
        path.unlink()
        assert sources.raw_files(settings, package.folder) == files
        with pytest.raises(TgsageError, match=f"{path.name}: no such file"):
            read()
        path.write_bytes(content)


def test_absolute_paths_and_the_data_folder(monkeypatch, tmp_path):
    settings = SOURCES.validate_python(
        {"source": "brainio", "assembly": "/x/a.nc", "stimuli_csv": "b.csv", "stimuli_zip": "~/c.zip"}
    )
    monkeypatch.setenv("TGSAGE_DATA", str(tmp_path))
    monkeypatch.setenv("HOME", "/home/somebody")
    found = [str(path) for path in sources.raw_files(settings)]
    assert found == ["/x/a.nc", str(tmp_path / "b.csv"), "/home/somebody/c.zip"]


def test_every_reader_says_which_files_it_reads():
    for module, without in ((sources, sources._WITHOUT_FILES), (tasks.sources, tasks.sources._WITHOUT_FILES)):
        assert set(without) < set(module._READERS)
        for source, reader in module._READERS.items():
            if source not in without:
                assert callable(importlib.import_module(f"tgsage.{reader}").raw_files), reader


def test_sources_without_files():
    assert sources.raw_files(SOURCES.validate_python({"source": "simulated"}), "/nowhere") == []
