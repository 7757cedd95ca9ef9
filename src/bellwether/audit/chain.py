"""The rest of the chain: labels, fills, folds, and what is fitted."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl

from bellwether.audit import worlds
from bellwether.audit.cells import cell, differences, equal, tidy
from bellwether.audit.found import KEYS, Alarm, Findings, Fold, Note, Panel, Subject

FILLS = {"close": 0.5, "open": 0.0, "next_open": 1.0, "next_close": 1.5}
DECIDES = {"open": 0.25, "close": 0.75}
"""Moments in sessions: the open of a session is 0, its close 0.5; a decision comes after them."""
LABEL_CUTS = 6


def audit_chain(
    subject: Subject,
    panel: Panel,
    full: pl.DataFrame,
    rng: np.random.Generator,
    cuts: int = LABEL_CUTS,
) -> Findings:
    """Check what a subject says beyond its features; labels and fills at so many cuts."""
    found = Findings()
    _fill(subject, found)
    if subject.label is not None:
        _label(subject, panel, full, rng, found, cuts)
    if subject.fills is not None:
        _paid(subject, panel, rng, found)
    if subject.folds is not None:
        _folds(subject, panel, found)
    if subject.fit is not None and subject.transform is not None:
        _fitted(subject, panel, full, rng, found)
    return found


def _fill(subject: Subject, found: Findings) -> None:
    found.looked("fill")
    if FILLS[subject.filled] <= DECIDES[subject.decides]:
        said = (
            f"Decisions are made after the {subject.decides} and filled at the {subject.filled} of "
            "the same session: that price was gone when the decision was made"
        )
        found.alarms.append(
            Alarm("fill", "same_bar_fill", "(fills)", "", None, None, None, None, said)
        )


def _paid(subject: Subject, panel: Panel, rng: np.random.Generator, found: Findings) -> None:
    """Demand that a price paid doubles when all later prices do."""
    assert subject.fills is not None  # noqa: S101
    told = _single(subject.fills(panel), "fills")
    days = told["session"].unique().sort()
    picked = rng.permutation(max(0, len(days) - 3))[:LABEL_CUTS]
    for i in sorted(int(p) for p in picked):
        day = days[i]
        mask = worlds.after(panel.bars, day)
        if subject.decides == "open":
            mask |= (panel.bars["session"] == day).to_numpy()
        other = _single(subject.fills(worlds.scaled(panel, mask, 2.0)), "fills")
        found.looked("fill", 1)
        for symbol, _, paid in _at(told, day).rows():
            again = cell(other, "label", symbol, day)
            if (
                paid is None
                or again is None
                or equal(np.array([2 * paid]), np.array([again]), 1e-6)[0]
            ):
                continue
            said = (
                f"The fill of {symbol} for the decision on {day} is {paid:.6g} and stays "
                f"{again:.6g} when all prices after the decision double: it is a price of the bar "
                "that the decision was made on"
            )
            found.alarms.append(
                Alarm("fill", "same_bar_fill", "(fills)", symbol, day, day, again, paid, said)
            )
            return


def _single(raw: pl.DataFrame, what: str) -> pl.DataFrame:
    """Return symbol, session and the first number of a frame, named `label`."""
    times = [c for c in ("label_start", "label_known_at", "decision_at") if c in raw.columns]
    numbers = [c for c in raw.columns if c not in KEYS and c not in times]
    frame = tidy(raw.select(*KEYS, *(numbers or times)[:1]), what)
    return frame.rename({frame.columns[2]: "label"})


def _label(
    subject: Subject,
    panel: Panel,
    full: pl.DataFrame,
    rng: np.random.Generator,
    found: Findings,
    cuts: int,
) -> None:
    told = _labels(subject, panel)
    sessions = panel.bars["session"].unique().sort().to_list()
    n = len(sessions)
    at = sorted({int(i) for i in rng.integers(n // 4, max(n // 4 + 1, 3 * n // 4), cuts)})
    for i in at:
        found.looked("label", panel.bars["symbol"].n_unique())
        _starts(subject, panel, told, sessions[i], found)
    _reaches(subject, panel, told, [sessions[i] for i in at], rng, found)
    _inside(full, told, found)


def _labels(subject: Subject, panel: Panel) -> pl.DataFrame:
    assert subject.label is not None  # noqa: S101
    return _single(subject.label(panel), "label")


def _at(frame: pl.DataFrame, day: date) -> pl.DataFrame:
    return frame.filter(pl.col("session") == day)


def _blamed(found: Findings, kind: str) -> bool:
    return any(a.kind == kind for a in found.alarms)


def _starts(subject: Subject, panel: Panel, told: pl.DataFrame, day: date, found: Findings) -> None:
    """Demand that the return stays when all prices after the decision double."""
    if _blamed(found, "same_bar_fill"):
        return
    mask = worlds.after(panel.bars, day)
    if subject.decides == "open":
        mask |= (panel.bars["session"] == day).to_numpy()
    other = _labels(subject, worlds.scaled(panel, mask, 2.0))
    one, two = _at(told, day), _at(other, day)
    for name in one["symbol"].to_list():
        a, b = (cell(f, "label", name, day) for f in (one, two))
        if a is None or b is None or _earned(a, b):
            continue
        said = (
            f"The label of {name} on {day} is {a:.6g} and becomes {b:.6g} when all prices after "
            "the decision double: it starts from a price of the bar that the decision was made "
            "on, which nobody can trade at any more"
        )
        found.alarms.append(Alarm("label", "same_bar_fill", "label", name, day, day, b, a, said))
        return


def _earned(before: float, doubled: float) -> bool:
    """Tell whether a label is a return of later prices (it stays) or an amount of them (doubles)."""
    told = np.array([doubled, doubled])
    return bool(equal(np.array([before, 2 * before]), told, 1e-6).any())


def _reaches(
    subject: Subject,
    panel: Panel,
    told: pl.DataFrame,
    days: Sequence[date],
    rng: np.random.Generator,
    found: Findings,
) -> None:
    """Demand that no bar later than h + 1 sessions after the decision is read."""
    if subject.horizon is None:
        note = "HORIZON is not stated, so that nobody can say when a label is known"
        found.notes.append(Note("label", "label", note))
        return
    for day in days:
        ends = _ends(panel, day, 1 + subject.horizon)
        if not ends:
            continue
        found.looked("label horizon", len(ends))
        late = worlds.after(panel.bars, ends)
        other = _labels(subject, worlds.noise(panel, late, rng))
        diff = differences(_at(told, day), _at(other, day), dict.fromkeys(ends, day), 1e-9)
        if diff:
            d = diff[0]
            said = (
                f"The label of {d.symbol} on {d.session} changes with bars later than "
                f"{ends[d.symbol]}: it spans more than the {subject.horizon} sessions that are "
                "stated, so that training rows overlap with what is tested"
            )
            found.alarms.append(
                Alarm("label horizon", "label_overlap", "label", d.symbol, d.session,
                      ends[d.symbol], d.other, d.known, said)
            )  # fmt: skip
            return


def _ends(panel: Panel, day: date, bars: int) -> dict[str, date]:
    """Return for each symbol the session of so many bars after a day, where there are more."""
    later = panel.bars.filter(pl.col("session") > day).group_by("symbol", maintain_order=True)
    rows = later.agg(end=pl.col("session").get(bars - 1, null_on_oob=True), n=pl.len())
    kept = rows.filter(pl.col("n") > bars)
    return dict(kept.select("symbol", "end").rows())


def _inside(full: pl.DataFrame, told: pl.DataFrame, found: Findings) -> None:
    """No feature is the label itself."""
    both = full.join(told, on=KEYS, how="inner", maintain_order="left")
    y = both["label"].to_numpy()
    for name in full.columns[len(KEYS) :]:
        found.looked("label among features")
        x = both[name].to_numpy()
        good = np.isfinite(x) & np.isfinite(y)
        if good.sum() < 30 or np.ptp(x[good]) == 0 or np.ptp(y[good]) == 0:  # noqa: PLR2004
            continue
        r = float(np.corrcoef(x[good], y[good])[0, 1])
        if abs(r) > 0.9:  # noqa: PLR2004 - nothing but the label itself goes along with it so far
            i = int(np.flatnonzero(good)[0])
            said = f"{name} is the label under another name: their correlation is {r:.3f}"
            row = both.row(i, named=True)
            found.alarms.append(
                Alarm("label among features", "label_in_features", name, row["symbol"],
                      row["session"], None, row["label"], row[name], said)
            )  # fmt: skip


def _folds(subject: Subject, panel: Panel, found: Findings) -> None:
    """Check the folds of a subject on rows whose labels take their horizon to be known."""
    sessions = panel.bars["session"].unique().sort()
    h = (subject.horizon or 1) + 1
    later = pl.DataFrame({"session": sessions, "label_known_at": sessions.shift(-h)})
    rows = (
        panel.bars.select(KEYS)
        .join(later, on="session", how="left", maintain_order="left")
        .with_columns(decision_at=pl.col("session"))
        .drop_nulls()
        .sort("decision_at", "symbol")
    )
    assert subject.folds is not None  # noqa: S101
    folds = list(subject.folds(rows))
    found.alarms += fold_alarms(rows, folds)
    for _ in folds:
        found.looked("folds")


def fold_alarms(rows: pl.DataFrame, folds: Sequence[Fold]) -> list[Alarm]:
    """List what is wrong with folds, the first row of each kind.

    Parameters
    ----------
    rows : DataFrame
        symbol, session, decision_at and label_known_at, one row a decision.
    folds : sequence of (train, test)
        Row numbers.
    """
    decided, known = (rows[c].to_numpy() for c in ("decision_at", "label_known_at"))
    for number, (train, test) in enumerate(folds):
        inside, tested = np.asarray(train, dtype=int), np.asarray(test, dtype=int)
        if inside.size == 0 or tested.size == 0:
            continue
        first = decided[tested].min()
        late = inside[known[inside] > first]
        if late.size:
            row = rows.row(int(late[0]), named=True)
            said = (
                f"Fold {number} trains on {row['symbol']} {row['session']}, whose label is known "
                f"on {row['label_known_at']}, after the fold's first test decision on {first}: "
                f"{late.size} training rows overlap with the test"
            )
            return [
                Alarm("folds", "label_overlap", "(folds)", row["symbol"], row["session"], None,
                      None, None, said, cells=int(late.size))
            ]  # fmt: skip
    return []


def _fitted(
    subject: Subject, panel: Panel, full: pl.DataFrame, rng: np.random.Generator, found: Findings
) -> None:
    """Demand that what is fitted, and rows changed by it, stay whatever comes later."""
    sessions = panel.bars["session"].unique().sort().to_list()
    border = sessions[int(0.6 * len(sessions))]
    cuts = [sessions[int(x * (len(sessions) - 2))] for x in (0.62, 0.7, 0.85, 0.97)]
    base = _prepared(subject, full, None, border, panel)
    for cut in cuts:
        for name in ("cut", "noise"):
            world = worlds.FUTURES[name](panel, cut, rng)
            features = tidy(subject.features(world))
            other = _prepared(subject, features, None, border, world)
            found.looked("fit scope", base.height)
            _changed(base, other, cut, border, found)
        short = _prepared(subject, full, cut, border, panel)
        found.looked("fit scope", short.height)
        _changed(base, short, cut, border, found)


def _prepared(
    subject: Subject, features: pl.DataFrame, last: date | None, border: date, panel: Panel
) -> pl.DataFrame:
    """Fit on rows up to the border and transform all, or those up to `last`."""
    assert subject.fit is not None and subject.transform is not None  # noqa: S101, PT018
    rows = features
    if subject.label is not None:
        labels = _labels(subject, panel)
        rows = features.join(labels, on=KEYS, how="left", maintain_order="left")
    sessions = panel.bars["session"].unique().sort().to_list()
    known = [d for d in sessions if d <= border][: -(subject.horizon or 0) - 1]
    train = rows.filter(pl.col("session") <= known[-1])
    shown = features if last is None else features.filter(pl.col("session") <= last)
    return tidy(subject.transform(subject.fit(train), shown), "transform")


def _changed(
    base: pl.DataFrame, other: pl.DataFrame, cut: date, border: date, found: Findings
) -> None:
    blamed = {a.feature for a in found.alarms if a.kind == "fit_scope"}
    for d in differences(base, other, cut, 1e-9):
        if d.feature in blamed:
            continue
        said = (
            f"{d.feature} of {d.symbol} on {d.session} after fit and transform changes with rows "
            f"later than {cut}, although it was fitted on rows up to {border}: the fit, or the "
            "transform itself, has seen the rows it is used on"
        )
        found.alarms.append(
            Alarm("fit scope", "fit_scope", d.feature, d.symbol, d.session, cut, d.other, d.known,
                  said, cells=d.cells)
        )  # fmt: skip
