"""What every figure has in common."""

from __future__ import annotations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D

from tgsage.plots import style


@pytest.mark.parametrize("entries", [1, 3, 6])
@pytest.mark.parametrize(
    "words", ["Simulated recordings", "Encoded (in-silico) recordings; control: stimuli shuffled"]
)
def test_a_legend_leaves_room_for_the_words_at_the_upper_left(entries, words):
    @style.styled
    def draw():
        figure = style.new(3, 5.2)
        figure.subplots().plot([0, 1])
        handles = [Line2D([], [], label=f"a long name, number {number}") for number in range(entries)]
        figure.legend(handles=handles, loc=style.LEGEND, ncols=entries)
        style.annotate(figure, ["n = 2."], words)
        return figure

    figure = draw()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (legend,), title = figure.legends, figure.get_suptitle()
    assert len(legend.get_texts()) == entries and title
    boxes = [item.get_window_extent(canvas.get_renderer()) for item in (legend, figure._suptitle)]
    assert not boxes[0].overlaps(boxes[1])
