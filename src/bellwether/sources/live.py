"""Live bars: one JSON object a message, with the names that columns of files have.

    {"symbol": "ABC", "date": "2024-01-08", "open": 10.0, "high": 10.5, "low": 9.9, "close": 10.2,
     "volume": 12000, "source": "vendor", "dividend_usd": 0.1, "split_ratio": 2.0}

`source` names who tells it (`live` if absent); dividend and split may be absent. The same checks
are made as of files; what fails goes to quarantine, with the shard and place of its message.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from bellwether.core.calendar import session_calendar
from bellwether.core.feed import FedBar
from bellwether.core.ports import SourceBatch
from bellwether.core.schemas import BARS_IN
from bellwether.sources.checks import Checked, accept
from bellwether.sources.shape import NEEDED, shaped

NAME = "live"
OPTIONAL = ("dividend_usd", "split_ratio")
COLUMNS = ("symbol", *NEEDED, *OPTIONAL)
LONGEST_SOURCE = 64

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class LiveBars:
    """The LiveSource port over JSON messages."""

    def read(self, told: Sequence[FedBar], known_until: datetime) -> SourceBatch:
        """Read messages in their order, up to one that tells a bar again: a correction comes later.

        `rows_read` says how many were read.
        """
        rows = _once([_row(bar) for bar in told])
        parts = [_checked(source, rows, known_until) for source in sorted({r["by"] for r in rows})]
        empty = pl.DataFrame(schema={n: c.dtype.type for n, c in BARS_IN.columns.items()})
        return SourceBatch(
            pl.concat([empty, *(part.bars for part in parts)]),
            tuple(r for part in parts for r in part.rejections),
            tuple(r for part in parts for r in part.remarks),
            len(rows),
        )


def _row(bar: FedBar) -> dict[str, Any]:
    """Return the cells of one message as text, as a file would give them."""
    lost = None
    told: dict[str, Any] = {}
    try:
        told = {str(k).strip().lower(): v for k, v in _decode(bar.body).items()}
    except (msgspec.MsgspecError, UnicodeDecodeError):
        lost = "malformed_row"
    told.setdefault("date", told.get("session"))
    source = told.get("source")
    good = isinstance(source, str) and 0 < len(source) <= LONGEST_SOURCE
    return {
        **{name: _cell(told.get(name)) for name in COLUMNS},
        "location": f"live:{bar.shard}:{bar.place}",
        "why": lost,
        "by": source if good else NAME,
    }


def _cell(value: Any) -> str:
    """Write a JSON value as the text it is; numbers come back to the bit."""
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def _once(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first rows, up to one that tells a bar which another of them tells."""
    seen = set()
    for n, row in enumerate(rows):
        bar = row["by"], row["symbol"].strip().upper(), row["date"].strip()
        if bar in seen and row["why"] is None:
            return rows[:n]
        seen.add(bar)
    return rows


def _checked(source: str, rows: list[dict[str, Any]], known_until: datetime) -> Checked:
    calendar = session_calendar()
    mine = [row for row in rows if row["by"] == source]
    table = pl.DataFrame(mine, schema=dict.fromkeys((*COLUMNS, "location", "why"), pl.String))
    parsed = shaped(table, NAME, None, None, calendar).with_columns(order=pl.int_range(pl.len()))
    return accept(parsed, source, calendar, known_until)
