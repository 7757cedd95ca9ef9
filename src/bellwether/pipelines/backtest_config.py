"""What is asked of a backtest, and the one name of the question."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import Any

import msgspec

from bellwether import __version__
from bellwether.backtest.rules import Rules
from bellwether.backtest.targets import Plan
from bellwether.core.errors import InvalidRequest, MissingRecord, UnknownName
from bellwether.core.ports import Ports
from bellwether.evaluation.calendar_splits import months_of
from bellwether.evaluation.survivorship import spells_known
from bellwether.features.catalog import technical
from bellwether.models.factory import BASELINES, MODELS

STRATEGIES = ("long_short", "long_only", "quantile", "top_k")
RANGES = (
    ("horizon_sessions", 1, 252),
    ("ages", 0, 50),
    ("workers", 1, 1024),
    ("min_train_sessions", 2, 100_000),
)
ELSEWHERE = ("workers", "dask", "what_if")
"""What changes how a question is answered, and not its answer."""


@dataclass(frozen=True, slots=True)
class BacktestConfig:
    """One walk-forward backtest.

    Attributes
    ----------
    symbols, universe : tuple of str, str
        Who is traded; a universe by date wins over no symbols; neither means all of the lake.
    model : str
        Which model; all baselines are judged and traded beside it.
    horizon_sessions : int
        Sessions that a forecast spans.
    first, last : date, optional
        Sessions of the first and the last decision; as far as the bars reach by default.
    step, window : str
        A period of test (`1y`, `1q`, `6m`), and of training; no window means all of the past.
    min_train_sessions : int
        Decisions dates before the first period.
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
    horizon_sessions: int = 1
    first: date | None = None
    last: date | None = None
    step: str = "1y"
    window: str | None = None
    min_train_sessions: int = 504
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
        if self.window is not None:
            months_of(self.window)
        if self.model not in (*MODELS, *BASELINES):
            raise UnknownName("model", self.model, (*MODELS, *BASELINES))
        if self.strategy not in STRATEGIES:
            raise UnknownName("strategy", self.strategy, STRATEGIES)
        if self.symbols is not None and self.universe is not None:
            raise InvalidRequest("symbols, universe", "one of the two")
        for name, low, high in RANGES:
            value = getattr(self, name)
            if not low <= value <= high:
                raise InvalidRequest(name, f"is {value}, must be from {low} to {high}")
        if self.first is not None and self.last is not None and self.last < self.first:
            raise InvalidRequest("from, to", f"{self.last} lies before {self.first}")
        _ = self.plan, self.rules  # which refuse what they cannot use

    @property
    def plan(self) -> Plan:
        """How forecasts become targets."""
        kind: Any = self.strategy
        return Plan(
            kind=kind,
            k_long=self.top,
            k_short=self.top,
            quantile=self.quantile,
            rebalance_sessions=self.rebalance_sessions,
        )

    @property
    def rules(self) -> Rules:
        """How the account trades."""
        from bellwether.backtest.costs import Costs

        rules = Rules(costs=Costs(capital_usd=self.capital_usd), lag_sessions=self.lag_sessions)
        for name in self.without:
            rules = rules.without(name)
        return rules

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


@dataclass(frozen=True, slots=True)
class Question:
    """A backtest on one state of the lake; `key` names both."""

    symbols: tuple[str, ...]
    watermark: datetime
    told: dict[str, Any]
    key: str


def question_of(config: BacktestConfig, ports: Ports) -> Question:
    """Find the symbols and the state of the lake that a backtest is of.

    Raises
    ------
    UnknownName
        If a symbol or the universe does not exist.
    MissingRecord
        If the lake is empty, or holds no member's bars.
    """
    watermark = ports.lake.watermark()
    if watermark is None:
        raise MissingRecord("bar", "any symbol", "bellwether ingest sample")
    symbols = _symbols(config, ports)
    told = {k: v for k, v in config.as_json().items() if k not in ELSEWHERE}
    told |= {
        "symbols": list(symbols),
        "watermark": watermark.isoformat(),
        "last_session": str(ports.calendar.last_closed(ports.clock.now())),
        "view": technical().version,
        "code": __version__,
    }
    if config.universe is not None:
        told["universe_watermark"] = str(ports.lake.universe(config.universe)["ingested_at"].max())
    key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return Question(symbols, watermark, told, key)


def _symbols(config: BacktestConfig, ports: Ports) -> tuple[str, ...]:
    known = ports.lake.symbols()
    for symbol in config.symbols or ():
        if symbol not in known:
            raise UnknownName("symbol", symbol, known, "Ingest its bars first.")
    if config.universe is None:
        return tuple(sorted(set(config.symbols or known)))
    spells = spells_known(ports.lake.universe(), config.universe, ports.clock.now())
    listed = tuple(sorted(set(known) & set(spells["symbol"])))
    if not listed:
        raise MissingRecord("bar", f"any member of {config.universe}", "bellwether ingest files")
    return listed
