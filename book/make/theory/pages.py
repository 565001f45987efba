"""Fragments of the theory chapters: every number in their text, from the computation that drew the figures."""

import math

from book.make.markdown import number, table
from book.make.theory import effect_sizes, interval_coverage, losses, minibatches, statistics
from book.make.theory.population import CANDIDATES, SPECTRUM, D
from xmlib.evaluate import chance_metrics

KEYS = ("both", "seeds")  # of the intervals whose coverage is shown


def fragments() -> dict[str, str]:
    """File name → Markdown."""
    made = (
        sizes,
        spectra,
        noise,
        batches,
        alphas,
        drift,
        starts,
        refits,
        pulls,
        shares,
        information,
        angular,
        effects,
        coverage,
    )
    return {f"theory-{fragment.__name__}.md": fragment() for fragment in made}


def _figure(name: str, alt: str, caption: str) -> str:
    path = f"_generated/theory-{name}.svg"
    return f"```{{figure}} {path}\n:name: fig-theory-{name}\n:alt: {alt}\n:width: 100%\n\n{caption}\n```\n"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def sizes() -> str:
    """The figure and the table of sample size against dimension."""
    own = [row for row in statistics.sample_sizes() if row["d"] == D]
    header = ["n / d", "n", "Correlation, pairs of the fit", "New pairs", "Error of the score map", "MRR"]
    rows = [
        [f"{r['ratio']:g}", f"{r['n']:,.0f}", *(number(r[k]) for k in ("inside", "new", "error", "mrr"))] for r in own
    ]
    truth = ["", "truth", *(number(value) for value in (own[0]["true"], own[0]["true"], 0.0, own[0]["true_mrr"]))]
    caption = (
        f"CCA of n pairs whose correlations fall from {SPECTRUM[0]} to {SPECTRUM[1]}; means of "
        f"{statistics.DRAWS} draws. Left: the mean correlation of the directions found, on the pairs of the fit "
        f"and on new pairs. Right: the error {{eq}}`score-map-error` at three widths."
    )
    alt = (
        "Left, two curves that start far above and far below the truth and meet it slowly. Right, three curves on one."
    )
    note = (
        f"\nMRR is that of {CANDIDATES:,} new pairs, d = {D}; chance is {number(chance_metrics(CANDIDATES)['mrr'])}. "
        "The last row is what the true projections reach.\n"
    )
    return f"{_figure('sizes', alt, caption)}\n{table(header, [*rows, truth], right=header)}{note}"


def spectra() -> str:
    """The table of the error of the score map by pairs a dimension, for weaker and stronger correlations."""
    header = ["Correlations fall from, to", *(f"n / d = {ratio}" for ratio in statistics.SHOWN_RATIOS)]
    rows = [
        [" to ".join(f"{end:g}" for end in row["spectrum"]), *(number(error, 2) for error in row["error"].values())]
        for row in statistics.spectra()
    ]
    return f"The error {{eq}}`score-map-error`, d = {D}:\n\n{table(header, rows, right=header[1:])}"


def noise() -> str:
    """One sentence that holds the formula for pure noise against a measurement."""
    n = minibatches.BATCH
    return (
        f"For n = {n} and d = {D} that is {number(math.sqrt(D / (n - 1)))}. Independent noise, drawn again and again, "
        f"measured {number(math.sqrt(statistics.noise_correlation(n)))}.\n"
    )


def batches() -> str:
    """The figure of batch sizes, and the sentences that read it."""
    rows = {row["batch"]: row for row in minibatches.batch_sizes()}
    own, large = rows[minibatches.BATCH], rows[max(rows)]
    caption = (
        f"A linear encoder from {minibatches.INPUTS} to {D} features, a CCA layer and the ranking loss. Left: the "
        "loss of a batch by its own statistics, and by those of many pairs. Right: cosine of the gradient with that of "
        f"batches of {50 * D:,}."
    )
    alt = "Left, a loss that rises with the batch towards a level. Right, two rising curves of a cosine."
    return (
        _figure("batches", alt, caption)
        + f"\nA batch of {own['batch']} sees a loss of {number(own['loss'])}; with the "
        f"statistics of many pairs it is {number(minibatches.loss_on_new_pairs())}. Its gradient is "
        f"{number(own['length'], 1)} times as long as the reference, but goes only {number(own['along'], 2)} of the "
        f"reference's length in that direction, so a single one has a cosine of {number(own['single'], 2)}. Over "
        f"{minibatches.TOTAL:,} pairs the mean gradient in batches of {own['batch']} has a cosine of "
        f"{number(own['mean'], 2)}, in batches of {large['batch']} one of {number(large['mean'], 2)}.\n"
    )


def alphas() -> str:
    """The table of what α does to the gradient."""
    header = ["α", "Loss of a batch", "Cosine of one gradient", "Wasted share"]
    rows = [
        [f"{r['alpha']:g}", number(r["loss"]), number(r["single"], 2), _percent(r["wasted"])]
        for r in minibatches.gradients_by_alpha()
    ]
    return table(header, rows, right=header)


def drift() -> str:
    """The figure of running covariances under drift, and the error of the score maps made from them."""
    rows = minibatches.drifts()
    caption = (
        f"Relative error of the running covariance of view 1, batches of {minibatches.BATCH}, d = {D}. The true "
        "covariance drifts by the share on the horizontal axis with each batch. Points: measured in the layer. Lines: "
        "expected, from the scatter of the batches and the lag behind."
    )
    alt = "A flat line for α = 1 on top, a nearly flat one for 0.5, and one for 0.1 that starts lowest and rises."
    header = ["Drift a batch", *(f"α = {alpha:g}" for alpha in minibatches.ALPHAS)]
    by_drift: dict[float, list[str]] = {}
    for row in rows:
        by_drift.setdefault(row["drift"], []).append(number(row["map_error"], 2))
    cells = [[_percent(moved) if moved == 0 else f"{100 * moved:.1f} %", *errors] for moved, errors in by_drift.items()]
    between = "\nThe score map made from these statistics has the error {eq}`score-map-error`:\n\n"
    return _figure("drift", alt, caption) + between + table(header, cells, right=header)


def starts() -> str:
    """The table of running statistics that start at zero, corrected or not."""
    header = ["Batches so far", "Share of the mean, from zero", "MRR, corrected", "MRR, from zero"]
    rows = [
        [str(r["batches"]), _percent(r["mean"]), number(r["corrected"]), number(r["zero"])]
        for r in minibatches.starts()
    ]
    return table(header, rows, right=header)


def refits() -> str:
    """The figure of refits and kept directions, and the sentences that read it."""
    rows = {row["n"]: row for row in statistics.refits()}
    few, many, d = rows[statistics.IAPR_VALID], rows[statistics.IAPR_TRAIN], statistics.IAPR_D
    best = {row["n"]: max(row["mrr"], key=row["mrr"].get) for row in (few, many)}
    caption = (
        f"MRR of {CANDIDATES:,} new pairs, {d} directions whose correlations fall from 0.95 by a factor e every 40. "
        "Left: against the pairs of the refit; dotted, the true projections. Right: with the first directions only."
    )
    alt = "Left, two rising curves, the one with weights far above. Right, curves that rise, peak and fall."
    (few_all, few_best, few_weighted), (many_all, many_best, many_weighted) = (
        (number(row["mrr"][d]), number(row["mrr"][best[row["n"]]]), number(row["weighted"])) for row in (few, many)
    )
    return (
        _figure("refits", alt, caption)
        + f"\nWith all directions a refit on {few['n']:,} pairs gives {few_all}, one on "
        f"{many['n']:,} gives {many_all}, and the true projections {number(rows[0]['mrr'][d])}. The best number of "
        f"directions is {best[few['n']]} after the small refit ({few_best}) and {best[many['n']]} after the large one "
        f"({many_best}). With every coordinate times its σ, and none dropped, they reach {few_weighted} and "
        f"{many_weighted}.\n"
    )


def pulls() -> str:
    """The figure of three losses on a circle."""
    caption = (
        "One query (blue diamond), its right answer (green) and four wrong ones (orange). An arrow is minus the "
        "gradient along the circle; in each circle the longest has the same length."
    )
    alt = "Three circles with arrows: the ranking loss moves two wrong answers alike, the others by how close they are."
    return _figure("pulls", alt, caption)


def shares() -> str:
    """The figure of how the push is shared out, and two numbers of it."""
    cold, _, warm = losses.TEMPERATURES
    found = [losses.share_of_push(lambda s, t=t: losses.info_nce_row(s, t), 0.6) for t in (cold, warm)]
    caption = (
        "Share of a query's push on 99 wrong answers that falls on one of them, against its score. The right answer "
        "scores 0.6 (dotted); the other wrong ones are spread normally around 0 with a standard deviation of 0.25. "
        "Where the ranking loss has no violator it pushes nothing."
    )
    alt = "Left, three step functions. Right, three straight lines of a logarithmic share that flatten near 1."
    return (
        _figure("shares", alt, caption)
        + f"\nA wrong answer that scores like the right one gets {_percent(found[0])} of "
        f"the push at τ = {cold:g} and {_percent(found[1])} at τ = {warm:g}.\n"
    )


def information() -> str:
    """The figure of the bound to mutual information, and the sentences that read it."""
    last, n = losses.INFORMATION[-1], losses.BATCHES
    rows = {row["n"]: row for row in losses.information_bounds() if row["information"] == last}
    caption = (
        f"Gaussian views of width {losses.WIDTH} whose mutual information is known. Solid: log n minus the "
        "InfoNCE loss of the best scores there are. Dotted: log n. Dashed: cosines, at the best of five temperatures."
    )
    alt = "Three curves that follow the diagonal and then bend to a ceiling each; a dashed one below the highest."
    return (
        _figure("information", alt, caption) + f"\nAt {last} nats the bound stands at {number(rows[n[0]]['bound'], 2)} "
        f"with n = {n[0]} and at {number(rows[n[-1]]['bound'], 2)} with n = {n[-1]}, whose ceilings are "
        f"{number(math.log(n[0]), 2)} and {number(math.log(n[-1]), 2)}.\n"
    )


def angular() -> str:
    """The figure of the angular loss, intended and released, and two numbers of it."""
    n = losses.NEGATIVES
    forms = [losses.angular_weight(1.0, *form) for form in ((1, False), (n, False), (n, True))]
    caption = (
        f"The weight Σ/(1 + Σ) of the angular loss on {n - 1} negatives that are orthogonal to anchor and positive, "
        "against the cosine of the matching pair."
    )
    alt = "Three falling curves; that of repeated negatives stays high, that with the own item counted is lowest."
    return (
        _figure("angular", alt, caption) + f"\nFor a pair that already agrees fully the intended weight is "
        f"{number(forms[0], 2)}, the released one {number(forms[1], 2)}, and {number(forms[2], 2)} where the own item "
        "counts too.\n"
    )


def coverage() -> str:
    """The table of how often the intervals over queries and seeds hold the truth."""
    header = ["Made-up scores", "Seeds", "Groups", "Holds the truth", "Over seeds alone"]
    rows = [
        [row["kind"].name, str(row["kind"].seeds), str(row["kind"].groups), *(f"{100 * row[k]:.1f} %" for k in KEYS)]
        for row in interval_coverage.coverage()
    ]
    error = 100 * (0.95 * 0.05 / interval_coverage.TABLES) ** 0.5
    return (
        f"{table(header, rows, right=header[1:])}\nFrom {interval_coverage.TABLES:,} tables of each kind; 95 % would "
        f"be right, and chance moves these numbers by {error:.1f} points. Groups and queries add skewed numbers to a "
        "score, in sizes like those of the runs on pictures and words. The last column is {eq}`seed-interval`, which "
        "says nothing of other queries.\n"
    )


def effects() -> str:
    """The table of measured deviations."""
    header = ["Place", "Measured on", "Effect"]
    return table(header, [row for rows in (_statistics(), _objectives(), _handling()) for row in rows])


def _statistics() -> list[list[str]]:
    rows = {row["n"]: row for row in statistics.refits()}
    few, many, d = rows[statistics.IAPR_VALID], rows[statistics.IAPR_TRAIN], statistics.IAPR_D
    kept = max(many["mrr"], key=many["mrr"].get)
    gap = max(abs(row["corrected"] - row["zero"]) for row in minibatches.starts())
    return [
        [f"Refit on {few['n']:,} pairs, or on {many['n']:,}", "known correlations, [chapter](statistics.md)",
         f"MRR {number(few['mrr'][d])}, or {number(many['mrr'][d])}"],
        [f"All {d} directions, or the best {kept}", f"the same, {many['n']:,} pairs",
         f"MRR {number(many['mrr'][d])}, or {number(many['mrr'][kept])}"],
        ["Running statistics from zero, or corrected", "α = 0.1, the first batches",
         f"MRR differs by {number(gap)} at most; none at α = 1"],
    ]  # fmt: skip


def _objectives() -> list[list[str]]:
    bias = [
        f"{row['name']}: mean σ {number(row['released'], 4)}, not {number(row['ours'], 4)}; cosine of the gradients "
        f"{number(row['cosine'], 2)}"
        for row in effect_sizes.trace_norm_bias()
    ]
    rows = [["Trace norm as released", "true correlations " + bias[0].split(":")[0], bias[0].split(": ", 1)[1]]]
    rows += [["", "true correlations " + text.split(":")[0], text.split(": ", 1)[1]] for text in bias[1:]]
    found = effect_sizes.directions()
    for one, two in zip(found[::2], found[1::2], strict=True):
        rows.append([
            f"Ranking loss in one direction, or both: {one['head']}",
            f"linear encoders, {effect_sizes.STEPS} steps, {effect_sizes.SEEDS} seeds",
            f"MRR {_both(one)}, or {_both(two)}; over the seeds {_spread(one)} and {_spread(two)} (forth)",
        ])  # fmt: skip
    return rows


def _both(row: dict) -> str:
    return f"{number(row['forth'])} forth and {number(row['back'])} back"


def _spread(row: dict) -> str:
    return f"{number(row['low'])}–{number(row['high'])}"


def _handling() -> list[list[str]]:
    centre, filled = effect_sizes.last_batch_centre(), effect_sizes.filled_batches()
    rows, kept = 19_996, statistics.IAPR_TRAIN - 4  # iapr: all, and those in training before four are repeated
    return [
        ["Centre of all pairs, or of the last batch", f"true projections, batches of {minibatches.BATCH}",
         f"MRR {number(centre['all'])}, or {number(centre['batch'])} ({_spread(centre)})"],
        [f"Validation as it is, or filled with {filled['repeated']:.0f} repeated pairs", "known correlations",
         f"MRR {number(filled['as_is'])}, or {number(filled['filled'])}"],
        ["Scaling by the maximum of all rows, or of training rows", f"counted: {kept:,} of {rows:,} rows",
         f"one factor for a whole view; exactly 1 in {_percent(kept / rows)} of random splits"],
    ]  # fmt: skip
