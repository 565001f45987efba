"""An SVG is drawn from what it holds itself; nothing else is opened, and a picture is a file."""

import base64
import gzip
import io
import os
import subprocess
import sys

import numpy as np
import pytest
import resvg_py
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from test_image_text import bomb, png

from xmlib.data.emoji import emoji_concepts
from xmlib.data.pictures import image_features, pictures, svg
from xmlib.data.pictures.pictures import NoPicture

START = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'xmlns:q="http://www.w3.org/1999/xlink" viewBox="0 0 20 10">'
)
RED = '<rect width="20" height="10" fill="red"/>'
OUTSIDE = {
    "an absolute path": '<image xlink:href="/secret.png"/>',
    "a file address": '<image xlink:href="file:///secret.png"/>',
    "another machine": '<image width="9"\n href = "http://127.0.0.1/secret.png"/>',
    "a bracket in an attribute before": '<image data-x="a>b" href="/secret.png"/>',
    "another prefix": '<image q:href="/secret.png"/>',
    "characters by number": '<image href="&#47;secret.png"/>',
    "a name that begins with #": '<image href="#secret.png"/>',
    "a name that begins with # in a filter": '<filter id="f"><feImage href="#secret.png"/></filter>',
    "space before": '<image href=" \n /secret.png"/>',
    "a comment before": '<!-- > --><image href="/secret.png"/>',
    "a used file": '<use xlink:href="secret.svg#a"/>',
    "a gradient elsewhere": '<linearGradient xlink:href="secret.svg#a"/>',
    "a link that is drawn": '<q:a xlink:href="secret.svg#a"/>',
    "an included file": '<include xmlns="http://www.w3.org/2001/XInclude" href="/secret.png"/>',
    "a fill": '<rect fill="url(http://127.0.0.1/secret#g)"/>',
    "a style": "<rect style=\"fill: URL( 'secret.svg#g' )\"/>",
    "an escaped style": '<rect style="fill: \\75 rl(secret.svg#g)"/>',
    "a style sheet": "<style>rect { fill: url(secret.svg#g) }</style>",
    "a style sheet in CDATA": "<style><![CDATA[ rect { fill: url(secret.svg#g) } ]]></style>",
    "an import": "<style>@import 'secret.css';</style>",
    "an escaped import": "<style>@\\69mport 'secret.css';</style>",
}
UNFIT = {
    "a script": ("<script>1</script>", "<script>"),
    "foreign content": (
        '<foreignObject><p xmlns="http://www.w3.org/1999/xhtml">a</p></foreignObject>',
        "foreignObject",
    ),
    "another SVG": ('<image href="data:image/svg+xml;base64,PHN2Zy8+"/>', "only PNG, JPEG, GIF and WebP"),
    "a text that may be an SVG": ('<image href="data:text/plain;base64,PHN2Zy8+"/>', "only PNG, JPEG, GIF and WebP"),
    "data without a kind": ('<image href="data:;base64,PHN2Zy8+"/>', "only PNG, JPEG, GIF and WebP"),
    "data that is not base64": ('<image href="data:image/png,%89PNG"/>', "only PNG, JPEG, GIF and WebP"),
    "an SVG that calls itself PNG": ('<image href="data:image/png;base64,PHN2Zy8+"/>', "inside it is not a picture"),
    "an SVG in a style": ('<rect fill="url(data:image/svg+xml;base64,PHN2Zy8+)"/>', "outside itself"),
}


def drawing(content: str) -> bytes:
    return f"{START}{content}</svg>".encode()


def held(content: bytes, kind: str = "png") -> str:
    return f'<image width="20" height="10" href="data:image/{kind};base64,{base64.b64encode(content).decode()}"/>'


@pytest.fixture
def nothing_is_drawn(monkeypatch):
    monkeypatch.setattr(resvg_py, "svg_to_bytes", lambda **options: pytest.fail("this was drawn"))


@pytest.mark.parametrize("content", OUTSIDE.values(), ids=OUTSIDE)
def test_a_reference_to_anything_outside_is_refused_before_drawing(nothing_is_drawn, content):
    with pytest.raises(NoPicture, match="outside itself, .*secret.*, and nothing is fetched"):
        pictures.decode(drawing(content))


@pytest.mark.parametrize(("content", "message"), UNFIT.values(), ids=UNFIT)
def test_what_is_not_drawn_is_refused(nothing_is_drawn, content, message):
    with pytest.raises(NoPicture, match=message):
        pictures.decode(drawing(content))


@pytest.mark.parametrize(
    "start",
    [
        '<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE svg [<!ENTITY a "/secret.png">]>',
        '<!DOCTYPE svg [<!ENTITY % a SYSTEM "http://127.0.0.1/a.dtd"> %a;]>',
        '<!DOCTYPE svg [<!ATTLIST image href CDATA "/secret.png">]>',
        '<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    ],
)
def test_declarations_are_refused_unread(nothing_is_drawn, start):
    with pytest.raises(NoPicture, match="declares entities or attributes of its own"):
        pictures.decode(start.encode() + drawing('<image href="&a;"/>'))


def test_a_style_sheet_beside_the_file_is_refused(nothing_is_drawn):
    with pytest.raises(NoPicture, match="outside itself, .*secret.css"):
        pictures.decode(b'<?xml version="1.0"?><?xml-stylesheet href="secret.css"?>' + drawing(RED))


def test_an_encoding_that_the_file_only_claims_hides_nothing(nothing_is_drawn):
    hidden = '<image href="/secret.png"/>'
    for name in ("utf-7", "utf-16", "cp037"):
        with pytest.raises(NoPicture, match="outside itself"):
            pictures.decode(f'<?xml version="1.0" encoding="{name}"?>'.encode() + drawing(hidden))


@pytest.mark.parametrize("svgz", [True, False], ids=["compressed", "UTF-16"])
def test_a_compressed_svg_and_one_in_utf_16_are_no_pictures(nothing_is_drawn, svgz):
    with pytest.raises(NoPicture, match="not a picture"):
        pictures.decode(gzip.compress(drawing(RED)) if svgz else drawing(RED).decode().encode("utf-16"))


def test_the_bare_document_type_of_svg_and_metadata_are_harmless():
    kind = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
    about = '<metadata><work xmlns="http://cc" resource="http://a.example/b"/> see url(http://a.example)</metadata>'
    picture = pictures.decode(kind.encode() + drawing(about + RED), 8)
    assert (picture[3:5] == (255, 0, 0)).all()


def test_links_for_readers_and_references_inside_are_no_references_outside():
    inside = (
        '<a xlink:href="http://www.openclipart.org"><linearGradient id="g"><stop stop-color="red"/></linearGradient>'
        '</a><style>@font-face { src: url("data:font/woff;base64,AAAA") } .r { fill: url( "#g" ) }</style>'
        '<defs><rect id="r" class="r" width="20" height="10"/></defs><use q:href="#r"/><use xlink:href=""/>'
    )
    assert (pictures.decode(drawing(inside), 8)[3:5] == (255, 0, 0)).all()


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp"])
def test_a_picture_that_the_svg_holds_is_drawn(kind):
    file = io.BytesIO()
    Image.new("RGB", (20, 10), "red").save(file, kind)
    picture = pictures.decode(drawing(held(file.getvalue(), kind)), 8)
    assert np.abs(picture[3:5].astype(int) - (255, 0, 0)).max() <= 3


def test_pictures_inside_that_are_enormous_one_by_one_or_together_are_refused(nothing_is_drawn):
    for content in (held(bomb(40_000, 40_000)), held(bomb(8_000, 8_000)), 2 * held(bomb(6_000, 6_000))):
        with pytest.raises(NoPicture, match="enormous"):
            pictures.decode(drawing(content))
    with pytest.raises(NoPicture, match="a picture inside it is not a picture"):
        pictures.decode(drawing(held(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "png")))


def test_all_drawings_of_the_emoji_hold_all_that_they_show():
    for style in emoji_concepts.STYLES:
        for file in list(emoji_concepts.drawings(style).values())[::5]:
            assert svg.embedded(file.read_text("utf-8")) == [], file


def test_a_png_that_speaks_of_svg_is_a_png():
    file, about = io.BytesIO(), PngInfo()
    about.add_text("XML:com.adobe.xmp", "<?xml version='1.0'?><svg/>")
    Image.new("RGB", (8, 8), "red").save(file, "png", pnginfo=about)
    assert (pictures.decode(file.getvalue(), 8) == (255, 0, 0)).all()


def test_postscript_is_refused_and_not_run(monkeypatch):
    monkeypatch.setattr(subprocess, "check_call", lambda *arguments, **options: pytest.fail("this was run"))
    with pytest.raises(NoPicture, match="PostScript"):
        pictures.decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")


# --- files that never end ---

READ = """
import sys
from xmlib.data.pictures import image_features, pictures
for file in sys.argv[1:]:
    try:
        pictures.read(file)
    except pictures.NoPicture as problem:
        print(problem)
    image_features.hash_of([file])
"""


def test_a_pipe_a_device_and_a_folder_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "pipe.png")
    files = [tmp_path / "pipe.png", tmp_path / "link.png", "/dev/zero", tmp_path]
    command = [sys.executable, "-c", READ, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)  # else it waits for ever
    assert done.stdout.splitlines() == 4 * ["it is a folder, a pipe or a device, and no file"]


@pytest.mark.faults
@pytest.mark.parametrize("target", ["pipe.png", "/dev/zero"])
def test_an_svg_that_names_a_pipe_or_a_device_is_left_out_at_once(tmp_path, target):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "a.svg").write_bytes(drawing(f'<image data-x="a>b" q:href="{tmp_path / target}"/>'))
    (tmp_path / "b.png").write_bytes(png())
    _, _, kept = image_features.of_files([tmp_path / "a.svg", tmp_path / "b.png"], tmp_path / "cache", 1)
    assert kept == [1]
