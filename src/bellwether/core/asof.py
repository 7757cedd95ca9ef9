"""The point-in-time joins: the one guard against look-ahead."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

EVENT = "event_time"
KNOWN = "knowledge_time"
INGESTED = "ingested_at"
REVISION = "revision"


def as_of(
    frame: pl.DataFrame,
    at: datetime,
    keys: Sequence[str],
    *,
    ingested_before: datetime | None = None,
) -> pl.DataFrame:
    """Return what was known at `at`: of each key the newest revision.

    Parameters
    ----------
    frame : DataFrame
        Rows with `knowledge_time`, `ingested_at` and `revision` beside `keys`.
    at : datetime
        UTC instant; a row with a later `knowledge_time` is never returned.
    keys : sequence of str
        Columns that name one fact, such as symbol and session.
    ingested_before : datetime, optional
        Watermark: rows that came in later are ignored, which rebuilds a past state of the store.

    Returns
    -------
    DataFrame
        At most one row a key, sorted by `keys`.
    """
    seen = pl.col(KNOWN) <= at
    if ingested_before is not None:
        seen &= pl.col(INGESTED) <= ingested_before
    return (
        frame.filter(seen)
        .sort([*keys, REVISION, KNOWN, INGESTED])
        .unique(subset=list(keys), keep="last", maintain_order=True)
    )


def join_as_of(
    left: pl.DataFrame,
    right: pl.DataFrame,
    *,
    by: Sequence[str],
    decision: str = "decision_at",
) -> pl.DataFrame:
    """Give each decision the newest event that was known by then, in its newest revision.

    Of all rows of `right` with the same `by` and `knowledge_time <= left[decision]`, the one with
    the latest `event_time` is taken, and of its revisions the one known last. A late correction
    of an old event therefore never hides a newer event. Joined on keys and time only, never on
    position.

    Parameters
    ----------
    left : DataFrame
        Rows to be completed, with `by` and the instant `decision`.
    right : DataFrame
        Facts with `by`, `event_time`, `knowledge_time` and `revision`.
    by : sequence of str
        Columns that must be equal.
    decision : str
        Name of the decision instant in `left`.

    Returns
    -------
    DataFrame
        `left` in its order with the columns of `right`; nulls where nothing was known.
    """
    keys = list(by)
    slim = right.select(*keys, KNOWN, EVENT, REVISION).with_row_index(_AT)
    ordered = slim.sort([*keys, KNOWN, EVENT, REVISION])
    newest_so_far = pl.col(EVENT).cum_max().over(keys) if keys else pl.col(EVENT).cum_max()
    facts = ordered.filter(newest_so_far <= pl.col(EVENT)).sort(KNOWN, maintain_order=True)
    numbered = left.select(*keys, decision).with_row_index("_row")
    found = (
        numbered.sort(decision, maintain_order=True)
        .join_asof(
            facts.select(*keys, KNOWN, _AT),
            left_on=decision,
            right_on=KNOWN,
            by=keys or None,
            strategy="backward",
            coalesce=False,
            check_sortedness=False,
        )
        .sort("_row")[_AT]
    )
    # the wide payload is touched once, by row number, and never sorted
    payload = right.drop(keys).select(pl.all().gather(found))
    clashes = {c: f"{c}_right" for c in payload.columns if c in left.columns}
    return left.hstack(payload.rename(clashes))


_AT = "_at"
