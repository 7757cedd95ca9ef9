"""Another company under the same name: after a gap, after a frozen tail, or straight on."""

import numpy as np

from bellwether.quality.found import Finding
from bellwether.quality.panel import Bools, Panel
from bellwether.quality.policy import QualityPolicy
from bellwether.quality.runs import median_at, run_length
from bellwether.quality.scale import Normal, log_or_nan

SURE = 16.0


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
    rows = np.flatnonzero(pause >= policy.reuse_gap)
    ends = np.maximum(rows - idle[rows].astype(np.int64), panel.first[rows])  # after the last trade
    awake = np.where(stale, np.nan, dollars)
    level = median_at(panel, awake, rows, 0, 14) - median_at(panel, awake, ends, -15, -1)
    moves = np.where(stale | (missing > 0), np.nan, np.abs(normal.step - normal.market))
    scale = log_or_nan(median_at(panel, moves, rows, 1, 25))
    scale = np.nan_to_num(scale - log_or_nan(median_at(panel, moves, ends, -25, -1)))
    sigma = np.fmax(median_at(panel, normal.sigma, ends, -5, -1), 0.01)
    step = np.nan_to_num(normal.step[rows])
    parts = (
        np.clip(step / sigma / np.sqrt(pause[rows] + 1) / 1.5, -4, 4) ** 2,
        np.clip(np.nan_to_num(level) / 0.8, -4, 4) ** 2,
        np.clip((scale / 0.4) ** 2, 0, 9),
    )
    score = parts[0] + parts[1] + parts[2]
    return [
        _finding(
            int(rows[i]), float(pause[rows[i]]), float(step[i]), float(level[i]), float(score[i])
        )
        for i in np.flatnonzero(score > policy.reuse_evidence).tolist()
    ]


def _finding(row: int, pause: float, step: float, level: float, score: float) -> Finding:
    detail = (
        f"after {pause:.0f} sessions without trade the price is {np.exp(step):.3g} and dollar "
        f"volume {np.exp(level):.3g} times what it was: another company under the name?"
    )
    severity = "fault" if score > SURE else "suspect"
    return Finding(row, "ticker_reuse", "", severity, score, detail)
