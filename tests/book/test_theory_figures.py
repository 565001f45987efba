"""What the chapters on statistics and losses say is what their code computes."""

import math
import re

import numpy as np
import pytest
import torch

from book.make import templates
from book.make.theory import effect_sizes, figures, losses, minibatches, pages, statistics
from book.make.theory.population import D, falling, gaussian_pairs, generator, score_map_error
from book.make.write import draw
from xmlib import paths
from xmlib.cca import CCALayer
from xmlib.neighborhoods.angular import angular_npairs
from xmlib.objectives import info_nce, ranking_loss, trace_norm

PAGES = ("statistics", "losses")


def unit_pairs(n=6, d=5, seed=0):
    x, y = torch.randn(2, n, d, generator=generator(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(x, dim=1), torch.nn.functional.normalize(y, dim=1)


def right_first(scores, i):
    return torch.cat([scores[i : i + 1], scores[:i], scores[i + 1 :]])


def test_synthetic_pairs_have_the_correlations_asked_for():
    corr = falling(0.9, 0.2, 4)
    x, y = gaussian_pairs(50_000, corr, generator(0))
    found = torch.cat([x, y], 1).T.cov()
    torch.testing.assert_close(found[:4, :4], torch.eye(4).double(), atol=0.02, rtol=0)
    torch.testing.assert_close(found[:4, 4:], torch.diag(corr), atol=0.02, rtol=0)


def test_a_map_of_zeros_has_the_error_one_and_the_true_one_none():
    eye = torch.eye(5).double()
    assert score_map_error(eye, eye) == 0
    assert score_map_error(torch.zeros(5, 5), torch.zeros(5, 5)) == pytest.approx(1)


def test_covariances_scatter_as_the_chapter_derives():
    basis = minibatches.drifting_basis(0.3)
    S, n, errors = basis.T @ basis, 50, []
    for draw_number in range(200):
        view = gaussian_pairs(n, falling(0, 0, D), generator(1, draw_number))[0] @ basis
        errors.append(float((view.T.cov() - S).square().sum()))
    assert np.mean(errors) == pytest.approx(float((S.square().sum() + S.trace() ** 2) / (n - 1)), rel=0.03)


def test_the_sample_flatters_and_new_pairs_disappoint_less_and_less():
    own = [row for row in statistics.sample_sizes() if row["d"] == D]
    for row in own:
        assert row["new"] < row["true"] < row["inside"]
    for key, sign in (("inside", -1), ("new", 1), ("error", -1), ("mrr", 1)):
        assert (np.diff([sign * row[key] for row in own]) > 0).all()


def test_the_rule_of_thumb_is_what_was_measured():
    for row in statistics.sample_sizes():
        if row["d"] == D:
            assert (row["error"] > 1) == (row["ratio"] <= 5)
            assert row["ratio"] < 30 or row["error"] < 0.5
            assert row["ratio"] < 100 or row["error"] < 0.25


def test_strong_correlations_are_found_with_fewer_pairs_and_weak_ones_need_more():
    strong, usual, weak = (row["error"] for row in statistics.spectra())
    for ratio in statistics.SHOWN_RATIOS:
        assert strong[ratio] < usual[ratio] < weak[ratio]
    assert strong[5] < 1 < weak[10]


def test_the_trace_norm_of_barely_enough_pairs_has_no_gradient_without_a_ridge_and_one_for_small_directions_with_it():
    h1, h2 = (torch.randn(9, 8, generator=generator(60, view), dtype=torch.float64) for view in (1, 2))
    for ridge, most in ((1e-10, 1e-4), (1e-3, None)):
        features = h1.clone().requires_grad_()
        trace_norm(features, h2, ridge).backward()
        moved = h1 - 0.1 * features.grad / features.grad.norm()
        if most:
            assert features.grad.norm() < most
        else:
            assert torch.linalg.eigvalsh(moved.T.cov())[0] > 1.2 * torch.linalg.eigvalsh(h1.T.cov())[0]


def test_the_error_of_the_score_map_depends_on_pairs_a_dimension():
    errors = {(row["d"], row["ratio"]): row["error"] for row in statistics.sample_sizes()}
    for ratio in (2, 5, 10, 30, 100):
        assert errors[128, ratio] == pytest.approx(errors[32, ratio], rel=0.06)


def test_larger_batches_see_a_truer_loss_and_a_truer_gradient():
    rows = minibatches.batch_sizes()
    for key in ("loss", "single", "mean", "along"):
        assert (np.diff([row[key] for row in rows]) > 0).all(), key
    assert rows[-1]["loss"] < minibatches.loss_on_new_pairs()


def test_small_batches_are_slow_but_not_wrong():
    many = minibatches.Encoders().gradients(minibatches.BATCH, 250, seed=3)[0].mean(0)
    few = next(row for row in minibatches.batch_sizes() if row["batch"] == minibatches.BATCH)
    assert minibatches.cosine(many, minibatches.reference()) > 1.5 * few["mean"]


def test_no_gradient_is_wasted_at_alpha_one_and_some_is_below():
    wasted = {row["alpha"]: row["wasted"] for row in minibatches.gradients_by_alpha()}
    assert wasted[1.0] < 1e-4
    assert wasted[1.0] < wasted[0.5] < wasted[0.1]


def test_features_have_no_gradient_towards_another_basis_at_alpha_one():
    h1, h2 = (view.requires_grad_() for view in gaussian_pairs(60, falling(0.8, 0.1, 5), generator(2)))
    ranking_loss(*CCALayer(5, ridge=0.0).train()(h1, h2)).backward()
    assert float((h1.detach().T @ h1.grad).abs().max()) < 1e-12 < float(h1.grad.abs().max())


def test_the_drift_curves_order_as_the_text_says():
    error = {(row["alpha"], round(row["drift"], 3)): row["error"] for row in minibatches.drifts()}
    drifts = sorted({drift for _, drift in error})
    assert error[0.1, drifts[0]] < error[0.5, drifts[0]]
    assert error[0.1, drifts[-1]] > error[0.5, drifts[-1]]
    for drift in drifts:
        assert error[1.0, drift] > max(error[0.5, drift], error[0.1, drift])


def test_the_measured_drift_follows_the_expected_curve():
    for row in minibatches.drifts():
        assert row["error"] == pytest.approx(row["expected"], rel=0.06)


def test_a_start_at_zero_changes_nothing_at_alpha_one():
    views = gaussian_pairs(60, falling(0.8, 0.1, D), generator(3))
    ours, zero = (layer.train()(*views) for layer in (CCALayer(D), minibatches.ZeroStart(D)))
    assert torch.equal(ours[0], zero[0])
    assert torch.equal(ours[1], zero[1])


def test_a_start_at_zero_never_helped_and_cost_little():
    for row in minibatches.starts():
        assert -0.002 < row["corrected"] - row["zero"] < 0.05


def test_more_pairs_fewer_directions_and_weights_help_a_refit():
    rows = {row["n"]: row for row in statistics.refits()}
    assert rows[150]["mrr"][128] < rows[1000]["mrr"][128] < rows[17_000]["mrr"][128] < rows[0]["mrr"][128]
    for n in (1000, 17_000, 0):
        assert rows[n]["weighted"] > max(rows[n]["mrr"].values()) > rows[n]["mrr"][128]


def test_rows_are_the_batch_losses_query_by_query():
    x, y = unit_pairs()
    rows = [right_first(scores, i) for i, scores in enumerate(x @ y.T)]
    columns = [right_first(scores, i) for i, scores in enumerate(y @ x.T)]
    ranking = torch.stack([losses.ranking_row(row, 0.3) for row in rows]).mean()
    torch.testing.assert_close(ranking, ranking_loss(x, y, margin=0.3))
    nce = torch.stack([losses.info_nce_row(row, 0.2) for row in rows + columns]).mean()
    torch.testing.assert_close(nce, info_nce(x, y, 0.2))
    angular = torch.stack([losses.angular_row(x[i], right_first(y, i)) for i in range(len(x))]).mean()
    torch.testing.assert_close(angular, angular_npairs(x, y))


def test_the_released_rows_are_the_released_angular_loss():
    x, y = unit_pairs()
    rows = [losses.angular_row(x[i], right_first(y, i), repeats=6, own=True) for i in range(6)]
    torch.testing.assert_close(torch.stack(rows).mean(), angular_npairs(x, y, negatives=y, released=True))


def test_the_gradients_of_the_losses_are_those_of_the_chapter():
    x, y = unit_pairs()
    n, gamma, tau = len(x), 0.3, 0.2
    scores = (x @ y.T).requires_grad_()
    eye = torch.eye(n).double()
    v = ((gamma - scores.diagonal()[:, None] + scores > 0) & (eye == 0)).double()
    hinges = torch.stack([losses.ranking_row(right_first(row, i), gamma) for i, row in enumerate(scores)])
    (found,) = torch.autograd.grad(hinges.mean(), scores)
    torch.testing.assert_close(found, (v - torch.diag(v.sum(1))) / (n * (n - 1)))
    loss = (
        math.log(n)
        - torch.tensor(0.0)
        + ((scores / tau).logsumexp(0) + (scores / tau).logsumexp(1) - 2 * scores.diagonal() / tau).mean() / 2
    )
    (found,) = torch.autograd.grad(loss, scores)
    p, q = (scores / tau).softmax(1), (scores / tau).softmax(0)
    torch.testing.assert_close(found, (p + q - 2 * eye) / (2 * n * tau))


def test_the_angular_gradient_is_that_of_the_chapter():
    anchor, answers = unit_pairs()[0][0].requires_grad_(), unit_pairs()[1].requires_grad_()
    losses.angular_row(anchor, answers, tan2=0.7).backward()
    positive, negatives = answers.detach()[0], answers.detach()[1:]
    f = 4 * 0.7 * negatives @ (anchor + positive) - 2 * 1.7 * anchor @ positive
    w = (f.exp() / (1 + f.exp().sum())).detach()
    torch.testing.assert_close(answers.grad[1:], 4 * 0.7 * w[:, None] * (anchor + positive).detach())
    torch.testing.assert_close(anchor.grad, (w[:, None] * (4 * 0.7 * negatives - 2 * 1.7 * positive)).sum(0))


def test_forces_run_along_the_circle_and_the_ranking_loss_pushes_violators_only():
    points = losses.on_circle(losses.QUERY, losses.RIGHT, *losses.WRONG)
    for row in losses.ROWS.values():
        on_query, on_answers = losses.forces(row)
        along = (torch.cat([on_query[None], on_answers]) * points).sum(1)
        torch.testing.assert_close(along, torch.zeros(len(points)).double())
    pushed = losses.forces(losses.ROWS["ranking, γ = 0.5"])[1].norm(dim=1) > 1e-9
    assert pushed.tolist() == [True, True, True, True, False]


def test_the_info_nce_bound_exceeds_neither_log_n_nor_by_much_the_information():
    for row in losses.information_bounds():
        assert row["bound"] <= math.log(row["n"])
        assert row["cosines"] <= row["bound"] + 1e-9
        assert row["bound"] <= row["information"] + 0.15  # an estimate from finitely many pairs


def test_cosines_cannot_show_more_than_two_over_the_temperature():
    for tau in (0.2, 1.0, 5.0):
        perfect = losses.bound((2 * torch.eye(50).double() - 1) / tau)
        assert perfect == pytest.approx(math.log(50) - math.log(1 + 49 * math.exp(-2 / tau)))
        assert perfect <= 2 / tau


def test_the_angular_weight_is_the_share_of_the_gradient():
    anchor = positive = torch.tensor([1.0, 0.0]).double()
    answers = torch.stack([positive, *[torch.tensor([0.0, 1.0]).double()] * 31]).requires_grad_()
    losses.angular_row(anchor, answers).backward()
    push = float(answers.grad[1:].sum(0) @ anchor) / 8  # each is 4 w (a + p)
    assert push == pytest.approx(losses.angular_weight(1.0, 1, own=False))


def test_the_released_trace_norm_is_too_large_and_stops_where_the_clip_holds():
    rows = effect_sizes.trace_norm_bias()
    assert all(row["released"] > row["ours"] for row in rows)
    assert [row["cosine"] > 0.9 for row in rows] == [True, True, False]
    assert rows[-1]["cosine"] == 0


def test_a_second_half_of_the_ranking_loss_hardly_matters_here():
    one, two = effect_sizes.directions()[:2]
    assert one["low"] < two["high"]
    assert two["low"] < one["high"]


@pytest.mark.parametrize("name", sorted(figures.FIGURES))
def test_a_figure_has_the_same_bytes_every_time(name):
    plot = figures.FIGURES[name]
    assert draw(plot) == draw(plot)


def test_what_is_there_already_is_left_alone(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(figures, "FIGURES", {"theory-pulls.svg": figures.pulls})  # one is quick to draw
    assert figures.main(["--out", str(tmp_path)]) == 0
    written = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    drawn = {f"theory-pulls{ending}" for ending in (".svg", "-narrow.svg", ".csv")}
    assert drawn | {f"theory-{name}.md" for name in pages.VALUES} == {path.name for path in written}
    assert figures.main(["--out", str(tmp_path)]) == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == written
    assert capsys.readouterr().err.endswith("theory: 0 files changed\n")


def test_every_template_is_filled():
    assert {path.stem for path in (templates.FOLDER / "theory").glob("*.md")} == set(pages.VALUES)


@pytest.mark.parametrize("name", pages.VALUES)
def test_a_template_uses_every_value_that_it_is_given(name):
    assert templates.asked(f"theory/{name}.md") == set(pages.VALUES[name]())


def test_every_fragment_that_a_page_includes_is_made():
    texts = "".join(path.read_text(encoding="utf-8") for path in (paths.ROOT / "book").glob("*.md"))
    included = set(re.findall(r"_generated/(theory-[a-z]+\.md)", texts))
    assert len(included) > 5
    assert included <= set(pages.fragments())


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_every_solution_runs(page):
    text = (paths.ROOT / "book" / f"{page}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, {})
