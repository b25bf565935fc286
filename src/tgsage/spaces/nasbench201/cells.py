"""The cells of NAS-Bench-201, and which of them compute the same function."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""The benchmark's five operations, by its own names; a convolution is ReLU, convolution, batch norm."""

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""Source and target of each edge, in the order of the strings; node 0 is the input, 3 the output."""

CHOICES = tuple(f"edge_{source}_{target}" for source, target in EDGES)

Operations = tuple[str, ...]
"""An operation per edge."""

NodeSum = tuple[Any, ...]
"""What a node computes: a sorted tuple of terms. A term is ``("x",)``, ``("pool", sum)``, ``("constant",
edge)``, or ``(operation, edge, sum)`` of a convolution."""


def value_of(operations: Operations) -> NodeSum:
    """Return what the output node computes by the rules of :class:`NasBench201Space`."""
    values: list[NodeSum] = [(("x",),)]
    for node in (1, 2, 3):
        terms: list[Any] = []
        for edge, (source, target) in enumerate(EDGES):
            operation = operations[edge]
            if target != node or operation == "none":
                continue
            value = values[source]
            if operation == "skip_connect":
                terms += value
            elif operation == "avg_pool_3x3":
                terms += [term if term[0] == "constant" else ("pool", (term,)) for term in value]
            elif value:
                terms.append((operation, edge, value))
            else:
                terms.append(("constant", edge))
        values.append(tuple(sorted(terms, key=repr)))
    return values[3]


def _text(value: NodeSum, label: Callable[[int], str]) -> str:
    """Write a sum as text, independently of the order of its terms; ``label`` names the convolutions."""
    terms = []
    for term in value:
        if term[0] == "x":
            terms.append("x")
        elif term[0] == "pool":
            terms.append(f"pool({_text(term[1], label)})")
        elif term[0] == "constant":
            terms.append(f"constant{label(term[1])}")
        else:
            terms.append(f"{term[0]}{label(term[1])}({_text(term[2], label)})")
    return "+".join(sorted(terms))


def _convolutions(value: NodeSum) -> dict[int, str]:
    """Map the edges of the convolutions in a sum to what each of them computes, with unnamed convolutions."""
    texts: dict[int, str] = {}
    for term in value:
        if term[0] == "pool":
            texts |= _convolutions(term[1])
        elif term[0] != "x":
            texts[term[1]] = _text((term,), lambda _: "")
            if term[0] != "constant":
                texts |= _convolutions(term[2])
    return texts


def function_of(operations: Operations) -> str:
    """Return the normal form of a cell's function: two texts are equal if and only if the rules say so.

    Convolutions are numbered. Of all numberings that keep convolutions of the same function together, the one
    with the least text is taken.
    """
    value = value_of(operations)
    groups: dict[str, list[int]] = {}
    for edge, text in _convolutions(value).items():
        groups.setdefault(text, []).append(edge)
    texts = []
    for order in itertools.product(*(itertools.permutations(groups[text]) for text in sorted(groups))):
        number = {edge: str(index) for index, edge in enumerate(itertools.chain.from_iterable(order))}
        texts.append(_text(value, number.__getitem__))
    return min(texts)


@functools.cache
def representatives() -> dict[Operations, Operations]:
    """Map every cell to the representative of its function: 15,625 entries, 0.4 s once per process."""
    classes: dict[str, list[Operations]] = {}
    for operations in itertools.product(OPERATIONS, repeat=len(EDGES)):
        classes.setdefault(function_of(operations), []).append(operations)
    weights = {"nor_conv_1x1": 1, "nor_conv_3x3": 9}

    def order(operations: Operations) -> tuple[Any, ...]:
        return (
            sum(weights.get(operation, 0) for operation in operations),
            sum(operation != "none" for operation in operations),
            tuple(OPERATIONS.index(operation) for operation in operations),
        )

    return {
        member: representative
        for members in classes.values()
        for representative in [min(members, key=order)]
        for member in members
    }
