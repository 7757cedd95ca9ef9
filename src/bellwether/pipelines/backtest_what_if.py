"""What each piece of realism cost, what trading may cost at most, and how much capital fits."""

from typing import Any

from bellwether.backtest.rules import SWITCHES
from bellwether.evaluation.trading import trading_metrics
from bellwether.pipelines.trades import Desk

KEPT = ("sharpe", "roi", "cagr", "max_drawdown", "turnover")


def what_if(desk: Desk, name: str) -> dict[str, Any]:
    """Trade again with each realism switched off that was on."""
    base = desk.trade(name)
    on = [switch for switch in SWITCHES if switch not in base.switched_off]
    tried = [(switch, desk.trade(name, desk.rules.without(switch))) for switch in on]
    return {"rows": [{"off": off, **_figures(account)} for off, account in [(None, base), *tried]]}


def _figures(account: Any) -> dict[str, Any]:
    alive = account.ruined_at + 1 if account.ruined_at is not None else len(account.equity)
    found = trading_metrics(account.net[:alive], account.turnover[:alive])
    return {k: found[k] for k in KEPT} | {"end_usd": float(account.equity[-1])}
