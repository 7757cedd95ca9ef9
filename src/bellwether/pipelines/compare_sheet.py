"""The report of a comparison: what was found, laid out to be read."""

from collections.abc import Mapping
from typing import Any

from bellwether.pipelines.compare_tables import (
    calibration,
    curves,
    forecasts,
    learning,
    pictures,
    residuals,
    trading,
)
from bellwether.reports.tearsheet_data import Table, TearSheet

Found = dict[str, Any]


def sheet_of(found: Found) -> TearSheet:
    """Lay out what `pipelines.compare.run` found."""
    table, roles = found["table"], found["roles"]
    order = [s["name"] for s in found["subjects"]]
    order += [name for name in table if name not in order]
    head, *rest = found["reading"]
    models = [s["name"] for s in found["subjects"]]
    return TearSheet(
        title=f"{len(models)} models beside each other",
        subtitle=f"{found['from']} to {found['to']}, {found['horizon_sessions']} session(s) ahead",
        verdict=[head, *rest],
        warnings=found["notes"],
        facts=[
            ("Decisions", f"{found['n']:,}"),
            ("Dates", f"{found['dates']:,}"),
            ("Symbols", f"{found['symbols']:,}"),
            ("Models", f"{len(models)}"),
        ],
        headline=forecasts(table, roles),
        curves=curves(found, roles, order),
        calibration=calibration(table[order[0]]),
        tables=[
            t
            for t in (
                trading(table, roles),
                _pairs(found),
                _sets(found),
                *residuals(found["residuals"]),
                *learning(found["learning_curves"]),
                _sources(found),
            )
            if t.rows
        ],
        pictures=pictures(table, found["residuals"], found["learning_curves"]),
        provenance=[("Seed", str(found["seed"]))],
        kind="Comparison",
    )


def _pairs(found: Found) -> Table:
    rows = [
        [
            *(p["a"], p["b"], _scaled(p["squared"]["mean"], 1e8), p["squared"]["statistic"]),
            *(p["squared"]["p"], p["p_squared"]),
            *(p["accuracy"]["mean"], p["accuracy"]["low"], p["accuracy"]["high"]),
            *(p["sharpe"]["difference"], p["sharpe"]["low"], p["sharpe"]["high"], p["p_sharpe"]),
        ]
        for p in found["pairs"]
    ]
    which = "Every pair." if found["all_pairs"] else "Each against the first; more than six."
    return Table(
        "Pairwise tests",
        (
            *("A", "B", "Squared error, A less B, bps2", "DM", "p", "Holm p"),
            *("Hit rate, A less B", "low", "high"),
            *("Sharpe, A less B", "low", "high", "Holm p of Sharpe"),
        ),
        rows,
        f"{which} DM: Diebold and Mariano over dates, as Harvey, Leybourne and Newbold correct it "
        "for small samples, two-sided. Sharpe ratios: Ledoit and Wolf's bootstrap.",
        (
            *("text", "text", "num4", "num2", "num4", "num4", "pct", "pct", "pct"),
            *("num2", "num2", "num2", "num4"),
        ),
    )


def _sets(found: Found) -> Table:
    told = found["may_be_best"]
    squared, net = (_p(told[what]) for what in ("squared_error", "net_return"))
    rows = [[n, squared.get(n), net.get(n)] for n in found["table"] if squared or net]
    rows = [[n, a, _inside(a, told["size"]), b, _inside(b, told["size"])] for n, a, b in rows]
    return Table(
        "Which may be the best",
        ("Model", "p, squared error", "In the set", "p, net return", "In the set of net returns"),
        rows,
        f"Model confidence sets of Hansen, Lunde and Nason: with {1 - told['size']:.0%} the best is "
        "among those in the set.",
        ("text", "num4", "text", "num4", "text"),
    )


def _p(told: Found | None) -> Mapping[str, float]:
    return {} if told is None else told["p"]


def _inside(p: float | None, size: float) -> str | None:
    return None if p is None else "yes" if p > size else "no"


def _sources(found: Found) -> Table:
    told = {s["id"]: s for s in found["subjects"]}
    rows = [
        [
            *(name, s["kind"], ", ".join(o["name"] for o in found["subjects"] if o["id"] == name)),
            *(s["traded"], s["view"], s["watermark"]),
        ]
        for name, s in told.items()
    ]
    columns = ("Id", "Of", "Models", "Traded as", "Features", "Lake at")
    return Table("What was compared", columns, rows, "", ("text",) * len(columns))


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
