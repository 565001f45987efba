"""A quiet line below every table and figure that `book.make` has made: records, code, numbers, how to repeat it."""

import csv
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from book.make import sources
from book.make.sources import Source
from xmlib import paths

RUNS = "all_runs"  # the page of every run
FOLDER = "_images"  # where the site keeps what belongs to its pages
END_OF_FILE = 300  # bytes, in which a drawing says what drew it


def add(app: Sphinx, tree: nodes.document, page: str) -> None:
    """Put the line below each table and figure of a page whose file says where it comes from."""
    for count, found in enumerate(list(tree.findall(lambda node: isinstance(node, nodes.table | nodes.figure)))):
        source = told(app, found)
        if source is None or isinstance(found.parent, nodes.Admonition):
            continue
        numbers = of_figure(app, found) if isinstance(found, nodes.figure) else of_table(app, found, f"{page}-{count}")
        shown = list(line(app, page, source, numbers))
        if isinstance(found, nodes.figure):
            found += nodes.legend("", *shown)
        else:
            found.parent.insert(found.parent.index(found) + 1, shown)


def told(app: Sphinx, found: nodes.Element) -> Source | None:
    """What the file of a table or a figure says, and the drawing of a figure; notebooks draw those without a file."""
    fragment = Path(str(found.source or ""))
    source = sources.read(fragment.read_text(encoding="utf-8")) if fragment.parent.name == "_generated" else None
    image = next(iter(found.findall(nodes.image)), None)
    if image is None:
        return source
    name = Path(image["uri"])
    if name.parent.name != "_generated":
        return None
    drawn = (app.srcdir / name).read_bytes()[-END_OF_FILE:].decode("utf-8", "ignore")
    by_code, records = sources.read(drawn), source.records if source else []
    code = by_code.code if by_code else list(_notebooks(name.stem))
    return Source(code, records) if code else source


def _notebooks(drawn: str) -> Iterator[str]:
    """The notebook that draws a figure."""
    for path in sorted((paths.ROOT / "notebooks").glob("*.py")):
        if f'"{drawn}"' in path.read_text(encoding="utf-8"):
            yield f"notebooks/{path.name}: the cell that saves {drawn}"


def of_figure(app: Sphinx, found: nodes.figure) -> str:
    """The name of a figure's numbers in the folder of the site; empty where it has none, as of pictures."""
    own = app.srcdir / Path(next(iter(found.findall(nodes.image)))["uri"]).with_suffix(".csv")
    if not own.exists():
        return ""
    (app.outdir / FOLDER).mkdir(parents=True, exist_ok=True)
    shutil.copy(own, app.outdir / FOLDER / own.name)
    return own.name


def of_table(app: Sphinx, found: nodes.table, name: str) -> str:
    """The same for a table, whose cells are written there."""
    out = io.StringIO()
    rows = ([cell.astext() for cell in row.findall(nodes.entry)] for row in found.findall(nodes.row))
    csv.writer(out, lineterminator="\n").writerows(rows)
    (app.outdir / FOLDER).mkdir(parents=True, exist_ok=True)
    file = f"{name.replace('/', '-')}.csv"
    (app.outdir / FOLDER / file).write_text(out.getvalue(), encoding="utf-8")
    return file


def line(app: Sphinx, page: str, source: Source, numbers: str) -> Iterator[nodes.Node]:
    """A word that unfolds to where something comes from."""
    yield nodes.raw("", '<details class="provenance"><summary>Where this comes from</summary>', format="html")
    told = nodes.paragraph()
    for i, part in enumerate(parts(app, page, source, numbers)):
        told += [*([nodes.raw("", "<br>", format="html")] if i else []), *part]
    yield told
    yield nodes.raw("", "</details>", format="html")


def parts(app: Sphinx, page: str, source: Source, numbers: str) -> Iterator[list[nodes.Node]]:
    """Records, code, numbers, and the command that repeats it."""
    where, command = source.others
    if source.records:
        yield [nodes.Text("Records: "), *_linked(app.builder.get_relative_uri(page, RUNS), source.groups)]
        command = f"xm records rerun book/records/{source.records[0]}"
    elif where:
        yield [nodes.Text("Numbers: "), nodes.literal(where, where)]
    yield [nodes.Text("Made by "), *_joined([nodes.literal(place, place) for place in source.code])]
    if numbers:
        up = "../" * page.count("/")
        link = f'<a href="{up}{FOLDER}/{numbers}" download>The numbers, as CSV</a>'
        yield [nodes.raw("", link, format="html")]
    yield [nodes.Text("Again: "), nodes.literal(command, command)]


def _linked(page: str, groups: dict[str, list[str]]) -> list[nodes.Node]:
    """What was run, each a link to the first of its lines on the page of every run."""
    links: list[nodes.Node] = []
    for name, files in groups.items():
        seeds = len(files)
        said = re.sub(r"^(\w+)/(.*)$", r"\2", name) + (f" ({seeds} seeds)" if seeds > 1 else "")
        links.append(nodes.reference("", said, internal=True, refuri=f"{page}#{sources.anchor(files[0])}"))
    return _joined(links)


def _joined(given: list[nodes.Node]) -> list[nodes.Node]:
    return [node for i, one in enumerate(given) for node in ([nodes.Text(", ")] if i else []) + [one]]
