"""Repeats: a bar or a close that is told again instead of the day's own."""

import numpy as np

from bellwether.quality.found import Finding, price
from bellwether.quality.panel import Bools, Floats, Ints, Panel
from bellwether.quality.policy import QualityPolicy
from bellwether.quality.runs import run_length
from bellwether.quality.scale import Normal

SAME = 1e-7
REACH = 125


def stale_repeats(
    panel: Panel, grid: Floats, rough: Bools, normal: Normal, policy: QualityPolicy
) -> tuple[list[Finding], Bools]:
    """Flag each repeated session beyond the first, and return which rows were flagged.

    A run of equal closes is judged by the chance of it: the share of equal closes that the price
    grid and the symbol's own other days let expect, to the power of the run.
    """
    close, bar, copy, idle = _equal(panel)
    chance = _chance(panel, grid, rough, normal, close)
    runs = {name: run_length(panel, mask) for name, mask in (("close", close), ("bar", bar))}
    moving = panel.high > panel.low
    unlikely = chance ** np.maximum(runs["close"], 1) < policy.repeat_chance
    bars = chance ** np.maximum(3 * runs["bar"], 1) < policy.repeat_bar
    odd = chance ** np.maximum(runs["close"], 1) < 0.05  # noqa: PLR2004
    rare = _share(panel, idle) < policy.idle_rate
    gone = idle & odd & (rare | (run_length(panel, idle) >= policy.reuse_gap))
    copied = copy & ((moving & (panel.volume > 0)) | (panel.volume >= 1e4))  # noqa: PLR2004
    faulty = copied | (bar & moving & bars) | (close & unlikely) | gone
    score = -np.log10(np.maximum(chance, 1e-12)) * np.maximum(runs["close"], 1)
    found = []
    for row in np.flatnonzero(faulty).tolist():
        whole = bool(copied[row] or (bar[row] and (moving[row] or idle[row])))
        what = _words(bool(copied[row]), whole, bool(idle[row]))
        detail = f"{what} {price(float(panel.close[row]))}, {_nth(runs['close'], row)}"
        alone = idle[row] and not copied[row] and runs["close"][row] == 1
        severity = "suspect" if alone else "fault"
        field = "" if whole or idle[row] else "close"
        found.append(Finding(row, "stale_repeat", field, severity, float(score[row]), detail))
    return found, faulty


def _equal(panel: Panel) -> tuple[Bools, Bools, Bools, Bools]:
    """Return where close, whole bar, bar with volume repeat, and where nothing traded."""
    prices = panel.prices()
    with np.errstate(invalid="ignore"):
        same = np.stack([np.abs(p - panel.lag(p)) <= SAME * np.abs(p) for p in prices])
        volume = panel.volume == panel.lag(panel.volume)
    bar: Bools = np.asarray(same.all(axis=0))
    flat = (panel.high <= panel.low * (1 + SAME)) & same[3]
    return same[3], bar, bar & volume, flat & ((panel.volume == 0) | bar)


def _chance(panel: Panel, grid: Floats, rough: Bools, normal: Normal, close: Bools) -> Floats:
    """Return the chance that a close equals the one before by coincidence."""
    steps = np.maximum(normal.sigma * panel.close / grid, 0.1)
    by_grid = np.minimum(0.4 / steps, 0.9)
    by_grid = np.where(rough, np.maximum(by_grid, 0.95), by_grid)
    year = panel.session.astype("datetime64[Y]").astype(np.int64)
    year -= year.min()
    usual = np.bincount(year, weights=close) / np.maximum(np.bincount(year), 1)
    return np.maximum(by_grid, np.maximum(_share(panel, close), usual[year]))


def _share(panel: Panel, mask: Bools) -> Floats:
    """Return the share of True about half a year around, the row's own run left out."""
    place = np.arange(panel.rows)
    low, high = np.maximum(place - REACH, panel.first), np.minimum(place + REACH, panel.last)
    sums = np.append(0, np.cumsum(mask))
    own = run_length(panel, mask)
    count = sums[high + 1] - sums[low] - own
    rows = high - low + 1 - own
    share: Floats = count / np.maximum(rows, 1)
    return np.clip(share, 0.0, 1.0)


def _words(copied: bool, whole: bool, idle: bool) -> str:  # noqa: FBT001
    if copied:
        return "the bar before is told again with its volume: close"
    if idle:
        return "no trade, the close before is carried on:"
    return "the prices of the bar before are told again: close" if whole else "the close repeats:"


def _nth(runs: Ints, row: int) -> str:
    return f"one of {int(runs[row])} repeats in a row" if runs[row] > 1 else "one repeat"
