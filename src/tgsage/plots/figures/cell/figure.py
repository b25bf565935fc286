"""A drawing of a cell: blocks in layers, long connections in lanes of their own (Sugiyama et al. 1981)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Outline
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from ..errors import TgsageError
from . import style

# Inches.
BOX, BETWEEN, HEIGHT = 0.66, 0.06, 0.34
BLOCK = 2 * BOX + BETWEEN
ADD = 0.085
LANE, GAP, ROW = 0.06, 0.16, 0.42
INPUT = 1.15

OPERATIONS = {
    "sep_3x3": "separable\n3×3", "sep_5x5": "separable\n5×5", "sep_7x7": "separable\n7×7",
    "conv_1x7_7x1": "1×7 then\n7×1", "identity": "identity", "avg_pool_3x3": "avg pool\n3×3",
    "max_pool_3x3": "max pool\n3×3", "dil_3x3": "dilated\n3×3",
}  # fmt: skip

TINTS = {
    "sep": "#d6e6f2",
    "conv": "#e3dcf0",
    "dil": "#cfe9e1",
    "avg": "#fbe9c8",
    "max": "#fbe9c8",
    "identity": "#f4f4f4",
}
INPUT_COLOURS = (style.PALETTE["vermillion"], style.PALETTE["blue"])
BLOCK_COLOURS = (
    style.PALETTE["green"],
    style.PALETTE["purple"],
    "#8a6d00",
    style.PALETTE["black"],
    "#56768f",
    "#7b4b2a",
)


@dataclass
class _Node:
    """Something that takes a place in a layer: an input, a block, the output, or a lane of an edge."""

    name: str
    kind: str
    layer: int
    width: float
    label: str = ""
    operations: list[tuple[str, str]] = field(default_factory=list)
    """Of a block: (source, operation) of both sides, from left to right."""
    x: float = 0.0


@style.styled
def cell(graph: Mapping[str, Sequence[Mapping[str, Any]]], *, title: str = "") -> Figure:
    """Draw the cell or cells of an architecture.

    Parameters
    ----------
    graph
        As from ``space.graph(arch)``: ``nodes`` (id, cell, kind: input, block or output, label; operations of
        blocks) and ``edges`` (source, target, cell, operation).
    title
        Above the drawing, e.g. the candidate's key.

    Raises
    ------
    TgsageError
        If a graph has no node.
    """
    names = list(dict.fromkeys(str(node.get("cell", "normal")) for node in graph["nodes"]))
    if not names:
        raise TgsageError("the architecture's graph has no node; there is nothing to draw")
    drawings = []
    for name in names:
        nodes = [node for node in graph["nodes"] if str(node.get("cell", "normal")) == name]
        edges = [edge for edge in graph["edges"] if str(edge.get("cell", "normal")) == name]
        drawings.append(place(nodes, edges))
    extents = [_extent(placed) for placed, _ in drawings]
    width = max(4.2, max(right - left for left, right, _ in extents) + 0.3)
    heights = [height for _, _, height in extents]
    figure = style.new(sum(heights) + 0.3 * len(names) + (0.65 if title else 0.5), width)
    panels = figure.subplots(len(names), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for panel, name, (placed, chains), (left, right, height) in zip(
        panels, names, drawings, extents, strict=True
    ):
        _draw(panel, placed, chains)
        middle = (left + right) / 2
        panel.set_xlim(middle - width / 2 + 0.06, middle + width / 2 - 0.06)
        panel.set_ylim(-height, 0)
        panel.set_aspect("equal")
        panel.axis("off")
        if len(names) > 1:
            panel.set_title(f"{name} cell")
    style.annotate(
        figure,
        [
            "A block applies an operation to each of two inputs and adds the results (+).",
            "Blocks that no other block uses are concatenated.",
            "Lines have the colour of what they carry.",
        ],
    )
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=8.5, fontweight="bold")
    return figure


def place(
    nodes: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, _Node], list[tuple[str, str, int, list[str]]]]:
    """Give every node a layer and a horizontal place, and every long edge a lane.

    Layers by longest path from the inputs; order within layers by barycentre sweeps, keeping the order with
    the fewest crossings; places by isotonic regression of the mean of the neighbours, which keeps the order
    and the least distances (least squares, exactly).

    Returns
    -------
    tuple
        Nodes by name, lanes included; and per edge its source, target, side (0 or 1 of a block, else 0) and
        the names of its lanes from source to target.
    """
    kinds = {str(node["id"]): str(node["kind"]) for node in nodes}
    incoming: dict[str, list[tuple[str, str]]] = {name: [] for name in kinds}
    for edge in edges:
        incoming[str(edge["target"])].append((str(edge["source"]), str(edge["operation"])))
    layer: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in layer:
            layer[name] = (
                0 if kinds[name] == "input" else 1 + max((depth(s) for s, _ in incoming[name]), default=0)
            )
        return layer[name]

    last = max([depth(name) for name, kind in kinds.items() if kind != "output"], default=0) + 1
    placed: dict[str, _Node] = {}
    for node in nodes:
        name, kind = str(node["id"]), kinds[str(node["id"])]
        width = {"input": INPUT, "block": BLOCK}.get(kind, INPUT)
        placed[name] = _Node(
            name, kind, last if kind == "output" else layer[name], width, str(node.get("label", name)),
            incoming[name] if kind == "block" else [],
        )  # fmt: skip
    chains: list[tuple[str, str, int, list[str]]] = []
    for name, sources in incoming.items():
        for side, (source, _) in enumerate(sources):
            lanes = []
            for level in range(placed[source].layer + 1, placed[name].layer):
                lane = f"{source}>{name}.{side}@{level}"
                placed[lane] = _Node(lane, "lane", level, LANE)
                lanes.append(lane)
            chains.append((source, name, side if kinds[name] == "block" else 0, lanes))
    _arrange(placed, chains, last + 1)
    return placed, chains


def _links(chains: Sequence[tuple[str, str, int, list[str]]]) -> list[tuple[str, str, int]]:
    """Edges between neighbouring layers: upper, lower, side of the lower (−1: its middle)."""
    found = []
    for source, target, side, lanes in chains:
        path = [source, *lanes, target]
        found += [(a, b, side if b == target else -1) for a, b in itertools.pairwise(path)]
    return found


def _arrange(placed: dict[str, _Node], chains: list[tuple[str, str, int, list[str]]], layers: int) -> None:
    links = _links(chains)
    above: dict[str, list[str]] = {name: [] for name in placed}
    below: dict[str, list[str]] = {name: [] for name in placed}
    for upper, lower, _ in links:
        above[lower].append(upper)
        below[upper].append(lower)
    rows = [[name for name, node in placed.items() if node.layer == layer] for layer in range(layers)]
    best, fewest = [list(row) for row in rows], _crossings(rows, links)
    for sweep in range(24):
        downward = sweep % 2 == 0
        neighbours = above if downward else below
        for row in rows[1:] if downward else rows[-2::-1]:
            rank = {
                name: number / max(len(other) - 1, 1) for other in rows for number, name in enumerate(other)
            }
            key = {
                name: np.mean([rank[other] for other in neighbours[name]]) if neighbours[name] else rank[name]
                for name in row
            }
            row.sort(key=lambda name: key[name])
        crossings = _crossings(rows, links)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    for row in best:
        _assign(placed, row, np.zeros(len(row)))
    for sweep in range(60):
        for row in best if sweep % 2 == 0 else best[::-1]:
            wanted = [
                np.mean([placed[other].x for other in (*above[name], *below[name])])
                if above[name] or below[name] else placed[name].x
                for name in row
            ]  # fmt: skip
            _assign(placed, row, np.array(wanted))
    for node in placed.values():
        if node.kind == "block" and len(node.operations) == 2:
            _uncross_sides(node, placed, chains)


def _uncross_sides(
    node: _Node, placed: Mapping[str, _Node], chains: list[tuple[str, str, int, list[str]]]
) -> None:
    """Put the side whose line comes from further left on the left."""
    mine = [number for number, chain in enumerate(chains) if chain[1] == node.name]
    start = {chains[n][2]: placed[([chains[n][0], *chains[n][3]])[-1]].x for n in mine}
    if start[0] > start[1]:
        node.operations = node.operations[::-1]
        for number in mine:
            source, target, side, lanes = chains[number]
            chains[number] = (source, target, 1 - side, lanes)


def _crossings(rows: Sequence[Sequence[str]], links: Sequence[tuple[str, str, int]]) -> int:
    rank = {name: number for row in rows for number, name in enumerate(row)}
    layer = {name: number for number, row in enumerate(rows) for name in row}
    count = 0
    for number, (a, b, _) in enumerate(links):
        for c, d, _ in links[number + 1 :]:
            if layer[a] == layer[c] and (rank[a] - rank[c]) * (rank[b] - rank[d]) < 0:
                count += 1
    return count


def _assign(placed: dict[str, _Node], row: Sequence[str], wanted: NDArray[np.float64]) -> None:
    """Places nearest to the wanted ones (least squares) that keep order and distances."""
    widths = np.array([placed[name].width for name in row])
    offset = np.concatenate([[0], np.cumsum((widths[:-1] + widths[1:]) / 2 + GAP)])
    places = isotonic_regression(wanted - offset).x + offset
    for name, x in zip(row, places, strict=True):
        placed[name].x = float(x)


def _tops(placed: Mapping[str, _Node]) -> tuple[dict[int, float], dict[int, float]]:
    """Upper and lower edge (inches, downward negative) of every layer."""
    heights: dict[int, float] = {}
    for node in placed.values():
        own = HEIGHT + 0.16 + 2 * ADD if node.kind == "block" else 0.3 if node.kind != "lane" else 0.0
        heights[node.layer] = max(heights.get(node.layer, 0.0), own)
    top, tops, bottoms = -0.05, {}, {}
    for layer in sorted(heights):
        tops[layer], bottoms[layer] = top, top - heights[layer]
        top -= heights[layer] + ROW
    return tops, bottoms


def _extent(placed: Mapping[str, _Node]) -> tuple[float, float, float]:
    left = min(node.x - node.width / 2 for node in placed.values())
    right = max(node.x + node.width / 2 for node in placed.values())
    return left, right, -min(_tops(placed)[1].values()) + 0.05


def _draw(
    panel: Axes, placed: Mapping[str, _Node], chains: Sequence[tuple[str, str, int, list[str]]]
) -> None:
    tops, bottoms = _tops(placed)
    inputs = [node.name for node in placed.values() if node.kind == "input"]
    blocks = [node.name for node in placed.values() if node.kind == "block"]
    colours = {name: INPUT_COLOURS[n % len(INPUT_COLOURS)] for n, name in enumerate(inputs)}
    colours |= {name: BLOCK_COLOURS[n % len(BLOCK_COLOURS)] for n, name in enumerate(blocks)}
    used = {chain[0] for chain in chains}
    concatenated = sorted({chain[0] for chain in chains if placed[chain[1]].kind == "output"})
    ends = _spread(placed, chains)
    for number, (source, target, side, lanes) in enumerate(chains):
        start, end = placed[source], placed[target]
        x = end.x + (side - 0.5) * (BOX + BETWEEN) if end.kind == "block" else ends[number]
        points = [(start.x, bottoms[start.layer] if start.kind == "block" else tops[start.layer] - 0.3)]
        for lane in lanes:
            points += [
                (placed[lane].x, tops[placed[lane].layer]),
                (placed[lane].x, bottoms[placed[lane].layer]),
            ]
        points.append((x, tops[end.layer]))
        _curve(panel, points, colours[source])
    for node in placed.values():
        top = tops[node.layer]
        if node.kind == "block":
            _block(panel, node, top, bottoms[node.layer], colours[node.name])
        elif node.kind == "input":
            idle = node.name not in used
            _box(panel, node.x, top, node.width, 0.3, node.label + (" (unused)" if idle else ""), "white",
                 style.GREY if idle else colours[node.name], 1.3, dashed=idle)  # fmt: skip
        elif node.kind == "output":
            words = "output: concatenate" if len(concatenated) > 1 else "output"
            _box(panel, node.x, top, node.width, 0.3, words, "#eeeeee", style.INK, 1.0)


def _spread(
    placed: Mapping[str, _Node], chains: Sequence[tuple[str, str, int, list[str]]]
) -> dict[int, float]:
    """Where the lines into an output arrive: side by side, in the order from which they come."""
    found: dict[int, float] = {}
    for node in placed.values():
        if node.kind != "output":
            continue
        mine = [n for n, chain in enumerate(chains) if chain[1] == node.name]
        mine.sort(key=lambda n: placed[([chains[n][0], *chains[n][3]])[-1]].x)
        step = min(0.2, (node.width - 0.2) / max(len(mine) - 1, 1))
        for rank, number in enumerate(mine):
            found[number] = node.x + (rank - (len(mine) - 1) / 2) * step
    return found


def _curve(panel: Axes, points: Sequence[tuple[float, float]], colour: str) -> None:
    vertices, codes = [points[0]], [Outline.MOVETO]
    for number, ((x0, y0), (x1, y1)) in enumerate(itertools.pairwise(points)):
        if number % 2:  # within a layer: straight down its lane
            vertices.append((x1, y1))
            codes.append(Outline.LINETO)
        else:
            bend = 0.55 * (y0 - y1)
            vertices += [(x0, y0 - bend), (x1, y1 + bend), (x1, y1)]
            codes += [Outline.CURVE4] * 3
    panel.add_patch(
        FancyArrowPatch(
            path=Outline(vertices, codes), arrowstyle="-|>", mutation_scale=6, color=colour, linewidth=1.2,
            fill=False, zorder=1, shrinkA=0, shrinkB=0,
        )
    )  # fmt: skip


def _box(
    panel: Axes, x: float, top: float, width: float, height: float, text: str, fill: str, edge: str,
    line: float, *, dashed: bool = False,
) -> None:  # fmt: skip
    panel.add_patch(
        FancyBboxPatch(
            (x - width / 2, top - height),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.05",
            facecolor=fill,
            edgecolor=edge,
            linewidth=line,
            linestyle="--" if dashed else "-",
            zorder=3,
        )
    )
    panel.text(x, top - height / 2, text, ha="center", va="center", fontsize=7, linespacing=1.05, zorder=4)


def _block(panel: Axes, node: _Node, top: float, bottom: float, colour: str) -> None:
    middle = bottom + ADD
    for side, (_, operation) in enumerate(node.operations):
        x = node.x + (side - 0.5) * (BOX + BETWEEN)
        label = OPERATIONS.get(operation, operation.replace("_", " ", 1).replace("_", "\n"))
        _box(panel, x, top, BOX, HEIGHT, label, TINTS.get(operation.split("_")[0], "#f4f4f4"), "#9a9a9a", 0.7)
        panel.plot(
            [x, x, node.x], [top - HEIGHT, middle, middle], color="#9a9a9a", linewidth=0.9, zorder=1.5,
            solid_joinstyle="round",
        )  # fmt: skip
    panel.add_patch(
        Circle((node.x, middle), ADD, facecolor="white", edgecolor=colour, linewidth=1.3, zorder=3)
    )
    panel.text(
        node.x, middle - 0.004, "+", ha="center", va="center_baseline", fontsize=8, color=colour, zorder=4
    )
    panel.text(
        node.x + BLOCK / 2, middle, node.label.removeprefix("block "), ha="right", va="center", fontsize=6.5,
        color=style.GREY, zorder=4,
    )  # fmt: skip
