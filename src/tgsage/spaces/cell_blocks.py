"""The blocks of a cell: what they compute, and the least list of blocks that computes the same."""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

OPERATIONS = (
    "sep_3x3",
    "sep_5x5",
    "sep_7x7",
    "conv_1x7_7x1",
    "identity",
    "avg_pool_3x3",
    "max_pool_3x3",
    "dil_3x3",
)
"""PNAS's eight operations (Liu et al. 2018, section 3.1)."""

Block = tuple[int, str, int, str]
"""Input, operation, input, operation; inputs 0 and 1 are the previous cells, 2 + k is block k."""

Side = tuple[int, str]
"""Input and operation."""

Value = tuple[int, ...]
"""A sum: its terms by number, in order, each as often as it is added."""

Written = tuple[tuple[int, int], tuple[int, int]]
"""A block as it is compared: input and rank of the operation of each side, the lesser side first."""

_RANK = {operation: rank for rank, operation in enumerate(OPERATIONS)}


def sides_of(block: Block) -> tuple[Side, Side]:
    """The two sides of a block, each an input and an operation."""
    return block[:2], block[2:]


def unused_blocks(blocks: Sequence[Block]) -> list[int]:
    """Indices of the blocks that no other block reads: their outputs are concatenated."""
    used = {source for block in blocks for source in (block[0], block[2])}
    return [index for index in range(len(blocks)) if index + 2 not in used]


def least_equivalent(blocks: list[Block], strided: bool) -> list[Block]:
    """Find the least list of blocks, of all that have as many blocks and compute the same function.

    The rules by which two lists compute the same, all of them exact:

    - a sum has no order, and neither has the concatenation of the unused blocks;
    - a block read through ``identity`` gives its terms to the sum that reads it;
    - the average of a sum is the sum of the averages of its terms;
    - the maximum of n times a sum is n times the maximum of the sum;
    - an operation with weights belongs to its side: read twice, it is not two of its kind;
    - sums of equal terms are equal, whichever block made them.

    Parameters
    ----------
    blocks
        The cell; a block reads only earlier ones.
    strided
        Whether the cell is also, or only, used with stride 2 on the previous cells, where an ``identity`` of
        a previous cell is a factorized reduction and so has weights.

    Returns
    -------
    list of Block
        Sides of a block are in order (input, then place of the operation in ``OPERATIONS``), and the list
        comes before every other list of the same function when compared block by block. Equal for two cells
        exactly if the rules make them the same function.
    """
    return list(_least(tuple(blocks), strided))


@functools.lru_cache(maxsize=16384)
def _least(blocks: tuple[Block, ...], strided: bool) -> tuple[Block, ...]:
    return tuple(_Search(blocks, strided).least())


class _Terms:
    """The terms of sums, numbered as they are met.

    A term is an input of the cell, what a side with weights computes, an average of a term, or a maximum of a
    sum whose terms have no common multiplicity.
    """

    def __init__(self, strided: bool):
        self.strided = strided
        self.numbers: dict[tuple[str, Any], int] = {}
        self.meaning: list[tuple[str, Any]] = []

    def number(self, kind: str, of: int | Value) -> int:
        term = (kind, of)
        if term not in self.numbers:
            self.numbers[term] = len(self.meaning)
            self.meaning.append(term)
        return self.numbers[term]

    def average(self, value: Value) -> Value:
        return tuple(sorted(self.number("average", term) for term in value))

    def root(self, value: Value) -> Value:
        """The sum of which a value is a multiple, and which is no multiple itself."""
        return value[:: math.gcd(*Counter(value).values())]

    def maximum(self, value: Value) -> Value:
        root = self.root(value)
        return (self.number("maximum", root),) * (len(value) // len(root))

    def without_weights(self, source: int, operation: str, value: Value) -> Value | None:
        """What a side makes of the value that it reads, or None if it has weights of its own."""
        if operation == "avg_pool_3x3":
            return self.average(value)
        if operation == "max_pool_3x3":
            return self.maximum(value)
        if operation == "identity" and (source >= 2 or not self.strided):
            return value
        return None

    def swapped(self, value: Value, one: int, two: int) -> Value:
        """A value with two sides that have weights in each other's place."""
        found = []
        for term in value:
            kind, of = self.meaning[term]
            if kind == "weights" and of in (one, two):
                of = two if of == one else one
            elif kind == "average":
                of = self.swapped((of,), one, two)[0]
            elif kind == "maximum":
                of = self.swapped(of, one, two)
            found.append(self.number(kind, of))
        return tuple(sorted(found))


@dataclass(frozen=True)
class _Part:
    """A list of blocks that is not complete.

    Attributes
    ----------
    values : tuple of Value
        What each block computes.
    read : int
        Bit per block: whether another one reads it.
    placed : int
        Bit per side with weights: whether it stands in a block already.
    """

    values: tuple[Value, ...]
    read: int
    placed: int


class _Search:
    """Writes a cell anew, block by block, always the least block from which the rest can be completed."""

    def __init__(self, blocks: Sequence[Block], strided: bool):
        self.n = len(blocks)
        self.terms = _Terms(strided)
        self.inputs: tuple[Value, Value] = (
            (self.terms.number("input", 0),),
            (self.terms.number("input", 1),),
        )
        # Of each side with weights: its operation and what it reads, and the term that it makes.
        self.weighted: list[tuple[str, Value]] = []
        self.made: list[int] = []
        values: list[Value] = [*self.inputs]
        for block in blocks:
            total: list[int] = []
            for source, operation in sides_of(block):
                value = self.terms.without_weights(source, operation, values[source])
                if value is None:
                    value = (self.terms.number("weights", len(self.weighted)),)
                    self.weighted.append((operation, values[source]))
                    self.made += value
                total += value
            values.append(tuple(sorted(total)))
        self.outputs = Counter(values[2 + index] for index in unused_blocks(blocks))
        read = {value for _, value in self.weighted if value not in self.inputs}
        # There must be blocks of these values, and for each of the roots below a block that is a multiple.
        self.needed = self.outputs + Counter(read)
        self.longest = max(map(len, self.needed))
        self.goals, roots = self._goals()
        self.needed_roots = roots - {self.terms.root(value) for value in (*self.inputs, *read)}
        self.twins = self._twins()
        self._useful: dict[Value, bool] = {}
        self._can_complete: dict[tuple[tuple[tuple[Value, int], ...], int], bool] = {}

    def _goals(self) -> tuple[dict[int, list[Counter[int]]], set[Value]]:
        """Sums of which every block has to be a part, or it would be computed for nothing.

        They are what is concatenated, what sides with weights read, what a maximum is taken of, and what all
        of these are the average of; by each of their terms. Beside them: the roots of what a maximum is taken
        of.
        """
        left = [*self.outputs, *(value for _, value in self.weighted)]
        found: dict[Value, None] = {}
        roots: set[Value] = set()
        while left:
            value = left.pop()
            if value in found:
                continue
            found[value] = None
            counts = Counter(value)
            inner = []
            for term, times in counts.items():
                kind, of = self.terms.meaning[term]
                if kind == "average":
                    inner += [of] * times
                elif kind == "maximum":
                    roots.add(of)
                    left.append(tuple(sorted(of * times)))
            if inner:
                left.append(tuple(sorted(inner)))
        goals: dict[int, list[Counter[int]]] = {}
        for value in found:
            counts = Counter(value)
            for term in counts:
                goals.setdefault(term, []).append(counts)
        return goals, roots

    def _twins(self) -> dict[tuple[str, Value], list[list[int]]]:
        """Sides with weights by operation and input, those together that are interchangeable.

        Interchangeable are two whose exchange leaves the function as it is. Only the first of them that has
        no place yet is ever placed: without that, five equal blocks could be written in thousands of ways.
        """
        found: dict[tuple[str, Value], list[list[int]]] = {}
        for index, kind in enumerate(self.weighted):
            groups = found.setdefault(kind, [])
            for group in groups:
                if self._interchangeable(group[0], index):
                    group.append(index)
                    break
            else:
                groups.append([index])
        return found

    def _interchangeable(self, one: int, two: int) -> bool:
        def same(value: Value) -> bool:
            return self.terms.swapped(value, one, two) == value

        moved = Counter({self.terms.swapped(value, one, two): n for value, n in self.outputs.items()})
        return moved == self.outputs and all(same(value) for _, value in self.weighted)

    def useful(self, value: Value) -> bool:
        """Whether a sum is part of one of the goals."""
        found = self._useful.get(value)
        if found is None:
            counts = Counter(value).items()
            goals = self.goals.get(value[0], ())
            found = any(all(goal[term] >= times for term, times in counts) for goal in goals)
            self._useful[value] = found
        return found

    def _sides(self, part: _Part) -> Iterator[tuple[tuple[int, int], Value, list[int]]]:
        """Sides that may come next, least first: as written, its value, and what weights it may have."""
        for source, value in enumerate((*self.inputs, *part.values)):
            for rank, operation in enumerate(OPERATIONS):
                made = self.terms.without_weights(source, operation, value)
                if made is not None:
                    if self.useful(made):
                        yield (source, rank), made, []
                    continue
                for group in self.twins.get((operation, value), ()):
                    free = [index for index in group if not part.placed >> index & 1]
                    if free:
                        yield (source, rank), (), free

    def following(self, part: _Part) -> Iterator[tuple[Written, _Part]]:
        """Every block that may come next, in the order of what is written, with the list that it makes."""
        sides = list(self._sides(part))
        for first, (written_1, value_1, free_1) in enumerate(sides):
            for written_2, value_2, free_2 in sides[first:]:
                placed = part.placed
                value = [*value_1, *value_2]
                if free_1:
                    value.append(self.made[free_1[0]])
                    placed |= 1 << free_1[0]
                if free_2:
                    # Twins may read one block, or two equal ones.
                    if free_1[:1] == free_2[:1]:
                        free_2 = free_2[1:]
                        if not free_2:
                            continue
                    value.append(self.made[free_2[0]])
                    placed |= 1 << free_2[0]
                total = tuple(sorted(value))
                if not self.useful(total):
                    continue
                read = part.read
                for source, _ in (written_1, written_2):
                    if source >= 2:
                        read |= 1 << (source - 2)
                yield (written_1, written_2), _Part((*part.values, total), read, placed)

    def can_complete(self, part: _Part) -> bool:
        """Whether some further blocks make the list compute the function."""
        blocks = tuple(sorted((value, part.read >> index & 1) for index, value in enumerate(part.values)))
        state = (blocks, part.placed)
        if state not in self._can_complete:
            self._can_complete[state] = self._completes(part)
        return self._can_complete[state]

    def _completes(self, part: _Part) -> bool:
        left = self.n - len(part.values)
        unread = Counter(value for index, value in enumerate(part.values) if not part.read >> index & 1)
        if not left:
            return unread == self.outputs and part.placed == (1 << len(self.weighted)) - 1
        # A block yet to come has two sides: for what has weights, and to read what is no output.
        unplaced = [index for index in range(len(self.weighted)) if not part.placed >> index & 1]
        elsewhere = sum(self.weighted[index][1] in self.inputs for index in unplaced)
        to_read = (unread - self.outputs).total()
        if len(unplaced) > 2 * left or elsewhere + to_read > 2 * left:
            return False
        if self._missing(part, unread) > left:
            return False
        # A block is at most twice as long as the longest before it.
        if max(map(len, part.values), default=1) << left < self.longest:
            return False
        return any(self.can_complete(longer) for _, longer in self.following(part))

    def _missing(self, part: _Part, unread: Counter[Value]) -> int:
        """The least number of blocks that the function needs beside those of ``part``."""
        present = Counter(part.values)
        missing = sum(
            max(times - present[value], self.outputs[value] - unread[value], 0)
            for value, times in self.needed.items()
        )
        roots = {self.terms.root(value) for value in present}
        return missing + len(self.needed_roots - roots)

    def least(self) -> list[Block]:
        # All parts that are written the same; they differ in which of the sides with weights stands where.
        front = [_Part((), 0, 0)]
        result: list[Block] = []
        for _ in range(self.n):
            longer = sorted(
                itertools.chain.from_iterable(self.following(part) for part in front),
                key=lambda item: item[0],
            )
            front = []
            for written, candidates in itertools.groupby(longer, key=lambda item: item[0]):
                front = [part for part in dict.fromkeys(p for _, p in candidates) if self.can_complete(part)]
                if front:
                    (source_1, rank_1), (source_2, rank_2) = written
                    result.append((source_1, OPERATIONS[rank_1], source_2, OPERATIONS[rank_2]))
                    break
            assert front, "a block reads itself or a later block"
        return result
