"""The grid on which prices are told, and stretches where it is too coarse for returns."""

import numpy as np

from bellwether.quality.found import Finding, price
from bellwether.quality.panel import Bools, Floats, Panel
from bellwether.quality.policy import QualityPolicy
from bellwether.quality.runs import bridged, runs_of
from bellwether.quality.scale import Normal

DECIMALS = 6
NOISE = 0.1
COARSE = (10.0, 5.0, 1.0, 0.5, 0.25, 0.1, 0.05)
BINARY = 3e-7  # relative noise of a price that was once kept in four bytes


def _on(prices: Floats, step: float) -> Bools:
    """Tell for each row whether all of its prices are multiples of `step`."""
    units = prices / step
    noise = np.maximum(np.abs(units) * BINARY, 1e-6)
    return np.asarray((np.abs(units - np.rint(units)) <= np.minimum(noise, 0.2)).all(axis=0))


def tick_of(panel: Panel) -> Floats:
    """Return the decimal step of the prices around each row, USD, an array of shape (n,)."""
    prices = panel.prices()
    decimals = np.full(panel.rows, float(DECIMALS))
    for k in range(DECIMALS - 1, -1, -1):
        decimals = np.where(_on(prices, 10.0**-k), float(k), decimals)
    local = panel.moving_median(decimals, 21, 1)
    tick: Floats = 10.0 ** -np.ceil(np.nan_to_num(local, nan=2.0))
    return tick


def coarse_stretches(
    panel: Panel, tick: Floats, normal: Normal, policy: QualityPolicy
) -> tuple[list[Finding], Floats, Bools]:
    """Flag the first session of each stretch of prices that are told too coarsely.

    The grid of each row is returned too, USD, and whether it lies in such a stretch: there,
    repeats surprise nobody.

    Parameters
    ----------
    panel : Panel
        Bars.
    tick : array of shape (n,)
        From `tick_of`.
    normal : Normal
        Local scale.
    policy : QualityPolicy
        `grid_rows`, `grid_sigma`, `grid_least`.
    """
    own = _own_tick(panel, tick)
    coarser = np.zeros(panel.rows)
    prices = panel.prices()
    moving = panel.moving_least(np.where(panel.high > panel.low, 0.0, np.nan), 11) == 0
    for step in reversed(COARSE):
        on = _on(prices, step) & (step >= 4 * own) & moving
        coarser = np.where(on, step, coarser)
    found = []
    grid, rough = tick.copy(), np.zeros(panel.rows, dtype=bool)
    for row, count in runs_of(panel, bridged(panel, coarser > 0, 2)):
        steps = coarser[row : row + count]
        step = float(np.median(steps[steps > 0]))
        fine = step < 9 * own[row]
        if count >= (policy.grid_rows_fine if fine else policy.grid_rows):
            usual = f"in steps of {price(step)}, where the symbol's are {price(float(own[row]))}"
            grid[row : row + count] = np.maximum(grid[row : row + count], step)
            rough[row : row + count] = True
            if not panel.raw[row] and _noise(panel, normal, row, count, step) < NOISE:
                continue  # before a reverse split an adjusted grid is coarse by nature
            found.append(_finding(panel, normal, (row, count), (step, usual), policy))
    return found + _artefacts(panel, grid, rough, normal, policy), grid, rough


def _own_tick(panel: Panel, tick: Floats) -> Floats:
    """Return the symbol's usual grid: the median of its own, or the panel's where that is finer."""
    logs = np.log10(tick)
    edges = panel.begins()
    middles = np.array([np.median(logs[a : panel.last[a] + 1]) for a in edges])
    whole = float(np.median(middles))
    near = np.where(middles - whole > 1.5, middles, np.minimum(middles, whole))  # noqa: PLR2004
    own: Floats = 10.0 ** near[panel.code]
    return own


def _artefacts(
    panel: Panel, grid: Floats, rough: Bools, normal: Normal, policy: QualityPolicy
) -> list[Finding]:
    """Find stretches of adjusted prices whose least change is a large part of a usual move.

    `grid` and `rough` are raised there, so that repeats on it surprise nobody.
    """
    change = np.abs(panel.close - panel.lag(panel.close))
    least = panel.moving_least(np.where(change > 0, change, np.nan), policy.grid_least)
    step = np.fmax(grid, np.nan_to_num(least))
    noise = step / np.maximum(panel.close, step) / normal.sigma
    usual = np.nan_to_num(panel.moving_median(noise, policy.grid_least, 8))
    mask = ~panel.raw & (usual > policy.grid_sigma)
    found = []
    for row, count in runs_of(panel, bridged(panel, mask, policy.grid_least)):
        if count >= policy.grid_least:
            part = slice(row, row + count)
            told = float(np.median(step[part]))
            grid[part] = np.maximum(grid[part], step[part])
            rough[part] = True
            found.append(_finding(panel, normal, (row, count), (told, "coarsely"), policy))
    return found


def _noise(panel: Panel, normal: Normal, row: int, count: int, step: float) -> float:
    part = slice(row, row + count)
    return float(np.median(step / panel.close[part] / normal.sigma[part]))


def _finding(
    panel: Panel,
    normal: Normal,
    stretch: tuple[int, int],
    told: tuple[float, str],
    policy: QualityPolicy,
) -> Finding:
    (row, count), (step, how) = stretch, told
    noise = _noise(panel, normal, row, count, step)
    end = panel.session[row + count - 1]
    detail = (
        f"prices of {count} rows until {end} are told {how}: a step of {price(step)} is "
        f"{noise:.2f} of a usual daily move"
    )
    severity = "fault" if noise > NOISE else "suspect" if noise > policy.grid_noise else "note"
    return Finding(row, "coarse_rounding", "", severity, noise, detail)
