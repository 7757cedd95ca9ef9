"""Decimal slips: a price, a bar or a stretch of bars told ten, a hundred or a thousand times off."""

from dataclasses import dataclass

import numpy as np

from bellwether.quality.found import Finding, price
from bellwether.quality.panel import FIELDS, Bools, Floats, Ints, Panel, nanmedian
from bellwether.quality.policy import QualityPolicy
from bellwether.quality.scale import Normal, log_or_nan, share_basis

TEN = float(np.log(10.0))
MOST = 3


@dataclass(frozen=True, slots=True)
class Slips:
    """Powers of ten by which each price is off, shape (4, n), and what was found."""

    powers: Ints
    findings: tuple[Finding, ...]

    def mend(self, panel: Panel) -> Panel:
        """Return the panel with the slips undone."""
        return panel.with_prices(panel.prices() / 10.0 ** self.powers.astype(np.float64))


def decimal_slips(panel: Panel, normal: Normal, policy: QualityPolicy) -> Slips:
    """Find slips of whole bars by steps that are taken back, then of single fields."""
    runs, sure = _stretches(panel, normal, policy)
    logs = log_or_nan(panel.prices()) + share_basis(panel) - runs * TEN
    around = _around(panel, logs, nanmedian(logs))
    fields = _power(logs - around, normal.sigma, policy)
    whole = (fields == fields[0]).all(axis=0) & (fields[0] != 0)
    fields[:, whole & _near_told(panel)] = 0
    powers = np.where(np.isnan(panel.prices()), 0, runs + fields).astype(np.int64)
    rows = np.flatnonzero((powers != 0).any(axis=0))
    found: list[Finding] = []
    for row in rows.tolist():
        score = float(np.abs(powers[:, row]).max() * TEN / normal.sigma[row])
        bar = whole[row] or (runs[row] != 0 and not fields[:, row].any())
        severity = "fault" if sure[row] else "suspect"
        for f in [3] if bar else np.flatnonzero(powers[:, row]):
            name = "" if bar else FIELDS[f]
            value, power = panel.prices_at(row)[f], int(powers[f, row])
            detail = (
                f"{'the whole bar, close' if bar else name} {price(value)}, is 10^{power} times the "
                f"level of its neighbours, which asks for {price(value / 10.0**power)}"
            )
            found.append(Finding(row, "decimal_slip", name, severity, score, detail))
    return Slips(powers, tuple(found))


def _around(panel: Panel, logs: Floats, level: Floats) -> Floats:
    """Return the level of the five rows on each side where a price is far off, else NaN."""
    away = np.zeros(panel.rows)
    for beside in (panel.lag(level), panel.lag(level, -1)):
        away = np.fmax(away, np.abs(logs - beside).max(axis=0))
    rows = np.flatnonzero(away > TEN / 2)
    out = np.full(panel.rows, np.nan)
    place = rows[None, :] + np.array([k for k in range(-5, 6) if k])[:, None]
    inside = (place >= panel.first[rows]) & (place <= panel.last[rows])
    out[rows] = nanmedian(np.where(inside, level[np.clip(place, 0, panel.rows - 1)], np.nan))
    return out


def _near_told(panel: Panel) -> Bools:
    """Tell which rows lie so near a told split of ten or more that its date may be the fault."""
    told = np.where(panel.raw & (np.abs(np.log(panel.split)) > TEN - 0.25), 1.0, 0.0)
    near = np.nan_to_num(np.stack([panel.lag(told, k) for k in range(-6, 7)])).max(axis=0)
    return np.asarray(near > 0)


def _power(away: Floats, sigma: Floats, policy: QualityPolicy) -> Ints:
    """Return the power of ten that `away` (natural log) is, or 0 where it is none."""
    away = np.nan_to_num(away)
    k = np.clip(np.rint(away / TEN), -MOST, MOST)
    slack = np.clip(6 * sigma, policy.slip_slack, 2 * policy.slip_slack)
    return np.where(np.abs(away - k * TEN) <= slack, k, 0).astype(np.int64)


def _stretches(panel: Panel, normal: Normal, policy: QualityPolicy) -> tuple[Ints, Bools]:
    """Return the power of ten of each bar that lies between two opposite steps, and certainty."""
    powers = np.zeros(panel.rows, dtype=np.int64)
    sure = np.ones(panel.rows, dtype=bool)
    steps = _power(normal.level - panel.lag(normal.level), normal.sigma, policy)
    told = np.where(panel.raw, np.log(panel.split), 0.0)
    explained = (told != 0) & (np.abs(np.abs(told) - np.abs(steps) * TEN) < policy.slip_slack)
    edges = np.flatnonzero(steps)
    lonely: list[int] = []
    i = 0
    while i < len(edges):
        a, b = int(edges[i]), int(edges[min(i + 1, len(edges) - 1)])
        near = panel.code[a] == panel.code[b] and b - a <= policy.slip_run
        if near and steps[a] == -steps[b] and not (explained[a] or explained[b]):
            powers[a:b] = steps[a]
            i += 1
        elif not explained[a]:
            lonely.append(a)
        i += 1
    for edge in lonely:
        _lonely(panel, edge, int(steps[edge]), powers, sure, policy)
    return powers, sure


def _lonely(
    panel: Panel, edge: int, power: int, powers: Ints, sure: Bools, policy: QualityPolicy
) -> None:
    """Judge a step that is never taken back: the shorter side is in the wrong unit.

    A single factor of ten is left to the detector of splits: one for ten has happened.
    """
    first, last = int(panel.first[edge]), int(panel.last[edge])
    head, tail = edge - first, last - edge + 1
    if min(head, tail) > policy.slip_run or abs(power) < 2:  # noqa: PLR2004
        return
    side = slice(first, edge) if head <= tail else slice(edge, last + 1)
    powers[side] = -power if head <= tail else power
    sure[side] = False
