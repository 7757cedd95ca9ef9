"""From whatever a file calls a date or a time to the session or the instant it means."""

import numpy as np
import polars as pl

from bellwether.core.calendar import SessionCalendar

EXCHANGE_ZONE = "America/New_York"
DAY_US = 86_400_000_000
_PATTERN = (
    r"^(\d{4}-?\d{2}-?\d{2})"
    r"(?:[T ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d+))?)?)?"
    r"\s?(Z|[+-]\d{2}:?\d{2})?$"
)


def sessions(column: pl.Series, zone: str | None, calendar: SessionCalendar) -> pl.DataFrame:
    """Tell the session of each value, or why there is none.

    A date, or midnight in whatever zone it is written, labels its session. Any other time is an
    instant and has to lie within the opening hours of a session; without a zone of its own it is
    read in `zone`, and without either it is refused: a silent guess would shift the bar by a day.

    Returns
    -------
    DataFrame
        `session` (Date, null where refused) and `why` (a reason, null where accepted).
    """
    if column.dtype == pl.Date:
        return _labels(column, calendar)
    parts = _parts(column)
    clock = pl.col("time_us").fill_null(0)
    offset = pl.col("offset_us")
    if zone is not None:
        written = pl.col("day").cast(pl.Datetime("us")) + pl.duration(microseconds=clock)
        theirs = written.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        shift = written - theirs.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        offset = pl.coalesce(offset, shift.dt.total_microseconds())
    parts = parts.with_columns(offset_us=offset, clock=clock)
    moment = pl.col("day").cast(pl.Datetime("us")) + pl.duration(
        microseconds=pl.col("clock") - pl.col("offset_us")
    )
    instant = moment.dt.replace_time_zone("UTC")
    parts = parts.with_columns(
        instant=instant, there=instant.dt.convert_time_zone(EXCHANGE_ZONE).dt.date()
    )
    label = pl.col("clock") == 0
    day = pl.when(label).then("day").otherwise("there")
    parts = parts.with_columns(session=day, label=label)
    return _judged(parts, calendar)


def instants(column: pl.Series, zone: str | None) -> pl.DataFrame:
    """Tell the instant of each value, or why there is none.

    A value needs a time of day, and a zone: its own, or `zone`. A local time that a change of
    clocks skips or repeats is refused, because nobody can say which instant it was.

    Returns
    -------
    DataFrame
        `at` (UTC, microseconds, null where refused) and `why` (a reason, null where accepted).
    """
    parts = _parts(column)
    if column.dtype == pl.Date:
        parts = parts.with_columns(time_us=pl.lit(None, dtype=pl.Int64))
    local = pl.col("day").cast(pl.Datetime("us")) + pl.duration(microseconds="time_us")
    told = local - pl.duration(microseconds="offset_us")
    at = told.dt.replace_time_zone("UTC")
    lost = pl.lit(value=False)
    if zone is not None:
        there = local.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
        at = (
            pl.when(pl.col("offset_us").is_null())
            .then(there.dt.convert_time_zone("UTC"))
            .otherwise(at)
        )
        lost = pl.col("offset_us").is_null() & there.is_null()
    why = (
        pl.when(pl.col("day").is_null() | pl.col("time_us").is_null())
        .then(pl.lit("not_a_time"))
        .when(pl.col("offset_us").is_null() & pl.lit(zone is None))
        .then(pl.lit("no_zone"))
        .when(lost)
        .then(pl.lit("no_such_time"))
    )
    return parts.select(at=at.dt.cast_time_unit("us"), why=why)


def _labels(days: pl.Series, calendar: SessionCalendar) -> pl.DataFrame:
    """Judge what is dates already."""
    known = days.to_numpy().astype("datetime64[D]")
    inside = calendar.positions(np.where(np.isnat(known), np.datetime64("1900-01-01"), known)) >= 0
    if inside.all():
        no = pl.lit(None, dtype=pl.String)
        return pl.DataFrame({"session": days, "meant": days}).select(
            "session", no.alias("why"), "meant"
        )
    day, trades = pl.col("day"), pl.col("inside")
    why = (
        pl.when(day.is_null())
        .then(pl.lit("not_a_date"))
        .when(~trades)
        .then(pl.lit("not_a_session"))
    )
    frame = pl.DataFrame({"day": days, "inside": inside})
    return frame.select(session=pl.when(trades).then("day"), why=why, meant="day")


def _judged(parts: pl.DataFrame, calendar: SessionCalendar) -> pl.DataFrame:
    known = parts["session"]
    filled = known.to_numpy().astype("datetime64[D]")
    positions = calendar.positions(np.where(np.isnat(filled), np.datetime64("1900-01-01"), filled))
    inside = positions >= 0
    safe = np.maximum(positions, 0)
    moment = parts["instant"].dt.replace_time_zone(None).to_numpy().astype("datetime64[us]")
    open_then = (moment >= calendar.opens[safe]) & (moment <= calendar.closes[safe])
    judged = parts.with_columns(inside=pl.Series(inside), open_then=pl.Series(inside & open_then))
    why = (
        pl.when(pl.col("day").is_null())
        .then(pl.lit("not_a_date"))
        .when(~pl.col("label") & pl.col("offset_us").is_null())
        .then(pl.lit("no_zone"))
        .when(~pl.col("label") & ~pl.col("open_then"))
        .then(pl.lit("wrong_zone"))
        .when(~pl.col("inside"))
        .then(pl.lit("not_a_session"))
    )
    judged = judged.with_columns(why=why)
    accepted = pl.when(pl.col("why").is_null()).then("session")
    return judged.select(session=accepted, why="why", meant="session")


def _parts(column: pl.Series) -> pl.DataFrame:
    """Split values into day, time of day and offset from UTC, the last two null where not told."""
    dtype = column.dtype
    if dtype == pl.Date:
        return _typed(column.cast(pl.Datetime("us")), None)
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is None:
            return _typed(column.cast(pl.Datetime("us")), None)
        local = column.dt.cast_time_unit("us").dt.replace_time_zone(None)
        utc = column.dt.cast_time_unit("us").dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return _typed(local, (local - utc).dt.total_microseconds())
    text = column.cast(pl.String).str.strip_chars()
    found = pl.DataFrame({"text": text}).select(
        pl.col("text").str.extract_groups(_PATTERN).struct.unnest()
    )
    found.columns = ["day", "hour", "minute", "second", "fraction", "zone"]
    digits = pl.col("zone").str.replace(":", "")
    sign = pl.when(digits.str.starts_with("-")).then(-1).otherwise(1)
    minutes = digits.str.slice(1, 2).cast(pl.Int64, strict=False) * 60 + digits.str.slice(
        3, 2
    ).cast(pl.Int64, strict=False)
    seconds = (
        pl.col("hour").cast(pl.Int64) * 3600
        + pl.col("minute").cast(pl.Int64) * 60
        + pl.col("second").cast(pl.Int64).fill_null(0)
    )
    micros = pl.col("fraction").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64)
    offset = pl.when(pl.col("zone") == "Z").then(0).otherwise(sign * minutes * 60_000_000)
    return found.select(
        day=pl.col("day").str.replace_all("-", "").str.to_date("%Y%m%d", strict=False),
        time_us=seconds * 1_000_000 + micros.fill_null(0),
        offset_us=offset,
    )


def _typed(local: pl.Series, offset_us: pl.Series | None) -> pl.DataFrame:
    midnight = local.dt.truncate("1d")
    return pl.DataFrame(
        {
            "day": local.dt.date(),
            "time_us": (local - midnight).dt.total_microseconds(),
            "offset_us": offset_us
            if offset_us is not None
            else pl.Series([None] * len(local), dtype=pl.Int64),
        }
    )
