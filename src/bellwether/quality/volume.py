"""Volume: none where the price moved, and volume in another unit."""

from itertools import pairwise

import numpy as np

from bellwether.quality.found import Finding
from bellwether.quality.panel import Bools, Floats, Panel
from bellwether.quality.policy import QualityPolicy
from bellwether.quality.runs import median_at, runs_of, told_runs, until
from bellwether.quality.scale import MAD, Normal, log_or_nan

TEN = float(np.log(10.0))
LONG = 250  # rows


def zero_volume(panel: Panel, stale: Bools, policy: QualityPolicy) -> list[Finding]:
    """Flag bars without volume whose price moved; a symbol without volume is one note."""
    moved = (panel.high > panel.low) | (panel.close != panel.lag(panel.close))
    none = panel.volume == 0
    never = np.bincount(panel.code, weights=none)[panel.code] > 0.9 * (panel.last - panel.first + 1)
    mask = none & moved & ~stale & ~never
    found = [
        Finding(row, "zero_volume", "volume", "note", 1.0, "this symbol has no volume")
        for row in np.intersect1d(panel.begins(), np.flatnonzero(never)).tolist()
    ]
    for row, count in told_runs(panel, mask, policy.regime_rows):
        detail = f"no volume, yet the price moved{until(panel, row, count)}"
        found.append(Finding(row, "zero_volume", "volume", "fault", float(count), detail))
    return found


def volume_slips(panel: Panel, normal: Normal, policy: QualityPolicy) -> list[Finding]:
    """Flag volume in another unit while price and range say that the day was ordinary.

    Days of ten times the volume and no news are real now and then (index changes, blocks). So up
    to `volume_sure` the last digits have to speak for a slip too, or the symbol's own history.
    """
    scatter = np.nan_to_num(MAD * panel.moving_median(np.abs(normal.busy), 63, 8), nan=1.0)
    scatter = np.maximum(scatter, 0.2)
    excess = _excess(normal)
    size = np.abs(excess)
    mask = (size > policy.volume_excess) & (size > policy.volume_sigma * scatter)
    rare = np.where(excess > 0, policy.volume_rare, policy.volume_excess)
    own = size > np.maximum(_tail(panel, size) + policy.volume_tail, rare)
    backed = _round(panel, excess) | own
    mask &= backed | (size > np.maximum(policy.volume_sure, 1.5 * policy.volume_sigma * scatter))
    stretch = _stretches(panel, scatter, policy)
    mask |= stretch != 0
    size = np.where(stretch != 0, stretch, excess)
    found = []
    for sign in (1, -1):
        for row, count in told_runs(panel, mask & (np.sign(size) == sign), policy.regime_rows):
            found.append(_finding(panel, row, count, float(size[row]), float(scatter[row])))
    return found


def _excess(normal: Normal) -> Floats:
    """Return log volume over what the move and the range of the day explain."""
    news = 0.3 * np.maximum(np.abs(np.nan_to_num(normal.z)) - 1, 0)
    news += 0.8 * np.maximum(np.log(np.maximum(np.nan_to_num(normal.span), 1e-3)), 0)
    excess = np.where(normal.busy > 0, np.maximum(normal.busy - news, 0), normal.busy)
    return np.nan_to_num(excess) * np.isfinite(normal.z)


def _tail(panel: Panel, size: Floats) -> Floats:
    """Return the symbol's own 99.5 % of `size`; without end where it is too short to say."""
    out = np.full(panel.rows, np.inf)
    for first in panel.begins().tolist():
        part = slice(first, int(panel.last[first]) + 1)
        if part.stop - first >= LONG:
            out[part] = np.quantile(size[part], 0.995)
    return out


def _round(panel: Panel, excess: Floats) -> Bools:
    """Tell where volume ends in one zero more than is usual around, as ten times a count does."""
    zeros = np.zeros(panel.rows)
    for k in (10.0, 100.0, 1e3, 1e4, 1e5):
        zeros += (panel.volume > 0) & (np.mod(panel.volume, k) == 0)
    usual = panel.moving_median(zeros, 21, 5)
    return np.asarray((excess > 0) & (zeros >= usual + np.maximum(np.rint(excess / TEN), 1)))


def _finding(panel: Panel, row: int, count: int, size: float, scatter: float) -> Finding:
    times = np.exp(abs(size))
    way = "above" if size > 0 else "below"
    detail = (
        f"volume {panel.volume[row]:.0f} is {times:.0f} times {way} what its neighbours, the day "
        f"and the price's move explain{until(panel, row, count)}"
    )
    severity = "fault" if abs(size) > 0.85 * TEN else "suspect"
    score = abs(size) / scatter
    return Finding(row, "inflated_volume", "volume", severity, score, detail)


def _stretches(panel: Panel, scatter: Floats, policy: QualityPolicy) -> Floats:
    """Return the log factor of rows between two opposite sharp steps of the volume's level."""
    logs = log_or_nan(panel.volume * np.maximum(panel.close, 1e-9))
    rows = np.flatnonzero(np.abs(np.nan_to_num(logs - panel.lag(logs))) > 0.4 * TEN)
    sharp, step = np.zeros(panel.rows), np.zeros(panel.rows)
    sharp[rows] = np.nan_to_num(logs[rows] - median_at(panel, logs, rows, -3, -1))
    change = median_at(panel, logs, rows, 0, 6) - median_at(panel, logs, rows, -7, -1)
    step[rows] = np.where(np.sign(sharp[rows]) == np.sign(change), np.nan_to_num(change), 0.0)
    big = np.abs(step) > np.maximum(0.75 * TEN, 3 * scatter)
    big &= np.abs(sharp) > 0.6 * TEN
    out = np.zeros(panel.rows)
    edges = []
    for row, count in runs_of(panel, big):
        part = slice(row, row + count)
        edges.append(row + int(np.argmax(np.abs(step[part]) + 0.5 * np.abs(sharp[part]))))
    for a, b in pairwise(edges):
        opposite = abs(step[a] + step[b]) < 0.35 * abs(step[a])
        if panel.code[a] == panel.code[b] and b - a <= policy.volume_run and opposite:
            out[a:b] = step[a]
    return out
