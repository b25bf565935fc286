"""The files that a source says it reads are those that it needs, and all that it needs."""

from __future__ import annotations

import pytest

from tgsage import plugins, recordings
from tgsage.errors import TgsageError
from tgsage.store.code import closure

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
    settings = plugins.settings("recordings", package.write(**options))
    published = settings.source == "kriegeskorte2008"

    def read():
        return (recordings.make_published_rdm if published else recordings.make)(settings, package.folder)

    files = settings.raw_files(package.folder)
    expected = read()
    assert len(files) == len(set(files)) >= 1
    for path in package.folder.rglob("*"):
        if path.is_file() and path not in files:
            path.unlink()
    assert read()[0].identical(expected[0]) and read()[1].identical(expected[1])
    for path in files:
        content = path.read_bytes()
        path.unlink()
        assert settings.raw_files(package.folder) == files
        with pytest.raises(TgsageError, match=f"{path.name}: no such (file|folder or zip)"):
            read()
        path.write_bytes(content)


def test_absolute_paths_and_the_data_folder(monkeypatch, tmp_path):
    settings = plugins.settings(
        "recordings",
        {"source": "brainio", "assembly": "/x/a.nc", "stimuli_csv": "b.csv", "stimuli_zip": "~/c.zip"},
    )
    monkeypatch.setenv("TGSAGE_DATA", str(tmp_path))
    monkeypatch.setenv("HOME", "/home/somebody")
    found = [str(path) for path in settings.raw_files(recordings.data_root())]
    assert found == ["/x/a.nc", str(tmp_path / "b.csv"), "/home/somebody/c.zip"]


@pytest.mark.parametrize("plugin", [*plugins.every("recordings"), *plugins.every("task")])
def test_a_source_has_its_own_code_and_no_other_source_s(plugin):
    loaded = plugin.load()
    assert callable(loaded.read) and (not plugin.has_files or callable(loaded.raw_files))
    modules = closure(plugin.code_module())
    readers = {name.partition(".readers.")[2].partition(".")[0] for name in modules if ".readers." in name}
    assert readers <= {plugin.code_module().split(".")[-2]}
    part = {"recordings": "tgsage.tasks.", "task": "tgsage.recordings."}[plugin.plugin_kind]
    assert not any(name.startswith(part) for name in modules)


def test_sources_without_files():
    assert plugins.settings("recordings", {"source": "simulated"}).raw_files("/nowhere") == []
