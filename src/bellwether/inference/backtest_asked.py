"""What is asked of a backtest, on the command line and over HTTP."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

import msgspec

from bellwether.core.errors import InvalidRequest, UnknownName
from bellwether.core.realism import REALISM
from bellwether.evaluation.calendar_splits import months_of
from bellwether.features.views import view as named_view
from bellwether.models.factory import BASELINES, MODELS

STRATEGIES = ("long_short", "long_only", "quantile", "top_k")
RANGES = (
    ("horizon_sessions", 1, 252),
    ("ages", 0, 50),
    ("workers", 1, 1024),
    ("min_train_sessions", 2, 100_000),
    ("lag_sessions", 0, 252),
    ("embargo_sessions", 0, 252),
    ("rebalance_sessions", 1, 100_000),
    ("top", 1, 100_000),
    ("quantile", 1e-6, 0.5),
    ("capital_usd", 1.0, 1e15),
)


@dataclass(frozen=True, slots=True)
class BacktestConfig:
    """One walk-forward backtest.

    Attributes
    ----------
    symbols, universe : tuple of str, str
        Who is traded; a universe by date wins over no symbols; neither means all of the lake.
    model : str
        Which model; all baselines are judged and traded beside it.
    view : str
        Features that the model reads: a view, or several joined by +.
    horizon_sessions : int
        Sessions that a forecast spans.
    first, last : date, optional
        Sessions of the first and the last decision; as far as the bars reach by default.
    step, window : str
        A period of test (`1y`, `1q`, `6m`), and of training; no window means all of the past.
    min_train_sessions : int
        Decisions dates before the first period.
    embargo_sessions : int
        Sessions that have to lie between the last outcome trained on and a period.
    strategy, quantile, top : str, float, int
        `long_short` and `long_only` follow every call with equal weights; `quantile` and `top_k` go
        long the highest forecasts and short the lowest.
    rebalance_sessions : int
        Decide every so many sessions.
    capital_usd : float
        Cash before the first session.
    lag_sessions : int
        1 fills at the next open. 0 fills at the open before the decision, which nobody can, and
        every report says so.
    without : tuple of str
        Realism switched off by name.
    seed : int
        Of all that is random.
    ages : int
        Periods over which the ageing of each period's model is followed.
    workers, dask : int, str
        Processes here, or the address of a Dask scheduler.
    what_if : bool
        Trade again with each realism switched off, and look for break-even cost and capacity.
    """

    symbols: tuple[str, ...] | None = None
    universe: str | None = None
    model: str = "lightgbm"
    view: str = "technical"
    horizon_sessions: int = 1
    first: date | None = None
    last: date | None = None
    step: str = "1y"
    window: str | None = None
    min_train_sessions: int = 504
    embargo_sessions: int = 0
    strategy: str = "long_short"
    quantile: float = 0.2
    top: int = 10
    rebalance_sessions: int = 1
    capital_usd: float = 1_000_000.0
    lag_sessions: int = 1
    without: tuple[str, ...] = ()
    seed: int = 0
    ages: int = 5
    workers: int = 1
    dask: str | None = None
    what_if: bool = True

    def __post_init__(self) -> None:
        months_of(self.step)
        named_view(self.view)
        if self.window is not None:
            months_of(self.window)
        named = [
            ("model", self.model, (*MODELS, *BASELINES)),
            ("strategy", self.strategy, STRATEGIES),
        ]
        for kind, name, known in [*named, *(("switch", n, REALISM) for n in self.without)]:
            if name not in known:
                raise UnknownName(kind, name, known)
        for field, low, high in RANGES:
            value = getattr(self, field)
            if not low <= value <= high:
                raise InvalidRequest(field, f"is {value}, must be from {low} to {high}")
        if self.symbols is not None and self.universe is not None:
            raise InvalidRequest("symbols, universe", "one of the two")
        if self.first is not None and self.last is not None and self.last < self.first:
            raise InvalidRequest("from, to", f"{self.last} lies before {self.first}")

    def as_json(self) -> dict[str, Any]:
        """Return the config as JSON."""
        told: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return told

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> "BacktestConfig":
        """Return the config that JSON tells.

        Raises
        ------
        InvalidRequest, UnknownName
            If a field is unknown, of the wrong type or out of range.
        """
        known = [f.name for f in fields(cls)]
        unknown = sorted(set(told) - set(known))
        if unknown:
            why = f"is no part of a backtest; known are {', '.join(known)}"
            raise InvalidRequest(unknown[0], why)
        try:
            return msgspec.convert(dict(told), cls)
        except msgspec.ValidationError as error:
            said, _, place = str(error).partition(" - at `$.")
            raise InvalidRequest(place.rstrip("`") or "backtest", said) from None
