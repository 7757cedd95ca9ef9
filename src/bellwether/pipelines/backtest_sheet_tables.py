"""The tables of the tear sheet of a backtest."""

from typing import Any

from bellwether.pipelines.backtest_sheet_sure import (
    drawdowns,
    luck,
    regimes,
    relatives,
    risks,
    sharpes,
    tests,
)
from bellwether.reports.tearsheet_data import Table

Found = dict[str, Any]


def tables_of(found: Found, model: str) -> list[Table]:
    """Lay out the tables of a report, in the order of reading."""
    return [
        tests(found),
        *account_tables(found, model),
        *_what_if(found),
        _ages(found),
        _symbols(found),
        _folds(found),
    ]


def account_tables(found: Found, model: str) -> list[Table]:
    """Lay out what can be said of any account, whatever its targets came from."""
    return [
        luck(found, model),
        sharpes(found),
        relatives(found),
        risks(found),
        drawdowns(found, model),
        _years(found),
        *regimes(found, model),
        _crises(found),
        _costs(found, model),
        _counts(found, model),
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
    rows = [
        [
            *(c["name"], c["first"], c["last"], c["sessions"], c["whole"]),
            *(c["model"]["roi"], (c["benchmark"] or {}).get("roi")),
            *(c["model"]["max_drawdown"], (c["benchmark"] or {}).get("max_drawdown")),
        ]
        for c in found["crises"]
    ]
    return Table(
        "In crises",
        (
            *("Window", "After", "To", "Sessions", "Whole", "Model", "Equal weight"),
            *("Drawdown", "Equal weight's"),
        ),
        rows,
        "Net return over the sessions of the window in the backtest. The windows were chosen by "
        "people who knew how they ended.",
        ("text", "text", "text", "int", "text", "pct", "pct", "pct", "pct"),
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
