"""Pairs of sheet music and sound whose tunes several jobs have rendered."""

import pytest

from xmlib import paths
from xmlib.data import audio_score
from xmlib.data.audio_score import build, shares
from xmlib.errors import InputError


@pytest.mark.faults
def test_pairs_rendered_in_shares_have_the_bytes_of_those_by_one_job(tmp_path, monkeypatch):
    rendered = [shares.render("toy", share, 3, home=tmp_path) for share in (2, 0, 1)]
    assert min(rendered) > 0
    monkeypatch.setattr(build, "render_job", None)  # nothing is left to render
    whole = audio_score.load("toy", cache_folder=tmp_path, processes=1)
    usual = audio_score.load("toy", cache_folder=paths.DATA)
    assert whole.digest == usual.digest
    for name in usual.folder.glob("*.npy"):
        assert (whole.folder / name.name).read_bytes() == name.read_bytes()


def test_a_share_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match="^share 3 of 3 does not exist: the first is 0, the last 2."):
        shares.render("toy", 3, 3)
