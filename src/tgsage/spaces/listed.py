"""Architectures of another space, listed in a file: a pool, a benchmark's table, earlier finalists."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ..config.space_list import ListFile as Settings
from ..errors import TgsageError, nearest
from .base import Architecture, Space, Value

NEIGHBOURS = 10
"""From how many of the nearest listed architectures a mutation is drawn."""


class ListSpace(Space):
    """Only the architectures that a file lists; everything else is as in the space that they are of.

    The file is csv with a column ``architecture`` (or as ``column`` says), or JSON: a list of architectures,
    or of objects with such a key. An architecture is the text of ``Space.format``, the same as a JSON
    object, or a string of NAS-Bench-201.

    Architectures, their text, keys and networks are those of the space ``of``. Choices are those of that
    space too; :meth:`decode` takes the listed architecture
    with the most choices in common (the first of them), so that every sampler can learn here, and
    :meth:`mutate` draws among the ten nearest of another function.

    Probes: those of the space ``of``.

    Canonical form: the first listed architecture of the same function, so that exact strings survive.
    """

    name = "list"
    settings: Settings

    def __init__(self, settings: Settings, of: Space):
        self.settings = settings
        self.of = of
        self.choices = of.choices
        self.listed = tuple(dict.fromkeys(_read(settings, of)))
        self._first: dict[str, Architecture] = {}
        for arch in self.listed:
            self._first.setdefault(of.key(arch), arch)
        self._members = frozenset(self.listed)
        self._options = [{value: code for code, value in enumerate(o)} for o in of.choices.values()]
        self._codes = np.array([self._code(dict(arch.choices)) for arch in self.listed], dtype=np.int16)
        self._keys = np.array([of.key(arch) for arch in self.listed])

    def _code(self, choices: Mapping[str, Value]) -> list[int]:
        return [codes[choices[name]] for name, codes in zip(self.of.choices, self._options, strict=True)]

    @property
    def size(self) -> int:
        return len(self.listed)

    def all(self) -> Iterator[Architecture]:
        yield from self.listed

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Draw a listed architecture uniformly."""
        return self.listed[int(rng.integers(len(self.listed)))]

    def check(self, arch: Architecture) -> None:
        if arch not in self._members:
            self.of.check(arch)
            raise TgsageError(
                f"space list: {self.settings.file} does not list the architecture {self.of.format(arch)}"
            )

    def canonical(self, arch: Architecture) -> Architecture:
        self.check(arch)
        return self._first[self.of.key(arch)]

    def key(self, arch: Architecture) -> str:
        return self.of.key(arch)

    def decode(self, choices: Mapping[str, Value]) -> Architecture:
        """The listed architecture with the most choices in common, the first of them."""
        wanted = self.of.decode(choices)
        common = (self._codes == np.array(self._code(dict(wanted.choices)))).sum(axis=1)
        return self.listed[int(common.argmax())]

    def encode(self, arch: Architecture) -> dict[str, Value]:
        self.check(arch)
        return self.of.encode(arch)

    def mutate(self, arch: Architecture, rng: np.random.Generator) -> Architecture:
        """Draw one of the ten nearest listed architectures of another function; itself if there is none."""
        self.check(arch)
        common = (self._codes == np.array(self._code(dict(arch.choices)))).sum(axis=1)
        others = np.flatnonzero(self._keys != self.key(arch))
        if not len(others):
            return self.canonical(arch)
        near = others[np.argsort(-common[others], kind="stable")[:NEIGHBOURS]]
        return self.canonical(self.listed[int(near[rng.integers(len(near))])])

    def format(self, arch: Architecture) -> str:
        self.check(arch)
        return self.of.format(arch)

    def parse(self, text: str) -> Architecture:
        arch = self.of.parse(text)
        self.check(arch)
        return arch

    def _assemble(self, arch: Architecture, n_classes: int, in_channels: int) -> nn.Module:
        return self.of.build(arch, n_classes, in_channels)

    def graph(self, arch: Architecture) -> dict[str, list[dict[str, Any]]]:
        """As the space ``of`` draws it."""
        return self.of.graph(arch)


def _path(name: str) -> Path:
    """The file as named, else in the data folder."""
    path = Path(name)
    if path.is_absolute() or path.exists():
        return path
    return Path(os.environ.get("TGSAGE_DATA") or Path("neural_data") / "raw") / name


def _read(settings: Settings, of: Space) -> list[Architecture]:
    path = _path(settings.file)
    where = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise TgsageError(f"space list: {where}: no such file; see search.space.file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise TgsageError(f"space list: {where}: cannot be read: {error}") from None
    column = settings.column
    items: list[Any]
    if path.suffix == ".json":
        try:
            content = json.loads(text)
        except ValueError as error:
            raise TgsageError(f"space list: {where}: not valid JSON: {error}") from None
        if not isinstance(content, list):
            raise TgsageError(f"space list: {where}: expected a JSON list of architectures")
        items = [item[column] if isinstance(item, dict) and column in item else item for item in content]
    else:
        reader = csv.DictReader(text.splitlines())
        if column not in (reader.fieldnames or ()):
            raise TgsageError(
                f"space list: {where}: no column {column!r}{nearest(column, reader.fieldnames or ())}"
            )
        items = [row[column] for row in reader]
    found = []
    for number, item in enumerate(items):
        try:
            found.append(_architecture(item, of))
        except TgsageError as error:
            raise TgsageError(f"space list: {where}: entry {number}: {error}") from None
    if not found:
        raise TgsageError(f"space list: {where}: lists no architecture")
    return found


def _architecture(item: Any, of: Space) -> Architecture:
    if isinstance(item, dict):
        item = json.dumps(item)
    if not isinstance(item, str):
        raise TgsageError(f"not an architecture: {str(item)[:60]!r}")
    published = getattr(of, "parse_published", None)
    if published is not None and not item.lstrip().startswith("{"):
        return published(item)
    return of.parse(item)
