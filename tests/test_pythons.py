"""Which Pythons are tried, and how far a record is from another."""

import sys

import pytest

from scripts import pythons


def test_the_first_python_of_each_supported_version_is_taken_in_order(monkeypatch):
    says = {"a": "3.13", "b": "3.10", "c": "3.11", "d": "3.13", "e": ""}
    monkeypatch.setattr(pythons, "version", says.get)
    assert list(pythons.choose("abcde").items()) == [("3.11", "c"), ("3.13", "a")]


def test_a_command_that_is_no_python_has_no_version():
    assert pythons.version("/nowhere/python") == ""
    assert pythons.version(sys.executable) == "{}.{}".format(*sys.version_info)


@pytest.mark.parametrize(("line", "far"), [("a: 2.0 ≠ 1.0", 0.5), ("a: 'x' ≠ 'y'", 1.0), ("a: 0.0 ≠ -1e-9", 1.0)])
def test_a_difference_is_relative_to_the_larger_number(line, far):
    assert pythons._relative(line) == far


@pytest.mark.parametrize(("said", "well"), [("9 passed", True), ("1 failed, 9 passed", False), ("no test ran", False)])
def test_only_tests_that_all_passed_are_passed(said, well):
    assert pythons.passed({"tests": said}) is well
