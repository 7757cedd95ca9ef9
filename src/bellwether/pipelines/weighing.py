"""What features do to a fitted model's forecasts of rows that it did not learn from."""

import io
from dataclasses import fields

import numpy as np
import numpy.typing as npt

from bellwether.evaluation.importance import Weighed
from bellwether.models.base import Column, Forecaster, Matrix
from bellwether.models.explain import contributions
from bellwether.models.packed import PackedModel

EXPLAINED_ROWS = 256
Instants = npt.NDArray[np.datetime64]


def weigh(
    model: Forecaster, X: Matrix, y: Column, dates: Instants, *, rows: int, seed: int
) -> Weighed:
    """Weigh the features of a fitted model on rows out of sample.

    Whole dates, evenly spread, of about `rows` rows are scored with each feature's values in random
    order over these rows; contributions are exact, of at most 256 of them. The order is of the seed.
    """
    kept = spread(dates, rows)
    X, y, dates = np.ascontiguousarray(X[kept]), y[kept], dates[kept]
    packed = PackedModel(model.pack())
    when, day = np.unique(dates, return_inverse=True)
    error = (y - packed.predict(X).log_return) ** 2
    rng = np.random.default_rng(seed)  # noqa: TID251 - of the run's seed
    lost = np.zeros((when.size, X.shape[1]))
    for j in range(X.shape[1]):
        mixed = X.copy()
        mixed[:, j] = X[rng.permutation(len(X)), j]
        if np.array_equal(mixed[:, j], X[:, j], equal_nan=True):
            continue
        more = (y - packed.predict(mixed).log_return) ** 2 - error
        lost[:, j] = _by_date(more, day)
    moved, gained = _explained(model, X, y, day)
    return Weighed(moved, when, lost, _by_date(y**2, day), gained)


def packed(found: Weighed) -> bytes:
    """Write what was weighed as an .npz, without any pickled object."""
    out = io.BytesIO()
    np.savez_compressed(
        out, allow_pickle=False, **{f.name: getattr(found, f.name) for f in fields(found)}
    )
    return out.getvalue()


def unpacked(content: bytes | None) -> Weighed | None:
    """Read what `packed` wrote; None of nothing.

    Raises
    ------
    ValueError, OSError, KeyError
        If it is something else.
    """
    if content is None:
        return None
    told = np.load(io.BytesIO(content), allow_pickle=False)
    return Weighed(**{f.name: told[f.name] for f in fields(Weighed)})


def spread(dates: Instants, rows: int) -> npt.NDArray[np.int64]:
    """Return the rows of whole dates, evenly spread, about `rows` of them; all where there are fewer."""
    when, day = np.unique(dates, return_inverse=True)
    if len(dates) <= rows:
        return np.arange(len(dates))
    n = max(1, min(when.size, round(when.size * rows / len(dates))))
    taken = np.unique(np.linspace(0, when.size - 1, n).round().astype(np.int64))
    return np.flatnonzero(np.isin(day, taken)).astype(np.int64)


def _explained(
    model: Forecaster, X: Matrix, y: Column, day: npt.NDArray[np.intp]
) -> tuple[Column, Column]:
    """Return how far each feature moves forecasts, and by date whether the outcome went that way."""
    explainer = model.explainer()
    looked = spread(day.astype("datetime64[D]"), EXPLAINED_ROWS)
    shares = np.array([contributions(explainer, X[i])[1] for i in looked])
    shares = np.broadcast_to(shares, (len(looked), X.shape[1]))
    told = (shares - shares.mean(axis=0)) * y[looked, np.newaxis]
    _, part = np.unique(day[looked], return_inverse=True)
    gained = np.column_stack([_by_date(column, part) for column in told.T])
    return np.abs(shares).mean(axis=0), gained


def _by_date(values: Column, day: npt.NDArray[np.intp]) -> Column:
    found: Column = np.bincount(day, weights=values) / np.bincount(day)
    return found
