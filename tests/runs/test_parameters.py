"""Parameters of notebooks: what is taken, and what stops before anything is built."""

import pytest

from xmlib import paths
from xmlib.errors import InputError
from xmlib.runs import parameters

IMAGES = parameters.defaults(paths.NOTEBOOKS / "image_text.ipynb")
AUDIO = parameters.defaults(paths.NOTEBOOKS / "audio_score.ipynb")


NEIGHBORHOODS = paths.NOTEBOOKS / "neighborhoods.ipynb"
CELL = {"options": parameters.options(NEIGHBORHOODS)} | parameters.defaults(NEIGHBORHOODS)


def images(**changes):
    return parameters.checked("image_text", IMAGES | changes, dataset=("emoji", "openclipart", "icons", "iapr"))


def test_defaults_come_back_as_they_are():
    assert images() == IMAGES


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("mirrored", "false", False),
        ("mirrored", "no", False),
        ("mirrored", "True", True),
        ("mirrored", 1, True),
        ("seed", 20.0, 20),
        ("seed", "20", 20),
        ("width", 1, 1.0),
        ("width", "0.25", 0.25),
        ("record", 2024, "2024"),
        ("comparisons", None, ""),
    ],
)
def test_what_is_unmistakable_is_taken_with_its_declared_type(name, given, meant):
    taken = images(**{name: given})[name]
    assert taken == meant
    assert type(taken) is type(meant)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mirrored": "perhaps"}, "The parameter mirrored is 'perhaps' of type str; give a bool."),
        ({"d": 3.5}, "The parameter d is '3.5' of type float; give a int."),
        ({"width": "nan"}, "The parameter width is 'nan' of type str; give a float."),
        ({"comparisons": ["random"]}, r"The parameter comparisons is .* of type list; give a str."),
        ({"seed": -1}, "seed = -1, but the least that means something is 0: raise it."),
        ({"threads": 0}, "threads = 0, but the least that means something is 1: raise it."),
        ({"seeds": 0}, "seeds = 0, but the least that means something is 1: raise it."),
        ({"width": float("nan")}, "The parameter width is 'nan' of type float; give a float."),
        ({"dataset": "table"}, "There is no dataset 'table'; choose one of emoji, openclipart, icons, iapr."),
        ({"test_style": "noto"}, "There is no test style 'noto'; choose one of openmoji, twemoji."),
        ({"split": "half"}, "There is no split 'half'; choose one of grouped, random, zero_shot."),
    ],
)
def test_anything_else_stops_with_one_sentence(changes, words):
    with pytest.raises(InputError, match=words):
        images(**changes)


def test_a_parameter_of_papermill_that_the_notebook_has_not_stops():
    cells = ["seed: int = 1", '# Parameters\nseed = 2\ntest_file = "test.json"\n']
    with pytest.raises(InputError, match="The notebook audio_score has no parameter 'test_file'; it has: method"):
        parameters.checked("audio_score", AUDIO | {"seed": 2, "test_file": "test.json", "In": cells})


def test_a_record_that_cannot_be_written_stops_before_training(tmp_path):
    (tmp_path / "taken").write_text("")
    (tmp_path / "folder.json").mkdir()
    for place in ("taken", "taken/records", "folder.json"):
        with pytest.raises(InputError, match="No record can be written to .*: give a folder of yours"):
            images(record=str(tmp_path / place))
    for place in (tmp_path, tmp_path / "new" / "one.json", tmp_path / "new"):
        assert images(record=str(place))["record"] == str(place)


def test_a_negative_number_is_taken_where_it_is_the_default():
    assert parameters.checked("audio_score", AUDIO)["augment"] == -1


def test_options_that_are_given_take_the_place_of_the_usual_ones():
    taken = parameters.checked("neighborhoods", CELL | {"options": {"k": 50, "empty": "stop"}})
    assert taken == parameters.defaults(NEIGHBORHOODS) | {"k": 50, "empty": "stop"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"options": {"kk": 50}}, "The notebook neighborhoods has no parameter 'kk'; it has: method"),
        ({"options": {"k": "many"}}, "The parameter k is 'many' of type str; give a int."),
        ({"options": "k=50"}, "The options are 'k=50'; give a dictionary"),
        (
            {"k": 50, "In": ["# Parameters\nk = 50\n"]},
            "k is one of the options: give them together, as in -y 'options: ",
        ),
    ],
)
def test_options_are_checked_as_parameters_are(changes, words):
    with pytest.raises(InputError, match=words):
        parameters.checked("neighborhoods", CELL | changes)


def test_the_parameters_of_a_record_are_nested_as_the_notebook_has_them():
    own = parameters.nested(NEIGHBORHOODS, {"seed": 2, "k": 50, "style": "openmoji"})
    assert own == {"seed": 2, "options": {"k": 50, "style": "openmoji"}}
    assert parameters.nested(paths.NOTEBOOKS / "audio_score.ipynb", {"seed": 2}) == {"seed": 2}


def test_options_below_their_least_change_nothing_and_others_become_settings():
    assert parameters.varied({"directions": 0, "dropout": -1.0, "refit_n": -1, "method": "ccal_cont"}) == {}
    assert parameters.varied({"directions": 1, "dropout": 0.0}) == {"both_ways": False, "dropout": 0.0}
    with pytest.raises(InputError, match="directions = 3; give 1 or 2"):
        parameters.varied({"directions": 3})
