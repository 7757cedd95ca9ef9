"""Bars that contradict themselves, and fields that are told as zero."""

import numpy as np

from bellwether.quality.found import Finding, price
from bellwether.quality.panel import FIELDS, Bools, Floats, Panel
from bellwether.quality.policy import QualityPolicy
from bellwether.quality.runs import told_runs, until


def contradictions(panel: Panel, tick: Floats, policy: QualityPolicy) -> list[Finding]:
    """Flag high below the other prices, low above them, and prices that are not positive.

    Parameters
    ----------
    panel : Panel
        Bars with decimal slips undone, so that a slip is not told twice.
    tick : array of shape (n,)
        Local grid of the prices, USD.
    policy : QualityPolicy
        `ohlc_slack`, `ohlc_ticks`, `regime_rows`.
    """
    found = [f for i, name in enumerate(FIELDS) for f in _not_positive(panel, i, name, policy)]
    prices = panel.prices()
    prices = np.where(prices > 0, prices, np.nan)
    o, h, lo, c = prices
    with np.errstate(invalid="ignore"):
        swapped = lo > h * (1 + policy.ohlc_slack)
        top, bottom = np.fmax(o, c), np.fmin(o, c)
        over, under = np.nan_to_num(top - h), np.nan_to_num(lo - bottom)
        short = np.fmax(over, under)
        noise = policy.ohlc_slack * np.nan_to_num(c, nan=1.0)
    for mask, field in (
        (swapped, "high"),
        (~swapped & (over > noise) & (over >= under), "high"),
        (~swapped & (under > noise) & (under > over), "low"),
    ):
        found += _breaches(panel, mask, field, short, tick, policy)
    return found


def _breaches(
    panel: Panel, mask: Bools, field: str, short: Floats, tick: Floats, policy: QualityPolicy
) -> list[Finding]:
    found = []
    for row, count in told_runs(panel, mask, policy.regime_rows):
        o, h, lo, c = panel.prices_at(row)
        size = float(short[row])
        small = size <= policy.ohlc_ticks * float(tick[row])
        tail = until(panel, row, count)
        detail = (
            f"open {price(o)}, high {price(h)}, low {price(lo)}, close {price(c)} contradict each "
            f"other by {price(size)}{tail}"
        )
        severity = "suspect" if small else "fault"
        score = size / max(float(tick[row]), 1e-9)
        found.append(Finding(row, "ohlc_contradiction", field, severity, score, detail))
    return found


def _not_positive(panel: Panel, i: int, name: str, policy: QualityPolicy) -> list[Finding]:
    mask = panel.prices()[i] <= 0
    return [
        Finding(
            row,
            "ohlc_contradiction",
            name,
            "fault",
            1e3,
            f"{name} is {price(panel.prices_at(row)[i])}, which is no price{until(panel, row, count)}",
        )
        for row, count in told_runs(panel, mask, policy.regime_rows)
    ]
