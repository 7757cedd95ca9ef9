"""The tear sheet of a backtest: what was found, laid out to be read."""

from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bellwether.reports.tearsheet_data import Curve, Point, Role, Table, TearSheet

YEAR = 252
NO_SPREAD = 1e-12
SHOWN = 50
Found = dict[str, Any]
Floats = NDArray[np.float64]


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
        verdict=[rest[0], head, *rest[1:]],
        warnings=found["warnings"],
        facts=_facts(found, model),
        headline=_headline(found),
        curves=[_curve(n, found["strategies"][n]["role"], days, c) for n, c in drawn.items()],
        monthly={n: _monthly(days, np.array(c["net"])) for n, c in drawn.items()},
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
        tables=[t for t in _tables(found, model) if t.rows],
        provenance=_provenance(found),
    )


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
        ("Skill", "shown" if found["skill"]["shown"] else "none shown"),
    ]


def _headline(found: Found) -> Table:
    rows = []
    for name, s in found["strategies"].items():
        m = s["metrics"]
        low, high = m["sharpe_ci"] or (None, None)
        hit = m.get("directional_accuracy")
        rows.append(
            [
                f"{name} ({s['role']})",
                *(m["cagr"], s["gross"]["cagr"], m["volatility"], m["sharpe"], low, high),
                *(m["max_drawdown"], m["turnover"], hit, m.get("information_coefficient")),
            ]
        )
    return Table(
        "Beside its baselines",
        (
            *("", "A year, net", "gross", "Volatility", "Sharpe", "95 % low", "95 % high"),
            *("Drawdown", "Turnover a session", "Hit rate", "IC"),
        ),
        rows,
        "After costs, at next opens. Sharpe ratios with a risk-free rate of 0 and 252 sessions a year.",
        ("text", "pct", "pct", "pct", "num2", "num2", "num2", "pct", "num2", "pct", "num4"),
    )


def _curve(name: str, role: Role, days: list[date], told: Found) -> Curve:
    wealth, net = np.array(told["wealth"]), np.array(told["net"])
    peak = np.maximum.accumulate(np.maximum(wealth, 1.0))
    return Curve(
        name,
        role,
        days,
        wealth,
        wealth / peak - 1,
        _rolling_sharpe(net),
        told["gross_exposure"],
        told["net_exposure"],
        told["turnover"],
    )


def _rolling_sharpe(net: Floats) -> Floats:
    rolled = np.full(len(net), np.nan)
    if len(net) < YEAR:
        return rolled
    windows = np.lib.stride_tricks.sliding_window_view(net, YEAR)
    spread = windows.std(axis=1, ddof=1)
    means = windows.mean(axis=1) * np.sqrt(YEAR)
    rolled[YEAR - 1 :] = np.divide(
        means, spread, out=np.full_like(means, np.nan), where=spread > NO_SPREAD
    )
    return rolled


def _monthly(days: list[date], net: Floats) -> list[tuple[int, int, float]]:
    grown: dict[tuple[int, int], float] = {}
    for day, r in zip(days, net.tolist(), strict=True):
        key = day.year, day.month
        grown[key] = grown.get(key, 1.0) * (1 + r)
    return [(year, month, value - 1) for (year, month), value in grown.items()]


def _point(x: float | str, row: Found) -> Point:
    return Point(x, row["mean"], row["low"], row["high"], row["n"])


def _tables(found: Found, model: str) -> list[Table]:
    return [
        _years(found),
        _crises(found),
        _costs(found, model),
        *_what_if(found),
        _counts(found, model),
        _ages(found),
        _symbols(found),
        _folds(found),
    ]


def _years(found: Found) -> Table:
    names = list(found["strategies"])
    rows = [
        [
            str(row["year"]),
            *(row["roi"][n] for n in names),
            *(row["sharpe"], row["max_drawdown"], row["directional_accuracy"], row["n"]),
        ]
        for row in found["years"]
    ]
    formats = ("text", *["pct"] * len(names), "num2", "pct", "pct", "int")
    columns = ("Year", *names, "Sharpe", "Drawdown", "Hit rate", "Calls")
    return Table("Year by year", columns, rows, "Net returns; the rest is the model's.", formats)


def _crises(found: Found) -> Table:
    rows = [[c["name"], c["first"], c["last"], c["model"], c["benchmark"]] for c in found["crises"]]
    return Table(
        "In crises",
        ("Window", "From", "To", "Model", "Equal weight"),
        rows,
        "Net return over the window, where the backtest covers all of it.",
        ("text", "text", "text", "pct", "pct"),
    )


def _costs(found: Found, model: str) -> Table:
    mine = found["strategies"][model]
    traded = mine["traded_usd"]
    rows = [
        [kind, usd, usd / traded * 1e4 if traded else None, usd / mine["start_usd"]]
        for kind, usd in mine["costs_usd"].items()
    ]
    return Table(
        "What trading cost",
        ("Cost", "USD", "Of what was traded", "Of the first capital"),
        rows,
        "",
        ("text", "usd", "bps", "pct"),
    )


def _what_if(found: Found) -> list[Table]:
    told = found["what_if"]
    if told is None:
        return []
    rows = [["as it is", told["total_net"], None]]
    rows += [[f"without {e['switch']}", e["total_net"], e["difference"]] for e in told["each_off"]]
    fits = told["capacity"]["usd"]
    limits = [
        ["Cost of each dollar traded at which nothing is left", told["break_even_bps"]],
        ["the same, over the equal-weight benchmark", told["break_even_over_benchmark_bps"]],
        ["Earned before costs on each dollar traded", told["gross_over_traded_bps"]],
    ]
    note = "No capital is too much." if fits == float("inf") else _fits(fits)
    return [
        Table(
            "Without each piece of realism",
            ("Traded", "Net return", "Difference"),
            rows,
            "The whole backtest again, with one thing switched off.",
            ("text", "pct", "pct"),
        ),
        Table("Break-even", ("", "bps"), limits, note, ("text", "bps")),
    ]


def _fits(usd: float | None) -> str:
    if usd is None:
        return "It earns nothing with any capital, so there is no capacity."
    return f"With {usd:,.0f} USD at the start costs have eaten all of it (capacity)."


def _counts(found: Found, model: str) -> Table:
    rows = [[k.replace("_", " "), n] for k, n in found["strategies"][model]["counts"].items()]
    note = "Orders of the model that were filled, cut or refused."
    return Table("What the market refused", ("", "Times"), rows, note, ("text", "int"))


def _ages(found: Found) -> Table:
    rows = [
        [
            row["age"],
            row["n"],
            row["directional_accuracy"]["mean"],
            row["directional_accuracy"]["low"],
            row["directional_accuracy"]["high"],
            row["information_coefficient"]["mean"],
            row["r2_zero"],
        ]
        for row in found["degradation"]
    ]
    return Table(
        "As models age",
        ("Periods old", "Forecasts", "Hit rate", "95 % low", "95 % high", "IC", "R2 against 0"),
        rows,
        "Each period's model, kept and asked again in later periods.",
        ("int", "int", "pct", "pct", "pct", "num4", "num4"),
    )


def _symbols(found: Found) -> Table:
    rows = [
        [
            row["symbol"],
            row["pnl_usd"],
            row["traded_usd"],
            row["costs_usd"],
            (row["directional_accuracy"] or {}).get("mean"),
            (row["directional_accuracy"] or {}).get("n"),
        ]
        for row in found["by_symbol"]
    ]
    columns = ("Symbol", "Earned", "Traded", "Costs", "Hit rate", "Calls")
    return Table("Symbol by symbol", columns, rows, "", ("text", "usd", "usd", "usd", "pct", "int"))


def _folds(found: Found) -> Table:
    rows = [
        [f["number"], f["first"], f["last"], f["train_rows"], f["test_rows"]]
        for f in found["folds"]
    ]
    return Table(
        "Periods",
        ("Period", "First decision", "Last", "Trained on", "Tested on"),
        rows,
        "Rows known before the first decision of a period train its model.",
        ("int", "text", "text", "int", "int"),
    )


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
