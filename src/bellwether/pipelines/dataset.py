"""The training set: features as known at each decision, labels with their three times."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from bellwether.core.asof import as_of
from bellwether.core.errors import InsufficientHistory
from bellwether.core.ports import Ports
from bellwether.core.schemas import LABELS, SERIES, check
from bellwether.core.types import MIXED
from bellwether.features.adjust import adjust_forward
from bellwether.features.catalog import FeatureView, technical
from bellwether.features.history import BAR_KEYS, as_known
from bellwether.features.labels import open_to_open
from bellwether.features.needs import Refusal
from bellwether.features.views import Kept
from bellwether.inference.texts import texts_of
from bellwether.models.factory import READ_BY_BASELINES
from bellwether.pipelines.basis import refused_in
from bellwether.pipelines.sections import across

MIN_SCALE = 1e-6


@dataclass(frozen=True, slots=True)
class Dataset:
    """Rows that a model may be trained or judged on, sorted by decision and symbol.

    `rows` has the schema LABELS plus `scale`, the volatility known at the decision over the
    label's horizon (a fraction; the same for all rows where the view tells no volatility); `X` is
    the float32 matrix of the view's model features.
    `series` holds each symbol's adjusted series (schema SERIES). Rows of a symbol's warm-up and
    rows whose label is not known yet are left out, and so are symbols whose bars are of more than
    one adjustment. `refused` says what adjusted bars could not tell: NaN in `X`. `universe` is
    what features across symbols look across; None for all of the lake, and for other views.
    `aside` is the float32 matrix of `READ_BY_BASELINES` where the view has none of them.
    """

    view: FeatureView
    rows: pl.DataFrame
    X: npt.NDArray[np.float32]
    series: dict[str, pl.DataFrame]
    refused: tuple[Refusal, ...] = ()
    universe: str | None = None
    aside: npt.NDArray[np.float32] | None = None

    @property
    def y(self) -> npt.NDArray[np.float64]:
        """Realised log returns of shape (n_rows,)."""
        return self.rows["log_return"].to_numpy()

    def newest_rows(self, dates: int | None) -> npt.NDArray[np.int64]:
        """Return the rows of the newest so many decision dates; None: all."""
        if dates is None:
            return np.arange(self.rows.height)
        known = self.rows["decision_at"].unique().sort()
        oldest = known[max(0, known.len() - dates)]
        found: npt.NDArray[np.int64] = np.flatnonzero(
            (self.rows["decision_at"] >= oldest).to_numpy()
        )
        return found

    def newest(self, dates: int | None) -> "Dataset":
        """Return only the rows of the newest so many decision dates; None: all of them."""
        if dates is None:
            return self
        kept = self.newest_rows(dates)
        aside = None if self.aside is None else self.aside[kept]
        return replace(self, rows=self.rows[kept], X=self.X[kept], aside=aside)

    def of(self, symbol: str) -> "Dataset":
        """Return the rows of one symbol."""
        mine = (self.rows["symbol"] == symbol).to_numpy()
        rows, series = self.rows.filter(mine), {symbol: self.series[symbol]}
        aside = None if self.aside is None else self.aside[mine]
        return replace(self, rows=rows, X=self.X[mine], series=series, refused=(), aside=aside)


def build(
    symbols: Sequence[str],
    view: FeatureView,
    horizon: int,
    watermark: datetime,
    ports: Ports,
    members: Callable[[pl.DataFrame], pl.DataFrame] | None = None,
    universe: str | None = None,
) -> Dataset:
    """Assemble the training set of `symbols` as of the clock and the watermark.

    `members` keeps of the labels those of names that belonged to a universe when decided. A view
    that looks across symbols does so across all of the lake, not only those that are trained on,
    or across the members of `universe`.

    Raises
    ------
    UnknownName
        If a view looks across a universe that does not exist.
    InsufficientHistory
        If no symbol has a complete feature vector with a known label.
    """
    now, read = ports.clock.now(), Kept(view, universe if view.across else None)
    wide = _with_baselines(view)
    whole = across(replace(read, view=wide), watermark, ports) if view.across else None
    parts: list[pl.DataFrame] = []
    series: dict[str, pl.DataFrame] = {}
    told: dict[str, str] = {}
    for symbol in symbols:
        revisions = ports.lake.bars([symbol]).filter(pl.col("ingested_at") <= watermark)
        adjusted = _series(revisions, ports)
        if adjusted is None:
            continue
        told[symbol] = adjusted["adjustment"][-1]
        if told[symbol] == MIXED:
            continue
        series[symbol] = adjusted
        labels = check(open_to_open(adjusted, horizon, ports.calendar), LABELS)
        labels = _decided(labels, adjusted, members)
        if whole is None:
            texts = texts_of(wide, symbol, watermark, ports)
            features = as_known(wide, revisions, ports.calendar, now, texts).slice(view.warm_up)
        else:
            features = _complete(whole.filter(pl.col("symbol") == symbol), view, told[symbol])
        parts.append(labels.join(features, on=BAR_KEYS, how="inner", maintain_order="left"))
    rows = _known(parts, now)
    if rows.height == 0:
        longest = max((one.height for one in series.values()), default=0)
        raise InsufficientHistory("training", longest, view.warm_up + 2)
    return _laid_out(rows, read, horizon, series, told)


def _known(parts: Sequence[pl.DataFrame], now: datetime) -> pl.DataFrame:
    """Return the rows whose label is known by now, by decision and symbol; none of no parts."""
    if not parts:
        return pl.DataFrame()
    known = pl.col("log_return").is_not_null() & (pl.col("label_known_at") <= now)
    return pl.concat(parts).filter(known).sort("decision_at", "symbol")


def _with_baselines(view: FeatureView) -> FeatureView:
    """Return the view with what baselines read beside it, so that all are judged on the same rows."""
    absent = [n for n in READ_BY_BASELINES if n not in view.columns]
    beside = tuple(f for f in technical().features if f.name in absent)
    return replace(view, features=(*view.features, *beside)) if beside else view


def _series(revisions: pl.DataFrame, ports: Ports) -> pl.DataFrame | None:
    """Return one symbol's series with the times at which each bar was first known, or None."""
    bars = as_of(revisions, ports.clock.now(), BAR_KEYS)
    if bars.height == 0:
        return None
    first_known = revisions.group_by("session").agg(pl.col("knowledge_time").min())
    adjusted = adjust_forward(bars, ports.calendar).update(first_known, on="session")
    return check(adjusted, SERIES)


def _complete(features: pl.DataFrame, view: FeatureView, how: str) -> pl.DataFrame:
    """Keep the rows that serving would answer from: with all that their bars and the section tell."""
    refused = set(view.refused[how])
    firm = [view.columns[i] for i in view.firm if i not in refused]
    whole = features.slice(view.warm_up)
    return whole.filter(pl.all_horizontal(pl.col(name).is_not_nan() for name in firm))


def _decided(
    labels: pl.DataFrame,
    series: pl.DataFrame,
    members: Callable[[pl.DataFrame], pl.DataFrame] | None,
) -> pl.DataFrame:
    """Keep the sessions with a bar, for on a carried one nobody decides, and those of members."""
    told = labels.filter(~series["carried"])
    return told if members is None else members(told)


def _laid_out(
    rows: pl.DataFrame,
    read: Kept,
    horizon: int,
    series: dict[str, pl.DataFrame],
    told: dict[str, str],
) -> Dataset:
    view = read.view
    X = np.ascontiguousarray(rows.select(view.model_columns).to_numpy(), dtype=np.float32)
    moves = pl.lit(1.0) if view.scale is None else pl.col(view.scale)
    scale = moves.clip(lower_bound=MIN_SCALE) * float(np.sqrt(horizon))
    kept = rows.with_columns(scale=scale).select(*LABELS.columns, "scale")
    beside = [n for n in READ_BY_BASELINES if n not in view.columns]
    aside = rows.select(beside).to_numpy().astype(np.float32) if beside else None
    return Dataset(view, kept, X, series, refused_in(view, told), read.universe, aside)
