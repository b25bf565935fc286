"""netCDF files that are absent, damaged or something else."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tgsage.errors import TgsageError
from tgsage.netcdf import read_dataset, read_tree


@pytest.fixture
def written(tmp_path):
    tree = xr.DataTree.from_dict({"/": xr.Dataset({"a": ("x", np.arange(3))}), "/b": xr.Dataset({"c": 1})})
    tree.to_netcdf(tmp_path / "file.nc")
    return tmp_path / "file.nc"


def test_content_is_in_memory_and_the_file_closed(written):
    dataset, tree = read_dataset(written), read_tree(written)
    written.unlink()
    assert dataset["a"].values.tolist() == [0, 1, 2] and int(tree["b"]["c"]) == 1


@pytest.mark.parametrize("read", [read_dataset, read_tree])
@pytest.mark.parametrize("change", ["absent", "empty", "truncated", "text", "folder"])
def test_what_is_no_netcdf_file_is_one_line(written, read, change):
    whole = written.read_bytes()
    written.unlink()
    if change == "folder":
        written.mkdir()
    elif change != "absent":
        written.write_bytes(
            {"empty": b"", "truncated": whole[: len(whole) // 2], "text": b"a,b\n1,2\n"}[change]
        )
    with pytest.raises(TgsageError) as raised:
        read(written, absent="make it", damaged="make it again")
    message = str(raised.value)
    assert message.startswith(f"{written}: ") and "\n" not in message
    assert message.endswith("make it" if change in ("absent", "folder") else "make it again")
