"""Prices that leave their neighbours for one session and come back, with nothing to show for it."""

import numpy as np

from bellwether.quality.found import Finding, price
from bellwether.quality.panel import Bools, Floats, Panel, nanmedian
from bellwether.quality.policy import QualityPolicy
from bellwether.quality.scale import Normal, log_or_nan, share_basis


def spikes(
    panel: Panel, normal: Normal, tick: Floats, skip: Bools, policy: QualityPolicy
) -> list[Finding]:
    """Flag closes and opens off both neighbours, and highs and lows that nothing else reaches."""
    logs = log_or_nan(panel.prices()) + share_basis(panel)
    skip = skip | (4 * tick / np.maximum(panel.close, tick) > policy.spike_least)
    found = _bodies(panel, normal, logs, skip, policy)
    taken = np.zeros(panel.rows, dtype=bool)
    taken[[f.row for f in found]] = True
    return found + _shadows(panel, normal, logs, skip | taken, policy)


def _bodies(
    panel: Panel, normal: Normal, logs: Floats, skip: Bools, policy: QualityPolicy
) -> list[Finding]:
    found = []
    open_, close = logs[0], logs[3]
    for name, x, last, following in (
        (
            "close",
            close,
            panel.lag(close),
            nanmedian(np.stack([panel.lag(open_, -1), panel.lag(close, -1)])),
        ),
        ("open", open_, panel.lag(close), close),
    ):
        market = normal.market
        ahead = panel.lag(market, -1) if name == "close" else market
        there, back = x - last - market, following - x - np.nan_to_num(ahead)
        least = np.fmin(np.abs(there), np.abs(back))
        size = np.nan_to_num(least / normal.sigma)
        reverts = np.sign(there) == -np.sign(back)
        near = np.abs(there + back) < 0.35 * least + 1.5 * normal.sigma
        sigmas = policy.spike_sigma if name == "close" else policy.open_sigma
        mask = (size > sigmas) & (least > policy.spike_least) & reverts & near & ~skip
        alone = _alone(panel, size > policy.spike_sigma)
        for row in np.flatnonzero(mask).tolist():
            silent = normal.busy[row] < policy.spike_volume or not np.isfinite(normal.busy[row])
            severity = "fault" if silent and alone[row] else "note"
            if severity == "note" and (name == "open" or size[row] < policy.note_sigma):
                continue
            value = panel.prices_at(row)[0 if name == "open" else 3]
            whole = name == "close" and _whole(logs[:, row], last[row], float(there[row]))
            detail = (
                f"{'the whole bar, close' if whole else name} {price(value)} leaves its neighbours "
                f"by {np.expm1(there[row]):+.1%} and comes back at once; volume is "
                f"{np.exp(np.nan_to_num(normal.busy[row])):.1f} times the usual"
            )
            field = "" if whole else name
            found.append(Finding(row, "outlier", field, severity, float(size[row]), detail))
    return found


def _whole(bar: Floats, level: float, move: float) -> bool:
    """Tell whether all four prices moved, not the close alone."""
    return bool(np.all((bar - level) * np.sign(move) > 0.5 * abs(move)))


def _alone(panel: Panel, extreme: Bools) -> Bools:
    """Tell whether few other symbols are as extreme on the day (under 3 %, or only this one)."""
    place = panel.position - panel.position.min()
    many = np.bincount(place, weights=extreme.astype(np.float64))
    of = np.bincount(place)
    share: Floats = (many - 1)[place] / np.maximum(of[place] - 1, 1)
    return share < 0.03  # noqa: PLR2004


def _shadows(
    panel: Panel, normal: Normal, logs: Floats, skip: Bools, policy: QualityPolicy
) -> list[Finding]:
    open_, high, low, close = logs
    found = []
    reach = {
        "high": high - np.fmax(open_, close),
        "low": np.fmin(open_, close) - low,
    }
    for name, x in reach.items():
        size = np.nan_to_num(x / normal.sigma)
        alone = _alone(panel, size > policy.shadow_sigma / 2)
        least = np.nan_to_num(x) > 3 * policy.spike_least
        silent = ~(normal.busy > policy.spike_volume)
        mask = (size > policy.shadow_sigma) & least & alone & silent & ~skip
        for row in np.flatnonzero(mask).tolist():
            value = panel.prices_at(row)[1 if name == "high" else 2]
            detail = (
                f"{name} {price(value)} lies {np.expm1(float(x[row])):.1%} off open and close on a "
                f"day of ordinary volume"
            )
            found.append(Finding(row, "outlier", name, "suspect", float(size[row]), detail))
    return found
