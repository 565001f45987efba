"""Two processes with a share of each batch compute what one process computes with all of it."""

import json
from pathlib import Path

import numpy as np
import pytest
import work

from xmlib.methods import IMAGE_METHODS, METHODS


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What both processes have found, by name."""
    folder = tmp_path_factory.mktemp("found")
    started = work.together(2, work.__file__, str(folder))
    for process in started:
        _, said = process.communicate(timeout=120)
        assert (process.returncode, said) == (0, "")
    return [json.loads(Path(folder, f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("method", METHODS)
def test_two_processes_have_the_loss_gradients_and_buffers_of_one_with_the_whole_batch(found, method):
    alone = work.steps(method, work.splits(), shared=False)
    for process in found:
        assert process[method].keys() >= alone.keys()
        for name, values in alone.items():
            np.testing.assert_allclose(process[method][name], values, rtol=0, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("method", IMAGE_METHODS)
def test_after_three_epochs_in_single_precision_the_test_scores_are_those_of_one_process(found, method):
    alone = work.scores(method, work.splits())
    for process in found:
        assert process[method]["scores"] == pytest.approx(alone, abs=1e-4)
