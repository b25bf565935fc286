"""What every search space has in common: a sequence of named choices, an architecture, a module."""

from __future__ import annotations

import functools
import itertools
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import TgsageError, unknown
from ..store import digest

if TYPE_CHECKING:
    from torch import nn

    from .settings import SpaceSettings

Option = str | int
"""What can be chosen at a choice."""

Graph = dict[str, list[dict[str, Any]]]
"""A drawing as ``nodes`` and ``edges``, see :meth:`Space.graph`."""

KEY_LENGTH = 16
MUTATION_TRIES = 100


@dataclass(frozen=True, order=True)
class Architecture:
    """A point of a search space: immutable, hashable, and ordered within its space.

    Attributes
    ----------
    space : str
        Name of the space.
    choices : tuple of (str, str or int)
        The name of every choice of the space with the chosen option, in the order of ``Space.choices``.
    """

    space: str
    choices: tuple[tuple[str, Option], ...]

    def __getitem__(self, name: str) -> Option:
        """Return the option at the choice ``name``."""
        for choice, value in self.choices:
            if choice == name:
                return value
        raise KeyError(name)


class Space(ABC):
    """A search space.

    A subclass is made from ``settings``, bears their ``name``, sets ``choices`` in its constructor, and
    defines :meth:`canonical` and :meth:`_assemble`.
    """

    choices: dict[str, tuple[Option, ...]]
    """Name of each choice, in order, to its options. All choices are categorical, and every combination of
    options is an architecture."""

    def __init__(self, settings: SpaceSettings):
        self.settings = settings
        self.name = settings.plugin_name()

    @abstractmethod
    def canonical(self, arch: Architecture) -> Architecture:
        """Return the representative of all architectures that compute the same function as ``arch``.

        The docstring of each space states which functions it recognises as the same.
        """

    @abstractmethod
    def _assemble(self, arch: Architecture, n_classes: int, in_channels: int) -> nn.Module:
        """Build the network of ``arch`` exactly as it is written."""

    def build(self, arch: Architecture, n_classes: int, in_channels: int = 3) -> nn.Module:
        """Build the network of an architecture from its canonical form.

        Parameters
        ----------
        arch
            An architecture of this space.
        n_classes
            Number of outputs.
        in_channels
            Channels of the images.

        Returns
        -------
        torch.nn.Module
            Maps images (batch, in_channels, height, width) to logits (batch, n_classes). Parameters are
            drawn from torch's current generator. ``probe_names`` are the names of the submodules whose
            outputs are the probes, from shallow to deep.

        Raises
        ------
        TgsageError
            If ``arch`` belongs to another space, or a number is not positive.
        """
        if n_classes < 1 or in_channels < 1:
            raise TgsageError(
                f"space {self.name}: n_classes ({n_classes}) and in_channels ({in_channels}) must be positive"
            )
        return self._assemble(self.canonical(arch), n_classes, in_channels)

    @property
    def size(self) -> int:
        """Number of combinations of options; several may compute the same function."""
        return math.prod(len(options) for options in self.choices.values())

    def all(self) -> Iterator[Architecture]:
        """Iterate over all combinations of options, in order."""
        yield from map(self._architecture, itertools.product(*self.choices.values()))

    def _architecture(self, values: Iterable[Option]) -> Architecture:
        """Return the architecture with these options, in the order of ``choices``."""
        return Architecture(self.name, tuple(zip(self.choices, values, strict=True)))

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Draw every choice uniformly."""
        return self._architecture(
            options[int(rng.integers(len(options)))] for options in self.choices.values()
        )

    def mutate(self, arch: Architecture, rng: np.random.Generator) -> Architecture:
        """Redraw one choice so that the function changes.

        Returns
        -------
        Architecture
            Canonical. It computes another function than ``arch``, unless 100 attempts found none.
        """
        origin = self.canonical(arch)
        free = [name for name, options in self.choices.items() if len(options) > 1]
        child = origin
        for _ in range(MUTATION_TRIES if free else 0):
            name = free[int(rng.integers(len(free)))]
            others = [value for value in self.choices[name] if value != origin[name]]
            value = others[int(rng.integers(len(others)))]
            child = self.canonical(
                self._architecture(value if choice == name else old for choice, old in origin.choices)
            )
            if child != origin:
                break
        return child

    def decode(self, choices: Mapping[str, Option]) -> Architecture:
        """Turn named choices into an architecture (not yet canonical).

        Raises
        ------
        TgsageError
            If a choice is missing or unknown, or its value is not one of its options.
        """
        for name in choices:
            if name not in self.choices:
                raise unknown(f"choice of space {self.name}", str(name), self.choices)
        chosen: list[Option] = []
        for name, options in self.choices.items():
            if name not in choices:
                raise TgsageError(f"space {self.name}: the choice {name!r} is missing")
            value = choices[name]
            if isinstance(value, np.generic):
                value = value.item()
            if isinstance(value, bool) or value not in options:
                raise unknown(f"value of {name} in space {self.name}", str(value), map(str, options))
            # Take the option itself: 1.0 equals 1, but their texts differ.
            chosen.append(options[options.index(value)])
        return self._architecture(chosen)

    def encode(self, arch: Architecture) -> dict[str, Option]:
        """Return the choices of an architecture by name; the inverse of :meth:`decode`."""
        self.check(arch)
        return dict(arch.choices)

    def check(self, arch: Architecture) -> None:
        """Raise a TgsageError unless ``arch`` is an architecture of this space."""
        if not isinstance(arch, Architecture):
            raise TgsageError(
                f"space {self.name}: expected an Architecture, not {type(arch).__name__}; use parse"
            )
        if arch.space != self.name:
            raise TgsageError(f"space {self.name}: the architecture is of space {arch.space!r}")
        # A fast path for the common case: the right names in the right order, each with one of its options.
        if len(arch.choices) == len(self.choices) and all(
            name == expected and value in options
            for (name, value), (expected, options) in zip(arch.choices, self.choices.items(), strict=True)
        ):
            return
        if self.decode(dict(arch.choices)) != arch:
            raise TgsageError(
                f"space {self.name}: choices repeated or out of order; make architectures with decode"
            )

    def format(self, arch: Architecture) -> str:
        """Return an architecture as JSON text: one line without spaces, choices in the order of the space."""
        content = {"space": arch.space, "choices": self.encode(arch)}
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False)

    def parse(self, text: str) -> Architecture:
        """Read the text of an architecture, as :meth:`format` writes it.

        A space may accept other notations, such as the strings of a published benchmark.

        Returns
        -------
        Architecture
            As written; not necessarily canonical.

        Raises
        ------
        TgsageError
            If the text is not JSON, belongs to another space, or makes a choice that this space lacks.
        """
        try:
            content = json.loads(text)
        except (TypeError, ValueError):
            raise TgsageError(
                f"space {self.name}: not the JSON of an architecture: {str(text)[:60]!r}"
            ) from None
        if (
            not isinstance(content, dict)
            or set(content) != {"space", "choices"}
            or not isinstance(content["choices"], dict)
        ):
            raise TgsageError(
                f"space {self.name}: an architecture needs the keys 'space' and 'choices': {str(text)[:60]!r}"
            )
        if content["space"] != self.name:
            raise TgsageError(f"space {self.name}: the architecture is of space {content['space']!r}")
        return self.decode(content["choices"])

    def key(self, arch: Architecture) -> str:
        """Return the digest (16 hexadecimal digits) of the canonical form and of the space's settings.

        Architectures with the same key compute the same function.
        """
        return self._key(self.canonical(arch))

    def graph(self, arch: Architecture) -> Graph:
        """Describe the canonical form for drawing. By default this is a chain with one block per choice.

        Returns
        -------
        dict
            ``nodes`` (``id``, ``cell``, ``kind``: input, block or output, ``label``) and ``edges``
            (``source``, ``target``, ``cell``, ``operation``, and optionally ``label``: what the operation is
            called).
        """
        texts = [f"{name}\n{value}" for name, value in self.canonical(arch).choices]
        names = ["image", *(f"choice {index + 1}" for index in range(len(texts))), "output"]
        kinds = ["input", *["block"] * len(texts), "output"]
        nodes = [
            {"id": name, "cell": "normal", "kind": kind, "label": "" if kind == "block" else name}
            for name, kind in zip(names, kinds, strict=True)
        ]
        edges = [
            {"source": source, "target": target, "cell": "normal", "operation": operation}
            for source, target, operation in zip(names[:-1], names[1:], [*texts, ""], strict=True)
        ]
        return {"nodes": nodes, "edges": edges}

    @functools.lru_cache(maxsize=16384)  # noqa: B019  (a space lives as long as the process that searches it)
    def _key(self, canonical: Architecture) -> str:
        content = {"space": self.name, "settings": self.settings.keyed(), "choices": list(canonical.choices)}
        return digest(content)[:KEY_LENGTH]


def too_small(space: str, size: tuple[int, int], least: int, remedy: str) -> TgsageError:
    """The error for images that shrink away inside a network."""
    return TgsageError(
        f"space {space}: images of {size[0]} x {size[1]} pixels shrink below 1 pixel; this network needs at "
        f"least {least} x {least}: raise task.resolution, or {remedy}"
    )
