"""Tables and pictures of models beside each other, for comparisons and model cards."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from bellwether.pipelines.rivals import drawn
from bellwether.reports.tearsheet_data import Curve, Picture, Point, Table

Found = dict[str, Any]
Roles = Mapping[str, str]
MOST_CURVES = 8
RESIDUAL = (
    "What came less what was forecast; bias above 0: forecasts were too low. The state of the market "
    "is known before the session."
)
BOTH = (None, None)
EARNED = (
    "Gross: what a call earned before costs, with the interval by date; the rest is after costs. "
    "Sharpe ratios of a year with errors for dependent returns. Tried: configurations that the "
    "ledger counts on this label; luck: the ratio that the best of them would show without "
    "skill; DSR: probability that the true ratio is above it. Baselines were not chosen."
)


def forecasts(table: Found, roles: Roles) -> Table:
    """Lay out how near each forecast came."""
    rows = [
        [
            _named(name, roles),
            *(_times(v, 100) for v in (f["r2_oos"], *f["r2_ci"])),
            f["clark_west"]["p"],
            *(f["directional_accuracy"], *(f["directional_accuracy_ci"] or BOTH)),
            *(_times(v, 100) for v in (f["beyond_chance"], *(f["beyond_chance_ci"] or BOTH))),
            *(f["ic"], *(f["ic_ci"] or BOTH), f.get("brier"), f["ece"]),
        ]
        for name, f in table.items()
    ]
    ends = ("low", "high")
    return Table(
        "Forecasts",
        (
            *("", "R2 %", *ends, "CW p", "Hit rate", *ends, "Over chance pp", *ends),
            *("IC", *ends, "Brier", "ECE"),
        ),
        rows,
        "Intervals are at 95 % and clustered by date; that of R2 draws whole blocks of dates. R2 is "
        "against the prevailing mean, in hundredths. CW: Clark and West, one-sided. Over chance: "
        "by how much the hit rate is above what the shares of ups give, in percentage points. IC: mean rank correlation by date over five "
        "names or more. ECE: distance of told probabilities from what came true.",
        (
            *("text", "num4", "num4", "num4", "num4", "pct", "pct", "pct", "num2", "num2", "num2"),
            *("num4", "num4", "num4", "num4", "num4"),
        ),
    )


def trading(table: Found, roles: Roles) -> Table:
    """Lay out what trading each forecast earned after costs."""
    rows = []
    for name, f in table.items():
        ratio, luck = f["sharpe_record"], f["deflated"] or {}
        rows.append(
            [
                _named(name, roles),
                *(_times(v, 1e4) for v in (f["edge"], *(f["edge_ci"] or BOTH))),
                *(f["cagr"], f["volatility"], ratio["annual"], ratio["low"], ratio["high"]),
                *(luck.get("trials"), luck.get("luck"), luck.get("p")),
                *(f["max_drawdown"], f["turnover"]),
            ]
        )
    return Table(
        "What trading earned",
        (
            *(
                "",
                "Gross bps",
                "low",
                "high",
                "A year",
                "Volatility",
                "Sharpe",
                "low",
                "high",
                "Tried",
                "Luck",
                "DSR",
            ),
            *("Drawdown", "Turnover a session"),
        ),
        rows,
        EARNED,
        (
            *("text", "num2", "num2", "num2"),
            *("pct", "pct", "num2", "num2", "num2", "int", "num2", "pct", "pct", "num2"),
        ),
    )


def _named(name: str, roles: Roles) -> str:
    return f"{name} (baseline)" if roles[name] == "baseline" else name


def residuals(found: Mapping[str, Sequence[Found]]) -> list[Table]:
    """Lay out where models err, one table a kind of state."""
    kinds = list(dict.fromkeys(row["kind"] for rows in found.values() for row in rows))
    return [
        Table(
            f"Residuals by {kind}",
            (
                *("Model", "State", "Rows", "Dates", "Bias bps", "low", "high", "RMSE %"),
                *("R2 %", "Hit rate", "low", "high"),
            ),
            [
                [
                    *(name, row["state"], row["n"], row["dates"]),
                    *(_times(row[k], 1e4) for k in ("bias", "bias_low", "bias_high")),
                    *(_times(row["rmse"], 100), _times(row["r2"], 100)),
                    *(row["accuracy"], row["accuracy_low"], row["accuracy_high"]),
                ]
                for name, rows in found.items()
                for row in rows
                if row["kind"] == kind
            ],
            RESIDUAL if kind == kinds[0] else "",
            (
                *("text", "text", "int", "int", "num2", "num2", "num2", "num2"),
                *("num4", "pct", "pct", "pct"),
            ),
        )
        for kind in kinds
    ]


def learning(curves: Sequence[Found]) -> list[Table]:
    """Lay out learning curves."""
    return [
        Table(
            f"Learning curve of {curve['model']}",
            ("Newest", "Rows", "R2 %", "low", "high", "Hit rate", "low", "high"),
            [
                [
                    *(p["share"], p["train_rows"]),
                    *(_times(v, 100) for v in (p["r2"], *p["r2_ci"])),
                    *(p["accuracy"], *(p["accuracy_ci"] or BOTH)),
                ]
                for p in curve["points"]
            ],
            "Trained on the newest share of each training set, judged on the same rows; rows are "
            "the mean over the periods.",
            ("pct", "int", "num4", "num4", "num4", "pct", "pct", "pct"),
        )
        for curve in curves
    ]


def pictures(
    table: Found, residual: Mapping[str, Sequence[Found]], curves: Sequence[Found]
) -> list[Picture]:
    """Draw the figures with intervals, the first model by period, and learning curves."""
    first = next(iter(residual), None)
    by_period = [] if first is None else _by_period(first, residual[first])
    return [_squared(table), _hits(table), _ratios(table), *by_period, *map(_learnt, curves)]


def _squared(table: Found) -> Picture:
    return Picture(
        "R2 against the prevailing mean",
        "Above 0 is nearer to what came. Whiskers: 95 %, blocks of dates.",
        "model",
        "R2",
        [_point(name, f["r2_oos"], f["r2_ci"], f) for name, f in table.items()],
        zero=True,
    )


def _hits(table: Found) -> Picture:
    return Picture(
        "Hit rate",
        "Share of calls with the sign of what came. Whiskers: 95 %, clustered by date.",
        "model",
        "hit rate",
        [
            _point(name, f["directional_accuracy"], f["directional_accuracy_ci"], f)
            for name, f in table.items()
        ],
    )


def _ratios(table: Found) -> Picture:
    ratios = {name: f["sharpe_record"] for name, f in table.items()}
    return Picture(
        "Sharpe ratio after costs",
        "A year. Whiskers: 95 %, dependent returns.",
        "model",
        "Sharpe",
        [_point(n, r["annual"], (r["low"], r["high"]), r) for n, r in ratios.items()],
        "ratio",
        zero=True,
    )


def _by_period(name: str, rows: Sequence[Found]) -> list[Picture]:
    points = [
        Point(r["state"], r["accuracy"], r["accuracy_low"], r["accuracy_high"], r["n"])
        for r in rows
        if r["kind"] == "period" and r["accuracy"] is not None
    ]
    note = f"Of {name}. Whiskers: 95 %, clustered by date."
    return [Picture("Hit rate by period", note, "period", "hit rate", points)]


def _learnt(curve: Found) -> Picture:
    points = [_point(p["train_rows"], p["r2"], p["r2_ci"], p) for p in curve["points"]]
    return Picture(
        f"Learning curve of {curve['model']}",
        "R2 against the prevailing mean by the rows it learnt from.",
        "training rows",
        "R2",
        points,
        zero=True,
    )


def _point(x: float | str, y: float | None, ends: Sequence[float | None] | None, f: Found) -> Point:
    low, high = ends or BOTH
    return Point(x, float("nan") if y is None else y, low, high, f.get("n") or 0)


def curves(found: Found, roles: Roles, order: Sequence[str]) -> list[Curve]:
    """Draw what each earned, at most eight: those asked first, then baselines that traded."""
    told = found["curves"]
    days = [date.fromisoformat(day) for day in told["sessions"]]
    traded = [n for n in order if any(told["net"][n])]
    models = [n for n in traded if roles[n] == "model"]
    beside = [n for n in traded if roles[n] == "baseline"][:2]
    names = [*models[: MOST_CURVES - len(beside)], *beside]
    return [
        Curve(
            name,
            "model" if i == 0 and models else "baseline",
            days,
            turnover=told["turnover"][name],
            **drawn(told["net"][name]),
        )
        for i, name in enumerate(names)
    ]


def calibration(f: Found) -> list[Point]:
    """Draw what was told beside what came."""
    return [
        Point(r["said"], r["realised"], r["realised_low"], r["realised_high"], r["n"])
        for r in f["calibration"]
    ]


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
