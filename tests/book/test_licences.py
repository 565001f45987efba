"""The page of licences has each package of the lock once, with what its metadata say, as text."""

import re
from email.message import Message
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from book.make.results import licences
from xmlib.errors import InputError

MARK = "<script id=planted>"


def told(**values):
    """Metadata of these values, a list for what comes several times; `_` stands for a dash."""
    message = Message()
    for name, given in ({"Version": "1.0"} | values).items():
        for value in given if isinstance(given, list) else [given]:
            message[name.replace("_", "-")] = value
    return message


@pytest.fixture(scope="module")
def rows():
    text = licences.fragments()["licences.md"]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def test_every_package_of_the_lock_is_on_the_page_once_and_in_order(rows):
    lines = licences.LOCK.read_text(encoding="utf-8").splitlines()
    names = {line.partition("==")[0] for line in lines if re.match(r"[a-z0-9]", line)}
    assert [name for name, *_ in rows] == sorted(names)


def test_every_package_has_a_licence_and_few_do_not_state_it(rows):
    assert all(licence for _, _, licence, _ in rows)
    assert sum(licence == licences.NOT_STATED for _, _, licence, _ in rows) < len(rows) / 10


def test_a_package_for_another_system_is_not_asked_for():
    pins = [Requirement("a==1.0 ; sys_platform == 'none'"), Requirement("a==2.0 ; sys_platform == 'nowhere'")]
    line = licences.about(pins, read=lambda name: pytest.fail("read"))
    assert (line["version"], line["licence"]) == ("1.0, 2.0", "not installed here")


def test_a_package_that_belongs_here_and_is_missing_is_refused():
    def read(name):
        raise metadata.PackageNotFoundError(name)

    with pytest.raises(InputError, match="a is in requirements.lock and not installed: run `make setup`"):
        licences.about([Requirement("a==1.0")], read)


@pytest.mark.parametrize(
    ("given", "licence"),
    [
        ({"License_Expression": "MIT", "Classifier": ["License :: OSI Approved :: BSD License"]}, "MIT"),
        ({"Classifier": ["License :: OSI Approved :: BSD License", "Topic :: Text"], "License": "x"}, "BSD License"),
        ({"Classifier": ["License :: OSI Approved"], "License": "Apache 2.0\n  and its whole text"}, "Apache 2.0"),
        ({"License": "UNKNOWN"}, licences.NOT_STATED),
        ({"License": "a" * 200}, "a" * (licences.LONGEST - 1) + "…"),
    ],
)
def test_the_licence_is_the_expression_or_the_classifiers_or_the_first_line(given, licence):
    assert licences.licence(told(**given)) == licence


def test_the_home_page_comes_before_the_source_and_only_a_plain_address_is_a_link():
    urls = ["Source, https://a.example/code", "Home Page, https://a.example/"]
    assert licences.home(told(Project_URL=urls)) == {"home": "https://a.example/", "shown": "a.example"}
    for odd in ("javascript:alert(1)", f"https://a.example/{MARK}", "https://a.example/)>x"):
        assert licences.home(told(Home_page=odd))["home"] == ""


def test_no_markup_of_metadata_reaches_the_page():
    values = {"Version": MARK, "License": MARK, "Home_page": MARK, "Project_URL": [f"Source, {MARK}"]}
    text = licences.fragments(lambda name: told(**values))["licences.md"]
    assert "planted" in text
    assert "<script" not in text.replace("\\", "")
