"""One backtest as a question on one state of the lake, and the rules it is traded under."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bellwether import __version__
from bellwether.backtest.costs import Costs
from bellwether.backtest.rules import Rules
from bellwether.backtest.targets import Plan
from bellwether.core.errors import MissingRecord, UnknownName
from bellwether.core.ports import Ports
from bellwether.evaluation.survivorship import spells_known
from bellwether.features.views import Kept
from bellwether.inference.backtest_asked import BacktestConfig
from bellwether.inference.texts import read_view
from bellwether.pipelines.sections import newest_state

ELSEWHERE = ("workers", "dask", "what_if")
"""What changes how a question is answered, and not its answer."""


def plan_of(config: BacktestConfig) -> Plan:
    """Return how forecasts become targets."""
    kind: Any = config.strategy
    return Plan(
        kind=kind,
        k_long=config.top,
        k_short=config.top,
        quantile=config.quantile,
        rebalance_sessions=config.rebalance_sessions,
    )


def rules_of(config: BacktestConfig) -> Rules:
    """Return how the account trades."""
    rules = Rules(costs=Costs(capital_usd=config.capital_usd), lag_sessions=config.lag_sessions)
    for name in config.without:
        rules = rules.without(name)
    return rules


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
    chosen = read_view(config.view, ports)
    states = newest_state([Kept(chosen)], ports)
    if states is None:
        raise MissingRecord("bar", "any symbol", "bellwether ingest sample")
    (watermark,) = states
    symbols = _symbols(config, ports)
    told = {k: v for k, v in config.as_json().items() if k not in ELSEWHERE}
    if not config.embargo_sessions:
        del told["embargo_sessions"]
    told |= {
        "symbols": list(symbols),
        "watermark": watermark.isoformat(),
        "last_session": str(ports.calendar.last_closed(ports.clock.now())),
        "view": chosen.version,
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
