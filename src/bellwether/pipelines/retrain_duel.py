"""The release that answers beside the new one, on the sessions that neither had seen."""

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from bellwether.core.ports import Ports
from bellwether.evaluation.forecast import paired_accuracy
from bellwether.inference.release import serve
from bellwether.pipelines import train

KEYS = ["symbol", "session"]


@dataclass(frozen=True, slots=True)
class Duel:
    """By how much the new one called the direction better (a fraction), with its 95 % interval.

    All None where they share no session that both were judged on out of sample; `words` says so.
    """

    difference: float | None
    low: float | None
    high: float | None
    n: int
    n_dates: int
    words: str

    @property
    def worse(self) -> bool:
        """Whether the new one is worse beyond chance."""
        return self.high is not None and self.high < 0

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self) | {"worse": self.worse}


def duel(
    champion: str,
    challenger: str,
    after: date,
    config: train.TrainConfig,
    watermark: datetime,
    ports: Ports,
) -> Duel:
    """Compare calls on sessions later than `after`, the last that the champion was trained on.

    The champion forecasts as it was packed. The challenger's calls are those of its walk-forward,
    each of a model that was trained on earlier sessions alone.
    """
    served = serve(ports.releases.load(champion))
    files = ports.releases.load(challenger)
    told: Mapping[str, Any] = files.manifest
    raw, model = files.files.get("walkforward.parquet"), str(told["model"])
    if raw is None or tuple(told["columns"]) != served.columns:
        return _none("They read other features, or one was never judged out of sample.")
    data = train.dataset_of(config, tuple(told["symbols"]), watermark, ports)
    later = (data.rows["session"] > after).to_numpy()
    if not later.any():
        return _none("No session came since whose outcome is known.")
    calls = served.packed.predict(data.X[later]).direction()
    judged = pl.read_parquet(io.BytesIO(raw)).select(*KEYS, new=f"direction_{model}")
    rows = data.rows.filter(pl.Series(later)).with_columns(old=pl.Series(calls, dtype=pl.Int8))
    both = rows.join(judged, on=KEYS, how="inner", maintain_order="left")
    if both.height == 0:
        return _none("No session came since that the new one was judged on.")
    found = paired_accuracy(
        both["decision_at"].dt.replace_time_zone(None).to_numpy(),
        both["log_return"].to_numpy(),
        both["new"].to_numpy(),
        both["old"].to_numpy(),
        lags=config.horizon_sessions - 1,
    )
    mean = "-" if found.mean is None else f"{found.mean:+.1%}"
    span = "too few dates for an interval"
    if found.low is not None and found.high is not None:
        span = f"95 % interval {found.low:+.1%} to {found.high:+.1%}"
    words = (
        f"Right calls, new less old, on {found.n_clusters} dates neither had seen: {mean}, {span}."
    )
    return Duel(found.mean, found.low, found.high, found.n, found.n_clusters, words)


def _none(words: str) -> Duel:
    return Duel(None, None, None, 0, 0, words)
