"""Prices in the wrong scale or place, where the bars around leave one value only."""

from itertools import pairwise

import numpy as np

from bellwether.quality.repair_policy import RepairPolicy
from bellwether.quality.sheet import PRICES, Floats, Ints, Sheet, Why, listed, spread_of, times

TEN = float(np.log(10.0))
SAME_BAR = 0.9
NEAR, FAR = 0.35, 1.0
VOLUME_REACH = 10
BAND = 0.2
ERRATIC = 0.15
JUMP = float(np.log(30.0))
UNIT = 100.0
CENT = 0.01
FLOAT32 = 2e-7
LEAST_ROWS = 8


def repair_bars(sheet: Sheet, policy: RepairPolicy) -> None:
    """Put right what a bar contradicts itself in."""
    if "swapped_range" in policy.kinds:
        swapped_range(sheet)
    if "decimal_slip" in policy.kinds:
        field_slips(sheet)


def swapped_range(sheet: Sheet) -> None:
    """Swap high and low where only that makes the bar agree with itself."""
    o, h, lo, c = (sheet.values[name] for name in PRICES)
    inside = (np.maximum(o, c) <= lo) & (np.minimum(o, c) >= h)
    for row in np.flatnonzero((h < lo) & inside & (h > 0)):
        why = Why(
            "swapped_range",
            f"high {h[row]:g} is below low {lo[row]:g}; swapped, open and close lie between them",
            0.99,
        )
        high, low = float(lo[row]), float(h[row])
        sheet.put(int(row), "high", high, why)
        sheet.put(int(row), "low", low, why)


def field_slips(sheet: Sheet) -> None:
    """Move the decimal point of one price that contradicts the other three of its bar."""
    o, h, lo, c = (sheet.values[name] for name in PRICES)
    odd = (h < np.maximum(o, c)) | (lo > np.minimum(o, c))
    wide = np.maximum.reduce([o, h, lo, c]) > 4 * np.minimum.reduce([o, h, lo, c])
    for row in np.flatnonzero(odd & wide):
        found = [f for f in (_slip(sheet, int(row), name) for name in PRICES) if f is not None]
        if len(found) != 1:
            why = Why("ohlc_contradiction", "the bar contradicts itself in more than one way", 0.5)
            sheet.leave(int(row), why)
            continue
        name, value = found[0]
        told = sheet.values[name][row]
        words = f"{name} {told:g} contradicts the bar; with the decimal point moved, {value:g} fits"
        sheet.put(int(row), name, value, Why("decimal_slip", words, 0.97))


def _slip(sheet: Sheet, row: int, name: str) -> tuple[str, float] | None:
    """Return the price with its point moved, if the bar and the bar before agree with it then."""
    bar = {n: float(sheet.values[n][row]) for n in PRICES}
    others = [bar[n] for n in PRICES if n != name]
    power = round(float(np.log10(bar[name] / np.median(others))))
    if power == 0 or max(others) > np.exp(SAME_BAR) * min(others):
        return None
    told = bar[name]
    bar[name] = times(told, 10.0**-power)
    o, h, lo, c = (bar[n] for n in PRICES)
    fits = h >= max(o, c) and lo <= min(o, c)
    near = max(others) * np.exp(BAND) >= bar[name] >= min(others) * np.exp(-BAND)
    before = sheet.values["close"][row - 1] if row else np.nan
    beside = not before > 0 or 0.5 < before / np.median(others) < 2.0  # noqa: PLR2004
    return (name, bar[name]) if fits and near and beside else None


def row_slips(sheet: Sheet, policy: RepairPolicy) -> None:
    """Bring back bars that leave their symbol's scale by a power of ten and return to it."""
    rows = sheet.valid()
    if len(rows) < LEAST_ROWS:
        return
    logs = np.log(sheet.continuous()[rows])
    spread = spread_of(np.diff(logs), policy.least_spread)
    power = np.round((logs - _middle(logs)) / TEN).astype(np.int64)
    off = power != 0
    if off.sum() > max(1.0, policy.slip_share * len(rows)):
        return
    if (np.abs(np.diff(logs[~off])) > JUMP).any():
        return  # the scale changes for longer elsewhere: which one is right is unknown
    for lo, hi in _runs(power):
        run = rows[lo:hi]
        n = int(power[lo])
        if not _returns(logs, off, (lo, hi), n, policy) or (abs(n) == 1 and spread > ERRATIC):
            continue
        if not _one_scale(sheet, run) or _at_split(sheet, run):
            continue
        by, (shares, near) = 10.0**-n, _share_count(sheet, run, -n * TEN, policy)
        kind = "split_not_applied" if near else "decimal_slip"
        words = f"{listed(run, sheet)}: all prices are 10^{n} times those before and after"
        words += "; so is the volume inversely, by a split listed nearby" if shares else ""
        sheet.scale(run, by, Why(kind, words, 0.98), shares=shares)


def _middle(logs: Floats) -> Floats:
    """Return the median of the 21 rows around each; fewer at the ends."""
    n, reach = len(logs), 10
    padded = np.concatenate([np.full(reach, np.nan), logs, np.full(reach, np.nan)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    middle: Floats = np.nanmedian(windows, axis=1)
    return middle[:n]


def _runs(power: Ints) -> list[tuple[int, int]]:
    """List the runs [lo, hi) of one and the same power other than 0."""
    edges = np.flatnonzero(np.diff(power, prepend=power[0] - 1, append=power[-1] - 1))
    return [(int(lo), int(hi)) for lo, hi in pairwise(edges) if power[lo] != 0]


def _returns(
    logs: Floats, off: "np.ndarray[tuple[int], np.dtype[np.bool_]]", span: tuple[int, int],
    n: int, policy: RepairPolicy,
) -> bool:  # fmt: skip
    """Say whether a run leaves the scale by 10^n and comes back, with calm flanks."""
    lo, hi = span
    k = policy.flank
    if hi - lo > policy.longest_slip or lo < k or len(logs) - hi < k:
        return False
    if off[lo - k : lo].any() or off[hi : hi + k].any():
        return False
    misses = sorted(
        (abs(logs[lo] - logs[lo - 1] - n * TEN), abs(logs[hi - 1] - logs[hi] - n * TEN))
    )
    return bool(misses[0] <= NEAR and misses[1] <= min(FAR, 0.25 * abs(n) * TEN))


def _at_split(sheet: Sheet, run: Ints) -> bool:
    """Say whether bars as traded begin or end to be off on a listed split: its day may be wrong."""
    if sheet.basis != "none":
        return False
    edges = [int(run[0]), min(int(run[-1]) + 1, len(sheet.days) - 1)]
    return bool((sheet.values["split_ratio"][edges] != 1.0).any())


def _one_scale(sheet: Sheet, run: Ints) -> bool:
    """Say whether the four prices of each bar lie on one scale."""
    bars = np.log(np.stack([sheet.values[name][run] for name in PRICES]))
    return bool(np.isfinite(bars).all() and (np.ptp(bars, axis=0) <= SAME_BAR).all())


def _share_count(sheet: Sheet, run: Ints, shift: float, policy: RepairPolicy) -> tuple[bool, bool]:
    """Say whether the volume shows the split too, and whether one is listed nearby."""
    near = slice(max(0, run[0] - policy.split_window), run[-1] + policy.split_window + 1)
    steps = np.abs(np.log(sheet.values["split_ratio"][near]))
    split = bool((np.abs(steps - abs(shift)) < 0.05).any())  # noqa: PLR2004 - of the same ratio
    around = slice(max(0, run[0] - VOLUME_REACH), run[-1] + VOLUME_REACH + 1)
    volume = np.delete(sheet.values["volume"][around], run - around.start)
    volume, mine = volume[volume > 0], float(np.median(sheet.values["volume"][run]))
    if not split or len(volume) == 0 or not mine > 0:
        return False, split
    excess = float(np.log(mine / np.median(volume)))
    return abs(excess - shift) < abs(excess), split


def unit_stretch(sheet: Sheet, policy: RepairPolicy) -> None:
    """Bring a short stretch in cents (or in hundreds) to whole USD, where the grid tells which."""
    rows = sheet.valid()
    if len(rows) < LEAST_ROWS:
        return
    logs = np.log(sheet.continuous()[rows])
    steps = np.diff(logs)
    jumps = np.flatnonzero(np.abs(steps) > JUMP) + 1
    if len(jumps) == 1:
        t = int(jumps[0])
        sides = (rows[t:], rows[:t]) if steps[t - 1] > 0 else (rows[:t], rows[t:])
        exact = abs(abs(steps[t - 1]) - np.log(UNIT)) < NEAR
        wrong = _other_units(sheet, *sides) if exact and _settled(sheet, rows, t, policy) else None
        if wrong is not None and len(wrong) <= policy.unit_stretch:
            in_cents = wrong is sides[0]
            words = (
                f"prices jump by {np.exp(steps[t - 1]):.4g} on {sheet.day(int(rows[t]))}, the shares "
                f"traded do not; {listed(wrong, sheet)} is in "
                + (
                    "cents: no price has a fraction"
                    if in_cents
                    else "hundreds: prices have 4 decimals"
                )
            )
            by = 1 / UNIT if in_cents else UNIT
            sheet.scale(wrong, by, Why("units_100x", words, 0.95), shares=False)
            return
    for jump in jumps:
        words = (
            f"prices jump by {np.exp(steps[jump - 1]):.4g}; which of the two scales is right is not "
            "certain from these bars alone"
        )
        sheet.leave(int(rows[jump]), Why("units_100x", words, 0.5))


def _settled(sheet: Sheet, rows: Ints, t: int, policy: RepairPolicy) -> bool:
    """Say whether both scales stand for days, and the shares traded do not change with them."""
    if min(t, len(rows) - t) < policy.unit_settled:
        return False
    volume = sheet.values["volume"]
    before, after = volume[rows[max(0, t - 10) : t]], volume[rows[t : t + 10]]
    if not (np.median(before) > 0 and np.median(after) > 0):
        return False
    return bool(abs(np.log(np.median(after) / np.median(before))) < np.log(5.0))


def _other_units(sheet: Sheet, large: Ints, small: Ints) -> Ints | None:
    """Return the side that is not in USD: cents have no fractions, USD have two decimals.

    Prices that a later split has divided lie on no grid; then nothing tells.
    """
    if sheet.basis != "none" and (sheet.values["split_ratio"] != 1.0).any():
        return None
    if _on_grid(sheet, large, 1.0) and _on_grid(sheet, small, CENT):
        return large
    fractions = _on_grid(sheet, large, CENT) and not _on_grid(sheet, large, 1.0)
    return small if fractions and not _on_grid(sheet, small, CENT) else None


def _on_grid(sheet: Sheet, rows: Ints, tick: float) -> bool:
    prices = np.stack([sheet.values[name][rows] for name in PRICES])
    ticks = prices / tick
    return bool((np.abs(ticks - np.round(ticks)) <= FLOAT32 * ticks + 1e-9).all())
