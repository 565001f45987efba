"""Facts about fetching files, against a server of the tests' own; no other machine is asked."""

import hashlib
import io
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from made_up import archive

from xmlib.commands import app
from xmlib.data import download
from xmlib.data.openclipart import debian, openclipart_files
from xmlib.errors import InputError


def npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, images=np.random.RandomState(0).rand(400, 50))
    return file.getvalue()


WHOLE = npz()


class Server(ThreadingHTTPServer):
    """Serves one file; what it does wrong is set by the test."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.status, self.cuts = WHOLE, 200, []
        self.ranges, self.version, self.announced = True, '"one"', None
        self.asked = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/files/iapr.npz"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        server.asked.append(asked)
        if server.status != 200:
            self.send_error(server.status)
            return
        start = int(asked.split("=")[1].rstrip("-")) if asked and server.ranges else 0
        if self.headers.get("If-Range") not in (None, server.version):
            start = 0
        total = server.announced or len(server.content)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if server.version:
            self.send_header("ETag", server.version)
        self.send_header("Content-Length", str(total - start))
        self.end_headers()
        end = server.cuts.pop(0) if server.cuts else None
        self.wfile.write(server.content[start:end])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "originals" / "iapr.npz"


def left(target):
    return sorted(file.name for file in target.parent.iterdir())


def test_a_file_arrives_whole_with_its_hash_on_stderr_and_nothing_beside_it(server, target, capsys):
    assert download.fetch(server.address, target) == target
    assert target.read_bytes() == WHOLE
    assert left(target) == ["iapr.npz"]
    said = capsys.readouterr()
    assert hashlib.sha256(WHOLE).hexdigest() in said.err
    assert "iapr.npz" in said.err
    assert said.out == ""


def test_a_cut_connection_goes_on_where_it_was(server, target):
    server.cuts = [10_000, 70_000]
    download.fetch(server.address, target)
    assert target.read_bytes() == WHOLE
    assert server.asked == [None, "bytes=10000-", "bytes=70000-"]


def test_a_second_call_goes_on_where_the_first_was_stopped(server, target):
    server.cuts = [10_000] + [0] * download.TRIES  # after the first piece nothing more comes
    with pytest.raises(InputError, match=r"broke off after 10000 of \d+ bytes\); 10000 bytes are kept"):
        download.fetch(server.address, target)
    assert not target.exists()
    server.asked.clear()
    download.fetch(server.address, target)
    assert server.asked == ["bytes=10000-"]
    assert target.read_bytes() == WHOLE


def test_a_server_that_ignores_ranges_sends_the_file_again_from_the_beginning(server, target):
    server.cuts, server.ranges = [10_000], False
    download.fetch(server.address, target)
    assert server.asked == [None, "bytes=10000-"]
    assert target.read_bytes() == WHOLE


def test_a_server_without_versions_sends_the_file_anew_since_two_might_be_joined(server, target):
    server.cuts, server.version = [10_000], ""
    download.fetch(server.address, target)
    assert server.asked == [None, None]
    assert target.read_bytes() == WHOLE


def test_a_file_that_changed_in_between_is_not_glued_together(server, target):
    server.cuts = [10_000] + [0] * download.TRIES
    with pytest.raises(InputError):
        download.fetch(server.address, target)
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as file:
        file.writestr("images.npy", b"other" * 9000)
    server.content, server.version = other.getvalue(), '"two"'
    download.fetch(server.address, target)
    assert target.read_bytes() == server.content


def test_a_wrong_length_is_noticed_and_nothing_is_put_in_place(server, target):
    server.announced = len(WHOLE) + 5
    with pytest.raises(InputError, match=f"broke off after {len(WHOLE)} of {len(WHOLE) + 5} bytes"):
        download.fetch(server.address, target)
    assert not target.exists()


def test_a_missing_file_is_an_error_that_names_address_and_place(server, target):
    server.status = 404
    with pytest.raises(InputError) as error:
        download.fetch(server.address, target)
    assert server.address in str(error.value)
    assert str(target) in str(error.value)
    assert "404" in str(error.value)
    assert left(target) == []


def test_without_a_network_the_error_names_address_and_place_at_once(server, target):
    address = server.address
    server.server_close()  # the port is closed now
    with pytest.raises(InputError) as error:
        download.fetch(address, target)
    assert address in str(error.value)
    assert str(target) in str(error.value)


def test_a_page_in_place_of_the_file_is_thrown_away(server, target):
    server.content = b"<html>We have moved</html>"
    with pytest.raises(InputError, match="sent is no .npz file"):
        download.fetch(server.address, target)
    assert left(target) == []


def test_a_wrong_hash_is_an_error_and_the_right_one_is_accepted(server, target):
    with pytest.raises(InputError, match="the SHA-256 of iapr.npz is"):
        download.fetch(server.address, target, "0" * 64)
    assert left(target) == []
    assert download.fetch(server.address, target, hashlib.sha256(WHOLE).hexdigest().upper()).exists()


def test_a_file_that_is_there_is_not_fetched_again(server, tmp_path, capsys):
    for _ in range(2):
        file = download.original("iapr", cache_folder=tmp_path, address=server.address)
    assert file == download.place("iapr", tmp_path)
    assert len(server.asked) == 1
    assert "is there already" in capsys.readouterr().err


def test_the_command_line_fetches_and_complains_of_what_cannot_be_fetched(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(download.paths, "DATA", tmp_path)
    monkeypatch.setitem(download.ADDRESSES, "iapr", server.address)
    assert app.main(["data", "download", "iapr", "--sha256", hashlib.sha256(WHOLE).hexdigest()]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "originals" / "iapr.npz")
    assert app.main(["data", "download", "emoji"]) == 2
    assert "nothing to download for 'emoji'" in capsys.readouterr().err


# --- Debian packages ---


def deb(files: dict[str, bytes], packed: str = "xz") -> bytes:
    """A package with these files, as `dpkg-deb` would build it."""
    data = archive({f"./{name}": content for name, content in files.items()}, "./usr/share/a/link", packed)
    members = {"debian-binary": b"2.0\n", f"data.tar.{packed}": data}
    out = b"!<arch>\n"
    for name, content in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode() + content
        out += b"\n" * (len(content) % 2)
    return out


@pytest.mark.parametrize("packed", ["xz", "gz"])
def test_a_package_is_read_without_its_links_and_without_leaving_its_folder(tmp_path, packed):
    files = {"usr/share/a/one.txt": b"1", "usr/share/b/two.txt": b"2", "usr/share/a/../../../three.txt": b"3"}
    (tmp_path / "a.deb").write_bytes(deb(files, packed))
    assert dict(debian.files(tmp_path / "a.deb", "usr/share/a/")) == {"one.txt": b"1"}


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"<html>", lambda b: b[:100] + b"x" * 900])
def test_a_damaged_package_is_an_error_that_names_it(tmp_path, damage):
    content = np.random.RandomState(0).bytes(5000)
    (tmp_path / "a.deb").write_bytes(damage(deb({"usr/share/a/one.txt": content})))
    with pytest.raises(InputError, match="a.deb is no Debian package, or only a part of one"):
        list(debian.files(tmp_path / "a.deb", "usr/share/a/"))


def test_without_apt_get_the_error_names_the_files_and_their_place(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError) as error:
        debian.download(openclipart_files.PACKAGES, tmp_path / "packages")
    for part in ("apt-get is not on this machine", "openclipart-png_…_all.deb", str(tmp_path / "packages")):
        assert part in str(error.value)


def apt_get(folder, body: str):
    """An `apt-get` that does what the test wants."""
    folder.mkdir()
    (folder / "apt-get").write_text(f"#!{sys.executable}\nimport sys, pathlib\nwords = sys.argv[1:]\n{body}\n")
    (folder / "apt-get").chmod(0o755)


def test_packages_come_into_the_folder_after_the_list_of_packages_was_fetched(tmp_path, monkeypatch):
    apt_get(
        tmp_path / "bin",
        "if 'update' in words: pathlib.Path('updated').touch(); sys.exit()\n"
        "if not pathlib.Path('updated').exists(): sys.exit('E: Unable to locate package')\n"
        "[pathlib.Path(f'{name}_1_all.deb').touch() for name in words if name.startswith('openclipart')]\n",
    )
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    found = debian.download(openclipart_files.PACKAGES, tmp_path / "packages")
    assert [file.name for file in found] == ["openclipart-png_1_all.deb", "openclipart-svg_1_all.deb"]
    assert sorted((tmp_path / "packages").iterdir()) == found


def test_what_apt_get_says_is_passed_on_and_nothing_is_left(tmp_path, monkeypatch):
    apt_get(tmp_path / "bin", "sys.exit('E: Unable to locate package openclipart-png')")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(InputError, match="could not fetch .*Unable to locate package openclipart-png"):
        debian.download(openclipart_files.PACKAGES, tmp_path / "packages")
    assert list((tmp_path / "packages").iterdir()) == []


def test_reading_a_data_set_never_downloads(tmp_path):
    code = (
        "import sys, urllib.request; from pathlib import Path; from xmlib.data import load;"
        "urllib.request.urlopen = lambda *_, **__: print('DOWNLOADED');"
        "load('openclipart', cache_folder=Path(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert "xm data download openclipart" in done.stderr
    assert str(tmp_path / "openclipart" / "packages") in done.stderr
    assert "DOWNLOADED" not in done.stdout
