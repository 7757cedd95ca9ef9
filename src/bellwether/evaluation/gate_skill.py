"""The gates of skill: what is earned beyond the baselines, beyond luck, and how evenly."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bellwether.evaluation.adjusted import adjusted_p
from bellwether.evaluation.gate_earned import (
    YEAR,
    Earned,
    annual,
    best_baseline,
    beyond,
    block_of,
    error_of,
    hardest,
)
from bellwether.evaluation.gate_policy import Policy, Verdict
from bellwether.evaluation.overfitting import Deflated, deflated_sharpe
from bellwether.evaluation.resampling import positions
from bellwether.evaluation.series import Floats, shape_of, spread
from bellwether.evaluation.sharpe import mertens_error, probabilistic_sharpe, sharpe_ratio
from bellwether.evaluation.superiority import long_run_sd, stepwise_p

Z_BOTH, Z_ONE = 1.959964, 1.644854
CELLS = 1_000_000  # of samples that are laid out at a time


def beats_baselines(evidence: Earned, policy: Policy) -> Verdict:
    """Ask whether the model earns, after costs, what no baseline explains, and more for its risk.

    Passed where (1) its Sharpe ratio is above that of every baseline and of cash, and (2) its mean
    net return `beyond` the `hardest` baseline is above 0 with Romano and Wolf's stepwise p (SPA of
    the best, centred by Hansen) at most the level, over it and all trials with returns: stationary
    bootstrap, differentials divided by their long-run sd. Being worst off against one baseline, it
    is better off against all (an intersection-union test has the level of its parts).
    """
    gate, n = "beats_baselines", evidence.net.size
    refused = _too_little(gate, evidence, policy)
    if refused is not None:
        return refused
    mine = annual(evidence.net)
    best, theirs = best_baseline(evidence)
    name, baseline = hardest(evidence)
    left = beyond(np.column_stack([evidence.net, evidence.trials]), baseline)
    p = _searched(left, baseline, evidence, policy)
    alpha = float(left[:, 0].mean()) * YEAR
    reach = Z_BOTH * error_of(left[:, 0], baseline, evidence) / math.sqrt(n) * YEAR
    more = mine is not None and mine > theirs
    passed = more and p <= policy.level
    among = f"of {1 + evidence.trials.shape[1]} trials" if evidence.trials.shape[1] else "alone"
    wants = [] if more else [f"a net Sharpe ratio above the {theirs:.2f} of {best}"]
    wants += [] if p <= policy.level else [f"p at most {policy.level:g} beyond {name}"]
    return Verdict(
        gate,
        "passed" if passed else "failed",
        f"It earned {alpha:+.2%} a year beyond {name} (p {p:.3f}, {among}), with a net Sharpe ratio of "
        f"{_told(mine)} against {theirs:.2f} of {best}.",
        "" if passed else f"It passes with {' and '.join(wants)}.",
        alpha,
        0.0,
        p,
        (alpha - reach, alpha + reach),
        n,
    )


def deflated_gate(evidence: Earned, policy: Policy) -> Verdict:
    """Ask whether the Sharpe ratio is above what the best of as many trials has without skill.

    `deflated_sharpe` with N of the ledger has to reach 1 - level; that with the effective N is told
    beside it. Of a single trial nothing was chosen: its probabilistic Sharpe ratio is asked.
    """
    gate, n = "deflated_sharpe", evidence.net.size
    refused = _too_little(gate, evidence, policy)
    if refused is not None:
        return refused
    if evidence.n_trials is None:
        return Verdict(
            gate,
            "not assessable",
            "Nobody counted the trials it was chosen among.",
            "It is assessable once its trials are in the ledger.",
            n_dates=n,
        )
    found = _deflated(evidence)
    if found.sharpe is None:
        return _still(gate, n)
    ratio, luck, plain = found.sharpe, found.luck or 0.0, found.p
    goal = 1 - policy.level
    passed = plain is not None and plain >= goal
    year = math.sqrt(YEAR)
    error = mertens_error(evidence.net, ratio) * year
    need = luck * year + Z_ONE * error
    return Verdict(
        gate,
        "passed" if passed else "failed",
        f"Its net Sharpe ratio of {ratio * year:.2f} is above the luck of N = {evidence.n_trials:,} "
        f"({luck * year:.2f}) with probability {_told(plain)} ({_told(found.p_effective)} for "
        f"{found.effective_trials or 1:.1f} "
        "effective ones).",
        ""
        if passed
        else f"It passes with a probability of {goal:g}: a net Sharpe ratio of about {need:.2f}, or "
        "a longer record.",
        plain,
        goal,
        None if plain is None else 1 - plain,
        ((ratio * year) - Z_BOTH * error, (ratio * year) + Z_BOTH * error),
        n,
    )


def stability_gate(evidence: Earned, policy: Policy) -> Verdict:
    """Ask whether what is earned beyond the best baseline is spread over folds and regimes.

    Passed where the share of folds with more than nothing reaches the policy's, the mean without
    the best fold is above 0, and in no regime the mean is below 0 with a p (HAC, Holm over
    regimes) at most the level.
    """
    gate, n = "stability", evidence.net.size
    refused = _too_little(gate, evidence, policy)
    if refused is not None:
        return refused
    name, baseline = hardest(evidence)
    left = beyond(evidence.net, baseline)
    numbers = np.unique(evidence.folds)
    sums = np.array([left[evidence.folds == k].sum() for k in numbers])
    if numbers.size < 2:  # noqa: PLR2004 - one fold cannot differ from another
        return Verdict(
            gate,
            "not assessable",
            "There is one fold, so nothing can be said of others.",
            "It is assessable with two folds or more.",
            n_dates=n,
        )
    share = float((sums > 0).mean())
    without = float((sums.sum() - sums.max()) / n) * YEAR
    bad = _losing(left, evidence, policy)
    wants = []
    if share < policy.spread.folds:
        wants.append(f"more than nothing in {policy.spread.folds:.0%} of the folds")
    if without <= 0:
        wants.append("more than nothing without its best fold")
    wants += [f"no loss beyond chance in the regime {r}" for r in bad]
    return Verdict(
        gate,
        "failed" if wants else "passed",
        f"Beyond {name} it earned in {share:.0%} of {numbers.size} folds, {without:+.2%} a year "
        f"without the best one{', and lost in ' + ', '.join(bad) if bad else ''}.",
        f"It passes with {' and '.join(wants)}." if wants else "",
        share,
        policy.spread.folds,
        n_dates=n,
    )


def skill_verdicts(evidence: Earned, policy: Policy) -> tuple[Verdict, ...]:
    """Return the verdicts of the three gates of skill: all passed is the decision "skill shown"."""
    return (
        beats_baselines(evidence, policy),
        deflated_gate(evidence, policy),
        stability_gate(evidence, policy),
    )


def _deflated(evidence: Earned) -> Deflated:
    """Deflate the ratio by all that was counted; of a single trial it is the probabilistic ratio."""
    table, counted = np.column_stack([evidence.net, evidence.trials]), evidence.n_trials
    if counted != 1:
        return deflated_sharpe(table, 0, counted)
    ratio = sharpe_ratio(evidence.net) or 0.0
    sure = probabilistic_sharpe(ratio, evidence.net.size, *shape_of(evidence.net))
    return Deflated(ratio, 1, 1.0, None, 0.0, 0.0, sure, sure, evidence.net.size, "")


def _searched(left: Floats, baseline: Floats, evidence: Earned, policy: Policy) -> float:
    """Return the stepwise p of the first column; 1 where it does not differ from the baseline."""
    if error_of(left[:, 0], baseline, evidence) == 0:
        return 1.0
    n, block = len(left), block_of(len(left), evidence.horizon)
    sd = long_run_sd(left, block)
    live = sd > 0
    if not live[0]:
        return 1.0
    told = left[:, live]
    drawn = _means(told, _times(n, block, policy.reps, policy.seed))
    return float(stepwise_p(told.mean(axis=0) / sd[live], drawn / sd[live], n)[0])


def _means(told: Floats, times: NDArray[np.uint16]) -> Floats:
    """Return the column means of bootstrap samples, given how often each has each date."""
    some = max(1, CELLS // len(told))
    parts = [
        times[i : i + some].astype(np.float64) @ told / len(told)
        for i in range(0, len(times), some)
    ]
    return np.concatenate(parts)


@lru_cache(maxsize=4)
def _times(n: int, block: int, reps: int, seed: int) -> NDArray[np.uint16]:
    """Return how often each sample of the stationary bootstrap has each date, shape (reps, n).

    Kept, for the same samples serve every record of as many dates, and drawing them takes most of
    a decision's time.
    """
    parts = []
    for drawn in positions(n, block, reps, seed):
        row = np.arange(len(drawn))[:, None] * n
        counts = np.bincount((row + drawn).ravel(), minlength=len(drawn) * n)
        parts.append(counts.reshape(len(drawn), n).astype(np.uint16))
    return np.concatenate(parts)


def _losing(left: Floats, evidence: Earned, policy: Policy) -> list[str]:
    """Return the regimes in which the mean is below 0 beyond chance."""
    names, ps = [], []
    for i, name in enumerate(evidence.regime_names):
        inside = left[evidence.regimes == i]
        if inside.size < policy.spread.min_dates or spread(inside) is None:
            continue
        sd = float(long_run_sd(inside[:, None], block_of(inside.size, evidence.horizon))[0])
        z = float(inside.mean()) * math.sqrt(inside.size) / sd if sd > 0 else 0.0
        names.append(name)
        ps.append(0.5 * math.erfc(-z / math.sqrt(2)))
    if not ps:
        return []
    return [
        name for name, p in zip(names, adjusted_p(ps, "holm"), strict=True) if p <= policy.level
    ]


def _too_little(gate: str, evidence: Earned, policy: Policy) -> Verdict | None:
    n = evidence.net.size
    if n < policy.min_dates:
        return Verdict(
            gate,
            "not assessable",
            f"It has {n:,} out-of-sample dates.",
            f"It is assessable with {policy.min_dates:,} dates or more.",
            n_dates=n,
        )
    return _still(gate, n) if spread(evidence.net) is None else None


def _still(gate: str, n: int) -> Verdict:
    return Verdict(
        gate,
        "failed",
        "Its net returns do not vary: it did not trade.",
        "It passes once it trades and earns.",
        n_dates=n,
    )


def _told(value: float | None) -> str:
    return "an undefined number" if value is None else f"{value:.3f}"
