"""The figures that answer to the reader show what the library computes, by mouse, keyboard and touch."""

import json
import math
import re
from collections.abc import Iterator

import pytest
import torch
from torch.nn.functional import normalize

from book.make.theory import losses
from xmlib import paths
from xmlib.cca import projections
from xmlib.scoring import health

ASSETS = paths.ROOT / "book" / "assets"
SMALLEST = """() => { const svg = document.querySelector('svg'), scale = svg.getScreenCTM().a;
    const sizes = [...svg.querySelectorAll('text')].map(text => parseFloat(getComputedStyle(text).fontSize));
    return scale * Math.min(...sizes) }"""  # of a letter on the screen
NAMES = ("approach", "losses", "noise")
ROWS = dict(zip(("ranking", "infonce", "angular"), losses.ROWS.values(), strict=True))


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def context(browser) -> Iterator:
    made = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    yield made
    made.close()


@pytest.fixture
def page(context) -> Iterator:
    made = context.new_page()
    yield made
    made.close()


def source(name: str) -> str:
    return (ASSETS / f"moving_{name}.html").read_text(encoding="utf-8")


def opened(page, name: str):
    """The figure on a page of its own, which has to be quiet."""
    page.on("console", lambda said: pytest.fail(said.text) if said.type == "error" else None)
    page.set_content(re.sub(r"<script.*?</script>", "", source(name)))
    page.add_style_tag(path=str(ASSETS / "moving.css"))
    page.add_script_tag(path=str(ASSETS / "moving.js"))
    return page.locator("figure")


def values(figure) -> dict:
    return json.loads(figure.get_attribute("data-values"))


def put(figure, name: str, value: float) -> dict:
    """What the figure says once a slider stands there."""
    slider = figure.locator(f"[name={name}]" if name else "input")
    slider.evaluate(f"e => {{ e.value = {value}; e.dispatchEvent(new Event('input', {{ bubbles: true }})) }}")
    return values(figure)


def in_space(polar: list[tuple[float, float]]) -> torch.Tensor:
    return torch.stack([r * losses.on_circle(angle)[0] for angle, r in polar])


X = [(35, 1.0), (100, 0.8), (165, 1.0), (230, 0.9), (310, 0.7)]
Y = [(28, 0.9), (112, 1.0), (150, 0.8), (238, 0.9), (318, 1.0)]


def by_library(gap: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Correlations, and scores of the first item with the five of the other view, through the canonical directions."""
    eye = torch.eye(2, dtype=torch.float64)
    T = torch.tensor([[0.6 + gap, 0.05], [0.02, 0.6 - gap]], dtype=torch.float64)
    A, B, corr = projections(eye, eye, T)
    return corr, normalize(in_space(X)[:1] @ A, dim=1)[0] @ normalize(in_space(Y) @ B, dim=1).T


def test_correlations_and_scores_are_those_of_the_library(page):
    figure = opened(page, "approach")
    for gap in (0.3, 0.05, -0.12):
        said, (corr, scores) = put(figure, "", gap), by_library(gap)
        assert said["corr"] == pytest.approx(corr.tolist(), abs=1e-9)
        assert said["scores"] == pytest.approx(scores.tolist(), abs=1e-9)


def test_directions_swing_and_scores_stand_still(page):
    figure = opened(page, "approach")
    before, after = put(figure, "", 0.1), put(figure, "", -0.1)
    turned = abs(sum(a * b for a, b in zip(before["u"][0], after["u"][0], strict=True)))
    assert math.degrees(math.acos(turned)) > 60
    assert before["scores"] == pytest.approx(after["scores"], abs=1e-9)


@pytest.mark.parametrize("loss", ROWS)
def test_arrows_are_minus_the_gradient_of_the_loss(page, loss):
    figure = opened(page, "losses")
    figure.locator(f"[value={loss}]").check()
    for query, right in ((90, 30), (10, 300)):
        put(figure, "query", query)
        said = put(figure, "right", right)["forces"]
        first, others = losses.forces(ROWS[loss], query, right)
        expected = torch.cat([first[None], others])
        assert torch.tensor(said, dtype=torch.float64).sub(expected).abs().max() < 1e-9


def test_the_query_follows_the_mouse_and_a_finger_s_tap_chooses_a_loss(page):
    figure = opened(page, "losses")
    box = figure.locator("[data-drags=query]").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    centre = figure.locator("svg").bounding_box()
    page.mouse.move(centre["x"] + centre["width"] / 2 + 100, centre["y"] + centre["height"] * 145 / 286)
    page.mouse.up()
    assert abs((int(figure.locator("[name=query]").input_value()) + 180) % 360 - 180) <= 2
    before = values(figure)
    figure.locator("label:has([value=angular])").tap()
    assert values(figure) != before


def test_sliders_answer_to_the_keyboard(page):
    figure = opened(page, "noise")
    figure.locator("[name=d]").focus()
    page.keyboard.press("ArrowRight")
    assert values(figure)["d"] == 33
    assert "33 dimensions" in figure.locator("output").inner_text()


def test_noise_is_said_to_correlate_as_the_library_says(page):
    figure = opened(page, "noise")
    for n, d in ((1000, 32), (100, 32), (100, 60), (10, 40)):
        put(figure, "d", d)
        said = put(figure, "n", math.log10(n))
        assert said["n"] == n
        assert said["edge"] == pytest.approx(health.chance_correlation(n, d, d))
        assert said["ones"] == max(0, min(d, 2 * d - (n - 1)))
    assert said["rms"] == 1


def test_the_root_mean_square_is_that_of_draws(page):
    said = put(opened(page, "noise"), "d", 32)
    x, y = torch.randn(2, 40, 100, 32, dtype=torch.float64)
    bases = [torch.linalg.qr(view - view.mean(1, keepdim=True))[0] for view in (x, y)]
    corr = torch.linalg.svdvals(bases[0].transpose(1, 2) @ bases[1])
    assert said["rms"] == pytest.approx(float(corr.square().mean().sqrt()), rel=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_the_still_for_print_is_what_the_script_draws_first(page, name):
    still = "document.querySelector('svg').innerHTML"
    page.set_content(re.sub(r"<script.*?</script>", "", source(name)))
    before, said = page.evaluate(still), page.locator("output").text_content()
    figure = opened(page, name)
    assert page.evaluate(still).replace(' class=""', "") == before.replace(' class=""', "")
    assert figure.locator("output").text_content() == said


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_describes_itself_and_fits_a_phone(page, name):
    figure = opened(page, name)
    assert len(figure.locator("svg > desc").text_content()) > 100
    assert page.evaluate("(e => e.scrollWidth - e.clientWidth)(document.documentElement)") <= 0
    size = page.evaluate(SMALLEST)
    assert size >= 9
    assert all(box["height"] >= 24 for box in (one.bounding_box() for one in figure.locator("input").all()))


def test_the_figures_are_light():
    assert sum(path.stat().st_size for path in ASSETS.glob("moving*")) < 100_000
