"""Splits that the table lists and the prices do not show, or show on another day."""

from dataclasses import replace
from fractions import Fraction

import numpy as np

from bellwether.quality.repair_policy import RepairPolicy
from bellwether.quality.sheet import Floats, Ints, Sheet, Why, spread_of

LEAST_STEP = float(np.log(1.3))
LARGE_STEP = float(np.log(8.0))
SLACK, LARGE_SLACK = 0.05, 0.3
VOLUME_SLACK = 0.5
SIMPLE = 20
EXACT = 2e-3
STANDS = 5


def repair_splits(sheet: Sheet, policy: RepairPolicy) -> None:
    """Judge every listed split by the prices around it, then look for splits not listed."""
    if sheet.basis == "total":
        return
    rows = sheet.valid()
    if len(rows) < 2:  # noqa: PLR2004 - a change needs two bars
        return
    told = np.abs(np.log(sheet.values["split_ratio"]))
    for event in np.flatnonzero(told > LEAST_STEP):
        if sheet.basis == "splits" and "split_not_applied" in policy.kinds:
            _not_applied(sheet, rows, int(event), policy)
        if sheet.basis == "none" and "misdated_split" in policy.kinds:
            _misdated(sheet, rows, int(event), policy)
    if sheet.basis == "none" and "adj_close" in sheet.values and "missed_split" in policy.kinds:
        _missed(sheet, rows)


def _steps(sheet: Sheet, rows: Ints) -> Floats:
    """Return the log change of the close into each of `rows`; NaN for the first."""
    return np.concatenate([[np.nan], np.diff(np.log(sheet.values["close"][rows]))])


def _near(at: int, steps: Floats, policy: RepairPolicy) -> Ints:
    reach = policy.split_window
    return np.arange(max(1, at - reach), min(len(steps), at + reach + 1))


def _not_applied(sheet: Sheet, rows: Ints, event: int, policy: RepairPolicy) -> None:
    """Bring the stretch before a jump onto the basis of the bars after it."""
    ratio = float(sheet.values["split_ratio"][event])
    step = float(np.log(ratio))
    steps = _steps(sheet, rows)
    spread = spread_of(steps, policy.least_spread)
    around = _near(int(np.searchsorted(rows, event)), steps, policy)
    miss = np.abs(np.abs(steps[around]) - abs(step))
    found = around[miss <= min(SLACK + 2 * spread, 0.5 * abs(step))]
    if len(found) == 0 and abs(step) >= LARGE_STEP:
        found = around[miss <= LARGE_SLACK * abs(step)]
        found = np.array([t for t in found if _volume_agrees(sheet, rows, int(t), steps)], np.int64)
    if len(found) != 1 or _undone(steps, int(found[0]), policy):
        return
    t = int(found[0])
    by = ratio if steps[t] * step > 0 else 1.0 / ratio
    words = (
        f"prices jump by {np.exp(steps[t]):.4g} on {sheet.day(int(rows[t]))} although they should "
        f"be on the basis after the split of {ratio:g} listed for {sheet.day(event)}"
    )
    sheet.scale(rows[:t], by, Why("split_not_applied", words, 0.95), shares=True)


def _undone(steps: Floats, t: int, policy: RepairPolicy) -> bool:
    """Say whether a jump is taken back nearby: then bars are off scale, and no basis changed."""
    near = _near(t, steps, replace(policy, split_window=2 * policy.split_window))
    return bool((np.abs(steps[near] + steps[t]) < 0.5 * abs(steps[t])).any())


def _volume_agrees(sheet: Sheet, rows: Ints, t: int, steps: Floats) -> bool:
    """Say whether the shares traded jump inversely to the price."""
    volume = sheet.values["volume"]
    before, after = volume[rows[max(0, t - 3) : t]], volume[rows[t : t + 3]]
    if not (np.median(before) > 0 and np.median(after) > 0):
        return False
    moved = float(np.log(np.median(after) / np.median(before)))
    return bool(abs(moved + steps[t]) <= max(VOLUME_SLACK, LARGE_SLACK * abs(steps[t])))


def _misdated(sheet: Sheet, rows: Ints, event: int, policy: RepairPolicy) -> None:
    """Move a split to the session on which the traded prices show it."""
    ratio = float(sheet.values["split_ratio"][event])
    step = float(np.log(ratio))
    steps = _steps(sheet, rows)
    spread = spread_of(steps, policy.least_spread)
    at = int(np.searchsorted(rows, event))
    if at >= len(rows) or at == 0 or rows[at] != event or abs(steps[at] + step) < 0.5 * abs(step):
        return
    around = _near(at, steps, policy)
    unlisted = sheet.values["split_ratio"][rows[around]] == 1.0
    close = np.abs(steps[around] + step) <= min(SLACK + 2 * spread, 0.25 * abs(step))
    found = around[unlisted & close]
    calm = abs(steps[at]) < min(SLACK + 4 * spread, 0.25 * abs(step))
    if len(found) != 1 or not calm:
        why = "no price near shows it" if len(found) == 0 else "several days nearby may show it"
        words = f"the split of {ratio:g} is not in the price of the day (it moved by {np.exp(steps[at]):.4g}); {why}"
        sheet.leave(event, Why("misdated_split", words, 0.5))
        return
    t = int(rows[found[0]])
    words = (
        f"the split of {ratio:g} listed for {sheet.day(event)} shows in the price of {sheet.day(t)} "
        f"(times {np.exp(steps[found[0]]):.4g}) and not on its day (times {np.exp(steps[at]):.4g})"
    )
    why_moved = Why("misdated_split", words, 0.97)
    sheet.put(event, "split_ratio", 1.0, why_moved)
    sheet.put(t, "split_ratio", ratio, why_moved)


def _stays(sheet: Sheet, rows: Ints, t: int, step: float) -> bool:
    """Say whether prices and volume stand on the new scale for days, as after a split.

    Prices alone may be a slip, or in other units for a while.
    """
    before, after = rows[max(0, t - STANDS) : t], rows[t : t + STANDS]
    if len(before) < 2 or len(after) < 2:  # noqa: PLR2004 - one bar may be a slip
        return False
    logs = np.log(sheet.continuous())
    moved = float(np.median(logs[after]) - np.median(logs[before]))
    volume = sheet.values["volume"]
    was, now = float(np.median(volume[before])), float(np.median(volume[after]))
    if abs(moved - step) >= abs(step) / 3 or not (was > 0 and now > 0):
        return False
    return bool(abs(np.log(now / was) + step) < abs(np.log(now / was)))


def _missed(sheet: Sheet, rows: Ints) -> None:
    """List a split that price and adjusted close show together: one jumps, the other does not."""
    adjusted = sheet.values["adj_close"]
    rows = rows[np.isfinite(adjusted[rows]) & (adjusted[rows] > 0)]
    smooth = np.diff(np.log(adjusted[rows]))
    traded = np.diff(np.log(sheet.continuous()[rows]))
    for k in np.flatnonzero((np.abs(traded) > LEAST_STEP) & (np.abs(smooth) < np.abs(traded) / 3)):
        row = int(rows[k + 1])
        ratio = float(np.exp(smooth[k] - traded[k]))
        near = Fraction(ratio).limit_denominator(SIMPLE)
        simple = (
            float(near) if ratio > 1 else 1.0 / float(Fraction(1 / ratio).limit_denominator(SIMPLE))
        )
        idle = sheet.values["dividend_usd"][row] == 0 and sheet.values["split_ratio"][row] == 1.0
        if not idle or abs(simple / ratio - 1) > EXACT or abs(np.log(simple)) < LEAST_STEP:
            continue
        if not _stays(sheet, rows, int(k + 1), -float(np.log(simple))):
            continue
        words = (
            f"the close moves by {np.exp(traded[k]):.4g} and the adjusted close by "
            f"{np.exp(smooth[k]):.4g}: a split of {simple:g} that is not listed"
        )
        sheet.put(row, "split_ratio", simple, Why("missed_split", words, 0.97))
