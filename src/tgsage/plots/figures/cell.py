"""The winning cell: blocks in layers, long connections in lanes of their own (Sugiyama et al. 1981).

A worked example, in which a block B uses the input a and the block A, and A uses both inputs::

    edges:  a→A  b→A  a→B  A→B  B→output

1. Layers. A node's layer is the longest path to it from an input: a and b are in layer 0, A in 1, B in 2, the
   output in 3. The edge a→B passes layer 1, so a *lane* (a place of its own without a box) is put there::

       0:  a  b        1:  A  (a→B)        2:  B        3:  output

2. Order. The edges a→A, b→A and a→(a→B) cross: b is right of a, yet A is left of the lane. A sweep sorts each
   layer by the mean rank of the neighbours above: 0 and 1 for A, hence 0.5; 0 for the lane. So the lane goes
   to the left, ``1: (a→B)  A``, and nothing crosses. Sweeps go down and up in turn; the order with the fewest
   crossings is kept.
3. Places. Every node wants the mean place of its neighbours. A layer is moved as near to that as order and
   distances allow, in the least-squares sense, by isotonic regression; layers take turns.
4. Sides. A block shows the operation on the input whose line comes from further left on its left.
"""

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

from ...errors import TgsageError
from .. import style
from ..data import SearchData
from ..style import Drawing

Graph = Mapping[str, Sequence[Mapping[str, Any]]]
"""As from ``space.graph(architecture)``."""

# Inches.
BOX, BETWEEN, HEIGHT = 0.66, 0.06, 0.34
BLOCK = 2 * BOX + BETWEEN
ADD = 0.085
LANE, GAP, ROW = 0.06, 0.16, 0.42
INPUT = 1.15

TINTS = {"sep": "#d6e6f2", "conv": "#e3dcf0", "dil": "#cfe9e1", "avg": "#fbe9c8", "max": "#fbe9c8"}
INPUT_COLOURS = (style.PALETTE["vermillion"], style.PALETTE["blue"])
BLOCK_COLOURS = ("#009E73", "#CC79A7", "#8a6d00", "#222222", "#56768f", "#7b4b2a")


def cell_drawings(data: SearchData) -> list[Drawing]:
    """Draw the winning cell of a search."""
    final = data.search.final
    graph = data.space.graph(data.space.parse(final["architecture"]))
    return [
        Drawing(
            "cell",
            cell(graph, title=f"candidate {final['candidate']}"),
            f"The cell that won the search {data.search.name}.",
            f"Drawing of the winning cell; as text: {final['architecture']}",
        )
    ]


@dataclass
class Node:
    """An input, a block, the output, or a lane of an edge, with its place."""

    name: str
    kind: str
    layer: int
    width: float
    label: str = ""
    operations: list[tuple[str, str, str]] = field(default_factory=list)
    """Of a block: (source, operation, label) of both sides, from left to right."""
    x: float = 0.0


@dataclass
class Edge:
    """A connection from node to node."""

    source: str
    target: str
    side: int
    """The side of a block that it enters: 0 left, 1 right; 0 for other targets."""
    lanes: list[str]
    """Names of its lanes from source to target."""

    @property
    def path(self) -> list[str]:
        """Its nodes, lanes included, one in each layer."""
        return [self.source, *self.lanes, self.target]


@style.styled
def cell(graph: Graph, *, title: str = "") -> Figure:
    """Draw the cell or cells of an architecture.

    Parameters
    ----------
    graph
        As from ``space.graph(arch)``: ``nodes`` (id, cell, kind: input, block or output, label; operations of
        blocks) and ``edges`` (source, target, cell, operation, and optionally its label).
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
        nodes, edges = (
            [one for one in graph[part] if str(one.get("cell", "normal")) == name]
            for part in ("nodes", "edges")
        )
        drawings.append(place(nodes, edges))
    extents = [_extent(placed) for placed, _ in drawings]
    width = max(4.2, max(right - left for left, right, _ in extents) + 0.3)
    heights = [height for _, _, height in extents]
    figure = style.new(sum(heights) + 0.3 * len(names) + (0.65 if title else 0.5), width)
    panels = figure.subplots(len(names), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for panel, name, drawing, (left, right, height) in zip(panels, names, drawings, extents, strict=True):
        _draw(panel, *drawing)
        middle = (left + right) / 2
        panel.set_xlim(middle - width / 2 + 0.06, middle + width / 2 - 0.06)
        panel.set_ylim(-height, 0)
        panel.set_aspect("equal")
        panel.axis("off")
        if len(names) > 1:
            panel.set_title(f"{name} cell")
    footnote = [
        "A block applies an operation to each of two inputs and adds the results (+).",
        "Blocks that no other block uses are concatenated.",
        "Lines have the colour of what they carry.",
    ]
    style.annotate(figure, footnote)
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=8.5, fontweight="bold")
    return figure


def place(
    nodes: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Node], list[Edge]]:
    """Return the nodes by name, lanes included, and the edges: see the module's docstring."""
    kinds = {str(node["id"]): str(node["kind"]) for node in nodes}
    incoming: dict[str, list[tuple[str, str, str]]] = {name: [] for name in kinds}
    for edge in edges:
        operation = str(edge["operation"])
        label = str(edge.get("label", operation.replace("_", " ", 1).replace("_", "\n")))
        incoming[str(edge["target"])].append((str(edge["source"]), operation, label))
    layers = _layers(kinds, incoming)
    placed: dict[str, Node] = {}
    for node in nodes:
        name, kind = str(node["id"]), kinds[str(node["id"])]
        width = BLOCK if kind == "block" else INPUT
        operations = incoming[name] if kind == "block" else []
        placed[name] = Node(name, kind, layers[name], width, str(node.get("label", name)), operations)
    drawn = []
    for name, sources in incoming.items():
        for side, (source, *_) in enumerate(sources):
            between = range(layers[source] + 1, layers[name])
            lanes = {level: f"{source}>{name}.{side}@{level}" for level in between}
            placed |= {lane: Node(lane, "lane", level, LANE) for level, lane in lanes.items()}
            drawn.append(Edge(source, name, side if kinds[name] == "block" else 0, list(lanes.values())))
    _arrange(placed, drawn)
    # The side whose line comes from further left belongs on the left.
    for block in (one for one in placed.values() if len(one.operations) == 2):
        entering = [one for one in drawn if one.target == block.name]
        start = {one.side: placed[one.path[-2]].x for one in entering}
        if start[0] > start[1]:
            block.operations = block.operations[::-1]
            for one in entering:
                one.side = 1 - one.side
    return placed, drawn


def _layers(kinds: Mapping[str, str], incoming: Mapping[str, list[tuple[str, str, str]]]) -> dict[str, int]:
    """Return each node's layer: the longest path from an input; outputs are below everything else."""
    layers: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in layers:
            above = [depth(source) for source, *_ in incoming[name]]
            layers[name] = 0 if kinds[name] == "input" else 1 + max(above, default=0)
        return layers[name]

    last = max((depth(name) for name, kind in kinds.items() if kind != "output"), default=0) + 1
    return {name: last if kind == "output" else layers[name] for name, kind in kinds.items()}


def _arrange(placed: dict[str, Node], edges: Sequence[Edge]) -> None:
    """Order the nodes of each layer, and give each a horizontal place."""
    above: dict[str, list[str]] = {name: [] for name in placed}
    below: dict[str, list[str]] = {name: [] for name in placed}
    for edge in edges:
        for upper, lower in itertools.pairwise(edge.path):
            above[lower].append(upper)
            below[upper].append(lower)
    n_layers = 1 + max(node.layer for node in placed.values())
    rows = [[name for name, node in placed.items() if node.layer == layer] for layer in range(n_layers)]
    rows = _ordered(rows, above, below)
    for row in rows:
        _assign(placed, row, np.zeros(len(row)))
    for sweep in range(60):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            neighbours = [[*above[name], *below[name]] or [name] for name in row]
            wanted = [np.mean([placed[other].x for other in others]) for others in neighbours]
            _assign(placed, row, np.array(wanted))


def _ordered(
    rows: list[list[str]], above: Mapping[str, list[str]], below: Mapping[str, list[str]]
) -> list[list[str]]:
    """Return the layers in the order with the fewest crossings that sweeps down and up found."""
    links = [(upper, lower) for lower, uppers in above.items() for upper in uppers]
    best, fewest = [list(row) for row in rows], _crossings(rows, links)
    for sweep in range(24):
        downward = sweep % 2 == 0
        neighbours = above if downward else below
        for row in rows[1:] if downward else rows[-2::-1]:
            rank = {
                name: number / max(len(other) - 1, 1) for other in rows for number, name in enumerate(other)
            }
            means = {name: np.mean([rank[other] for other in neighbours[name] or [name]]) for name in row}
            row.sort(key=means.__getitem__)
        crossings = _crossings(rows, links)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _crossings(rows: Sequence[Sequence[str]], links: Sequence[tuple[str, str]]) -> int:
    rank = {name: number for row in rows for number, name in enumerate(row)}
    layer = {name: number for number, row in enumerate(rows) for name in row}
    return sum(
        layer[a] == layer[c] and (rank[a] - rank[c]) * (rank[b] - rank[d]) < 0
        for (a, b), (c, d) in itertools.combinations(links, 2)
    )


def _assign(placed: dict[str, Node], row: Sequence[str], wanted: NDArray[np.float64]) -> None:
    """Give a layer the places nearest to the wanted ones (least squares) that keep order and distances."""
    widths = np.array([placed[name].width for name in row])
    offset = np.concatenate([[0], np.cumsum((widths[:-1] + widths[1:]) / 2 + GAP)])
    places = isotonic_regression(wanted - offset).x + offset
    for name, x in zip(row, places, strict=True):
        placed[name].x = float(x)


def _tops(placed: Mapping[str, Node]) -> tuple[dict[int, float], dict[int, float]]:
    """Return the upper and the lower edge (inches, downward negative) of every layer."""
    of_kinds = {"block": HEIGHT + 0.16 + 2 * ADD, "lane": 0.0}
    heights: dict[int, float] = {}
    for node in placed.values():
        heights[node.layer] = max(heights.get(node.layer, 0.0), of_kinds.get(node.kind, 0.3))
    top, tops, bottoms = -0.05, {}, {}
    for layer in sorted(heights):
        tops[layer], bottoms[layer] = top, top - heights[layer]
        top -= heights[layer] + ROW
    return tops, bottoms


def _extent(placed: Mapping[str, Node]) -> tuple[float, float, float]:
    left = min(node.x - node.width / 2 for node in placed.values())
    right = max(node.x + node.width / 2 for node in placed.values())
    return left, right, -min(_tops(placed)[1].values()) + 0.05


def _draw(panel: Axes, placed: Mapping[str, Node], edges: Sequence[Edge]) -> None:
    tops, bottoms = _tops(placed)
    colours: dict[str, str] = {}
    for kind, palette in (("input", INPUT_COLOURS), ("block", BLOCK_COLOURS)):
        names = [node.name for node in placed.values() if node.kind == kind]
        colours |= {name: palette[number % len(palette)] for number, name in enumerate(names)}
    ends = _ends(placed, edges)
    for number, edge in enumerate(edges):
        start, end = placed[edge.source], placed[edge.target]
        x = end.x + (edge.side - 0.5) * (BOX + BETWEEN) if end.kind == "block" else ends[number]
        points = [(start.x, bottoms[start.layer] if start.kind == "block" else tops[start.layer] - 0.3)]
        for lane in (placed[name] for name in edge.lanes):
            points += [(lane.x, tops[lane.layer]), (lane.x, bottoms[lane.layer])]
        points.append((x, tops[end.layer]))
        _curve(panel, points, colours[edge.source])
    used = {edge.source for edge in edges}
    n_concatenated = len({edge.source for edge in edges if placed[edge.target].kind == "output"})
    for node in placed.values():
        at = (node.x, tops[node.layer], (node.width, 0.3))
        if node.kind == "block":
            _block(panel, node, tops[node.layer], bottoms[node.layer], colours[node.name])
        elif node.kind == "input":
            dashed: dict[str, Any] = {"edgecolor": style.GREY, "linestyle": "--"}
            look = {"edgecolor": colours[node.name]} if node.name in used else dashed
            text = node.label if node.name in used else f"{node.label} (unused)"
            _box(panel, *at, text, facecolor="white", linewidth=1.3, **look)
        elif node.kind == "output":
            text = "output: concatenate" if n_concatenated > 1 else "output"
            _box(panel, *at, text, facecolor="#eeeeee", edgecolor=style.INK, linewidth=1.0)


def _ends(placed: Mapping[str, Node], edges: Sequence[Edge]) -> dict[int, float]:
    """Return where each edge (by number) into an output ends, side by side and from left to right."""
    ends: dict[int, float] = {}
    for node in (one for one in placed.values() if one.kind == "output"):
        entering = [number for number, edge in enumerate(edges) if edge.target == node.name]
        entering.sort(key=lambda number: placed[edges[number].path[-2]].x)
        step = min(0.2, (node.width - 0.2) / max(len(entering) - 1, 1))
        for rank, number in enumerate(entering):
            ends[number] = node.x + (rank - (len(entering) - 1) / 2) * step
    return ends


def _curve(panel: Axes, points: Sequence[tuple[float, float]], colour: str) -> None:
    vertices, codes = [points[0]], [Outline.MOVETO]
    for number, ((x0, y0), (x1, y1)) in enumerate(itertools.pairwise(points)):
        if number % 2:  # Within a layer: straight down its lane.
            vertices.append((x1, y1))
            codes.append(Outline.LINETO)
        else:
            bend = 0.55 * (y0 - y1)
            vertices += [(x0, y0 - bend), (x1, y1 + bend), (x1, y1)]
            codes += [Outline.CURVE4] * 3
    look: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 6, "shrinkA": 0, "shrinkB": 0}
    path = Outline(vertices, codes)
    panel.add_patch(FancyArrowPatch(path=path, color=colour, linewidth=1.2, fill=False, zorder=1, **look))


def _box(panel: Axes, x: float, top: float, size: tuple[float, float], text: str, **look: Any) -> None:
    width, height = size
    rounded = "round,pad=0,rounding_size=0.05"
    corner = (x - width / 2, top - height)
    panel.add_patch(FancyBboxPatch(corner, width, height, boxstyle=rounded, zorder=3, **look))
    panel.text(x, top - height / 2, text, ha="center", va="center", fontsize=7, linespacing=1.05, zorder=4)


def _block(panel: Axes, node: Node, top: float, bottom: float, colour: str) -> None:
    middle = bottom + ADD
    grey = "#9a9a9a"
    for side, (_, operation, label) in enumerate(node.operations):
        x = node.x + (side - 0.5) * (BOX + BETWEEN)
        tint = TINTS.get(operation.split("_")[0], "#f4f4f4")
        _box(panel, x, top, (BOX, HEIGHT), label, facecolor=tint, edgecolor=grey, linewidth=0.7)
        x_line, y_line = [x, x, node.x], [top - HEIGHT, middle, middle]
        panel.plot(x_line, y_line, color=grey, linewidth=0.9, zorder=1.5, solid_joinstyle="round")
    plus = Circle((node.x, middle), ADD, facecolor="white", edgecolor=colour, linewidth=1.3, zorder=3)
    panel.add_patch(plus)
    at_centre: dict[str, Any] = {"ha": "center", "va": "center_baseline", "zorder": 4}
    panel.text(node.x, middle - 0.004, "+", fontsize=8, color=colour, **at_centre)
    number, right = node.label.removeprefix("block "), node.x + BLOCK / 2
    panel.text(right, middle, number, ha="right", va="center", fontsize=6.5, color=style.GREY, zorder=4)
