"""Sketches of features: how values were distributed, small, exact to merge, for drift later.

A value falls into one of 32 bins an octave, read off the bits of the float, so a sketch of two sets
is the sum of their sketches, in whatever order they are added (after DDSketch, Masson, Rim and Lee,
2019). Quantiles are within 2 % of the value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bellwether.core.errors import InvalidRequest

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

TINY = 1e-12
"""What is nearer to zero falls into the bin of zero."""

_SHIFT = 52 - 5
_ZERO = int(np.array([TINY]).view(np.int64)[0] >> _SHIFT)


@dataclass(frozen=True, eq=False)
class Sketch:
    """The distribution of some features.

    Attributes
    ----------
    names : tuple of str
        The features.
    rows, missing : ndarray of int64, shape (n_features,)
        Values that were looked at, and how many of them were NaN.
    low, high : ndarray of float64
        Smallest and largest value; NaN where there is none.
    feature, bin, count : ndarray of int64, shape (n_bins,)
        How many values fell into which bin of which feature, by feature and bin.
    """

    names: tuple[str, ...]
    rows: Integers
    missing: Integers
    low: Floats
    high: Floats
    feature: Integers
    bin: Integers
    count: Integers

    def quantile(self, name: str, q: float) -> float:
        """Return the value below which a share of `q` lies; NaN where there is none.

        Raises
        ------
        InvalidRequest
            If there is no such feature, or `q` is not within 0 and 1.
        """
        if name not in self.names or not 0 <= q <= 1:
            raise InvalidRequest("quantile", f"{q} of {name!r}")
        i = self.names.index(name)
        mine = self.feature == i
        counts = self.count[mine]
        if not counts.size:
            return float("nan")
        at = int(np.searchsorted(np.cumsum(counts), q * (counts.sum() - 1), side="right"))
        middle = _middle(self.bin[mine][min(at, counts.size - 1)])
        return float(np.clip(middle, self.low[i], self.high[i]))

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return all of it as arrays, for storage."""
        parts = ("rows", "missing", "low", "high", "feature", "bin", "count")
        return {
            "names": np.array(self.names, dtype=np.str_),
            **{p: getattr(self, p) for p in parts},
        }


def sketched(names: Sequence[str], values: npt.NDArray[np.floating]) -> Sketch:
    """Sketch an array of shape (n_rows, n_features); infinite values count as missing."""
    if values.ndim != 2 or values.shape[1] != len(names):  # noqa: PLR2004
        raise InvalidRequest("values", f"shape {values.shape} for {len(names)} features")
    found: list[tuple[Integers, Integers]] = []
    low, high = np.full(len(names), np.nan), np.full(len(names), np.nan)
    missing = np.zeros(len(names), dtype=np.int64)
    for i in range(len(names)):
        column = np.ascontiguousarray(values[:, i], dtype=np.float64)
        here = column[np.isfinite(column)]
        missing[i] = len(column) - len(here)
        if len(here):
            low[i], high[i] = here.min(), here.max()
        keys, counts = np.unique(_bins(here), return_counts=True)
        found.append((keys, counts.astype(np.int64)))
    rows = np.full(len(names), len(values), dtype=np.int64)
    feature = np.repeat(np.arange(len(names)), [len(k) for k, _ in found]).astype(np.int64)
    keys = np.concatenate([np.empty(0, dtype=np.int64), *(k for k, _ in found)])
    counts = np.concatenate([np.empty(0, dtype=np.int64), *(c for _, c in found)])
    return Sketch(tuple(names), rows, missing, low, high, feature, keys, counts)


def merged(a: Sketch, b: Sketch) -> Sketch:
    """Return the sketch of both sets together.

    Raises
    ------
    InvalidRequest
        If they are not of the same features.
    """
    if a.names != b.names:
        raise InvalidRequest("sketch", "the two are of different features")
    pairs = np.concatenate([np.stack([s.feature, s.bin], axis=1) for s in (a, b)])
    unique, back = np.unique(pairs, axis=0, return_inverse=True)
    counts = np.zeros(len(unique), dtype=np.int64)
    np.add.at(counts, back.ravel(), np.concatenate([a.count, b.count]))
    return Sketch(
        a.names,
        a.rows + b.rows,
        a.missing + b.missing,
        np.fmin(a.low, b.low),
        np.fmax(a.high, b.high),
        np.ascontiguousarray(unique[:, 0]),
        np.ascontiguousarray(unique[:, 1]),
        counts,
    )


def from_arrays(content: Mapping[str, npt.NDArray[np.generic]]) -> Sketch:
    """Turn stored arrays back into a sketch."""
    whole = {p: content[p].astype(np.int64) for p in ("rows", "missing", "feature", "bin", "count")}
    low, high = (content[p].astype(np.float64) for p in ("low", "high"))
    return Sketch(tuple(str(n) for n in content["names"]), low=low, high=high, **whole)


def _bins(values: Floats) -> Integers:
    size = np.abs(values)
    key = (size.view(np.int64) >> _SHIFT) - _ZERO
    key = np.where(size < TINY, 0, np.maximum(key, 1))
    return np.where(values < 0, -key, key).astype(np.int64)


def _middle(key: np.int64) -> float:
    if key == 0:
        return 0.0
    edges = np.array([abs(key), abs(key) + 1], dtype=np.int64) + _ZERO
    low, high = (edges << _SHIFT).view(np.float64)
    return float(np.sign(key) * (low + high) / 2)
