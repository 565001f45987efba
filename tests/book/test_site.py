"""Every page of the built site, opened in a real browser: complete, quiet, and without a network."""

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

import axe_playwright_python
import pytest
from conftest import absent

from book.show import drawings
from xmlib import paths

pytestmark = pytest.mark.site
SITE = paths.ROOT / "_build" / "html"
NOT_PAGES = ("_static", "_sources", "_downloads", "_images", "_modules")
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
ADDRESS = "http://127.0.0.1:"
SMALLEST_WORDS = 7 * 110 / 72  # pixels of 7 points in a notebook's figure, of 110 pixels an inch
NARROW_WORDS = drawings.WORDS * drawings.SHARP / 72  # pixels of the words of its narrow rendering
LIGHT, HEAVY = 1.2e6, 3.5e6  # bytes of a page without mathematics and with
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# What axe-core finds, in words: by all rules but the one of contrast on the whole page but the strokes of formulae,
# and by that slow one on the first text of every colour, size and ground, since the same holds of all like it.
AXE = """async ([levels, contrast]) => {
  document.querySelectorAll('mjx-container > *').forEach(inner => inner.replaceChildren());
  const first = new Map();
  for (const e of contrast ? document.body.querySelectorAll('*:not(svg *)') : []) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility()) continue;
    const grounds = [];
    for (let up = e; up; up = up.parentElement) {
      const colour = getComputedStyle(up).backgroundColor;
      if (colour !== 'rgba(0, 0, 0, 0)') grounds.push(colour);
    }
    const {color, fontSize, fontWeight, opacity} = getComputedStyle(e);
    const look = [color, fontSize, fontWeight, opacity, e.tagName, ...grounds].join();
    if (!first.has(look)) first.set(look, e);
  }
  const where = contrast ? {include: [...first.values()]} : document;
  const slow = {'color-contrast': {enabled: false}};
  const rules = contrast ? {runOnly: ['color-contrast']} : {runOnly: levels, rules: slow};
  const found = await axe.run(where, {...rules, preload: false, resultTypes: ['violations']});
  return found.violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.html.slice(0, 150)}: ${n.failureSummary}`));
}"""
# Boxes that hide a part of what they hold without saying so or say so in vain, and numbers over their equation.
CUES = """() => [
  ...[...document.querySelectorAll('article .scrolls')]
    .filter(box => getComputedStyle(box).overflowX === 'visible').map(box => 'in vain: ' + box.outerHTML.slice(0, 80)),
  ...[...document.querySelectorAll('article :is(div, pre, table, mjx-container[display=true])')]
    .filter(box => box.checkVisibility() && box.clientWidth > 1 && !box.matches('.scrolls'))
    .filter(box => box.scrollWidth > box.clientWidth + 1)
    .filter(box => getComputedStyle(box).overflowX !== 'visible').map(box => box.outerHTML.slice(0, 100)),
  ...[...document.querySelectorAll('div.math:has(.eqno)')].flatMap(math => {
    const [number, formula] = ['.eqno', 'mjx-container'].map(e => math.querySelector(e).getBoundingClientRect());
    const over = number.left < formula.right - 1 && number.right > formula.left + 1;
    return over ? [math.id + ' lies under its number'] : [];
  }),
]"""
# What one page says of itself once it stands still.
FINDINGS = """() => ({
  mathLeft: [...document.querySelectorAll('.math')].filter(e => !e.querySelector('mjx-container')).length,
  mathWrong: document.querySelectorAll('mjx-merror, merror, [data-mjx-error]').length,
  broken: [...document.images].filter(i => i.naturalWidth === 0).map(i => i.src),
  unnamed: [...document.images].filter(i => !i.hasAttribute('alt') || i.alt === i.getAttribute('src')).map(i => i.src),
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  wide: [...document.querySelectorAll('article img, article svg:not(mjx-container svg)')]
        .filter(i => i.getBoundingClientRect().width > 390 && !i.closest('.scrolls'))
        .map(i => i.outerHTML.slice(0, 80)),
  links: [...document.querySelectorAll('a[href]')].map(a => a.href),
  anchors: [...document.querySelectorAll('[id], a[name]')].map(e => e.id || e.name),
  title: document.title,
  mathematics: !!document.querySelector('.math'),
})"""


def page_names() -> list[str]:
    if not (SITE / "index.html").exists():
        return ["index.html"]  # one test then, which says that there is no site
    found = sorted(p.relative_to(SITE).as_posix() for p in SITE.rglob("*.html"))
    return [name for name in found if not name.startswith(NOT_PAGES)]


PAGES = page_names()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    if not (SITE / "index.html").exists():
        absent("there is no site in _build/html (make book)")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(SITE)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"{ADDRESS}{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser(chromium: str, address: str) -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def visits(browser, address: str) -> dict[str, dict]:
    """Page → what it says of itself and what went wrong, every page once, as on a phone and on a desk."""
    context = browser.new_context(viewport=PHONE)
    context.add_init_script(path=Path(axe_playwright_python.__file__).with_name("axe.min.js"))
    found = {name: visit(context, address, name) for name in PAGES}
    context.close()
    return found


def visit(context, address: str, name: str) -> dict:
    page, wrong = context.new_page(), []
    page.set_viewport_size(PHONE)
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda said: wrong.append(f"console: {said.text}") if said.type == "error" else None)
    page.on("response", lambda got: wrong.append(f"{got.status}: {got.url}") if got.status >= 400 else None)
    page.on("requestfailed", lambda lost: wrong.append(f"failed: {lost.url}"))
    page.on("request", lambda sent: wrong.append(f"leaves: {sent.url}") if leaves(sent.url, address) else None)
    page.goto(address + name, wait_until="load")
    if page.evaluate("!!window.MathJax"):
        page.evaluate("MathJax.startup.promise.then(() => null)")
    loaded = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")  # as it opens
    page.evaluate(
        "Promise.all([...document.images].map(i => { i.loading = 'eager'; return i.decode().catch(() => {}) }))"
    )
    said = page.evaluate(FINDINGS) | {"wrong": wrong, "loaded": loaded, "cues": without_cue(page)}
    said["axe"] = page.evaluate(AXE, [LEVELS, False]) + page.evaluate(AXE, [LEVELS, True])
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    in_the_dark = page.evaluate(AXE, [LEVELS, False]) + page.evaluate(AXE, [LEVELS, True])
    said["axe"] += [f"dark, {found}" for found in in_the_dark]
    page.set_viewport_size(DESK)
    said["cues"] += without_cue(page)
    page.close()
    return said


def without_cue(page) -> list[str]:
    """What `CUES` says once the page stands still: side bars take a moment to move, and boxes a frame to say it."""
    from playwright.sync_api import TimeoutError

    try:
        page.wait_for_function(f"!({CUES})().length", timeout=5000)
    except TimeoutError:
        return page.evaluate(CUES)
    return []


def leaves(url: str, address: str) -> bool:
    return not url.startswith((address, "data:", "blob:", "about:"))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_error_and_asks_for_nothing_outside(visits, name):
    assert visits[name]["wrong"] == []


@pytest.mark.parametrize("name", PAGES)
def test_all_mathematics_on_a_page_is_drawn(visits, name):
    assert visits[name]["mathLeft"] == 0
    assert visits[name]["mathWrong"] == 0


@pytest.mark.parametrize("name", PAGES)
def test_every_image_is_there_and_has_words_for_who_cannot_see_it(visits, name):
    assert visits[name]["broken"] == []
    assert visits[name]["unnamed"] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone(visits, name):
    assert visits[name]["overflow"] <= 0
    assert visits[name]["wide"] == []


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_of_level_a_or_aa_in_the_light_nor_in_the_dark(visits, name):
    assert visits[name]["axe"] == []


@pytest.mark.parametrize("name", PAGES)
def test_what_is_wider_than_its_box_says_so_and_no_number_lies_over_its_equation(visits, name):
    assert visits[name]["cues"] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light_and_loads_mathematics_only_where_there_is_some(visits, address, name):
    files = {SITE / name, *(SITE / urlsplit(url).path.lstrip("/") for url in visits[name]["loaded"])}
    weight = sum(file.stat().st_size for file in files if file.is_file())
    assert weight <= (HEAVY if visits[name]["mathematics"] or name == "explorer.html" else LIGHT)  # pictures of results
    assert any("mathjax" in file.parts for file in files) == visits[name]["mathematics"]


def test_every_internal_link_leads_to_a_page_and_to_a_place_on_it(visits, address):
    anchors = {name: set(said["anchors"]) for name, said in visits.items()}
    dead = set()
    for name, said in visits.items():
        for link in said["links"]:
            if not link.startswith(address):
                continue
            target, place = urldefrag(link.removeprefix(address))
            target = target.split("?")[0] or "index.html"
            if not (SITE / target).exists() or (place and place not in anchors.get(target, {place})):
                dead.add(f"{name} → {target}#{place}")
    assert dead == set()


def test_the_numbers_of_a_figure_lie_beside_it(browser, address):
    page = browser.new_page()
    page.goto(address + "comparison.html", wait_until="load")
    lines = page.locator("figure details.provenance a[download]")
    assert lines.count() == page.locator("figure img").count() > 0
    first = SITE / urlsplit(lines.first.evaluate("a => a.href")).path.lstrip("/")
    assert first.read_text(encoding="utf-8").startswith("panel,series,drawn as,x,y\n")
    page.close()


DEFINED = {
    "DCCA": "methods.html", "CCA layer": "methods.html", "trace norm": "methods.html", "hubness": "protocol.html",
    "MRR": "protocol.html", "CCA": "cca.html", "InfoNCE": "methods.html", "polar factor": "polar.html",
}  # fmt: skip


@pytest.mark.parametrize("word", DEFINED)
def test_the_search_puts_the_definition_of_a_word_first(browser, address, word):
    page = browser.new_page()
    page.goto(f"{address}search.html?q={word}", wait_until="load")
    first = page.locator("#search-results li a").first
    where, place = urldefrag(first.evaluate("a => a.href"))
    assert where == address + DEFINED[word]
    page.goto(first.evaluate("a => a.href"), wait_until="load")
    said = page.evaluate("place => document.getElementById(place).closest('section').textContent", place)
    assert word.lower() in said.lower()
    page.close()


@pytest.mark.parametrize("name", ["results/emoji-ccal_cont.html", "results/gradient_cca.html"])
def test_the_words_of_a_notebook_s_figures_are_nine_pixels_or_more_on_a_phone(browser, address, name):
    page = browser.new_page(viewport=PHONE)
    page.goto(address + name, wait_until="load")
    page.evaluate("document.querySelectorAll('.cell_output img').forEach(i => i.loading = 'eager')")
    page.wait_for_function(
        "[...document.querySelectorAll('.cell_output img')].every(i => i.complete && i.naturalWidth)"
    )
    figures = "[...document.querySelectorAll('.cell_output img')].map(i => [i.currentSrc, i.width / i.naturalWidth])"
    shown = page.evaluate(figures)
    assert shown
    for source, scale in shown:
        assert scale * (NARROW_WORDS if source.endswith("-narrow.png") else SMALLEST_WORDS) >= 9, source
    page.close()


def test_the_tables_of_the_home_page_are_read_on_a_phone_without_scrolling(browser, address):
    page = browser.new_page(viewport=PHONE)
    page.goto(address, wait_until="load")
    page.wait_for_selector(".stacks")
    assert page.locator("article .pst-scrollable-table-container").count() == page.locator(".stacks").count() > 1
    assert page.locator("article table").evaluate_all(
        "all => all.every(t => t.scrollWidth <= t.parentElement.clientWidth)"
    )
    headings = page.locator("article table").first.locator("th").all_inner_texts()
    first = page.locator("article table").first.locator("tbody tr").first.locator("td")
    assert first.evaluate_all("cells => cells.map(cell => cell.dataset.heading)") == headings
    assert first.nth(1).evaluate("cell => getComputedStyle(cell, '::before').content") == f'"{headings[1]}: "'
    page.set_viewport_size(DESK)
    page.wait_for_function("!document.querySelector('.stacks')")
    page.close()


def test_the_tables_of_a_notebook_whose_names_span_rows_stay_tables_on_a_phone(browser, address):
    page = browser.new_page(viewport=PHONE)
    page.goto(address + "results/emoji-ccal_tno.html", wait_until="load")
    page.wait_for_selector(".cell_output .scrolls")
    assert page.locator("article .cell_output table [rowspan]").count() > 0
    assert page.locator("article .cell_output .stacks").count() == 0
    page.close()


def test_every_equation_fits_a_phone_beside_its_number(browser, address):
    page, wide, count = browser.new_page(viewport=PHONE), [], 0
    for name in (name for name in PAGES if 'class="math' in (SITE / name).read_text(encoding="utf-8")):
        page.goto(address + name, wait_until="load")
        page.evaluate("MathJax.startup.promise.then(() => null)")
        page.evaluate("document.querySelectorAll('details').forEach(folded => { folded.open = true; })")
        formulas = page.locator("article div.math > mjx-container")
        count += formulas.count()
        wide += formulas.evaluate_all(
            "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.parentElement.id)"
        )
    assert wide == []
    assert count > 100
    page.close()


@pytest.mark.parametrize("name", ["polar.html", "results/gradient_cca.html", "your_data.html"])
def test_code_on_a_phone_goes_on_in_the_next_line_or_says_that_it_scrolls(browser, address, name):
    page = browser.new_page(viewport=PHONE)
    page.goto(address + name, wait_until="load")
    page.evaluate("document.querySelectorAll('details').forEach(folded => { folded.open = true; })")
    told = "e => e.scrollWidth <= e.clientWidth + 1 || e.matches('.scrolls')"
    page.wait_for_function(f"[...document.querySelectorAll('article pre')].every({told})")
    commands = page.locator("article .highlight-bash pre")
    assert commands.evaluate_all("all => all.every(e => e.scrollWidth <= e.clientWidth + 1)")
    options = page.locator("article .highlight-bash pre .option")
    assert options.count() > 0 or name != "your_data.html"
    assert options.evaluate_all("all => all.every(e => e.getClientRects().length === 1)")  # on one line
    page.close()


def test_the_mathematics_is_there_at_all(browser, address):
    page = browser.new_page()
    page.goto(address + "methods.html", wait_until="load")
    page.evaluate("MathJax.startup.promise.then(() => null)")
    assert page.locator("mjx-container svg").count() > 20
    page.close()


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_folded_code_opens_and_scrolls_inside_its_own_box(browser, address, size):
    context = browser.new_context(viewport=size)
    page = context.new_page()
    page.goto(address + "polar.html", wait_until="load")
    folded = page.locator("details.sd-dropdown:has(div.highlight)")
    assert folded.count() > 3
    for block in folded.all():
        assert not block.locator("div.highlight").first.is_visible()
        block.locator("summary").click()
        block.locator("div.highlight").first.wait_for(state="visible")
        assert block.evaluate("e => e.scrollWidth - e.clientWidth") <= 0
    assert page.evaluate(FINDINGS)["overflow"] <= 0
    assert "def forward(" in folded.first.inner_text()
    context.close()


def shown_over(page, selector: str) -> str:
    """What is shown beside the pointer when it rests on the first of these."""
    over = page.locator(selector).first
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    note = page.locator(".hover-note:not([hidden])")
    note.wait_for()
    said = note.inner_text()
    page.keyboard.press("Escape")
    page.mouse.move(0, 0)
    return said


def test_citations_equations_figures_and_symbols_say_what_they_are_beside_the_pointer(browser, address):
    page = browser.new_page(viewport=DESK, reduced_motion="reduce")  # or pages glide to their place
    page.set_default_timeout(5000)
    page.goto(address + "cca.html", wait_until="load")
    page.evaluate("MathJax.startup.promise.then(() => null)")
    assert "Hotelling" in shown_over(page, "article a[href*='bibliography.html#']")
    assert shown_over(page, "article a[href^='#equation-']:not(.headerlink)")
    assert "noise" in shown_over(page, "article a[href='#fig-noise']:not(.headerlink)")
    assert "ridge included" in shown_over(page, "article p mjx-container g[data-mml-node=msub]:has([data-c='1D446'])")
    page.close()


def test_the_titles_of_the_pages_differ(visits):
    titles = [said["title"] for said in visits.values()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_text_and_the_diagram_can_be_read_in_the_reader_s_own_theme(browser, address, theme):
    context = browser.new_context(viewport=DESK, color_scheme=theme)
    page = context.new_page()
    page.goto(address, wait_until="load")
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    for selector in (".bd-article p", ".idea text"):
        property = "fill" if "text" in selector else "color"
        ink = page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).{property}")
        assert contrast(ink, ground) > 7, f"{selector}: {ink} on {ground}"
    context.close()


def contrast(ink: str, ground: str) -> float:
    """The contrast of two CSS colours as WCAG defines it, from 1 to 21."""
    one, other = (luminance(color) for color in (ink, ground))
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def luminance(color: str) -> float:
    parts = [int(part) / 255 for part in color.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_keyboard_s_place_on_the_page_is_visible(browser, address):
    page = browser.new_page()
    page.goto(address, wait_until="load")
    for _ in range(8):
        page.keyboard.press("Tab")
        tag, outline = page.evaluate("(e => [e.outerHTML, getComputedStyle(e).outlineStyle])(document.activeElement)")
        assert outline != "none", tag[:200]
    page.close()


def test_the_home_page_opens_from_a_file_too(browser, address):
    page, wrong = browser.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda sent: wrong.append(sent.url) if not sent.url.startswith(("file:", "data:")) else None)
    page.goto((SITE / "index.html").as_uri(), wait_until="load")
    page.get_by_role("link", name="Notation", exact=True).first.click()
    assert page.url == urljoin((SITE / "index.html").as_uri(), "notation.html")
    assert wrong == []
    page.close()
