"""Stand-ins: noise in the layouts of published labelled images."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

WNIDS = ("n01443537", "n01629819", "n01641577")


def noise(n, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def encoded(pixels, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=kind)
    return buffer.getvalue()


def write_pickle(path, content, protocol=2):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as handle:
        pickle.dump(content, handle, protocol=protocol)


def planes(images):
    """(n, side, side, 3) as published: all red values of an image, then green, then blue."""
    return np.array([[image[..., channel].ravel() for channel in range(3)] for image in images]).reshape(
        len(images), -1
    )


def write_tree(path: Path, files: dict[str, bytes], prefix: str = "") -> None:
    """Write files below a folder, or into a zip if the name ends so."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(prefix + name, content)
        return
    for name, content in files.items():
        file = path / prefix / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def cifar100_content(n, seed):
    fine = [index % 10 for index in range(n)]
    return {
        b"filenames": [b"x.png"] * n,
        b"batch_label": b"stand-in",
        b"fine_labels": fine,
        b"coarse_labels": [label // 5 for label in fine],
        b"data": planes(noise(n, 32, 32, 3, seed=seed)),
    }


def write_cifar100(root, n_train=120, n_test=40):
    """10 classes in 2 superclasses instead of 100 in 20."""
    folder = root / "cifar-100-python"
    write_pickle(folder / "train", cifar100_content(n_train, 1))
    write_pickle(folder / "test", cifar100_content(n_test, 2))
    names = {
        b"fine_label_names": [f"fine {index}".encode() for index in range(10)],
        b"coarse_label_names": [b"fish", b"trees"],
    }
    write_pickle(folder / "meta", names)
    return folder


def tiny_files(n_train=12, n_val=4, side=16):
    """Tiny ImageNet with three classes; PNG behind the name, so that pixels stay what they are."""
    files = {
        "wnids.txt": "".join(f"{wnid}\n" for wnid in WNIDS).encode(),
        "words.txt": b"n00000001\tentity\n" + b"".join(
            f"{wnid}\tword {wnid[-1]}, other\n".encode() for wnid in WNIDS
        ),
        "test/images/test_0.JPEG": b"unlabelled, and not read",
    }  # fmt: skip
    pixels = noise(len(WNIDS) * n_train, side, side, 3, seed=5)
    for label, wnid in enumerate(WNIDS):
        files[f"train/{wnid}/{wnid}_boxes.txt"] = b"a box"
        for index in range(n_train):
            name = f"train/{wnid}/images/{wnid}_{index}.JPEG"
            files[name] = encoded(pixels[label * n_train + index])
    pixels = noise(len(WNIDS) * n_val, side, side, 3, seed=6)
    lines = []
    for index, picture in enumerate(pixels):
        files[f"val/images/val_{index}.JPEG"] = encoded(picture)
        lines.append(f"val_{index}.JPEG\t{WNIDS[index % 3]}\t0\t0\t9\t9\n")
    files["val/val_annotations.txt"] = "".join(lines).encode()
    return files


def downsampled_content(n, seed, side=8, classes=4):
    return {
        "data": planes(noise(n, side, side, 3, seed=seed)),
        "labels": [1 + index % classes for index in range(n)],
        "mean": np.zeros(3 * side * side),
    }


def write_downsampled(root, batches=2, n=40, kind="pickle", protocol=2):
    folder = root / "Imagenet64"
    folder.mkdir(parents=True, exist_ok=True)
    names = [*(f"train_data_batch_{number}" for number in range(1, batches + 1)), "val_data"]
    for seed, name in enumerate(names):
        content = downsampled_content(n, seed)
        if kind == "npz":
            np.savez(folder / f"{name}.npz", **content)
        else:
            write_pickle(folder / name, content, protocol)
    lines = [f"n{label:08d} {label} name_{label}\n" for label in range(1000, 0, -1)]
    (folder / "map_clsloc.txt").write_text("".join(lines), encoding="utf-8")
    return folder


def idx(values):
    magic = {1: 0x801, 3: 0x803}[values.ndim]
    return struct.pack(f">{1 + values.ndim}I", magic, *values.shape) + values.tobytes()


def write_idx(root, n_train=60, n_test=20, packed=True, train="train", test="t10k", first=0):
    folder = root / "fashion-mnist"
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, n, seed in ((train, n_train, 1), (test, n_test, 2)):
        labels = (first + np.arange(n) % 5).astype(np.uint8)
        for kind, values in (("images-idx3", noise(n, 28, 28, seed=seed)), ("labels-idx1", labels)):
            content = idx(values)
            name = f"{prefix}-{kind}-ubyte" + (".gz" if packed else "")
            (folder / name).write_bytes(gzip.compress(content) if packed else content)
    return folder


def folder_files(parts=("",), n=8, shape=(12, 12, 3), classes=("ant", "bee"), seed=7):
    """``<part>/<class>/<image>.png``, with no part where it is empty."""
    files = {}
    for number, part in enumerate(parts):
        pixels = noise(n * len(classes), *shape, seed=seed + number)
        for label, name in enumerate(classes):
            for index in range(n):
                file = f"{part}/{name}/{index}.png".removeprefix("/")
                files[file] = encoded(pixels[label * n + index])
    return files
