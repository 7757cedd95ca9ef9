"""Is a feature too good to be true? Single-feature AUC with clustered errors, and a permutation."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from bellwether.audit.found import KEYS, Alarm, Findings

MARGIN, ERRORS, PLACEBO = 0.05, 5.0, 10
"""An alarm lies above max(MARGIN, ERRORS standard errors) from 0.5; the placebo so much later."""
MIN_DATES = 60
SHIFTS = 199
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Score:
    """How well one feature sorts rises from falls, and how well it would by chance.

    `p_value` is of the circular shift: all labels moved by the same number of dates. `moved` is
    the AUC with labels that start ten sessions after these end, the placebo: a leak is gone there,
    a slow series that went along by chance is not.
    """

    feature: str
    auc: float
    error: float
    p_value: float
    moved: float
    rows: int

    @property
    def alarming(self) -> bool:
        """Whether it is beyond what daily returns let anybody know."""
        far = abs(self.auc - 0.5)
        beyond = far > max(MARGIN, ERRORS * self.error) and far > 2 * abs(self.moved - 0.5)
        return beyond and self.p_value <= 0.05  # noqa: PLR2004


def auc(x: Numbers, up: npt.NDArray[np.bool_]) -> float:
    """Return the chance that a rise has the larger value, ties counting half.

    Examples
    --------
    >>> auc(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, False, True, True]))
    1.0
    """
    n1, n0 = int(up.sum()), int((~up).sum())
    if n1 == 0 or n0 == 0:
        return float("nan")
    return float((ranks(x)[up].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def ranks(x: Numbers) -> Numbers:
    """Return mid-ranks from 1."""
    return pl.Series(x).rank("average").to_numpy()


def clustered_error(
    x: Numbers, up: npt.NDArray[np.bool_], dates: npt.NDArray[np.int64], lags: int = 0
) -> float:
    """Return the standard error of the AUC where rows of one date move together.

    DeLong's placements, summed by date; labels that overlap need `lags` (Newey and West 1987).
    """
    n1, n0, n = int(up.sum()), int((~up).sum()), len(x)
    among = ranks(x)
    within = np.empty(n)
    within[up], within[~up] = ranks(x[up]), ranks(x[~up])
    placed = np.where(up, (among - within) / n0, 1.0 - (among - within) / n1)
    mean = float(placed[up].mean())
    influence = np.where(up, (placed - mean) / n1, (placed - mean) / n0)
    by_date = np.bincount(dates, weights=influence)
    total = float((by_date**2).sum())
    for lag in range(1, min(lags, len(by_date) - 1) + 1):
        total += 2 * (1 - lag / (lags + 1)) * float((by_date[lag:] * by_date[:-lag]).sum())
    return float(np.sqrt(max(total, 0.0)))


def null_error(n_up: int, n_down: int) -> float:
    """Return the standard error of an AUC of 0.5 with independent rows (Hanley and McNeil 1982).

    Examples
    --------
    >>> round(null_error(130, 120), 4)
    0.0366
    """
    return float(np.sqrt((n_up + n_down + 1) / (12.0 * n_up * n_down)))


def score(rows: pl.DataFrame, feature: str, horizon: int, rng: np.random.Generator) -> Score | None:
    """Score one feature; None where there is too little of it.

    Parameters
    ----------
    rows : DataFrame
        session, symbol, the feature, `label` (a return) and `moved` (the placebo).
    horizon : int
        Sessions that a label spans.
    """
    there = rows.filter(
        pl.col(feature).is_finite() & pl.col("label").is_finite() & (pl.col("label") != 0)
    )
    dates = there["session"].rank("dense").cast(pl.Int64).to_numpy() - 1
    up = (there["label"] > 0).to_numpy()
    n_dates = int(dates.max()) + 1 if len(dates) else 0
    x = there[feature].to_numpy()
    if n_dates < MIN_DATES or up.all() or not up.any() or (x == x[0]).all():
        return None
    found = auc(x, up)
    error = max(
        clustered_error(x, up, dates, 4 * (horizon - 1)),
        null_error(int(up.sum()), int((~up).sum())),
    )
    near = abs(found - 0.5) <= max(MARGIN, ERRORS * error)
    p = 1.0 if near else _shifted(there.select(*KEYS, feature), rows, feature, found, rng)
    later = there.filter(pl.col("moved").is_finite() & (pl.col("moved") != 0))
    moved = auc(later[feature].to_numpy(), (later["moved"] > 0).to_numpy())
    return Score(feature, found, error, p, moved, there.height)


def _shifted(
    x: pl.DataFrame, rows: pl.DataFrame, feature: str, found: float, rng: np.random.Generator
) -> float:
    """Return the p-value of the AUC when labels of all symbols move in a circle by dates."""
    wide = rows.pivot("symbol", index="session", values="label").sort("session")
    labels = wide.drop("session").to_numpy()
    names = {s: i for i, s in enumerate(wide.columns[1:])}
    position = {d: i for i, d in enumerate(wide["session"].to_list())}
    at = np.array([position[d] for d in x["session"].to_list()])
    who = np.array([names[s] for s in x["symbol"].to_list()])
    values, n = x[feature].to_numpy(), labels.shape[0]
    least = min(30, n // 3)
    beyond = 0
    for shift in rng.integers(least, n - least, SHIFTS):
        y = labels[(at - int(shift)) % n, who]
        good = np.isfinite(y) & (y != 0)
        null = auc(values[good], y[good] > 0)
        beyond += bool(abs(null - 0.5) >= abs(found - 0.5))
    return (1 + beyond) / (SHIFTS + 1)


def too_good(
    features: pl.DataFrame, labels: pl.DataFrame, rng: np.random.Generator, horizon: int = 1
) -> Findings:
    """Alarm where one feature alone tells rises from falls too well.

    Parameters
    ----------
    features : DataFrame
        symbol, session and the features.
    labels : DataFrame
        symbol, session and `label`, the return that a decision can still earn.
    """
    found = Findings()
    moved = labels.sort(KEYS).with_columns(
        moved=pl.col("label").shift(-horizon - PLACEBO).over("symbol")
    )
    rows = features.join(moved, on=KEYS, how="inner", maintain_order="left")
    for name in features.columns[len(KEYS) :]:
        made = score(rows, name, horizon, rng)
        found.looked("single-feature AUC")
        if made is None or not made.alarming:
            continue
        said = (
            f"{name} alone tells rises from falls with an AUC of {made.auc:.3f} (standard error "
            f"{made.error:.3f} by date, {made.rows:,} rows; {made.moved:.3f} for the label "
            f"{horizon + PLACEBO} sessions later, circular-shift p {made.p_value:.3f}): no daily feature is that good, "
            "so it looks like the label under another name"
        )
        first = rows.filter(pl.col(name).is_finite()).row(0, named=True)
        found.alarms.append(
            Alarm("single-feature AUC", "too_good", name, first["symbol"], first["session"], None,
                  None, first[name], said)
        )  # fmt: skip
    return found
