"""The gates that skill cannot buy off: leaks, data, golden rows, budget, and what is too good."""

import math
from dataclasses import dataclass

from bellwether.evaluation.gate_policy import Policy, Verdict
from bellwether.evaluation.intervals import MeanInterval

NOTHING = "It is assessable for a release."


@dataclass(frozen=True, slots=True)
class Record:
    """What the out-of-sample record looks like at first sight.

    `r2_oos` is against the prevailing mean, `hits` the date-clustered share of right calls,
    `sharpe` annual and net with its 95 % interval; each None where undefined.
    """

    r2_oos: float | None
    hits: MeanInterval | None
    sharpe: float | None
    sharpe_interval: tuple[float, float] | None
    n_dates: int
    horizon: int = 1


def leak_audit(verdict: str | None, alarms: int, subject: str) -> Verdict:
    """Ask for a green audit of the view at the state of the data that was trained on."""
    gate = "leak_audit"
    command = "bellwether features audit"
    if verdict is None:
        return Verdict(
            gate,
            "not assessable",
            f"No audit of {subject} at this state of the lake is kept.",
            f"It passes with a green audit: {command}.",
        )
    green = verdict == "green"
    return Verdict(
        gate,
        "passed" if green else "failed",
        f"The newest audit of {subject} is {verdict}"
        + ("." if green else f" with {alarms} alarm{'s' * (alarms != 1)}."),
        "" if green else f"It passes once a later audit is green: {command}.",
        float(alarms),
        0.0,
    )


def data_quality(
    *, passed: bool | None, share: float | None, bar: float | None, ignored: bool = False
) -> Verdict:
    """Ask whether the bars met the quality bar, and nobody overrode it."""
    gate = "data_quality"
    if passed is None:
        return Verdict(
            gate,
            "not assessable",
            "Nobody inspected the bars.",
            "It passes once an inspection does: bellwether quality --gate.",
        )
    told = "" if share is None else f" ({share:.2%} of the sessions are without fault)"
    good = passed and not ignored
    over = " and was overridden" if ignored else ""
    return Verdict(
        gate,
        "passed" if good else "failed",
        f"The inspection of the bars {'passed' if passed else 'refused them'}{over}{told}.",
        ""
        if good
        else "It passes when it is trained on bars of which the share without fault reaches "
        f"{'the bar' if bar is None else f'{bar:.2%}'}, nothing overridden.",
        share,
        bar,
    )


def golden_rows(*, reproduced: bool | None, why: str = "") -> Verdict:
    """Ask whether the packed model still gives its golden rows bit for bit."""
    gate = "golden_rows"
    if reproduced is None:
        return Verdict(
            gate,
            "not assessable",
            "Nothing is packed, so nothing can differ.",
            NOTHING,
            applies=False,
        )
    return Verdict(
        gate,
        "passed" if reproduced else "failed",
        "Its golden rows come out bit for bit." if reproduced else f"It cannot be proved: {why}",
        "" if reproduced else "It passes when the release loads here and gives its golden rows.",
    )


def budget(latency_ms: float | None, size_mb: float | None, policy: Policy) -> Verdict:
    """Ask whether one forecast and the release stay within the budget."""
    gate, most = "budget", policy.budget
    if latency_ms is None or size_mb is None:
        return Verdict(
            gate, "not assessable", "Nothing is packed, so nothing weighs.", NOTHING, applies=False
        )
    wants = [] if latency_ms <= most.latency_ms else [f"at most {most.latency_ms:g} ms"]
    wants += [] if size_mb <= most.size_mb else [f"at most {most.size_mb:g} MB"]
    return Verdict(
        gate,
        "failed" if wants else "passed",
        f"One forecast takes {latency_ms:.2f} ms (95th percentile), the release {size_mb:.2f} MB.",
        f"It passes with {' and '.join(wants)}." if wants else "",
        latency_ms,
        most.latency_ms,
    )


def too_good(record: Record, policy: Policy) -> Verdict:
    """Stop at what is too good to be true: it is taken for a mistake until it is audited.

    Fails where the R2 out of sample is above its limit (times the horizon), the share of right
    calls above its limit with an interval above one half, or the net Sharpe ratio above its limit
    with an interval above 0.
    """
    gate, most = "too_good", policy.too_good
    if record.n_dates < most.min_dates:
        return Verdict(
            gate,
            "not assessable",
            f"It has {record.n_dates} out-of-sample dates.",
            f"It is assessable with {most.min_dates} dates or more.",
            n_dates=record.n_dates,
        )
    found = []
    if record.r2_oos is not None and record.r2_oos > most.r2_oos * record.horizon:
        found.append(f"an R2 of {record.r2_oos:.1%}")
    hits = record.hits
    if hits is not None and _above(hits.mean, hits.low, most.hit_rate, 0.5):
        found.append(f"{hits.mean:.1%} right calls")
    low = None if record.sharpe_interval is None else record.sharpe_interval[0]
    if _above(record.sharpe, low, most.sharpe, 0.0):
        found.append(f"a net Sharpe ratio of {record.sharpe:.2f}")
    return Verdict(
        gate,
        "failed" if found else "passed",
        f"Too good to be true: {', '.join(found)}. Stop, and look for the leak."
        if found
        else "Nothing is too good to be true.",
        "It passes when the cause is found and the figures fall below "
        f"{most.r2_oos * record.horizon:.1%} of R2, {most.hit_rate:.0%} right calls and a Sharpe ratio "
        f"of {most.sharpe:g}, or the policy is raised after an audit: bellwether features audit."
        if found
        else "",
        record.sharpe,
        most.sharpe,
        None,
        record.sharpe_interval,
        record.n_dates,
    )


def _above(value: float | None, low: float | None, limit: float, chance: float) -> bool:
    if value is None or not math.isfinite(value):
        return False
    return value > limit and (low is None or low > chance)
