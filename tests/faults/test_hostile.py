"""Files made to do harm, and thousands that are damaged at random: each is read, or refused by its own exception."""

import contextlib
import io
import json
import pickle
import signal
import struct
import zipfile
import zlib

import numpy as np
import pandas as pd
import pytest
import scipy.io
import soundfile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from PIL import Image

from book.make.explorer import embedded
from xmlib import fit, paths
from xmlib.data import cache
from xmlib.data.audio_score import audio_sheet_music
from xmlib.data.own import arrays, coco, good_news, json_file, politics, sounds, table
from xmlib.data.own.sounds import NoSound
from xmlib.data.pictures import image_features, pictures
from xmlib.data.pictures.svg import NoPicture
from xmlib.errors import InputError
from xmlib.neighborhoods.neighbors import Neighbors
from xmlib.retriever import Retriever
from xmlib.runs import embeddings, records

LIMIT = 60  # seconds for a file of a few kilobytes: a guard against what never ends
TRIES = 120  # damaged copies of each kind of file
ROWS = np.random.default_rng(0).normal(size=(12, 3))


def held(write):
    """The bytes that a function writes to a file object."""
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def image(form, **options):
    return held(lambda file: Image.new("RGB", (12, 9), (200, 30, 90)).save(file, form, **options))


def sound(form):
    return held(lambda file: soundfile.write(file, ROWS[:, 0].repeat(400), 8000, format=form))


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><g><path d="M0 0L9 9" stroke="red"/></g></svg>'
CAPTIONS = {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"image_id": 1, "caption": "a fox"}]}
KINDS = {
    "npy": (held(lambda file: np.save(file, ROWS)), lambda file: arrays.load(file)),
    "npz": (held(lambda file: np.savez_compressed(file, a=ROWS, b=ROWS)), lambda file: arrays.load(file, "a")),
    "mat": (
        held(lambda file: scipy.io.savemat(file, {"a": ROWS}, do_compression=True)),
        lambda file: arrays.load(file),
    ),
    "parquet": (held(lambda file: pd.DataFrame(ROWS, columns=list("abc")).to_parquet(file)), lambda f: arrays.load(f)),
    "csv": (b'image,text\na.png,"a, fox"\nb.png,an owl\n', lambda file: table.read(file)),
    "jsonl": (b'{"image": "a.png", "text": "fox"}\n' * 3, lambda file: table.read(file)),
    "coco": (json.dumps(CAPTIONS).encode(), lambda file: coco.read(file)),
    "good_news": (json.dumps({"a": {"images": {"0": "x"}, "article": "y"}}).encode(), lambda f: good_news.read(f)),
    "pickle": (pickle.dumps([("a.png", "fox"), ("b.png", "owl")]), lambda file: politics.read(file)),
    "png": (image("PNG"), lambda file: pictures.read(file, 16)),
    "jpeg": (image("JPEG"), lambda file: pictures.read(file, 16)),
    "gif": (image("GIF"), lambda file: pictures.read(file, 16)),
    "webp": (image("WEBP"), lambda file: pictures.read(file, 16)),
    "tiff": (image("TIFF"), lambda file: pictures.read(file, 16)),
    "bmp": (image("BMP"), lambda file: pictures.read(file, 16)),
    "svg": (SVG, lambda file: pictures.read(file, 16)),
    "wav": (sound("WAV"), lambda file: sounds.spectrogram(file)),
    "flac": (sound("FLAC"), lambda file: sounds.spectrogram(file)),
    "ogg": (sound("OGG"), lambda file: sounds.spectrogram(file)),
    "npz of sheet music": (
        held(lambda file: np.savez(file, **{key: np.zeros((2, 4, 4), np.uint8) for key in audio_sheet_music.KEYS})),
        lambda file: audio_sheet_music.load(file),
    ),
}
REFUSED = (InputError, NoPicture, NoSound)


@pytest.fixture
def guard():
    """Ends a test that does not end."""

    def ended(*_):
        raise AssertionError("reading it took too long")

    before = signal.signal(signal.SIGALRM, ended)
    yield lambda: signal.alarm(LIMIT)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


WAYS = some.sampled_from(("flip", "cut", "put", "zero", "repeat"))
damage = some.lists(
    some.tuples(WAYS, some.floats(0, 1), some.binary(max_size=8)),
    min_size=1, max_size=4,
)  # fmt: skip


def damaged(content, changes):
    """The content with each of the changes at its place, a share of the length."""
    whole = bytearray(content)
    for how, share, more in changes:
        place = int(share * len(whole))
        if how == "flip" and place < len(whole):
            whole[place] ^= (more or b"\xff")[0] or 1
        elif how == "cut":
            del whole[place:]
        elif how == "put":
            whole[place:place] = more
        elif how == "zero":
            whole[place : place + 4] = bytes(4)
        elif how == "repeat":
            whole[place:place] = whole[place : place + 64] * 4
    return bytes(whole)


@pytest.mark.faults
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")  # the readers of other packages warn of damage; asked is only how reading ends
def test_a_damaged_file_is_read_or_refused_and_never_ends_in_another_error(kind, tmp_path, guard, record_property):
    content, read = KINDS[kind]
    suffix = {"coco": "json", "good_news": "json", "npz of sheet music": "npz"}.get(kind, kind)
    file, tried = tmp_path / f"x.{suffix}", set()

    @settings(
        max_examples=TRIES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(damage)
    def fuzz(changes):
        whole = damaged(content, changes)
        file.write_bytes(whole)
        tried.add(whole)
        guard()
        with contextlib.suppress(*REFUSED):
            read(file)

    fuzz()
    record_property("hostile", len(tried))


@pytest.mark.faults
def test_a_damaged_record_model_or_checkpoint_is_whole_or_refused(tmp_path, record_property):
    model = Retriever.train(ROWS.repeat(4, 0) + np.arange(48)[:, None], ROWS.repeat(4, 0), method="linear_cca")
    model.save(tmp_path / "model")
    record = min(paths.RECORDS.glob("medium/*.json")).read_bytes()
    fit.save_atomically({"history": [], "best": {}}, tmp_path / "c.pt")
    draw, tried = np.random.default_rng(0), 0
    (tmp_path / "r.json").write_bytes(record)
    for name in ("model/settings.json", "model/manifest.json", "model/view1.safetensors", "r.json", "c.pt"):
        whole = (tmp_path / name).read_bytes()
        for _ in range(30):
            place = int(draw.integers(len(whole)))
            flipped = whole[:place] + bytes([whole[place] ^ 85]) + whole[place + 1 :]
            (tmp_path / name).write_bytes(flipped if draw.random() < 0.5 else whole[:place])
            tried += 1
            if name == "c.pt":
                fit.load_checkpoint(tmp_path / name, "cpu")  # None, or a state
            elif name == "r.json":
                with contextlib.suppress(InputError):
                    records.load(tmp_path / name)
            else:
                with pytest.raises(InputError):
                    Retriever.load(tmp_path / "model")
        (tmp_path / name).write_bytes(whole)
    record_property("hostile", tried)


@pytest.mark.faults
def test_no_bit_of_a_cached_folder_flips_without_being_noticed(tmp_path, record_property):
    folder, manifest = tmp_path / "pairs", {"settings": {"seed": 1}, "texts": ["a red fox", "ein Wörterbuch"]}
    fills = {"a.npy": lambda file: np.save(file, ROWS[:3]), "b.npy": lambda file: np.save(file, ROWS[3:5])}
    cache.publish(folder, fills, manifest)
    whole = {file.name: file.read_bytes() for file in folder.iterdir()}
    good = cache.published(folder)
    draw, unnoticed = np.random.default_rng(0), []
    for name, content in whole.items():
        for place in draw.choice(len(content), 60, replace=False):
            bit = 1 << int(draw.integers(8))
            (folder / name).write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
            if cache.published(folder) is None:
                folder.mkdir()
                for other in whole:
                    (folder / other).write_bytes(whole[other])
            else:
                unnoticed.append((name, place, bit))
    assert unnoticed == []
    assert cache.published(folder) == good
    record_property("hostile", 60 * len(whole))


@pytest.mark.faults
def test_a_flipped_bit_of_a_checkpoint_starts_training_again_and_never_loads_another_state(tmp_path, record_property):
    file, state = (
        tmp_path / "c.pt",
        {"history": [{"loss": 0.5}], "best": {"mrr": 0.3}, "model": {"w": torch.ones(30, 20)}},
    )
    fit.save_atomically(state, file)
    whole, draw = file.read_bytes(), np.random.default_rng(0)
    for place in draw.choice(len(whole), 200, replace=False):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << int(draw.integers(8)))]) + whole[place + 1 :])
        found = fit.load_checkpoint(file, "cpu")
        if found is not None:  # the bit is one of what fills the gaps
            assert torch.equal(found["model"].pop("w"), state["model"]["w"])
            assert (found["history"], found["best"], found["model"]) == (state["history"], state["best"], {})
    record_property("hostile", 200)


@pytest.mark.faults
@pytest.mark.filterwarnings("ignore")  # NumPy warns of a header that the damage made odd: any words, by the bit
def test_a_flipped_bit_of_kept_embeddings_neighbours_or_picture_features_is_noticed_or_harmless(
    tmp_path, record_property, monkeypatch
):
    record = records.load(min(paths.RECORDS.glob("medium/*.json")))
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    embeddings.save(record, torch.ones(9, 3), torch.ones(9, 3))
    neighbours = Neighbors(np.ones((9, 2), int), np.ones((9, 2)), 1.0, 1.0, "exact").save(tmp_path / "n.npz")
    image_features._write(tmp_path / "f.npz", {**image_features._none("odd")})
    readers = {
        embeddings.path(record): lambda: [t.numpy() for t in embedded.stored(record) or ()],
        neighbours: lambda: list(vars(Neighbors.load(neighbours)).values()),
        tmp_path / "f.npz": lambda: list((image_features._read(tmp_path / "f.npz") or {}).values()),
    }
    draw = np.random.default_rng(0)
    for file, read in readers.items():
        whole, good = file.read_bytes(), read()
        for place in draw.choice(len(whole), 80, replace=False):
            file.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << int(draw.integers(8)))]) + whole[place + 1 :])
            with contextlib.suppress(InputError):
                found = read()
                assert not found or all(np.array_equal(a, b) for a, b in zip(found, good, strict=True))
    record_property("hostile", 240)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def lying_png(width, height):
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", b"")
    )


def bomb(name, size):
    """A zip archive with one member of so many zeros."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, bytes(size))
    return buffer.getvalue()


NAMES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9" height="9"'
LAUGHS = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10 if i else "ha"}">' for i in range(9))
MADE = {
    "a PNG of 4 billion pixels": ("png", lying_png(65_000, 65_000)),
    "a PNG of no height": ("png", lying_png(9, 0)),
    "a PNG of 20 million columns": ("png", lying_png(20_000_000, 3)),
    "an SVG with entities": ("svg", f"<!DOCTYPE svg [{LAUGHS}]><svg {NAMES}><text>&a8;</text></svg>".encode()),
    "an SVG with an outer entity": (
        "svg", f'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg {NAMES}><text>&x;</text></svg>'.encode()
    ),
    "an SVG with a script": ("svg", f"<svg {NAMES}><script>alert(1)</script></svg>".encode()),
    "an SVG that shows a file": ("svg", f'<svg {NAMES}><image xlink:href="/etc/passwd"/></svg>'.encode()),
    "an SVG that styles by a file": ("svg", f'<svg {NAMES}><rect style="fill:url(file:///etc/x#a)"/></svg>'.encode()),
    "an SVG that imports a style": ("svg", f'<svg {NAMES}><style>@import "http://x/y.css";</style></svg>'.encode()),
    "an SVG that names a style sheet": ("svg", f'<?xml-stylesheet href="http://x/y.css"?><svg {NAMES}/>'.encode()),
    "an SVG with a document in it": ("svg", f'<svg {NAMES}><foreignObject><p>x</p></foreignObject></svg>'.encode()),
    "an SVG that uses another": ("svg", f'<svg {NAMES}><use xlink:href="http://x/y.svg#a"/></svg>'.encode()),
    "an SVG with another name for the same": (
        "svg", f'<svg {NAMES} xmlns:q="http://www.w3.org/1999/xlink"><image q:href="/etc/passwd"/></svg>'.encode()
    ),
    "PostScript": ("png", b"%!PS-Adobe-3.0\n{} loop"),
    "an archive that swells": ("npz", bomb("a.npy", 10**8)),
    "an archive as a picture": ("png", bomb("a.png", 10**6)),
    "JSON nested without end": ("coco", b'{"images": ' + b"[" * 10**6),
    "a number of a million digits": ("coco", b'{"images": ' + b"9" * 10**6 + b"}"),
    "a pickle that calls": ("pickle", b"cos\nsystem\n(S'touch here'\ntR."),
    "a pickle that builds": ("pickle", b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R."),
    "a pickle of gigabytes": ("pickle", b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"."),
    "a sound of a trillion samples": ("wav", sound("WAV")[:40] + struct.pack("<I", 2**32 - 1)),
}  # fmt: skip


@pytest.mark.faults
@pytest.mark.parametrize("name", MADE)
def test_a_file_made_to_do_harm_is_refused(name, tmp_path, guard, record_property):
    kind, content = MADE[name]
    file = tmp_path / f"x.{'json' if kind == 'coco' else kind}"
    file.write_bytes(content)
    guard()
    with pytest.raises(REFUSED):
        KINDS[kind][1](file)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    record_property("hostile", 1)


def test_json_nested_without_end_is_refused_by_the_reader_of_all_json(tmp_path):
    (tmp_path / "x.json").write_text("[" * 10**5)
    with pytest.raises(InputError, match="is not JSON"):
        json_file.read(tmp_path / "x.json", "a file")
