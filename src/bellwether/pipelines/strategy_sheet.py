"""The tear sheet of a user's own strategy: what `evaluate_strategy` found, laid out to be read."""

from datetime import date
from typing import Any

from bellwether.pipelines.backtest_sheet import curve_of, figures_table, monthly_of
from bellwether.pipelines.backtest_sheet_tables import account_tables
from bellwether.pipelines.trades import HELD
from bellwether.reports.tearsheet_data import TearSheet

Found = dict[str, Any]


def sheet_of(found: Found) -> TearSheet:
    """Lay out what `evaluate_strategy.run` found."""
    name, told = found["name"], found["strategies"]
    days = [date.fromisoformat(day) for day in found["curves"]["sessions"]]
    curves = found["curves"]["strategies"]
    mine = told[name]
    return TearSheet(
        title=f"{name}, {found['n_symbols']} symbols",
        subtitle=f"{found['from']} to {found['to']}",
        verdict=[_verdict(found), *found["reading"]],
        warnings=found["warnings"],
        facts=[
            ("Sessions", f"{found['n_sessions']:,}"),
            ("Symbols", f"{found['n_symbols']:,}"),
            ("Capital", f"{mine['start_usd']:,.0f} USD"),
            ("Traded", f"{mine['traded_usd']:,.0f} USD"),
        ],
        headline=figures_table(found),
        curves=[curve_of(n, told[n]["role"], days, c) for n, c in curves.items()],
        monthly={n: monthly_of(days, c["net"]) for n, c in curves.items()},
        crises=[
            (c["name"], date.fromisoformat(c["first"]), date.fromisoformat(c["last"]))
            for c in found["crises"]
        ],
        tables=[t for t in account_tables(found, name) if t.rows],
        provenance=[
            ("Result", found["result_hash"]),
            ("Strategy", found["config"]["strategy"]),
            ("Data", f"lake at {found['watermark']}"),
            ("Code", found["config"]["code"]),
        ],
    )


def _verdict(found: Found) -> str:
    mine, held = (found["strategies"][n]["metrics"]["sharpe"] for n in (found["name"], HELD))
    if mine is None:
        return "It did not trade, or its risk cannot be measured."
    if held is not None and mine <= held:
        return "For its risk, holding all names was worth more."
    sure = (found["deflated"] or {}).get("p")
    if sure is not None and sure >= 0.95:  # noqa: PLR2004
        return "For its risk it beat holding all names, beyond the luck of choosing among what was tried."
    return "For its risk it beat holding all names; that may be luck."
