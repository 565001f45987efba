"""How many bad inputs the tables in this folder hold."""

from bad_inputs import everywhere


def test_at_least_200_different_inputs_are_tried():
    assert sum(everywhere().values()) >= 200
