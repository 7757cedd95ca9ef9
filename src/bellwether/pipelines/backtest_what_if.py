"""What each piece of realism cost, what trading may cost at most, and how much capital fits."""

from dataclasses import asdict
from typing import Any

from bellwether.backtest.what_if import (
    break_even_bps,
    capacity,
    each_off,
    simple_break_even_bps,
    total_net,
)
from bellwether.pipelines.trades import HELD, Desk


def what_if(desk: Desk, name: str) -> dict[str, Any]:
    """Trade again: with each realism off in turn, dearer, and with more capital.

    Break-even and capacity are where nothing is left over the equal-weight benchmark, and over cash.
    """
    market, rules, targets = desk.market, desk.rules, desk.targets(name)
    base, held = desk.trade(name), desk.trade(HELD)
    fits = capacity(market, targets, rules)
    return {
        "total_net": total_net(base),
        "each_off": [asdict(effect) for effect in each_off(market, targets, rules)],
        "break_even_bps": break_even_bps(market, targets, rules),
        "break_even_over_benchmark_bps": break_even_bps(market, targets, rules, held.net),
        "gross_over_traded_bps": simple_break_even_bps(base),
        "capacity": asdict(fits),
    }
