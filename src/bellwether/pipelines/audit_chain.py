"""The platform's own chain under audit: features, labels, revisions, folds, and what is fitted."""

import zlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial

import numpy as np
import polars as pl

from bellwether.audit.causal import MEDIUM, QUICK, audit
from bellwether.audit.cells import differences, tidy
from bellwether.audit.chain import audit_chain, fold_alarms
from bellwether.audit.found import KEYS, Alarm, Findings, Panel, Subject
from bellwether.audit.hunt import Enough, shown
from bellwether.audit.numbers import too_good
from bellwether.audit.warmup import warm_up
from bellwether.core.calendar import SessionCalendar
from bellwether.core.ports import quiet
from bellwether.evaluation.splits import walk_forward
from bellwether.features.adjust import adjust_forward
from bellwether.features.catalog import FeatureView
from bellwether.features.history import states
from bellwether.features.labels import open_to_open
from bellwether.features.panel import Section, compute
from bellwether.features.texts import FRAME
from bellwether.features.views import Kept
from bellwether.pipelines.dataset import Dataset
from bellwether.pipelines.walk import Walk, walk

MODEL = "linear"
SECTORS = ("energy", "finance", "technology")
FOLD_DATES = 126
KNOWN_LATER = 30
"""Sessions after which an invented correction becomes known."""


def features_of(panel: Panel, kept: Kept, calendar: SessionCalendar) -> pl.DataFrame:
    """Compute the view over a panel as the platform does, on the sessions with a bar."""
    told = _first_told(panel.bars)
    until = max(told["knowledge_time"].to_list(), default=datetime.min.replace(tzinfo=UTC))
    return _known(kept, told, panel, calendar, until)


def section_of(panel: Panel, kept: Kept) -> Section:
    """Say who is in the section: the members of a universe of the panel, or everybody.

    A view that reads sectors is given invented ones, so that every symbol has some.
    """
    sectors, universe = _sectors(panel) if kept.view.reads_sectors else None, kept.universe
    if universe is None or panel.universe is None:
        return Section(None, sectors)
    told = panel.universe.filter(pl.col("universe") == universe).select("symbol", "first", "last")
    during = (pl.col("first") <= pl.col("session")) & (
        pl.col("last").is_null() | (pl.col("session") <= pl.col("last"))
    )
    rows = panel.bars.select(KEYS).join(told, on="symbol", how="inner").filter(during)
    return Section(rows.select(KEYS).unique(), sectors)


def _sectors(panel: Panel) -> pl.DataFrame:
    """Invent sectors that depend on a symbol's name alone, as far as the panel's last session.

    Each symbol changes its sector once a year; what lies after the last session nobody knows.
    """
    first, last = panel.bars["session"].min(), panel.bars["session"].max()
    years = range(first.year, last.year + 1) if panel.bars.height else ()  # type: ignore[union-attr]
    symbols = panel.bars["symbol"].unique().sort().to_list()
    signs = {s: zlib.crc32(s.encode()) for s in symbols}
    rows = [
        (s, SECTORS[(sign + year) % len(SECTORS)], date(year, 1 + sign % 12, 1))
        for s, sign in signs.items()
        for year in years
    ]
    told = pl.DataFrame(
        rows, {"symbol": pl.String, "sector": pl.String, "known_from": pl.Date}, orient="row"
    )
    return told.filter(pl.col("known_from") <= last)


def labels_of(panel: Panel, horizon: int, calendar: SessionCalendar) -> pl.DataFrame:
    """Label a panel as the platform does."""
    parts = panel.bars.partition_by("symbol", maintain_order=True)
    made = [open_to_open(adjust_forward(part, calendar), horizon, calendar) for part in parts]
    return pl.concat(made).select(*KEYS, label="log_return", label_known_at="label_known_at")


def audit_view(
    kept: Kept,
    panel: Panel,
    horizon: int,
    calendar: SessionCalendar,
    seed: int = 0,
    *,
    enough: Enough | None = None,
) -> Findings:
    """Audit the platform's own features, labels, folds and fits on a panel, to the bit.

    `enough` says when the time is used up; without it the audit keeps to the nine cuts of the rule
    and a few more.
    """
    quick, view = enough is None, kept.view
    folds = partial(_folds, calendar=calendar)
    subject = Subject(
        features=partial(features_of, kept=kept, calendar=calendar),
        tolerance=0.0,
        label=partial(labels_of, horizon=horizon, calendar=calendar),
        horizon=horizon,
        folds=folds,
    )
    hunt = audit(subject, panel, seed, QUICK if quick else MEDIUM, enough or _never)
    found = hunt.found
    found.add(audit_chain(subject, panel, hunt.full, hunt.rng, 2 if quick else 6))
    labels = labels_of(panel, horizon, calendar).select(*KEYS, "label")
    found.add(too_good(hunt.full.select(*KEYS, *view.model_columns), labels, hunt.rng, horizon))
    found.add(revised(kept, panel, calendar, hunt.rng))
    found.add(fitted(view, panel, hunt.full, horizon, calendar, hunt.rng))
    if not quick:
        found.notes += warm_up(subject, panel, hunt.full)
    return found


def _never() -> bool:
    return False


def _folds(
    rows: pl.DataFrame, calendar: SessionCalendar
) -> list[tuple[Sequence[int], Sequence[int]]]:
    del calendar
    decided, known = (
        rows[c].to_numpy().astype("datetime64[us]") for c in ("decision_at", "label_known_at")
    )
    dates = len(np.unique(decided))
    size = max(1, min(252, dates // 4))
    made = walk_forward(decided, known, min_train_dates=max(1, dates // 3), test_dates=size)
    return [(f.train.tolist(), f.test.tolist()) for f in made]


def revised(
    kept: Kept, panel: Panel, calendar: SessionCalendar, rng: np.random.Generator
) -> Findings:
    """Correct bars and actions late: rows decided before the correction keep their numbers."""
    found = Findings()
    for symbol, part in sorted(panel.bars.group_by("symbol"), key=lambda kv: str(kv[0][0]))[:2]:
        bars = part.sort("session")
        if bars.height < 4 * KNOWN_LATER:
            continue
        told = _first_told(bars)
        at = int(rng.integers(bars.height // 3, 2 * bars.height // 3))
        since = bars["knowledge_time"][at + KNOWN_LATER] + timedelta(minutes=1)
        late = told.slice(at, 1).with_columns(
            revision=pl.lit(1, dtype=pl.Int32),
            close=pl.col("low"),
            split_ratio=pl.lit(2.0),
            knowledge_time=pl.lit(since),
            ingested_at=pl.lit(since),
        )
        until = max(*panel.bars["knowledge_time"].to_list(), datetime.min.replace(tzinfo=UTC))
        if kept.view.across:
            told = pl.concat([told, _first_told(panel.bars.filter(pl.col("symbol") != symbol[0]))])
        both = pl.concat([told, late])
        plain, other = (tidy(_known(kept, b, panel, calendar, until)) for b in (told, both))
        last: date = bars["session"][at + KNOWN_LATER]
        found.looked("late correction", at * len(kept.view.columns))
        for d in differences(plain, other, last, 0.0):
            said = (
                f"{d.feature} of {symbol[0]} on {d.session} was {shown(d.known)} and is "
                f"{shown(d.other)} after a correction that became known after {last}: later "
                "knowledge reaches back"
            )
            found.alarms.append(
                Alarm("late correction", "later_knowledge", d.feature, d.symbol, d.session, last,
                      d.known, d.other, said, cells=d.cells)
            )  # fmt: skip
    return found


def _known(
    kept: Kept, told: pl.DataFrame, panel: Panel, calendar: SessionCalendar, until: datetime
) -> pl.DataFrame:
    """Compute each row from the revisions that were known when it was decided.

    Only sessions with a bar are kept: on a carried one nobody decides, and only later bars tell it.
    """
    parts = told.sort(*KEYS, "revision").partition_by("symbol", as_dict=True)
    each = {
        str(key[0]): list(states(part, calendar, until, _texts(panel, kept, str(key[0]))))
        for key, part in parts.items()
    }
    made = compute(kept.view, each, calendar, section_of(panel, kept))
    return made.drop("last_close").join(panel.bars.select(KEYS), on=KEYS, how="semi")


def _texts(panel: Panel, kept: Kept, symbol: str) -> pl.DataFrame | None:
    """Return a symbol's texts as the view reads them; none where the panel tells none."""
    if not kept.view.reads_texts:
        return None
    if panel.texts is None:
        return pl.DataFrame(schema=FRAME)
    return panel.texts.filter(pl.col("symbol") == symbol).select(list(FRAME))


def _first_told(bars: pl.DataFrame) -> pl.DataFrame:
    return bars.with_columns(
        revision=pl.lit(0, dtype=pl.Int32), ingested_at=pl.col("knowledge_time")
    )


def fitted(
    view: FeatureView,
    panel: Panel,
    full: pl.DataFrame,
    horizon: int,
    calendar: SessionCalendar,
    rng: np.random.Generator,
) -> Findings:
    """Change all rows after a fold's test: scaler, imputer and model of that fold stay."""
    found = Findings()
    data = _dataset(view, panel, full, horizon, calendar)
    if data is None:
        return found
    how = Walk(horizon, min_train_dates=FOLD_DATES, test_dates=FOLD_DATES)
    one = walk(data, [MODEL], how, quiet, "Auditing")
    decided = data.rows["decision_at"]
    border = one.filter(pl.col("fold") == 0)["decision_at"].max()
    later = (decided > border).to_numpy()
    X, y = data.X.copy(), data.rows["log_return"].to_numpy().copy()
    X[later] = 50.0 * rng.normal(size=(int(later.sum()), X.shape[1]))
    y[later] = rng.normal(size=int(later.sum()))
    rows = data.rows.with_columns(log_return=pl.Series(y))
    two = walk(Dataset(view, rows, X, data.series), [MODEL], how, quiet, "Auditing")
    names = [f"forecast_{MODEL}", f"probability_{MODEL}"]
    a, b = (tidy(r.filter(pl.col("fold") == 0).select(*KEYS, *names)) for r in (one, two))
    found.looked("fit scope", a.height * len(names))
    for d in differences(a, b, a["session"].max(), 0.0):  # type: ignore[arg-type]
        said = (
            f"{d.feature} of {d.symbol} on {d.session} changes with rows after its fold's test: "
            "what is fitted has seen them"
        )
        found.alarms.append(
            Alarm("fit scope", "fit_scope", d.feature, d.symbol, d.session, None, d.other, d.known,
                  said, cells=d.cells)
        )  # fmt: skip
    found.alarms += fold_alarms(data.rows, _walked(data))
    return found


def _walked(data: Dataset) -> list[tuple[Sequence[int], Sequence[int]]]:
    decided, known = (
        data.rows[c].dt.replace_time_zone(None).to_numpy()
        for c in ("decision_at", "label_known_at")
    )
    made = walk_forward(decided, known, min_train_dates=FOLD_DATES, test_dates=FOLD_DATES)
    return [(f.train.tolist(), f.test.tolist()) for f in made]


def _dataset(
    view: FeatureView, panel: Panel, full: pl.DataFrame, horizon: int, calendar: SessionCalendar
) -> Dataset | None:
    """Return the rows of three folds of the newest bars, as `dataset.build` lays them out."""
    days = panel.bars["session"].unique().sort()
    if len(days) < view.warm_up + 4 * FOLD_DATES:
        return None
    first = days[-4 * FOLD_DATES]
    series, parts = {}, []
    for part in panel.bars.partition_by("symbol", maintain_order=True):
        adjusted = adjust_forward(part, calendar)
        name = adjusted["symbol"][0]
        series[name] = adjusted.filter(pl.col("session") >= first)
        labels = open_to_open(adjusted, horizon, calendar).filter(~adjusted["carried"])
        parts.append(labels.slice(view.warm_up))
    rows = (
        pl.concat(parts)
        .filter(pl.col("log_return").is_not_null() & (pl.col("session") >= first))
        .join(full, on=KEYS, how="inner")
        .sort("decision_at", "symbol")
    )
    X = np.ascontiguousarray(rows.select(view.model_columns).to_numpy(), dtype=np.float32)
    names = rows["symbol"].unique().to_list()
    kept = rows.select(*KEYS, "decision_at", "label_start", "label_known_at", "log_return",
                       scale=pl.lit(0.02))  # fmt: skip
    return Dataset(view, kept, X, {s: series[s] for s in names})
