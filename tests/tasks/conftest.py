from __future__ import annotations

import pickle

import numpy as np
import pytest

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def write_batch(path, pixels, labels):
    with open(path, "wb") as handle:
        pickle.dump({b"batch_label": b"x", b"labels": list(labels), b"data": pixels}, handle, protocol=2)


@pytest.fixture
def cifar(tmp_path):
    """A folder in CIFAR-10's layout: 5 × 60 training and 50 test images of noise, every class as often."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, n in [*((f"data_batch_{number}", 60) for number in range(1, 6)), ("test_batch", 50)]:
        write_batch(
            folder / name, rng.integers(0, 256, (n, 3072), dtype=np.uint8), [index % 10 for index in range(n)]
        )
    with open(folder / "batches.meta", "wb") as handle:
        pickle.dump({"label_names": NAMES, "num_vis": 3072}, handle, protocol=2)
    return tmp_path
