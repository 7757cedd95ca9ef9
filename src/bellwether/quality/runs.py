"""Runs of rows inside one symbol."""

import numpy as np

from bellwether.quality.panel import Bools, Floats, Ints, Panel, nanmedian


def runs_of(panel: Panel, mask: Bools) -> list[tuple[int, int]]:
    """Return first row and length of each run of True inside one symbol."""
    if not mask.any():
        return []
    begins = mask & ~(np.append(False, mask[:-1]) & (np.diff(panel.code, prepend=-1) == 0))
    ends = mask & ~(np.append(mask[1:], False) & (np.diff(panel.code, append=-1) == 0))
    first, last = np.flatnonzero(begins), np.flatnonzero(ends)
    return [(int(a), int(b - a + 1)) for a, b in zip(first, last, strict=True)]


def run_length(panel: Panel, mask: Bools) -> Ints:
    """Return for each row the length of the run of True it lies in, 0 outside."""
    out = np.zeros(panel.rows, dtype=np.int64)
    for row, count in runs_of(panel, mask):
        out[row : row + count] = count
    return out


def told_runs(panel: Panel, mask: Bools, regime: int) -> list[tuple[int, int]]:
    """Return each flagged row with 1, or, of a run as long as a regime, its first with its length."""
    out: list[tuple[int, int]] = []
    for row, count in runs_of(panel, mask):
        out += [(row, count)] if count >= regime else [(row + i, 1) for i in range(count)]
    return out


def until(panel: Panel, row: int, count: int) -> str:
    """Say how far a run reaches; nothing where it is one row."""
    return "" if count == 1 else f"; so in {count} rows until {panel.session[row + count - 1]}"


def bridged(panel: Panel, mask: Bools, hole: int) -> Bools:
    """Return `mask` with holes of up to `hole` rows between two runs of a symbol filled."""
    out = mask.copy()
    for row, count in runs_of(panel, ~mask):
        inside = row > panel.first[row] and row + count - 1 < panel.last[row]
        if count <= hole and inside:
            out[row : row + count] = True
    return out


def median_at(panel: Panel, x: Floats, rows: Ints, low: int, high: int) -> Floats:
    """Return the median of `x` from `low` to `high` rows off each of `rows`, inside the symbol."""
    place = rows[None, :] + np.arange(low, high + 1)[:, None]
    inside = (place >= panel.first[rows]) & (place <= panel.last[rows])
    values = np.where(inside, x[np.clip(place, 0, panel.rows - 1)], np.nan)
    return nanmedian(values)
