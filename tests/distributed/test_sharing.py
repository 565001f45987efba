"""Two processes with a share of each batch compute what one process computes with all of it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import work

from xmlib import evaluate
from xmlib.distributed import large
from xmlib.errors import InputError
from xmlib.methods import IMAGE_METHODS, METHODS
from xmlib.retriever import embedding_files


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What both processes have found, by name."""
    folder = tmp_path_factory.mktemp("found")
    h1, h2 = work.features()
    np.save(folder / "h1.npy", h1.numpy())
    embedding_files.write(folder / "h2.parquet", h2.numpy(), list(map(str, range(len(h2)))))
    started = work.together(2, work.__file__, str(folder))
    for process in started:
        _, said = process.communicate(timeout=900)  # a guard against hanging
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


def test_a_gallery_in_shares_has_the_counts_of_a_whole_one_ties_included(found):
    better, tied = evaluate.standing(*work.gallery())
    assert max(tied) == 4
    for process in found:
        assert process["shares"]["better"] == better.tolist()
        assert process["shares"]["tied"] == tied.tolist()


def test_moments_of_shares_of_files_add_up_to_those_of_all_pairs(found):
    both = torch.cat(work.features(), dim=1).double()
    for process in found:
        shares = process["shares"]
        assert shares["n"] == len(both)
        np.testing.assert_allclose(shares["mean"], both.mean(0), rtol=1e-14)
        centred = both - both.mean(0)
        np.testing.assert_allclose(shares["products"], centred.T @ centred, atol=1e-10)
    assert found[0]["shares"] == found[1]["shares"]


def test_shares_that_do_not_make_up_the_gallery_are_refused(found):
    assert found[0]["shares"]["problem"].startswith("The shares do not make up 41 candidates, first at 0: ")


def test_rows_of_a_file_in_pieces_are_those_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(large, "ROWS", 7)
    table = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    np.save(tmp_path / "h.npy", table)
    embedding_files.write(tmp_path / "h.parquet", table, list(map(str, range(40))))
    for name in ("h.npy", "h.parquet"):
        pieces = list(large.rows_of(tmp_path / name, 3, 38))
        assert [len(piece) for piece in pieces] == [7] * 5
        assert np.array_equal(np.concatenate(pieces), table[3:38])


def test_files_of_unequal_lengths_or_other_kinds_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 2)))
    np.save(tmp_path / "b.npy", np.zeros((5, 2)))
    with pytest.raises(InputError, match="a.npy has 4 rows and .*b.npy has 5: pairs need as many"):
        large.moments_of(tmp_path / "a.npy", tmp_path / "b.npy")
    with pytest.raises(InputError, match="^There is no file"):
        large.moments_of(tmp_path / "a.npy", tmp_path / "c.npy")
