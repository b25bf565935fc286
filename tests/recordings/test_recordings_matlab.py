"""MATLAB files in a process of their own: scipy reads them, and whatever is wrong with one is one line."""

from __future__ import annotations

import io
import struct

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from tgsage.errors import TgsageError
from tgsage.recordings import matlab
from tgsage.recordings.matlab import read_variables


def saved(variables, **options):
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, variables, **options)
    return buffer.getvalue()


def test_variables_are_those_that_scipy_reads():
    kinds = ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "c16"]
    values = np.random.default_rng(2).normal(size=(5, 3)) * 50
    variables = {f"of_{kind}": values.astype(kind) for kind in kinds}
    variables["text"] = np.array(["one", "drei und ein wenig", "grün", ""])
    for compressed in (True, False):
        content = saved(variables | {"other": {"a": 1}}, do_compression=compressed)
        read = read_variables(content, list(variables), "a file")
        theirs = scipy.io.loadmat(io.BytesIO(content))
        assert list(read) == list(variables)
        for name in variables:
            np.testing.assert_array_equal(read[name], theirs[name])
            assert read[name].dtype == theirs[name].dtype


def test_structs_and_cells_are_in_c_order():
    entries = np.empty((2, 3), dtype=[("name", object), ("cell", object)])
    for index in np.ndindex(entries.shape):
        entries[index] = (f"{index}", np.array([[1.5, "x"]], dtype=object))
    (read,) = read_variables(saved({"entries": entries}), ["entries"], "a file").values()
    assert [entry["name"].item() for entry in read] == [f"{index}" for index in np.ndindex(2, 3)]
    assert [value.item() for value in read[4]["cell"]] == [1.5, "x"]


def check_refused(content, message):
    with pytest.raises(TgsageError, match=message) as caught:
        read_variables(content, ["a", "b"], "a file")
    assert str(caught.value).startswith("a file: ") and "\n" not in str(caught.value)


def test_what_is_no_plain_array_is_refused():
    check_refused(
        saved({"a": 1.0, "c": 1.0}), "has no b; is this the published file.* Its variables are a, c"
    )
    check_refused(saved({"a": 1.0, "b": {"x": scipy.sparse.eye(3)}}), r"b\.x is a csc_\w+, not a plain array")
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["a"] = 1.0
    header = b"MATLAB 7.3 MAT-file".ljust(124) + struct.pack("<HH", 0x0200, 0x4D49)
    check_refused(header.ljust(512, b"\0") + buffer.getvalue(), "is a MATLAB 7.3 file")
    check_refused(b"no" * 200, "Unknown mat file type")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "truncated or damaged .*status -11"),
        ("import time; time.sleep(60)", "it takes more than 0.5 s"),
        ("raise RuntimeError('one\\ntwo')", r"truncated or damaged \(two\)"),
        ("print('nothing is written')", "truncated or damaged .*No such file"),
    ],
    ids=["a crash", "a hang", "an exception", "no answer"],
)
def test_whatever_happens_to_the_child_is_one_line(monkeypatch, code, message):
    monkeypatch.setattr(matlab, "_COMMAND", code)
    monkeypatch.setattr(matlab, "MAX_SECONDS", 0.5)
    check_refused(saved({"a": 1.0}), message)


def test_pickles_are_not_read(monkeypatch, tmp_path):
    """Also not where the child was taken over."""
    spoil = (
        "import pathlib, sys, numpy; pathlib.Path(sys.argv[1], 'answer.json').write_text("
        '\'{"problem": "", "variables": {"a": 0, "b": 0}}\'); '
        "numpy.savez(pathlib.Path(sys.argv[1], 'arrays.npz'), numpy.array([{}], dtype=object))"
    )
    monkeypatch.setattr(matlab, "_COMMAND", spoil)
    check_refused(b"", "Object arrays cannot be loaded")


def test_memory_is_bounded(monkeypatch):
    content = saved({"a": np.zeros((10_000, 10_000), np.uint8), "b": 1.0}, do_compression=True)
    assert len(content) < 2**20
    monkeypatch.setattr(matlab, "MAX_MEMORY_BYTES", 300 * 2**20)
    check_refused(content, "cannot be read as a MATLAB file")


@pytest.mark.slow
@pytest.mark.parametrize("compressed", [True, False])
def test_damaged_files_are_one_line_whatever_is_damaged(compressed):
    """Bytes changed and files cut at random: one line or variables, and never anything else."""
    generator = np.random.default_rng(0)
    variables = {"a": generator.normal(size=(6, 3)), "b": np.array(["images/a.png Cars 1 0"] * 6)}
    whole = saved(variables, do_compression=compressed)
    refused = 0
    for trial in range(150):
        content = bytearray(whole)
        if trial % 3 == 0:
            content = content[: generator.integers(len(content))]
        else:
            for _ in range(generator.integers(1, 4)):
                content[generator.integers(len(content))] = generator.integers(256)
        try:
            assert set(read_variables(bytes(content), ["a", "b"], "a file")) == {"a", "b"}
        except TgsageError as error:
            refused += 1
            assert str(error).startswith("a file: ") and "\n" not in str(error)
    assert refused > 50
