"""A list of architectures as a space."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tgsage import plugins, spaces
from tgsage.errors import TgsageError

CELL = {"name": "cell", "blocks": 3, "width": 4, "reductions": 1}


@pytest.fixture
def pool(tmp_path):
    of = spaces.get(CELL)
    rng = np.random.default_rng(0)
    archs = [of.sample(rng) for _ in range(30)]
    (tmp_path / "pool.json").write_text(json.dumps([of.format(arch) for arch in archs]))
    return of, archs, tmp_path / "pool.json"


def test_members_keys_and_text_are_those_of_the_space(pool):
    of, archs, path = pool
    space = spaces.get("list", file=str(path), of=CELL)
    assert list(space.all()) == archs and space.size == 30
    for arch in archs:
        assert space.key(arch) == of.key(arch)
        assert space.parse(space.format(arch)) == arch == space.decode(space.encode(arch))
    names = {name for name, _ in space.build(archs[0], 4).named_parameters()}
    assert names == {name for name, _ in of.build(archs[0], 4).named_parameters()}
    assert space.graph(archs[0]) == of.graph(archs[0])


def test_every_way_to_write_a_list(pool, tmp_path):
    of, archs, path = pool
    expected = list(spaces.get("list", file=str(path), of=CELL).all())
    objects = [{"arch": json.loads(of.format(arch)), "note": 1} for arch in archs]
    (tmp_path / "objects.json").write_text(json.dumps(objects))
    (tmp_path / "plain.json").write_text(json.dumps([item["arch"] for item in objects]))
    lines = ["n,architecture"] + [
        '{},"{}"'.format(n, of.format(arch).replace('"', '""')) for n, arch in enumerate(archs)
    ]
    (tmp_path / "pool.csv").write_text("\n".join(lines))
    for name, options in (("objects.json", {"column": "arch"}), ("plain.json", {}), ("pool.csv", {})):
        space = spaces.get("list", file=str(tmp_path / name), of=CELL, **options)
        assert list(space.all()) == expected


def test_samples_and_mutations_are_members(pool):
    _, archs, path = pool
    space = spaces.get("list", file=str(path), of=CELL)
    rng = np.random.default_rng(0)
    assert {space.sample(rng) for _ in range(400)} == set(archs)
    for arch in archs:
        child = space.mutate(arch, rng)
        assert child in archs and space.key(child) != space.key(arch)


def test_decode_takes_the_nearest(pool):
    of, archs, path = pool
    space = spaces.get("list", file=str(path), of=CELL)
    rng = np.random.default_rng(1)
    for _ in range(50):
        other = of.sample(rng)
        common = [sum(a == b for a, b in zip(arch.choices, other.choices, strict=True)) for arch in archs]
        assert space.decode(dict(other.choices)) == archs[int(np.argmax(common))]


def test_published_strings_survive(data):
    """Accuracy is looked up by exact string: what is proposed is a string of the file."""
    file = data / "nasbench201" / "accuracy_half.csv"
    space = spaces.get("list", file=str(file), of={"name": "nasbench201", "repeats": 1})
    assert space.size == 7809
    strings = {space.of.parse(line.split(",")[1]) for line in file.read_text().splitlines()[1:]}
    rng = np.random.default_rng(0)
    moved = 0
    for _ in range(200):
        arch = space.sample(rng)
        canonical = space.canonical(arch)
        assert canonical in strings
        assert space.key(canonical) == space.key(arch)
        moved += space.of.canonical(arch) not in space._members
    functions = {space.key(arch) for arch in space.all()}
    assert len(functions) == len({space.canonical(arch) for arch in space.all()}) == 2793


def test_errors_name_the_file(pool, tmp_path, monkeypatch):
    of, _, path = pool
    settings = plugins.settings("space", "list", file="pool.json", of=CELL)
    assert spaces.get(settings.located(tmp_path)).size == 30
    monkeypatch.chdir(tmp_path)
    assert settings.located(tmp_path / "elsewhere") is settings and spaces.get(settings).size == 30
    with pytest.raises(TgsageError, match=r"absent.json: no such file"):
        spaces.get("list", file="absent.json", of=CELL)
    cases = {
        "a.json": ("{", "not valid JSON"),
        "b.json": ("{}", "expected a JSON list"),
        "c.json": ("[]", "lists no architecture"),
        "d.json": ('["x"]', "d.json: entry 0: space cell: not the JSON"),
        "e.csv": ("architectur\n", "no column 'architecture' .did you mean 'architectur'"),
    }
    for name, (text, message) in cases.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(TgsageError, match=message):
            spaces.get("list", file=str(tmp_path / name), of=CELL)
    space = spaces.get("list", file=str(path), of=CELL)
    stranger = of.sample(np.random.default_rng(99))
    with pytest.raises(TgsageError, match=r"pool.json does not list the architecture"):
        space.key(stranger) and space.canonical(stranger)
