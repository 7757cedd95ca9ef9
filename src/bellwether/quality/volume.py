"""Volume: none where the price moved, and volume in another unit."""

import numpy as np

from bellwether.quality.found import Finding
from bellwether.quality.panel import Bools, Floats, Panel, nanmedian
from bellwether.quality.policy import QualityPolicy
from bellwether.quality.runs import after, before, runs_of, told_runs, until
from bellwether.quality.scale import MAD, Normal, log_or_nan

TEN = float(np.log(10.0))


def zero_volume(panel: Panel, stale: Bools, policy: QualityPolicy) -> list[Finding]:
    """Flag bars without volume whose price moved; a symbol without volume is one note."""
    moved = (panel.high > panel.low) | (panel.close != panel.lag(panel.close))
    none = panel.volume == 0
    never = np.bincount(panel.code, weights=none)[panel.code] > 0.9 * (panel.last - panel.first + 1)
    mask = none & moved & ~stale & ~never
    found = [
        Finding(row, "zero_volume", "volume", "note", 1.0, "this symbol has no volume")
        for row in np.unique(panel.first[never]).tolist()
    ]
    for row, count in told_runs(panel, mask, policy.regime_rows):
        detail = f"no volume, yet the price moved{until(panel, row, count)}"
        found.append(Finding(row, "zero_volume", "volume", "fault", float(count), detail))
    return found


def volume_slips(panel: Panel, normal: Normal, policy: QualityPolicy) -> list[Finding]:
    """Flag volume some ten times off while price and range say that the day was ordinary."""
    scatter = np.maximum(MAD * panel.moving_median(np.abs(normal.busy), 63, 8), 0.2)
    news = 0.3 * np.maximum(np.abs(np.nan_to_num(normal.z)) - 1, 0)
    news += 0.8 * np.maximum(np.log(np.maximum(np.nan_to_num(normal.span), 1e-3)), 0)
    excess = np.where(normal.busy > 0, np.maximum(normal.busy - news, 0), normal.busy)
    excess = np.nan_to_num(excess) * np.isfinite(normal.z)
    mask = (np.abs(excess) > policy.volume_excess) & (
        np.abs(excess) > policy.volume_sigma * np.nan_to_num(scatter, nan=1.0)
    )
    stretch = _stretches(panel, policy)
    mask |= stretch != 0
    size = np.where(stretch != 0, stretch, excess)
    found = []
    for sign in (1, -1):
        for row, count in told_runs(panel, mask & (np.sign(size) == sign), policy.regime_rows):
            found.append(_finding(panel, row, count, float(size[row]), float(scatter[row])))
    return found


def _finding(panel: Panel, row: int, count: int, size: float, scatter: float) -> Finding:
    times = np.exp(abs(size))
    way = "above" if size > 0 else "below"
    detail = (
        f"volume {panel.volume[row]:.0f} is {times:.0f} times {way} what its neighbours, the day "
        f"and the price's move explain{until(panel, row, count)}"
    )
    severity = "fault" if abs(size) > 0.85 * TEN else "suspect"  # noqa: PLR2004
    score = abs(size) / scatter
    return Finding(row, "inflated_volume", "volume", severity, score, detail)


def _stretches(panel: Panel, policy: QualityPolicy) -> Floats:
    """Return the log factor of rows between two opposite sharp steps of the volume's level."""
    logs = log_or_nan(panel.volume * np.maximum(panel.close, 1e-9))
    step = nanmedian(after(panel, logs, 7)) - nanmedian(before(panel, logs, 7))
    sharp = np.nan_to_num(logs - nanmedian(before(panel, logs, 3)))
    step = np.where(np.sign(sharp) == np.sign(step), np.nan_to_num(step), 0.0)
    big = np.abs(step) > 0.75 * TEN
    out = np.zeros(panel.rows)
    edges = []
    for row, count in runs_of(panel, big):
        part = slice(row, row + count)
        edges.append(row + int(np.argmax(np.abs(step[part]) + 0.5 * np.abs(sharp[part]))))
    for a, b in zip(edges[:-1], edges[1:], strict=True):
        opposite = abs(step[a] + step[b]) < 0.35 * abs(step[a])
        if panel.code[a] == panel.code[b] and b - a <= policy.volume_run and opposite:
            out[a:b] = step[a]
    return out
