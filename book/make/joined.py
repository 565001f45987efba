"""The built pages of the book as one HTML document, in the order of its table of contents: what `make pdf` prints."""

import re
from datetime import date
from importlib.metadata import version
from pathlib import Path
from posixpath import dirname, join, normpath

import yaml
from bs4 import BeautifulSoup, NavigableString, Tag

from xmlib import paths

STYLE = Path(__file__).with_name("pdf.css")
# Folded code of notebooks' plots, what only a screen can use, files that are not in the PDF, and pictures for phones.
LEFT_OUT = """details.above-input, script, style, link, button, label, input, output, a.headerlink, source, .controls,
.sd-summary-state-marker, .provenance summary, .provenance a[download], .provenance a[download] + br"""
IDS = ("id", "for", "name", "aria-labelledby", "aria-describedby")
MARK = re.compile(r"[.,;:?)]+")
OUTSIDE = re.compile(r"[a-z]+:", re.IGNORECASE)
NOTE = """The site of the same book has more: the explorer, figures that move, the code of the notebooks' plots,
the records, and the numbers of each figure and table as CSV. Other code that the site folds away is printed here."""
EXPLORER = "The explorer answers to its reader and is on the site alone (explorer.html)."


def chapters() -> list[tuple[str, list[str]]]:
    """The parts of the book as (title, names of pages); the first holds the home page."""
    toc = yaml.safe_load((paths.ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
    parts = [(part["caption"], [one["file"] for one in part["chapters"]]) for part in toc["parts"]]
    return [("", [toc["root"]]), *parts]


def anchor(page: str, fragment: str = "") -> str:
    """The id in the joined document of a page, or of a place on it."""
    return f"{page.replace('/', '-')}--{fragment}" if fragment else page.replace("/", "-")


def here(address: str, page: str, pages: set[str]) -> str | None:
    """The address in the joined document of one written on `page`; None for a file of the site that is not in it."""
    if OUTSIDE.match(address):
        return address
    path, _, fragment = address.partition("#")
    name = normpath(join(dirname(page), path)).removesuffix(".html") if path else page
    return f"#{anchor(name, fragment)}" if name in pages else None


def article(site: Path, page: str, pages: set[str]) -> Tag:
    """The content of a built page as a chapter: its ids and links those of the joined document, nothing folded."""
    soup = BeautifulSoup((site / f"{page}.html").read_text(encoding="utf-8"), "html.parser")
    found = soup.select_one("article.bd-article")
    assert found, page
    for left in found.select(LEFT_OUT):
        left.decompose()
    for explorer in found.select("#explorer"):
        explorer.string = EXPLORER
    for caption in found.select("figure.moving figcaption"):
        caption.string = f"{caption.get_text()} That is on the site; here it stands as it begins."
    for details in found.select("details"):
        unfold(details)
    for formula in found.select("span.math"):
        keep_mark(formula)
    relink(found, site, page, pages)
    found["class"], found["id"] = "bd-article chapter", anchor(page)
    return found


def unfold(details: Tag) -> None:
    """Make a box that folds one that does not: Chromium keeps no title of the former with what follows."""
    details.name = "div"
    kinds = " ".join(map(str, details.get_attribute_list("class")))
    details["class"] = f"{kinds} unfolded"
    for title in details.select("summary"):
        title.name = "div"
    if "provenance" in kinds:
        for line in details.select("br"):
            line.replace_with(" · ")


def keep_mark(formula: Tag) -> None:
    """Hold the comma or full stop after a formula on its line: to a browser the formula is a picture."""
    after = formula.next_sibling
    if isinstance(after, NavigableString) and (mark := MARK.match(after)):
        after.replace_with(after[mark.end() :])
        formula.wrap(BeautifulSoup("", "html.parser").new_tag("span", attrs={"class": "kept"}))
        formula.insert_after(mark[0])


def relink(found: Tag, site: Path, page: str, pages: set[str]) -> None:
    """Give what is in an article the ids, links and paths of the joined document."""
    for name in IDS:
        for tag in found.select(f"[{name}]"):
            tag[name] = " ".join(anchor(page, one) for one in str(tag[name]).split())
    for link in found.select("a[href]"):
        address = here(str(link["href"]), page, pages)
        if address is None:
            del link["href"]
        else:
            link["href"] = address
    for image in found.select("img"):
        image["src"] = (site / dirname(page) / str(image["src"])).resolve().as_uri()
        del image["loading"]


def contents(articles: dict[str, Tag]) -> str:
    """A table of contents with a link for each chapter, under the titles of the parts."""
    lines = []
    for title, names in chapters():
        items = "".join(f'<li><a href="#{anchor(name)}">{heading(articles[name])}</a></li>' for name in names)
        lines.append(f"<p>{title}</p><ul>{items}</ul>")
    return f'<nav class="chapters">{"".join(lines)}</nav>'


def heading(chapter: Tag) -> str:
    """The title of a chapter, with its number."""
    first = chapter.select_one("h1")
    return first.get_text() if first else ""


def head(site: Path) -> str:
    """The style sheets and MathJax of the site, as one of its pages with formulas loads them, and those of paper."""
    soup = BeautifulSoup((site / "cca.html").read_text(encoding="utf-8"), "html.parser")
    kept = soup.select('link[rel="stylesheet"], script[src*="mathjax"]')
    for tag in kept:
        key = "href" if tag.name == "link" else "src"
        tag[key] = (site / str(tag[key]).partition("?")[0]).as_uri()
    settings = [tag for tag in soup.select("script") if "window.MathJax" in tag.text]
    return "".join(map(str, [*settings, *kept])) + f"<style>{STYLE.read_text(encoding='utf-8')}</style>"


def book(site: Path) -> str:
    """The whole book as one HTML document."""
    names = [name for _, part in chapters() for name in part]
    articles = {name: article(site, name, set(names)) for name in names}
    built = date.fromtimestamp((site / "index.html").stat().st_mtime)
    title = heading(articles[names[0]])
    stand = f'<p>xmlib {version("xmlib")}, {built}</p><p class="note">{NOTE}</p>'
    first = f'<article class="title-page"><h1>{title}</h1>{stand}</article>'
    listed = f'<article class="bd-article chapter"><h1>Contents</h1>{contents(articles)}</article>'
    body = "".join(map(str, articles.values()))
    start = f'<!DOCTYPE html><html lang="en" data-theme="light"><meta charset="utf-8"><title>{title}</title>'
    return f'{start}{head(site)}<body><main class="bd-content">{first}{listed}{body}</main></body></html>'
