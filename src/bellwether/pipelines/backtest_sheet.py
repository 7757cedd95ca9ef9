"""The tear sheet of a backtest: what was found, laid out to be read."""

from datetime import date
from typing import Any

import numpy as np

from bellwether.evaluation.drawdowns import under_water
from bellwether.evaluation.periods_of_returns import by_month, rolling_sharpe
from bellwether.pipelines.backtest_readings import headline
from bellwether.pipelines.backtest_sheet_tables import tables_of
from bellwether.reports.tearsheet_data import Curve, Point, Role, Table, TearSheet

Found = dict[str, Any]


def sheet_of(found: Found) -> TearSheet:
    """Lay out what `pipelines.backtest.run` found."""
    days = [date.fromisoformat(day) for day in found["curves"]["sessions"]]
    model = next(n for n, s in found["strategies"].items() if s["role"] == "model")
    drawn = {
        name: curve
        for name, curve in found["curves"]["strategies"].items()
        if found["strategies"][name]["traded_usd"] > 0 or name == model
    }
    config = found["config"]
    head, *rest = found["reading"]
    return TearSheet(
        title=f"{model}, {found['universe'] or _names(found['symbols'])}",
        subtitle=f"{found['from']} to {found['to']}, {config['strategy']}, one period {config['step']}",
        verdict=[headline(found, model), rest[0], head, *rest[1:]],
        warnings=found["warnings"],
        facts=_facts(found, model),
        headline=figures_table(found),
        curves=[curve_of(n, found["strategies"][n]["role"], days, c) for n, c in drawn.items()],
        monthly={n: monthly_of(days, c["net"]) for n, c in drawn.items()},
        calibration=[_point(row["said"], row) for row in found["calibration"]],
        ic_by_horizon=[_point(row["horizon"], row) for row in found["ic_by_horizon"]],
        quantiles=[_point(row["fifth"], row) for row in found["quantiles"]],
        degradation=[
            _point(row["age"], row["information_coefficient"])
            for row in found["degradation"]
            if row["information_coefficient"]["mean"] is not None
        ],
        crises=[
            (c["name"], date.fromisoformat(c["first"]), date.fromisoformat(c["last"]))
            for c in found["crises"]
        ],
        tables=[t for t in tables_of(found, model) if t.rows],
        provenance=_provenance(found),
    )


def _calls(skill: Found) -> str:
    return "beyond every baseline" if skill["beats_baseline"] else "no more than a baseline"


def _names(symbols: list[str]) -> str:
    few = ", ".join(symbols[:5])
    return few if len(symbols) <= 5 else f"{few} and {len(symbols) - 5} more"  # noqa: PLR2004


def _facts(found: Found, model: str) -> list[tuple[str, str]]:
    mine = found["strategies"][model]
    return [
        ("Forecasts", f"{found['n']:,}"),
        ("Symbols", f"{found['n_symbols']:,}"),
        ("Periods", str(len(found["folds"]))),
        ("Capital", f"{mine['start_usd']:,.0f} USD"),
        ("Traded", f"{mine['traded_usd']:,.0f} USD"),
        ("Right calls", _calls(found["skill"])),
    ]


def figures_table(found: Found) -> Table:
    """Lay out the figures that matter, a strategy a row."""
    rows = []
    for name, s in found["strategies"].items():
        m = s["metrics"]
        low, high = m["sharpe_ci"] or (None, None)
        hit, sure = m.get("directional_accuracy"), s["sharpe_record"]["probabilistic"]
        luckless = (found["deflated"] or {}).get("p") if s["role"] == "model" else None
        rows.append(
            [
                f"{name} ({s['role']})",
                *(m["cagr"], s["gross"]["cagr"], m["volatility"], m["sharpe"], low, high, sure),
                *(
                    luckless,
                    m["max_drawdown"],
                    m["turnover"],
                    hit,
                    m.get("information_coefficient"),
                ),
            ]
        )
    return Table(
        "Beside its baselines",
        (
            *("", "A year, net", "gross", "Volatility", "Sharpe", "95 % low", "95 % high", "PSR"),
            *("DSR", "Drawdown", "Turnover a session", "Hit rate", "IC"),
        ),
        rows,
        "After costs, at next opens. Sharpe ratios with a risk-free rate of 0 and 252 sessions a year. "
        "PSR: probability that the true ratio is above 0. DSR: that it is above what the luckiest of "
        "all configurations tried would show without skill.",
        (
            *("text", "pct", "pct", "pct", "num2", "num2", "num2", "pct", "pct"),
            *("pct", "num2", "pct", "num4"),
        ),
    )


def curve_of(name: str, role: Role, days: list[date], told: Found) -> Curve:
    """Draw one account, session by session."""
    return Curve(
        name,
        role,
        days,
        told["wealth"],
        under_water(told["net"]),
        rolling_sharpe(told["net"]),
        told["gross_exposure"],
        told["net_exposure"],
        told["turnover"],
    )


def monthly_of(days: list[date], net: list[float]) -> list[tuple[int, int, float]]:
    """Return the net return of each month."""
    return [
        (row.year, month, value)
        for row in by_month(np.array(days, dtype="datetime64[D]"), net)
        for month, value in enumerate(row.months, 1)
        if value is not None
    ]


def _point(x: float | str, row: Found) -> Point:
    return Point(x, row["mean"], row["low"], row["high"], row["n"])


def _provenance(found: Found) -> list[tuple[str, str]]:
    config = found["config"]
    left_out = {"symbols", "watermark", "view", "code"}
    asked = ", ".join(
        f"{k} {v}" for k, v in config.items() if k not in left_out and v not in (None, [])
    )
    return [
        ("Result", found["result_hash"]),
        ("Backtest", found["backtest_id"]),
        ("Data", f"lake at {found['watermark']}"),
        ("Features", config["view"]),
        ("Code", config["code"]),
        ("Asked", asked),
    ]
