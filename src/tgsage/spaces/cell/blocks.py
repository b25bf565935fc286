"""The blocks of a cell: what they compute, and the least list of blocks that computes the same function."""

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

Sum = tuple[int, ...]
"""The numbers of the terms of a sum (see :class:`_Terms`) in ascending order, repeated as often as added."""

Written = tuple[tuple[int, int], tuple[int, int]]
"""A block as it is compared: (input, rank of the operation) of each side, the lesser side first."""

_RANK = {operation: rank for rank, operation in enumerate(OPERATIONS)}


def sides_of(block: Block) -> tuple[Side, Side]:
    """Return the two sides of a block, each an input and an operation."""
    return block[:2], block[2:]


def unused_blocks(blocks: Sequence[Block]) -> list[int]:
    """Return the indices of the blocks that no other block reads; their outputs are concatenated."""
    used = {source for block in blocks for source in (block[0], block[2])}
    return [index for index in range(len(blocks)) if index + 2 not in used]


def least_equivalent(blocks: list[Block], strided: bool) -> list[Block]:
    """Return the least list of as many blocks that computes the same function.

    Two lists compute the same function by these exact rules:

    - a sum has no order, and neither has the concatenation of the unused blocks;
    - a block that is read through ``identity`` contributes its terms to the sum that reads it;
    - the average of a sum is the sum of the averages of its terms;
    - the maximum of n times a sum is n times the maximum of the sum;
    - an operation with weights belongs to its side: one that is read twice differs from two of its kind;
    - sums of equal terms are equal, whichever block computes them.

    Parameters
    ----------
    blocks
        The cell; a block reads only earlier ones.
    strided
        Whether the cell is used with stride 2 on the previous cells, where an ``identity`` of a previous cell
        is a factorized reduction and so has weights.

    Returns
    -------
    list of Block
        The sides of a block are ordered by input, then by the operation's place in ``OPERATIONS``; compared
        block by block, the list precedes every other list of the same function. It is equal for two cells
        if and only if the rules make them the same function.

    Examples
    --------
    >>> least_equivalent([(1, "avg_pool_3x3", 0, "sep_3x3"), (2, "identity", 1, "identity")], strided=False)
    [(0, 'sep_3x3', 1, 'identity'), (1, 'avg_pool_3x3', 2, 'identity')]

    Both lists add ``avg(h-1)``, ``sep(h-2)`` and ``h-1``.
    """
    return list(_least(tuple(blocks), strided))


@functools.lru_cache(maxsize=16384)
def _least(blocks: tuple[Block, ...], strided: bool) -> tuple[Block, ...]:
    return tuple(_Search(blocks, strided).least())


class _Terms:
    """The terms of sums, numbered in the order in which they are first seen.

    A term is an input of the cell, the output of a side with weights, the average of a term, or the maximum
    of a sum that is no multiple of another sum.
    """

    def __init__(self, strided: bool):
        self.strided = strided
        self.numbers: dict[tuple[str, Any], int] = {}
        self.meaning: list[tuple[str, Any]] = []
        self._roots: dict[Sum, Sum] = {}

    def number(self, kind: str, argument: int | Sum) -> int:
        term = (kind, argument)
        if term not in self.numbers:
            self.numbers[term] = len(self.meaning)
            self.meaning.append(term)
        return self.numbers[term]

    def average(self, value: Sum) -> Sum:
        return tuple(sorted(self.number("average", term) for term in value))

    def root(self, value: Sum) -> Sum:
        """Return the sum that ``value`` is a multiple of and that is no multiple itself."""
        root = self._roots.get(value)
        if root is None:
            root = self._roots[value] = value[:: math.gcd(*map(value.count, value))]
        return root

    def maximum(self, value: Sum) -> Sum:
        root = self.root(value)
        return (self.number("maximum", root),) * (len(value) // len(root))

    def without_weights(self, source: int, operation: str, value: Sum) -> Sum | None:
        """Return what a side computes from the sum that it reads, or None if it has weights."""
        if operation == "avg_pool_3x3":
            return self.average(value)
        if operation == "max_pool_3x3":
            return self.maximum(value)
        if operation == "identity" and (source >= 2 or not self.strided):
            return value
        return None

    def swapped(self, value: Sum, one: int, two: int) -> Sum:
        """Return the sum after two sides with weights have changed places."""
        terms = []
        for term in value:
            kind, argument = self.meaning[term]
            if kind == "weights" and argument in (one, two):
                argument = two if argument == one else one
            elif kind == "average":
                argument = self.swapped((argument,), one, two)[0]
            elif kind == "maximum":
                argument = self.swapped(argument, one, two)
            terms.append(self.number(kind, argument))
        return tuple(sorted(terms))


@dataclass(frozen=True)
class _Part:
    """The first blocks of a list."""

    values: tuple[Sum, ...]  # what each block computes
    read: int  # one bit per block: whether another block reads it
    placed: int  # one bit per side with weights: whether it stands in a block already


class _Search:
    """Rewrites a cell block by block, always with the least block from which the rest can be completed.

    Example. Of the cell ``[(1, avg, 0, sep), (2, identity, 1, identity)]`` the terms are numbered 0: h-2,
    1: h-1, 2: average of 1, 3: the side with weights, ``sep`` of h-2. The blocks compute (2, 3) and
    (1, 2, 3); the latter is the only output. The search for two blocks with this output goes as follows:

    1. The least side is (0, sep), which is term 3. It cannot be paired with itself, for the cell has only one
       such side; nor with (0, identity), for 0 + 3 is part of no goal. The next side is (1, identity), and
       1 + 3 is part of the goal (1, 2, 3). The block can be completed, so it is the first one.
    2. A block is left, and it must add 2 to block 0: the sides (1, avg) and (2, identity).

    The result is ``[(0, sep, 1, identity), (1, avg, 2, identity)]``.
    """

    def __init__(self, blocks: Sequence[Block], strided: bool):
        self.n = len(blocks)
        self.terms = _Terms(strided)
        self.inputs: tuple[Sum, Sum] = ((self.terms.number("input", 0),), (self.terms.number("input", 1),))
        # For each side with weights: (operation, the sum that it reads), and the number of its term.
        self.weighted: list[tuple[str, Sum]] = []
        self.weighted_terms: list[int] = []
        values: list[Sum] = [*self.inputs]
        for block in blocks:
            total: list[int] = []
            for source, operation in sides_of(block):
                value = self.terms.without_weights(source, operation, values[source])
                if value is None:
                    value = (self.terms.number("weights", len(self.weighted)),)
                    self.weighted.append((operation, values[source]))
                    self.weighted_terms += value
                total += value
            values.append(tuple(sorted(total)))
        self.outputs = Counter(values[2 + index] for index in unused_blocks(blocks))
        read = {value for _, value in self.weighted if value not in self.inputs}
        # The list must have blocks that compute these sums, and for each needed root a multiple of it.
        self.needed = self.outputs + Counter(read)
        self.longest = max(map(len, self.needed))
        self.goals, roots = self._goals()
        self.needed_roots = roots - {self.terms.root(value) for value in (*self.inputs, *read)}
        self.twins = self._twins()
        self._useful: dict[Sum, bool] = {}
        self._offers: dict[tuple[Sum, bool], list[tuple[int, Sum, list[list[int]]]]] = {}
        self._can_complete: dict[tuple[tuple[tuple[Sum, int], ...], int], bool] = {}

    def _goals(self) -> tuple[dict[int, list[dict[int, int]]], set[Sum]]:
        """Return the sums that the blocks of the function are part of, and the arguments of its maxima.

        A block whose sum is part of no goal is useless. The goals are the outputs, the sums that sides with
        weights read, the sums that maxima are taken of, and the sums that these are averages of. They are
        returned by each of their terms.
        """
        todo = [*self.outputs, *(value for _, value in self.weighted)]
        seen: dict[Sum, None] = {}
        roots: set[Sum] = set()
        while todo:
            value = todo.pop()
            if value in seen:
                continue
            seen[value] = None
            counts = Counter(value)
            averaged: list[int] = []
            for term, times in counts.items():
                kind, argument = self.terms.meaning[term]
                if kind == "average":
                    averaged += [argument] * times
                elif kind == "maximum":
                    roots.add(argument)
                    todo.append(tuple(sorted(argument * times)))
            if averaged:
                todo.append(tuple(sorted(averaged)))
        goals: dict[int, list[dict[int, int]]] = {}
        for value in seen:
            times_of = dict(Counter(value))
            for term in times_of:
                goals.setdefault(term, []).append(times_of)
        return goals, roots

    def _twins(self) -> dict[tuple[str, Sum], list[list[int]]]:
        """Group the sides with weights that are interchangeable, by operation and by what they read.

        Two sides are interchangeable if exchanging them leaves the function as it is. Only the first of a
        group that has no place yet is ever placed; otherwise five equal blocks could be written in thousands
        of ways.
        """
        groups_of: dict[tuple[str, Sum], list[list[int]]] = {}
        for index, side in enumerate(self.weighted):
            groups = groups_of.setdefault(side, [])
            for group in groups:
                if self._interchangeable(group[0], index):
                    group.append(index)
                    break
            else:
                groups.append([index])
        return groups_of

    def _interchangeable(self, one: int, two: int) -> bool:
        def same(value: Sum) -> bool:
            return self.terms.swapped(value, one, two) == value

        moved = Counter({self.terms.swapped(value, one, two): n for value, n in self.outputs.items()})
        return moved == self.outputs and all(same(value) for _, value in self.weighted)

    def useful(self, value: Sum) -> bool:
        """Return whether a sum is part of one of the goals."""
        found = self._useful.get(value)
        if found is None:
            counts = [(term, value.count(term)) for term in value]
            goals = self.goals.get(value[0], ())
            found = any(all(goal.get(term, 0) >= times for term, times in counts) for goal in goals)
            self._useful[value] = found
        return found

    def _offered(self, value: Sum, previous: bool) -> list[tuple[int, Sum, list[list[int]]]]:
        """Return the operations that make something useful of a sum: rank, result, and groups of weights.

        ``previous`` says whether the sum is an input of the cell. An operation with weights has no result.
        """
        offers = self._offers.get((value, previous))
        if offers is None:
            offers = self._offers[value, previous] = []
            for rank, operation in enumerate(OPERATIONS):
                result = self.terms.without_weights(0 if previous else 2, operation, value)
                if result is None:
                    groups = self.twins.get((operation, value))
                    if groups:
                        offers.append((rank, (), groups))
                elif self.useful(result):
                    offers.append((rank, result, []))
        return offers

    def _sides(self, part: _Part) -> Iterator[tuple[tuple[int, int], Sum, list[int]]]:
        """Iterate over the sides that may come next, least first: as written, their sums, their weights."""
        for source, value in enumerate((*self.inputs, *part.values)):
            for rank, result, groups in self._offered(value, source < 2):
                if not groups:
                    yield (source, rank), result, []
                for group in groups:
                    free = [index for index in group if not part.placed >> index & 1]
                    if free:
                        yield (source, rank), (), free

    def following(self, part: _Part) -> Iterator[tuple[Written, _Part]]:
        """Iterate over the blocks that may come next, least first, each with the list that it leads to."""
        # Where as many blocks are left as sums are missing, the next block must compute one of these.
        missing, values, roots = self._missing(part)
        all_needed = missing == self.n - len(part.values)
        sides = list(self._sides(part))
        for first, (written_1, value_1, free_1) in enumerate(sides):
            for written_2, value_2, free_2 in sides[first:]:
                weights = free_1[:1]
                if free_2:
                    # Twins may read one block, or two equal ones.
                    weights += free_2[1:2] if weights == free_2[:1] else free_2[:1]
                    if len(weights) < 1 + bool(free_1):
                        continue
                total = tuple(sorted([*value_1, *value_2, *[self.weighted_terms[k] for k in weights]]))
                if all_needed and total not in values and (not roots or self.terms.root(total) not in roots):
                    continue
                if not self.useful(total):
                    continue
                placed, read = part.placed, part.read
                for k in weights:
                    placed |= 1 << k
                for source, _ in (written_1, written_2):
                    if source >= 2:
                        read |= 1 << (source - 2)
                yield (written_1, written_2), _Part((*part.values, total), read, placed)

    def can_complete(self, part: _Part) -> bool:
        """Return whether further blocks can make the list compute the function."""
        blocks = tuple(sorted((value, part.read >> index & 1) for index, value in enumerate(part.values)))
        state = (blocks, part.placed)
        if state not in self._can_complete:
            self._can_complete[state] = self._completes(part)
        return self._can_complete[state]

    def _completes(self, part: _Part) -> bool:
        left = self.n - len(part.values)
        unread = Counter(self._unread(part))
        if not left:
            return unread == self.outputs and part.placed == (1 << len(self.weighted)) - 1
        # Each missing block has two sides, which must place all weights and read all blocks but the outputs.
        unplaced = [index for index in range(len(self.weighted)) if not part.placed >> index & 1]
        elsewhere = sum(self.weighted[index][1] in self.inputs for index in unplaced)
        to_read = (unread - self.outputs).total()
        if len(unplaced) > 2 * left or elsewhere + to_read > 2 * left:
            return False
        if self._missing(part)[0] > left:
            return False
        # A sum has at most twice as many terms as the longest before it.
        if max(map(len, part.values), default=1) << left < self.longest:
            return False
        return any(self.can_complete(longer) for _, longer in self.following(part))

    def _missing(self, part: _Part) -> tuple[int, set[Sum], set[Sum]]:
        """Return the least number of blocks that the function needs in addition to those of ``part``.

        Besides, the sums that they are to compute, and the roots of which they are to compute a multiple.
        """
        unread = self._unread(part)
        number, values = 0, set()
        for value, times in self.needed.items():
            short = max(times - part.values.count(value), self.outputs[value] - unread.count(value))
            if short > 0:
                number += short
                values.add(value)
        roots = self.needed_roots - {self.terms.root(value) for value in part.values}
        return number + len(roots), values, roots

    def _unread(self, part: _Part) -> list[Sum]:
        return [value for index, value in enumerate(part.values) if not part.read >> index & 1]

    def least(self) -> list[Block]:
        """Return the least list of blocks."""
        # All parts that are written alike; they differ in which side with weights stands where.
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
