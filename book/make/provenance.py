"""A quiet line below every table and figure that `book.make` has made: records, code, numbers, how to repeat it."""

import csv
import html
import io
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from book.make import sources
from book.make.sources import Source
from xmlib import paths

RUNS = "all_runs"  # the page of every run
FOLDER = "_images"  # where the site keeps what belongs to its pages
END_OF_FILE = 300  # bytes, in which a drawing says what drew it
HELD = re.compile(r"numbers in (\S.*)")  # in a comment above a table that is written by hand


def add(app: Sphinx, tree: nodes.document, page: str) -> None:
    """Put the line below each table and figure of a page whose file says where it comes from, and of notebooks."""
    for count, found in enumerate(list(tree.findall(lambda node: isinstance(node, nodes.table | nodes.figure)))):
        source = told(app, found) or above(found)
        if source is None or isinstance(found.parent, nodes.Admonition):
            continue
        numbers = of_figure(app, found) if isinstance(found, nodes.figure) else of_table(app, found, f"{page}-{count}")
        shown = list(line(app, page, source, numbers))
        if isinstance(found, nodes.figure):
            found += nodes.legend("", *shown)
        else:
            found.parent.insert(found.parent.index(found) + 1, shown)
    add_to_notebook(app, tree, page)


def above(found: nodes.Element) -> Source | None:
    """What a comment above a table that is written by hand says."""
    before = found.parent[found.parent.index(found) - 1] if found.parent.index(found) else None
    held = HELD.fullmatch(before.astext().strip()) if isinstance(before, nodes.comment) else None
    return Source([], [], held[1]) if held else None


# ---- executed notebooks ----------------------------------------------------------------------------------------


def add_to_notebook(app: Sphinx, tree: nodes.document, page: str) -> None:
    """Put the line below each output of an executed notebook that is a figure or a table."""
    kept = notebook(Path(app.env.doc2path(page)))
    if not kept:
        return
    source = of_notebook(kept["metadata"].get("papermill", {}))
    for count, output in enumerate(list(tree.findall(_is_output))):
        tables = [node.astext() for node in output.findall(nodes.raw) if "<table" in node.astext()]
        if source and (tables or next(iter(output.findall(nodes.image)), None)):
            numbers = write_table(app, rows_of(tables[0]), f"{page}-{count}") if tables else ""
            output += list(line(app, page, source, numbers))


def _is_output(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and "cell_output" in node.get("classes", [])


@cache
def notebook(page: Path) -> dict[str, Any]:
    """What a page holds that is an executed notebook; nothing of another."""
    return json.loads(page.read_text(encoding="utf-8")) if page.suffix == ".ipynb" else {}


def of_notebook(papermill: dict[str, Any]) -> Source | None:
    """Where the outputs come from: a cell of the notebook, and the records of its method on its data."""
    if "input_path" not in papermill:
        return None
    file, given = Path(papermill["input_path"]).with_suffix(".py"), papermill["parameters"]
    method, dataset = given.get("method", file.stem), given.get("dataset", file.stem)
    name = re.compile(rf"{dataset}(-[\w.]+)*-{method}-seed\d+\.json")
    found = [path for path in (paths.RECORDS / given.get("profile", "")).glob("*.json") if name.fullmatch(path.name)]
    records = sorted(path.relative_to(paths.RECORDS).as_posix() for path in found)
    return Source([f"notebooks/{file.name}: the cell above"], records)


def rows_of(table: str) -> list[list[str]]:
    """The words of the cells of a table in HTML."""
    rows = re.findall(r"<tr.*?</tr>", table, re.DOTALL)
    cells = (re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows)
    return [[html.unescape(re.sub(r"<[^>]*>", "", cell)).strip() for cell in row] for row in cells]


# ---- where it comes from ---------------------------------------------------------------------------------------


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
    rows = [[cell.astext() for cell in row.findall(nodes.entry)] for row in found.findall(nodes.row)]
    return write_table(app, rows, name)


def write_table(app: Sphinx, rows: Sequence[Sequence[str]], name: str) -> str:
    """The name of a file of these cells in the folder of the site."""
    out = io.StringIO()
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
    where, command = source.others if source.code else (source.held, "")
    if source.records:
        yield [nodes.Text("Records: "), *_linked(app.builder.get_relative_uri(page, RUNS), source.groups)]
        command = f"xm records rerun book/records/{source.records[0]}"
    elif where:
        yield [nodes.Text("Numbers: "), nodes.literal(where, where)]
    if source.code:
        yield [nodes.Text("Made by "), *_joined([nodes.literal(place, place) for place in source.code])]
    if numbers:
        up = "../" * page.count("/")
        link = f'<a href="{up}{FOLDER}/{numbers}" download>The numbers, as CSV</a>'
        yield [nodes.raw("", link, format="html")]
    if command:
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
