"""The door of the room: bars in, flags out."""

import numpy as np
import polars as pl

from bellwether.core.calendar import SessionCalendar
from bellwether.core.errors import SchemaViolation
from bellwether.quality.dividends import bad_dividends
from bellwether.quality.found import Finding, frame_of, settle
from bellwether.quality.grid import coarse_stretches, tick_of
from bellwether.quality.ohlc import contradictions
from bellwether.quality.panel import FIELDS, Panel, panel_of
from bellwether.quality.policy import QualityPolicy
from bellwether.quality.reuse import reused_tickers
from bellwether.quality.scale import normal_of
from bellwether.quality.sessions import missing_sessions, out_of_hours
from bellwether.quality.slips import decimal_slips
from bellwether.quality.spikes import spikes
from bellwether.quality.stale import stale_repeats
from bellwether.quality.steps import judge_steps
from bellwether.quality.volume import volume_slips, zero_volume

NUMBERS = (*FIELDS, "volume", "split_ratio", "dividend_usd")
NEEDED = ("symbol", "session", *NUMBERS, "adjustment")
STANDARD = QualityPolicy()


def inspect(
    bars: pl.DataFrame, calendar: SessionCalendar, policy: QualityPolicy = STANDARD
) -> pl.DataFrame:
    """Look for faults in daily bars.

    Parameters
    ----------
    bars : DataFrame
        One row for each symbol and session in any order, columns as in the schema BARS (the time
        columns are not needed). All symbols of a panel at once: a day on which everything moves
        is no fault. Prices may be zero or negative here, which is told as a fault; NaN may not.
    calendar : SessionCalendar
        Which sessions there were.
    policy : QualityPolicy
        Thresholds.

    Returns
    -------
    DataFrame
        Schema FLAGS, sorted by symbol, session and kind.

    Raises
    ------
    SchemaViolation
        If a column is missing or of the wrong type, a number is null, NaN or infinite, or a
        symbol has two bars in one session.
    """
    checked = _checked(bars)
    if not checked.height:
        return settle([])
    whole = panel_of(checked, calendar)
    strangers = out_of_hours(whole)
    panel = panel_of(checked.sort("symbol", "session").filter(whole.position >= 0), calendar)
    if not panel.rows:
        return settle([strangers])
    holes, findings = _look(panel, calendar, policy)
    return settle([strangers, holes, frame_of(panel, findings)])


def _look(
    panel: Panel, calendar: SessionCalendar, policy: QualityPolicy
) -> tuple[pl.DataFrame, list[Finding]]:
    """Run the detectors, each on what those before it could mend."""
    usual = normal_of(panel, policy)
    slips = decimal_slips(panel, usual, policy)
    mended = slips.mend(panel)
    normal = normal_of(mended, policy) if slips.findings else usual
    tick = tick_of(mended)
    coarse, grid, rough = coarse_stretches(mended, tick, normal, policy)
    stale, repeated = stale_repeats(mended, grid, rough, normal, policy)
    reused = reused_tickers(mended, normal, repeated, policy)
    breaks = np.zeros(panel.rows, dtype=bool)
    breaks[[f.row for f in reused]] = True
    steps, mend = judge_steps(mended, normal, grid, breaks, policy)
    explained = breaks | (mend != 0)
    explained[[f.row for f in steps]] = True
    findings = [
        *slips.findings,
        *contradictions(mended, tick, policy),
        *stale,
        *reused,
        *steps,
        *spikes(mended, normal, grid, explained, policy),
        *bad_dividends(mended, normal, policy),
        *zero_volume(mended, repeated, policy),
        *volume_slips(mended, normal, policy),
        *coarse,
    ]
    return missing_sessions(mended, normal.z, breaks, calendar, policy), findings


def _checked(bars: pl.DataFrame) -> pl.DataFrame:
    missing = [name for name in NEEDED if name not in bars.columns]
    if missing:
        raise SchemaViolation("bars", f"columns are missing: {', '.join(missing)}")
    wrong = [name for name in NUMBERS if not bars[name].dtype.is_numeric()]
    if wrong or bars["session"].dtype != pl.Date:
        raise SchemaViolation("bars", f"wrong type: {', '.join(wrong) or 'session is no date'}")
    numbers = bars.select(pl.col(NUMBERS).cast(pl.Float64).is_finite().all())
    bad = [name for name in NUMBERS if numbers[name].item() is False or bars[name].null_count()]
    if bad or bars["symbol"].null_count() or bars["session"].null_count():
        raise SchemaViolation(
            "bars", f"a value is missing or not finite: {', '.join(bad) or 'key'}"
        )
    if bars.select(pl.struct("symbol", "session").is_duplicated().any()).item():
        raise SchemaViolation("bars", "a symbol has two bars in one session")
    if bars.filter((pl.col("split_ratio") <= 0) | (pl.col("dividend_usd") < 0)).height:
        raise SchemaViolation("bars", "a split ratio is not positive or a dividend is negative")
    return bars.select(NEEDED)
