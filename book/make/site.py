"""What the pages of the site have that Sphinx and its theme do not give: loaded by `_config.yml` as an extension."""

import re
import shutil
import zlib
from base64 import b64decode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from book.make import provenance

# Roles that ARIA has given up, or that ask for children of another kind.
OLD_ROLES = (' role="list" class="citation-list"', ' class="citation-list"'), (' role="doc-biblioentry"', "")
ELEMENT = re.compile(r'<img (?P<inside>[^>]*src="[^"]*_images/(?P<file>[^"/]+)"[^>]*)/?>')
CELL = re.compile(r"(<td[^>]*>)<p>((?:(?!</?p>).)*)</p></td>")  # of one paragraph
# A place on the page of all runs, and the link to a record that follows it.
LINK = r'<a class="[^"]*" download="" href="([^"]*)"><code[^>]*><span class="pre">(\d+)</span></code></a>'
RECORD = re.compile(rf'<span id="(run-[^"]*)"></span>{LINK}')
READABLE = 0.85  # of its own size an image has words of 9 pixels: 7 points at 110 pixels an inch
PLOT_BYTES = 100_000  # a PNG of lines and words is smaller, one that holds pictures is larger


def finish(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """The body of a page in `context` as the site shows it, without mathematics where the page has none."""
    body = context.get("body", "")
    for old, new in OLD_ROLES:
        body = body.replace(old, new)
    body = ELEMENT.sub(lambda found: image(app, found, Path(app.env.doc2path(page))), body)
    context["body"] = short(body) if page == "all_runs" else body
    if 'class="math' not in body:
        scripts = context["script_files"]
        context["script_files"] = [one for one in scripts if "mathjax" not in f"{one.filename}{one.attributes}".lower()]


def short(body: str) -> str:
    """The page of all runs in a third of its bytes: it links to hundreds of records."""
    return RECORD.sub(r'<a id="\1" download href="\2">\3</a>', CELL.sub(r"\1\2</td>", body))


def image(app: Sphinx, found: re.Match, page: Path) -> str:
    """The element of an image with a class that tells a dark page whether it holds pictures, and a narrow one."""
    (app.outdir / "_images").mkdir(parents=True, exist_ok=True)
    source = next((app.srcdir / path for path, (_, name) in app.env.images.items() if name == found["file"]), None)
    if source is None or not source.exists():
        return found[0]
    content = source.read_bytes()
    pictures = b"<image" in content if source.suffix == ".svg" else len(content) > PLOT_BYTES
    shown = found[0].replace(
        "<img ", '<img loading="lazy" class="holds-pictures" ' if pictures else '<img loading="lazy" '
    )
    narrow = source.with_name(f"{source.stem}-narrow.svg")
    if source.suffix == ".svg" and narrow.exists():
        shutil.copy(narrow, app.outdir / "_images" / narrow.name)
        return for_both(shown, narrow.name)
    if source.suffix == ".svg":
        return shown
    if drawn := narrow_pngs(page).get(source.stem):
        (app.outdir / "_images" / f"{source.stem}-narrow.png").write_bytes(drawn)
        return for_both(shown, f"{source.stem}-narrow.png")
    return readable(
        source, shown.replace(found["file"], photographs(source, app.outdir / "_images")) if pictures else shown
    )


def for_both(shown: str, narrow: str) -> str:
    """An image beside another file of it, in the same folder, for narrow screens."""
    folder = re.search(r'src="([^"]*/)[^"/]*"', shown)
    assert folder, shown
    return f'<picture><source media="(max-width: 600px)" srcset="{folder[1]}{narrow}">{shown}</picture>'


@cache
def narrow_pngs(page: Path) -> dict[str, bytes]:
    """Name of a figure's file → the same for narrow screens, of what `book.show.drawings` left in a notebook."""
    cells = provenance.notebook(page).get("cells", [])
    outputs = [output for cell in cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
    drawn = [(output["data"]["image/png"], output["metadata"].get("image/png", {}).get("narrow")) for output in outputs]
    return {sha256(b64decode(wide)).hexdigest(): b64decode(narrow) for wide, narrow in drawn if narrow}


def readable(source: Path, shown: str) -> str:
    """An image of a notebook in a box that scrolls where a screen is too narrow for its words."""
    with Image.open(source) as opened:
        width = round(READABLE * opened.width)
    style = f'style="--readable: {width}px" '
    return f'<span class="figure-box">{shown.replace("<img ", "<img " + style)}</span>'


def photographs(source: Path, folder: Path) -> str:
    """The name of a WebP file in `folder`, a fifth as large as the PNG `source`, whose pictures are shown by it."""
    name = f"{source.stem}.webp"
    with Image.open(source) as opened:
        opened.save(folder / name, quality=80, method=4)
    return name


def defining(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """The pages that define a word, which every build writes: the search forgets the words of all others."""
    return [page for page, entries in env.domaindata["index"]["entries"].items() if entries]


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx wants to know of an extension; it connects the functions above to the steps of the build."""
    app.connect("env-updated", defining)
    app.connect("doctree-resolved", provenance.add)
    app.connect("html-page-context", finish, priority=900)  # after the extensions that add scripts
    version = zlib.crc32(Path(__file__).read_bytes())  # pages are made anew when this file has changed
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": version}
