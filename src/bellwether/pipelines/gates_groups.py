"""The groups that the rows of a record belong to, as known when they were decided."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bellwether.core.asof import as_of
from bellwether.core.ports import Ports
from bellwether.core.sectors import newest
from bellwether.evaluation.groups import MIN_NAMES
from bellwether.features.history import BAR_KEYS

THIRDS = ("low", "middle", "high")
SESSIONS = 20


def families(rows: pl.DataFrame, ports: Ports) -> Mapping[str, NDArray[np.str_]]:
    """Return each row's sector, and the third of size and of volatility it was in on its date.

    Size is the mean of the dollars traded in 20 sessions up to the decision, volatility the `scale`
    of the record. On dates with fewer than 15 names nobody is in a third (""). The sector is the
    one known at the close of the row's session, "" where none was; no family without sectors.

    Parameters
    ----------
    rows : DataFrame
        `symbol`, `session` and `scale`.
    """
    found = {"volatility": _thirds(rows.with_columns(value=pl.col("scale")))}
    sized = _dollars(rows, ports)
    if sized is not None:
        found["size"] = _thirds(sized)
    sectors = newest(ports.lake.sectors(rows["symbol"].unique().sort().to_list()))
    if sectors.height:
        found["sector"] = _sectors(rows, sectors)
    return found


def _sectors(rows: pl.DataFrame, sectors: pl.DataFrame) -> NDArray[np.str_]:
    asked = rows.select("symbol", "session", place=pl.int_range(pl.len())).sort("session")
    told = sectors.sort("known_from")
    known = asked.join_asof(told, left_on="session", right_on="known_from", by="symbol")
    return known.sort("place")["sector"].fill_null("").to_numpy().astype(np.str_)


def _thirds(rows: pl.DataFrame) -> NDArray[np.str_]:
    least = MIN_NAMES * len(THIRDS)
    place = (pl.col("value").rank("ordinal").over("session") - 1) * len(THIRDS)
    third = (place // pl.col("value").count().over("session")).cast(pl.Int32)
    named = third.replace_strict(dict(enumerate(THIRDS)), return_dtype=pl.String)
    enough = pl.col("value").count().over("session") >= least
    told = rows.select(pl.when(enough).then(named).fill_null("").alias("third"))["third"]
    return told.fill_null("").to_numpy().astype(np.str_)


def _dollars(rows: pl.DataFrame, ports: Ports) -> pl.DataFrame | None:
    """Add the dollars that were traded on average; None where no date has enough names."""
    most = rows.group_by("session").len()["len"].max()
    if not isinstance(most, int) or most < MIN_NAMES * len(THIRDS):
        return None
    symbols = rows["symbol"].unique().sort().to_list()
    bars = as_of(ports.lake.bars(symbols), ports.clock.now(), BAR_KEYS).sort("symbol", "session")
    traded = (pl.col("close") * pl.col("volume")).rolling_mean(SESSIONS, min_samples=1)
    told = bars.select("symbol", "session", value=traded.over("symbol"))
    return rows.join(told, on=["symbol", "session"], how="left", maintain_order="left")
