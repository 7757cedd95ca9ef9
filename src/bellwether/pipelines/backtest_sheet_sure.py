"""Tables of the tear sheet that say how sure a result is, how bad it got, and when."""

from typing import Any

from bellwether.reports.tearsheet_data import Table

Found = dict[str, Any]
KINDS = {
    "volatility": "By volatility of the market",
    "direction": "By direction of the market",
}


def tests(found: Found) -> Table:
    """Lay out the tests of the forecasts."""
    rows = [
        [r["test"], r["null"], r["statistic"], r["p"], r["p_holm"], r["n"], r["note"]]
        for r in found["tests"]["family"]
    ]
    return Table(
        "Tests of the forecasts",
        ("Test", "What would be true by chance", "Statistic", "p", "p, Holm", "n", "Mind"),
        rows,
        "One value a decision date. p, Holm: adjusted for all tests of this table that carry no "
        "warning. A dash: not assessable.",
        ("text", "text", "num2", "num4", "num4", "int", "text"),
    )


def luck(found: Found, model: str) -> Table:
    """Lay out what was tried, and what is left of the Sharpe ratio."""
    told, tried = found["deflated"], found["trials"]
    if told is None:
        return Table("After the luck of choosing", ("", ""), [])
    sure = found["strategies"][model]["sharpe_record"]["probabilistic"]
    over = tried["overfitting"] or {}
    rows: list[list[object]] = [
        ["Configurations ever tried on this label", f"{tried['configurations']:,}"],
        ["with returns on common sessions", f"{tried['with_returns']:,}"],
        ["independent ones that they amount to", told["effective_trials"]],
        ["Sharpe ratio", told["sharpe"]],
        ["that the best of all would show without skill", told["luck"]],
        ["that the best of the independent ones would", told["luck_effective"]],
        ["Probability that the true ratio is above 0 (PSR)", sure],
        ["above that of the best of all (deflated)", told["p"]],
        ["above that of the best of the independent ones", told["p_effective"]],
        [
            "Probability that the best in one half is not in the other (PBO)",
            over.get("probability"),
        ],
    ]
    why = f"Not assessable: {told['why']}. " if told["why"] else ""
    note = f"{why}Annual ratios over {tried['sessions']:,} common sessions. PBO is noisy."
    return Table("After the luck of choosing", ("", ""), rows, note, ("text", "num2"))


def sharpes(found: Found) -> Table:
    """Lay out every strategy's Sharpe ratio with its errors."""
    rows = []
    for name, s in found["strategies"].items():
        r, d = s["sharpe_record"], s["sharpe_difference"] or {}
        rows.append(
            [
                *(name, r["annual"], r["se_lo"], r["se_mertens"], r["se_hac"]),
                *(r["annual_autocorrelated"], r["probabilistic"], r["min_track_record"]),
                *(d.get("difference"), d.get("low"), d.get("high"), d.get("p")),
            ]
        )
    return Table(
        "How sure the Sharpe ratios are",
        (
            *("", "Sharpe", "Error, normal", "any shape", "dependent", "By eta", "PSR"),
            *("Sessions needed", "Over equal weight", "95 % low", "95 % high", "p"),
        ),
        rows,
        "Errors by Lo, by Mertens and with Newey and West's weights; eta turns sessions into years as "
        "autocorrelation has it; sessions needed to be above 0 at 95 %. The difference to the "
        "benchmark by the bootstrap of Ledoit and Wolf.",
        ("text", *["num2"] * 5, "pct", "int", "num2", "num2", "num2", "num4"),
    )


def relatives(found: Found) -> Table:
    """Lay out every strategy beside the equal-weight benchmark."""
    rows = [
        [
            *(name, r["alpha"], r["alpha_low"], r["alpha_high"], r["alpha_t"], r["beta"]),
            *(r["tracking_error"], r["information_ratio"], r["up_capture"], r["down_capture"]),
        ]
        for name, s in found["strategies"].items()
        if (r := s["relative"]) is not None
    ]
    return Table(
        "Beside equal weight",
        (
            *("", "Alpha a year", "95 % low", "95 % high", "t", "Beta"),
            *("Tracking error", "Information ratio", "Up capture", "Down capture"),
        ),
        rows,
        "Errors of alpha with Newey and West's weights.",
        ("text", "pct", "pct", "pct", "num2", "num2", "pct", "num2", "num2", "num2"),
    )


def risks(found: Found) -> Table:
    """Lay out how bad the bad sessions of every strategy were."""
    rows = [
        [
            *(name, r["value_at_risk"], r["shortfall"], r["worst"], r["best"], r["profit_factor"]),
            *(r["tail_ratio"], r["skewness"], r["kurtosis"], s["drawdowns"]["longest"]),
            *(s["drawdowns"]["share_under_water"], s["drawdowns"]["calmar"]),
        ]
        for name, s in found["strategies"].items()
        for r in (s["risk"],)
    ]
    return Table(
        "Risk",
        (
            *("", "5 % quantile", "Mean below it", "Worst", "Best", "Profit factor", "Tail ratio"),
            *("Skewness", "Kurtosis", "Longest under water", "Share of time", "Calmar"),
        ),
        rows,
        "Of sessions; kurtosis is 3 for a normal.",
        (
            *("text", "pct", "pct", "pct", "pct", "num2", "num2", "num2", "num2"),
            *("int", "pct", "num2"),
        ),
    )


def drawdowns(found: Found, model: str) -> Table:
    """Lay out the worst falls of the model and of the benchmark."""
    rows = [
        [name, d["depth"], d["peak"], d["trough"], d["recovery"] or "not yet", d["sessions"]]
        for name, s in found["strategies"].items()
        if name == model or s["role"] == "benchmark"
        for d in s["drawdowns"]["worst"]
    ]
    return Table(
        "Worst drawdowns",
        ("", "Depth", "High", "Low", "Back", "Sessions under water"),
        rows,
        "",
        ("text", "pct", "text", "text", "text", "int"),
    )


def regimes(found: Found, model: str) -> list[Table]:
    """Lay out the model in each state of the market, as it was known before the session."""
    tables = []
    for kind, rows in found["strategies"][model]["regimes"].items():
        laid = [
            [
                *(r["name"], r["n"], r["share"], r["mean"], r["volatility"], r["sharpe"]),
                *(r["sharpe_se"], r["hit_rate"], r["benchmark_mean"]),
            ]
            for r in rows
            if r["n"]
        ]
        tables.append(
            Table(
                KINDS.get(kind, kind),
                (
                    *("Market", "Sessions", "Share", "Mean a year", "Volatility", "Sharpe"),
                    *("Error", "Days with a gain", "Equal weight's mean"),
                ),
                laid,
                "The market is equal weight; its state is of the sessions before, with thresholds of "
                "its past only.",
                ("text", "int", "pct", "pct", "pct", "num2", "num2", "pct", "pct"),
            )
        )
    return tables
