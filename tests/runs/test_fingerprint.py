"""What changes a fingerprint, and what does not."""

import pytest

from xmlib.runs import fingerprint

SOURCE = '''"""A module."""
import math
from xmlib.cca import cca

def area(r):  # of a disc
    """Its area."""
    return f"{math.pi * r ** 2:.{cca}f}"
'''
GENERIC = """
class Nested:
    def inner(self, x: list[int], *, deep: bool = True) -> str:  # type: ignore
        match x:
            case [first, *rest]:
                return f"{first!r:>{len(rest)}} {f'{rest}'} {x[0]}" u"!"
        return [y async for y in x] or (lambda: (yield))
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Its area."""', '"""Another word on it."""'),
        ('    """Its area."""\n', ""),
        ("  # of a disc", ""),
        ("r ** 2", "(r**2)"),
        ("from xmlib.cca import cca", "from xmlib.core.cca import cca"),
        ("import math\nfrom xmlib.cca import cca", "from xmlib.zoo import cca\nimport math"),
    ],
)
def test_words_layout_and_the_paths_of_imports_leave_a_fingerprint_alone(old, new):
    assert old in SOURCE
    assert fingerprint.of_source(SOURCE.replace(old, new)) == fingerprint.of_source(SOURCE)


@pytest.mark.parametrize(("old", "new"), [("** 2", "** 3"), ("math.pi * r", "r * math.pi"), (".{cca}f", ".{cca}g"),
                                      ("import cca", "import svd as cca0"), ("area", "size")])  # fmt: skip
def test_another_number_order_format_or_name_changes_it(old, new):
    assert old in SOURCE
    assert fingerprint.of_source(SOURCE.replace(old, new)) != fingerprint.of_source(SOURCE)


def test_a_constant_keeps_its_type():
    assert len({fingerprint.of_source(f"a = {value}") for value in ("1", "1.0", "True", "'1'", "b'1'")}) == 5


def test_what_differs_is_named():
    assert fingerprint.changed({"cca": "1", "fit": "2"}, {"cca": "1", "fit": "3", "new": "4"}) == ["fit", "new"]


def test_every_committed_record_names_the_code_of_each_module(committed):
    for record in committed:
        assert {"cca", "fit", "evaluate"} <= record["code"].keys()


def test_every_python_gives_the_same_fingerprint():
    """The value is that of Python 3.11, 3.12 and 3.13 alike: whichever runs this test has to come to it."""
    assert fingerprint.of_source(SOURCE + GENERIC) == "29f5d0c688bd"
