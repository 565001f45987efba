"""The files of a figure: what stands on a narrow screen, and the numbers that are drawn."""

import csv
import io
import pickle
from base64 import b64decode

import matplotlib.pyplot as plt
import pytest
from matplotlib.text import Text
from PIL import Image

from book.show import drawings


@pytest.fixture
def two_panels():
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3), sharey=True, layout="constrained")
    left.plot([1, 2], [0.5, 0.25], color="C0", label="one")
    left.plot([1], [0.75], "o", color="C1", label="other")
    left.set_ylabel("MRR")
    left.legend()
    left.set_title("emoji", loc="left")
    right.barh([0, 1], [3, 4])
    right.set_yticks([0, 1], ["a long name of many words that has no room", "b"])
    yield figure
    plt.close(figure)


def test_panels_side_by_side_lie_below_each_other_on_a_narrow_screen(two_panels):
    drawings.make_narrow(two_panels)
    two_panels.canvas.draw()
    upper, lower = (ax.get_position() for ax in two_panels.axes)
    assert lower.y1 < upper.y0
    assert two_panels.get_size_inches()[0] == drawings.WIDTH


def test_every_word_of_a_narrow_figure_is_nine_pixels_or_more_on_a_phone(two_panels):
    drawings.make_narrow(two_panels)
    two_panels.canvas.draw()
    pixels = 350 / drawings.WIDTH / 72  # of a point, where the figure is 350 pixels wide
    assert min(text.get_fontsize() for text in two_panels.findobj(Text) if text.get_text()) * pixels >= 9


def test_the_legend_of_a_narrow_figure_leaves_its_panel(two_panels):
    drawings.make_narrow(two_panels)
    assert [text.get_text() for text in two_panels.legends[0].get_texts()] == ["one", "other"]
    assert two_panels.axes[0].get_legend() is None


def test_the_numbers_of_a_figure_carry_the_names_of_legend_and_ticks(two_panels):
    rows = list(csv.DictReader(io.StringIO(drawings.table(two_panels).decode())))
    assert [(row["panel"], row["series"], row["drawn as"], float(row["x"])) for row in rows[:3]] == [
        ("emoji", "one", "line", 1),
        ("emoji", "one", "line", 2),
        ("emoji", "other", "dots", 1),
    ]


def test_a_figure_that_is_saved_stays_as_it_is(two_panels, tmp_path):
    before = pickle.dumps(two_panels.get_size_inches())
    drawings.save(two_panels, str(tmp_path), "both")
    assert pickle.dumps(two_panels.get_size_inches()) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["both-narrow.svg", "both.csv", "both.svg"]
    assert plt.get_fignums() == [two_panels.number]


def test_a_figure_without_points_has_no_numbers():
    figure, _ = plt.subplots()
    assert "a.csv" not in drawings.drawing(figure).files("a")
    plt.close(figure)


def test_a_notebook_keeps_a_narrow_figure_beside_one_of_panels_and_none_beside_a_grid(two_panels):
    shown, kept = drawings._with_narrow(lambda figure: "wide", two_panels)
    with Image.open(io.BytesIO(b64decode(kept["narrow"]))) as narrow:
        assert shown == "wide"
        assert narrow.width <= (drawings.WIDTH + 0.5) * drawings.SHARP < 2 * narrow.width
    assert two_panels.get_size_inches().tolist() == [7, 3]
    grid, _ = plt.subplots(2, 2)
    assert drawings._with_narrow(lambda figure: "wide", grid) == "wide"
    plt.close(grid)


def test_no_more_decades_are_named_below_a_narrow_panel_than_have_room():
    figure, ax = plt.subplots()
    ax.plot([1e-9, 1], [1, 2])
    ax.set_xscale("log")
    drawings.make_narrow(figure)
    figure.canvas.draw()
    left, right = ax.get_xlim()
    assert 2 <= sum(left <= place <= right for place in ax.get_xticks()) <= drawings.DECADES
    plt.close(figure)
