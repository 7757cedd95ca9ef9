"""Another company under the same name: after a gap, after a frozen tail, or straight on."""

import numpy as np

from bellwether.quality.found import Finding
from bellwether.quality.panel import Bools, Floats, Panel, nanmedian
from bellwether.quality.policy import QualityPolicy
from bellwether.quality.runs import after, before, run_length
from bellwether.quality.scale import Normal, log_or_nan


def reused_tickers(
    panel: Panel, normal: Normal, stale: Bools, policy: QualityPolicy
) -> list[Finding]:
    """Flag the first session of what looks like another company.

    Evidence is the change of price (against what the time between allows), of the level of dollar
    volume and of the scale of returns across the break.
    """
    position = panel.position.astype(np.float64)
    missing = np.nan_to_num(position - panel.lag(position) - 1)
    frozen = panel.lag(run_length(panel, stale).astype(np.float64))
    idle = np.where(stale, 0.0, np.nan_to_num(frozen))
    pause = missing + idle
    dollars = log_or_nan(panel.volume * np.maximum(panel.close, 1e-9))
    awake = np.where(stale, np.nan, dollars)
    level = np.nan_to_num(
        nanmedian(after(panel, awake, 15)) - _before_pause(panel, awake, idle, 15)
    )
    moves = np.where(stale | (missing > 0), np.nan, np.abs(normal.step - normal.market))
    scale = log_or_nan(nanmedian(after(panel, panel.lag(moves, -1), 25)))
    scale = np.nan_to_num(scale - log_or_nan(_before_pause(panel, moves, idle, 25)))
    sigma = _before_pause(panel, normal.sigma, idle, 5)
    price = np.nan_to_num(normal.step / np.fmax(sigma, 0.01) / np.sqrt(pause + 1))
    parts = [np.clip(price / 1.5, -4, 4) ** 2, np.clip(level / 0.8, -4, 4) ** 2, (scale / 0.4) ** 2]
    score = parts[0] + parts[1] + np.clip(parts[2], 0, 9)
    rows = np.flatnonzero((pause >= policy.reuse_gap) & (score > policy.reuse_evidence))
    return [_finding(panel, row, pause, normal, level, score) for row in rows.tolist()]


def _before_pause(panel: Panel, x: Floats, idle: Floats, rows: int) -> Floats:
    """Return the median of `x` over the rows before each row's frozen stretch."""
    usual = nanmedian(before(panel, x, rows))
    place = np.arange(panel.rows) - idle.astype(np.int64)
    return np.where(idle > 0, usual[np.maximum(place, 0)], usual)


def _finding(
    panel: Panel, row: int, pause: Floats, normal: Normal, level: Floats, score: Floats
) -> Finding:
    step = float(np.nan_to_num(normal.step[row]))
    detail = (
        f"after {pause[row]:.0f} sessions without trade the price is {np.exp(step):.3g} and dollar "
        f"volume {np.exp(level[row]):.3g} times what it was: another company under the name?"
    )
    severity = "fault" if score[row] > 16 else "suspect"  # noqa: PLR2004
    return Finding(row, "ticker_reuse", "", severity, float(score[row]), detail)
