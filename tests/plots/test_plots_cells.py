"""The drawing of a cell: nothing on top of anything else, and every connection there."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch
from matplotlib.text import Text

from tgsage import spaces
from tgsage.errors import TgsageError
from tgsage.plots import cell
from tgsage.plots.figures import cell as cells


def graphs(n: int, **options):
    space = spaces.get("cell", **options)
    return [space.graph(space.sample(np.random.default_rng(seed))) for seed in range(n)]


@pytest.mark.parametrize("blocks", [1, 3, 5])
def test_boxes_keep_apart_and_lines_go_down(blocks):
    for graph in graphs(12, blocks=blocks):
        placed, edges = cells.place(graph["nodes"], graph["edges"])
        for a, b in itertools.combinations(placed.values(), 2):
            if a.layer == b.layer:
                assert abs(a.x - b.x) >= (a.width + b.width) / 2 + cells.GAP - 1e-9
        assert sorted((edge.source, edge.target) for edge in edges) == sorted(
            (edge["source"], edge["target"]) for edge in graph["edges"]
        )
        for edge in edges:
            passed = [placed[name].layer for name in edge.path]
            assert passed == list(range(passed[0], passed[-1] + 1))
        output = next(node for node in placed.values() if node.kind == "output")
        assert output.layer == max(node.layer for node in placed.values())


def test_sides_of_a_block_keep_their_operations():
    for graph in graphs(12, blocks=5):
        placed, edges = cells.place(graph["nodes"], graph["edges"])
        drawn = [
            (edge.source, placed[edge.target].operations[edge.side][1], edge.target)
            for edge in edges
            if placed[edge.target].kind == "block"
        ]
        told = [
            (e["source"], e["operation"], e["target"]) for e in graph["edges"] if e["operation"] != "concat"
        ]
        assert sorted(drawn) == sorted(told)


def test_labels_do_not_overlap():
    graph = graphs(1, blocks=5)[0]
    figure = cell(graph, title="candidate 0123456789abcdef")
    figure.canvas.draw()
    boxes = [
        text.get_window_extent()
        for text in figure.findobj(Text)
        if text.get_text() and text.get_visible() and text.axes is not None and text.axes.axison is False
    ]
    assert len(boxes) >= 5 * 4
    for a, b in itertools.combinations(boxes, 2):
        assert not (a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1)
    arrows = figure.axes[0].findobj(FancyArrowPatch)
    assert len(arrows) == len(graph["edges"])


def test_a_reduction_cell_searched_apart_is_drawn_apart():
    figure = cell(graphs(1, blocks=2, separate_reduction=True)[0])
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["normal cell", "reduction cell"]


def test_the_example_of_the_module():
    names = {"a": "input", "b": "input", "A": "block", "B": "block", "output": "output"}
    nodes = [{"id": name, "kind": kind} for name, kind in names.items()]
    pairs = [("a", "A"), ("b", "A"), ("a", "B"), ("A", "B"), ("B", "output")]
    edges = [{"source": source, "target": target, "operation": "sep_3x3"} for source, target in pairs]
    placed, drawn = cells.place(nodes, edges)
    assert {name: placed[name].layer for name in names} == {"a": 0, "b": 0, "A": 1, "B": 2, "output": 3}
    (long,) = [edge for edge in drawn if edge.lanes]
    assert (long.source, long.target) == ("a", "B")
    assert placed[long.lanes[0]].layer == 1 and placed[long.lanes[0]].x < placed["A"].x


def test_an_empty_graph_is_refused():
    with pytest.raises(TgsageError, match="no node"):
        cell({"nodes": [], "edges": []})
