"""Architectures of another space, listed in a file: a pool, a benchmark's table, earlier finalists."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import TgsageError, nearest
from ..base import Architecture, Graph, Option, Space
from ..registry import get

if TYPE_CHECKING:
    from torch import nn

    from .plugin import ListSettings

NEIGHBOURS = 10
"""From how many of the nearest listed architectures a mutation is drawn."""


class ListSpace(Space):
    """The architectures of another space that a file lists.

    The file is csv with a column ``architecture`` (or the one that ``column`` names), or JSON: a list of
    architectures, or of objects with such a key. An architecture is whatever ``parse`` of its space reads, or
    the same as a JSON object.

    Choices, texts, keys and networks are those of the space ``of``. :meth:`decode` returns the listed
    architecture with the most choices in common (the first of them), so that every sampler can learn here,
    and :meth:`mutate` draws from the ten nearest architectures with another function.

    Probes: those of the space ``of``.

    Canonical form: the first listed architecture of the same function, so that listed architectures stay as
    they are.
    """

    settings: ListSettings

    def __init__(self, settings: ListSettings):
        super().__init__(settings)
        self.of = of = get(settings.of)
        self.choices = of.choices
        self.listed = tuple(dict.fromkeys(_read(settings, of)))
        self._first: dict[str, Architecture] = {}
        for arch in self.listed:
            self._first.setdefault(of.key(arch), arch)
        self._members = frozenset(self.listed)
        self._options = [{value: code for code, value in enumerate(o)} for o in of.choices.values()]
        self._codes = np.array([self._code(dict(arch.choices)) for arch in self.listed], dtype=np.int16)
        self._keys = np.array([of.key(arch) for arch in self.listed])

    def _code(self, choices: Mapping[str, Option]) -> list[int]:
        return [codes[choices[name]] for name, codes in zip(self.of.choices, self._options, strict=True)]

    @property
    def size(self) -> int:
        """Number of listed architectures."""
        return len(self.listed)

    def all(self) -> Iterator[Architecture]:
        """Iterate over the listed architectures, in order."""
        yield from self.listed

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Draw a listed architecture uniformly."""
        return self.listed[int(rng.integers(len(self.listed)))]

    def check(self, arch: Architecture) -> None:
        """Raise a TgsageError unless the file lists ``arch``."""
        if arch not in self._members:
            self.of.check(arch)
            raise TgsageError(
                f"space list: {self.settings.file} does not list the architecture {self.of.format(arch)}"
            )

    def canonical(self, arch: Architecture) -> Architecture:
        """Return the canonical form; see the class for its rules."""
        self.check(arch)
        return self._first[self.of.key(arch)]

    def key(self, arch: Architecture) -> str:
        """Return the key in the space ``of``."""
        return self.of.key(arch)

    def decode(self, choices: Mapping[str, Option]) -> Architecture:
        """Return the listed architecture with the most choices in common, the first of them."""
        wanted = self.of.decode(choices)
        common = (self._codes == np.array(self._code(dict(wanted.choices)))).sum(axis=1)
        return self.listed[int(common.argmax())]

    def encode(self, arch: Architecture) -> dict[str, Option]:
        """Return the choices of an architecture by name."""
        self.check(arch)
        return self.of.encode(arch)

    def mutate(self, arch: Architecture, rng: np.random.Generator) -> Architecture:
        """Draw from the ten nearest listed architectures of another function; return ``arch`` if none."""
        self.check(arch)
        common = (self._codes == np.array(self._code(dict(arch.choices)))).sum(axis=1)
        others = np.flatnonzero(self._keys != self.key(arch))
        if not len(others):
            return self.canonical(arch)
        near = others[np.argsort(-common[others], kind="stable")[:NEIGHBOURS]]
        return self.canonical(self.listed[int(near[rng.integers(len(near))])])

    def format(self, arch: Architecture) -> str:
        """Return the text of an architecture in the space ``of``."""
        self.check(arch)
        return self.of.format(arch)

    def parse(self, text: str) -> Architecture:
        """Read the text of a listed architecture."""
        arch = self.of.parse(text)
        self.check(arch)
        return arch

    def _assemble(self, arch: Architecture, n_classes: int, in_channels: int) -> nn.Module:
        return self.of.build(arch, n_classes, in_channels)

    def graph(self, arch: Architecture) -> Graph:
        """Describe an architecture as the space ``of`` does."""
        return self.of.graph(arch)


def _read(settings: ListSettings, of: Space) -> list[Architecture]:
    path = Path(settings.file)
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
    architectures = []
    for number, item in enumerate(items):
        try:
            architectures.append(of.parse(json.dumps(item) if isinstance(item, dict) else item))
        except TgsageError as error:
            raise TgsageError(f"space list: {where}: entry {number}: {error}") from None
    if not architectures:
        raise TgsageError(f"space list: {where}: lists no architecture")
    return architectures
