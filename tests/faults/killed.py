"""Kills a piece of work again and again, then lets it finish: `python killed.py STAGE FOLDER SEED`.

Each time the work is a fork of this process, which has imported what it needs. It is killed with signal 9 by itself, as
it is about to open, rename or remove its n-th file in FOLDER, or by this process once so many files are there; n is
drawn. What was left must never be taken for whole, and in the end all must be as without any kill. Prints the kills.
"""

import contextlib
import functools
import http.server
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from xmlib.errors import InputError
from xmlib.files import PART

EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir")


class Stage(NamedTuple):
    """A piece of work: what is done in a folder, what is there afterwards, and what must hold after every kill."""

    work: Callable[[Path], object]
    found: Callable[[Path], object]
    kills: int
    holds: Callable[[Path], object] = lambda folder: None
    begin: Callable[[Path], object] = lambda folder: None
    watched: bool = False  # the work is done by helper processes: killed once so many files are there


def files(folder: Path) -> dict[str, bytes]:
    """The files below a folder with their content, without locks and what killed writers left beside."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and PART not in str(path.relative_to(folder))]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found if path.name != ".lock"}


def forked(work: Callable[[], object]) -> int:
    """The process that does the work, to be waited for."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with open(os.devnull, "w") as null, contextlib.redirect_stdout(null):
                work()
            status = 0
        finally:
            os._exit(status)
    return child


def ended(child: int) -> int:
    """How a process ended: 0, its status, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def events(folder: Path, count: Callable[[], object]) -> None:
    """Call `count` whenever this process is about to touch a file in the folder, to write it, rename or remove it."""

    def hook(event: str, about: tuple) -> None:
        if event in EVENTS and isinstance(about[0], str | Path) and str(folder) in str(about[0]):
            writes = event != "open" or (isinstance(about[1], str) and about[1][:1] in "wax+") or (about[2] or 0) & 3
            if writes:
                count()

    sys.addaudithook(hook)


def killed_at(stage: Stage, folder: Path, number: int) -> int:
    """How the work ended that kills itself at that event."""
    left = [number]

    def count() -> None:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        events(folder, count)
        stage.work(folder)

    return ended(forked(work))


def killed_when(stage: Stage, folder: Path, number: int) -> int:
    """How the work ended that is killed when so many more files are there."""
    wanted = len(list(folder.rglob("*"))) + number
    child = forked(lambda: stage.work(folder))
    while len(list(folder.rglob("*"))) < wanted:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    return ended(child)


def how_many(stage: Stage, folder: Path) -> int:
    """The events of a whole run, or the files that it leaves."""
    if stage.watched:
        before = len(list(folder.rglob("*")))
        assert ended(forked(lambda: stage.work(folder))) == 0
        return len(list(folder.rglob("*"))) - before
    said, heard = os.pipe()

    def work() -> None:
        number = [0]
        events(folder, lambda: number.__setitem__(0, number[0] + 1))
        stage.work(folder)
        os.write(heard, str(number[0]).encode())

    assert ended(forked(work)) == 0
    return int(os.read(said, 99))


def run(stage: Stage, home: Path, seed: int) -> int:
    """The kills done; raises AssertionError where a later run took something for whole, or ends otherwise."""
    draw, whole, folder, done = random.Random(seed), home / "whole", home / "killed", 0
    for one in (whole, folder):
        one.mkdir(parents=True)
        stage.begin(one)
    count = how_many(stage, whole)
    wanted, numbers = stage.found(whole), []
    while done < stage.kills:
        if stage.watched:
            status = killed_when(stage, folder, draw.randint(0, max(1, count // (2 * stage.kills))))
        else:
            numbers = numbers or draw.sample(range(count), count)
            status = killed_at(stage, folder, numbers.pop())
        assert status in (0, -signal.SIGKILL), f"ended with {status} after {done} kills"
        done += status != 0
        stage.holds(folder)
        if status == 0:  # it was done before its turn came: begin anew
            assert stage.found(folder) == wanted
            folder = home / f"killed{done}-{draw.randrange(10**6)}"
            folder.mkdir()
            stage.begin(folder)
    assert ended(forked(lambda: stage.work(folder))) == 0
    found = stage.found(folder)
    assert found == wanted, f"the end differs from that of a run without a kill: {list(found)} and {list(wanted)}"
    return done


# --- what is killed ---


def sound_pairs(folder: Path) -> None:
    from xmlib import data

    data.load("audio_score", "toy", cache_folder=folder, processes=2)


def draw_pictures(folder: Path) -> None:
    from PIL import Image

    (folder / "pictures").mkdir()
    for i in range(6):
        Image.new("RGB", (20, 12), (40 * i, 255 - 40 * i, 7)).save(folder / "pictures" / f"{i}.png")


def picture_features(folder: Path) -> None:
    from xmlib.data.pictures import image_features

    image_features.of_files(sorted((folder / "pictures").iterdir()), folder / "cache", 1)


def arrays_alone(folder: Path) -> dict[str, bytes]:
    """The manifests name the pictures by their places."""
    return {name: content for name, content in files(folder).items() if name.endswith(".npy")}


@functools.cache
def numbers() -> tuple[np.ndarray, np.ndarray]:
    shared = np.random.default_rng(0).normal(size=(120, 4))
    noise = np.random.default_rng(1).normal(size=(2, 120, 5))
    return shared @ np.ones((4, 5)) + noise[0], np.concatenate([shared, noise[1][:, :1]], axis=1)


def retriever():
    from xmlib.retriever import Retriever

    return Retriever.train(*numbers(), method="linear_cca")


@functools.cache
def splits():
    from xmlib.retriever import training

    view1, view2 = (view.astype(np.float32) for view in numbers())
    rows = (slice(0, 80), slice(80, 100))
    return training.splits_of(*(training.split_of(view1[r], view2[r], np.arange(120)[r]) for r in rows), 1)


def train(folder: Path, epochs: int = 12) -> None:
    from xmlib import fit, methods, profiles

    fit.SAVE_EVERY = 0.0
    settings = profiles.settings("toy", "table", "ccal_cont", d=3, batch=20, epochs=epochs)
    training = fit.fit(
        methods.build("ccal_cont", settings, 1, ((5,), (5,))), splits(), "ccal_cont", settings,
        checkpoint=folder / "checkpoint.pt",
    )  # fmt: skip
    (folder / "weights").write_text(repr([t.tolist() for t in training.model.state_dict().values()]))


@functools.cache
def warmed() -> None:
    """What the first training of a process imports is there for all that are forked."""
    with tempfile.TemporaryDirectory() as folder:
        train(Path(folder), epochs=1)


def trained(folder: Path) -> object:
    from xmlib import fit

    state = fit.load_checkpoint(folder / "checkpoint.pt", "cpu")
    history = [{name: value for name, value in row.items() if name != "seconds"} for row in state["history"]]
    return history, (folder / "weights").read_text()


def readable_checkpoint(folder: Path) -> None:
    from xmlib import fit

    if (folder / "checkpoint.pt").exists():
        assert fit.load_checkpoint(folder / "checkpoint.pt", "cpu") is not None


def begin_model(folder: Path) -> None:
    model = retriever()
    model.save(folder / "model")


def readable_model(folder: Path) -> None:
    """A model is there at every moment, and whole."""
    from xmlib.retriever import Retriever

    Retriever.load(folder / "model")


def save_model(folder: Path) -> None:
    model = retriever()
    model.about["saved"] = "again"
    model.save(folder / "model")


def refit(folder: Path) -> None:
    from xmlib.retriever import Retriever

    model = Retriever.load(folder / "model")
    model.refit(*(view[:90] for view in numbers()))
    model.save(folder / "model")


def index(folder: Path) -> None:
    from xmlib.retriever import Retriever

    model = Retriever.load(folder / "model")
    model.index("view1_to_view2", numbers()[1], [f"item {i}" for i in range(120)])
    model.save(folder / "model")


@functools.cache
def a_record() -> dict:
    from xmlib import paths
    from xmlib.runs import records

    return records.load(min(paths.RECORDS.glob("medium/*.json")))


def keep_record(folder: Path) -> None:
    from xmlib.runs import records

    records.save(a_record() | {"peak_memory_mb": 2.0}, folder / "one.json")


def begin_record(folder: Path) -> None:
    from xmlib.runs import records

    records.save(a_record() | {"peak_memory_mb": 1.0}, folder / "one.json")


def readable_record(folder: Path) -> None:
    from xmlib.runs import records

    assert records.load(folder / "one.json")["peak_memory_mb"] in (1.0, 2.0)


CONTENT = bytes(random.Random(0).randbytes(400_000))


class Server(http.server.BaseHTTPRequestHandler):
    """Serves `CONTENT`, and parts of it."""

    def do_GET(self) -> None:
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(len(CONTENT) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.end_headers()
        for place in range(start, len(CONTENT), 10_000):
            try:
                self.wfile.write(CONTENT[place : place + 10_000])
            except OSError:
                return
            time.sleep(0.002)

    def log_message(self, *_: object) -> None:
        pass


@functools.cache
def address() -> str:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/file.bin"


def download(folder: Path) -> None:
    from xmlib.data import download

    download.BLOCK = 10_000
    download.fetch(address(), folder / "file.bin")


def whole_or_none(folder: Path) -> None:
    if (folder / "file.bin").exists():
        assert (folder / "file.bin").read_bytes() == CONTENT


@functools.cache
def pages() -> dict:
    from book.make.results import speed
    from book.make.write import draw
    from book.make.write import files as whole

    found = speed.load()
    return whole(speed.fragments(found) | speed.pictures(found, draw))


def make_pages(folder: Path) -> None:
    from book.make.write import write

    for name, content in pages().items():
        write(folder / name, content)


def whole_pages(folder: Path) -> None:
    for name, content in files(folder).items():
        wanted = pages()[name]
        assert content == (wanted.encode() if isinstance(wanted, str) else wanted)


STAGES = {
    "pairs of sheet music and sound": Stage(sound_pairs, files, 5, watched=True),
    "features of pictures": Stage(picture_features, arrays_alone, 4, begin=draw_pictures, watched=True),
    "training": Stage(train, trained, 10, readable_checkpoint, lambda folder: warmed()),
    "a model saved": Stage(save_model, lambda f: sorted(files(f)), 8, readable_model, begin_model),
    "a model refitted": Stage(refit, files, 8, readable_model, begin_model),
    "an index": Stage(index, files, 8, readable_model, begin_model),
    "a record": Stage(keep_record, files, 4, readable_record, begin_record),
    "a download": Stage(download, files, 6, whole_or_none, lambda folder: address()),
    "pages of the book": Stage(make_pages, files, 7, whole_pages, lambda folder: pages()),
}


if __name__ == "__main__":
    name, home, seed = sys.argv[1:]
    try:
        print(json.dumps({"kills": run(STAGES[name], Path(home), int(seed))}))
    except (AssertionError, InputError) as error:
        sys.exit(f"{name}: {error!r}")
