"""Rebuilding adjusted closes where the factor of an ex-date is put right."""

import numpy as np

from bellwether.quality.repair_events import Event, later_splits, noise_of, ratio_of
from bellwether.quality.repair_policy import RepairPolicy
from bellwether.quality.sheet import Sheet, Why

LEAST_SHARE = 5e-4
CENTS = range(2, 5)


class Factors:
    """The day factors of one symbol: what the adjusted closes lose on each ex-date."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._new: dict[int, tuple[float, Why]] = {}
        self._noise = noise_of(sheet)

    def put(self, event: Event, factor: float, why: Why) -> None:
        """Say what the factor of an event should be."""
        told = 1.0 - event.implied / event.price if event.adjusted else np.nan
        if not np.isfinite(told) or abs(told - factor) > event.noise / event.price:
            self._new[event.row] = (factor, why)

    def unlisted(self, policy: RepairPolicy) -> None:
        """List a dividend that the adjusted closes subtract, where its cents are beyond doubt."""
        ratio = ratio_of(self._sheet)
        if ratio is None:
            return
        values, rest = self._sheet.values, later_splits(self._sheet)
        rows = self._sheet.valid()
        rows = rows[np.isfinite(ratio[rows]) & (ratio[rows] > 0)]
        shares = 1.0 - ratio[rows[:-1]] / ratio[rows[1:]]
        for k in np.flatnonzero((shares > LEAST_SHARE) & (shares < policy.largest_yield)):
            row, before = int(rows[k + 1]), int(rows[k])
            told = values["dividend_usd"][before + 1 : row + 1]
            if (told > 0).any() or values["split_ratio"][row] != 1.0:
                continue
            price = float(values["close"][before] * rest[row])
            noise = 1.5 * price * float(self._noise[before] + self._noise[row])
            self._list(row, float(shares[k]) * price, noise, float(rest[row]))

    def _list(self, row: int, implied: float, noise: float, rest: float) -> None:
        """List what was paid on the basis of the ex-date, where it has cents."""
        near = [(round(implied, d), d) for d in CENTS if abs(round(implied, d) - implied) <= noise]
        words = f"the adjusted closes subtract {implied / rest:.5g}, and no dividend is listed"
        if near and noise < 0.05 * 10.0 ** -near[0][1]:
            why = Why("missing_dividend", words, 0.9)
            self._sheet.put(row, "dividend_usd", near[0][0] / rest, why)
        elif implied > 10 * noise:
            words += "; their rounding leaves its cents open"
            self._sheet.leave(row, Why("missing_dividend", words, 0.5))

    def write(self) -> None:
        """Multiply the adjusted closes before each ex-date that changed."""
        adjusted = self._sheet.values.get("adj_close")
        if adjusted is None or not self._new:
            return
        rows = self._sheet.valid()
        old = ratio_of(self._sheet)
        if old is None:
            return
        listed = self._sheet.values["dividend_usd"] > 0
        new = _rebuilt(old, rows, {row: factor for row, (factor, _) in self._new.items()}, listed)
        base = self._sheet.continuous()
        whys = sorted(self._new.items())
        for row in rows[rows < whys[-1][0]]:
            value = float(new[row] * base[row])
            told = float(adjusted[row])
            if not np.isfinite(value) or abs(value - told) <= 1e-12 * abs(value):
                continue
            _, why = next(w for r, w in whys if r > row)
            self._sheet.put(int(row), "adj_close", value, why)


def _rebuilt(
    old: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    rows: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    factors: dict[int, float],
    listed: "np.ndarray[tuple[int], np.dtype[np.bool_]]",
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Chain the factors backwards from the newest bar: those put right, and the others as told.

    Where an adjusted close is no number and no dividend is listed, the factor is 1.
    """
    new = old.copy()
    places = sorted(factors, reverse=True)
    for k in range(len(rows) - 2, -1, -1):
        row, after = rows[k], rows[k + 1]
        mine = [factors[p] for p in places if row < p <= after]
        known = old[after] != 0 and np.isfinite(old[row]) and np.isfinite(old[after])
        told = float(old[row] / old[after]) if known else np.nan
        if not known and not listed[row + 1 : after + 1].any():
            told = 1.0
        new[row] = new[after] * (float(np.prod(mine)) if mine else told)
    return new
