"""The model card of a release, laid out to be read."""

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
MOST_FEATURES = 15
NOTHING = Table("Forecasts", ("",), [])


def sheet_of(found: Found) -> TearSheet:
    """Lay out what `pipelines.model_card.card` found."""
    judged, about = found["judged"], found["about"]
    of_record: Found = {}
    tables: list[Table] = []
    if judged is not None:
        table, roles = judged["table"], judged["roles"]
        tables = [trading(table, roles), *residuals(judged["residuals"])]
        of_record = {
            "curves": curves(judged, roles, list(table)),
            "calibration": calibration(table[found["model"]]),
            "pictures": pictures(table, judged["residuals"], found["learning_curves"]),
        }
    return TearSheet(
        title=f"{found['release_id']}, {found['model']}",
        subtitle=f"{found['label']}: log return from the next open, {about['what']} "
        f"({about['library']})",
        verdict=[_head(found), f"Use: {about['use']}.", *found["limits"]],
        warnings=[],
        facts=_facts(found),
        headline=NOTHING if judged is None else forecasts(judged["table"], judged["roles"]),
        tables=[
            t
            for t in (
                *tables,
                *learning(found["learning_curves"]),
                *_gates(found),
                _importance(found),
                _symbols(found),
            )
            if t.rows
        ],
        provenance=_provenance(found),
        kind="Model card",
        **of_record,
    )


def _head(found: Found) -> str:
    judged, label = found["judged"], found["skill"]["label"]
    if judged is None:
        return f"{found['model']}: {label}"
    return (
        f"{found['model']}: {label} on {judged['n']:,} decisions of {judged['dates']:,} dates, "
        f"{judged['from']} to {judged['to']}"
    )


def _facts(found: Found) -> list[tuple[str, str]]:
    data, coverage = found["data"], found["coverage"]
    quality, audit = data["quality"], data["audit"]
    told = [
        ("Skill", found["skill"]["label"]),
        ("Stands", found["standing"]["state"] if found["standing"] else "never asked"),
        ("Horizon", f"{found['horizon_sessions']} session(s)"),
        ("Trained on", f"{data['rows']:,} rows, {data['first']} to {data['last']}"),
        ("Symbols", f"{len(data['symbols']):,}"),
        ("Features", f"{len(found['features']['columns'])}"),
        ("Leak audit", audit["verdict"] if audit else "not known"),
    ]
    if quality:
        told.append(("Sessions without fault", f"{quality['share']:.2%}"))
    if coverage["asked"] is not None and coverage["realised"] is not None:
        words = f"{coverage['realised']:.1%} of outcomes in the {coverage['asked']:.0%} interval"
        told.append(("Intervals", words))
    return told


def _gates(found: Found) -> list[Table]:
    if found["standing"] is None:
        return []
    report = found["standing"]["report"]
    rows = [[v["gate"], v["state"], v["words"], v["passes_when"]] for v in report["verdicts"]]
    why = found["standing"]["why"]
    told = f"{found['standing']['state']}: {why}"
    if not report["declared"]:
        told = f"{told} Without a declared policy the gates tell, and refuse nothing."
    names = ("Gate", "Verdict", "Why", "What would pass")
    return [Table("What the gates say", names, rows, told, ("text",) * len(names))]


def _importance(found: Found) -> Table:
    ranked = sorted(found["features"]["importance"].items(), key=lambda item: -item[1])
    few = ranked[:MOST_FEATURES]
    left = len(ranked) - len(few)
    return Table(
        "What moves it",
        ("Feature", "Share"),
        [list(row) for row in few],
        "Share of each feature in how far forecasts of the released model are moved, over rows "
        f"spread in time{f'; {left} more move it less' if left else ''}.",
        ("text", "pct"),
    )


def _symbols(found: Found) -> Table:
    rows = [
        [
            *(symbol, k["n"], k["directional_accuracy"], k["ci_low"], k["ci_high"]),
            *(k["baseline"], k["baseline_accuracy"]),
            k.get("beats_baseline", k["shown"]),
        ]
        for symbol, k in found["skill"]["by_symbol"].items()
    ]
    return Table(
        "Symbol by symbol",
        ("Symbol", "Calls", "Hit rate", "low", "high", "Best baseline", "Its hit rate", "Better"),
        rows,
        "Better where the paired interval of the difference to the best baseline lies above zero.",
        ("text", "int", "pct", "pct", "pct", "text", "pct", "text"),
    )


def _provenance(found: Found) -> list[tuple[str, str]]:
    code = ", ".join(f"{k} {v}" for k, v in sorted(found["code"].items()))
    return [
        ("Release", found["release_id"]),
        ("Run", found["run_id"]),
        ("Made", found["created_at"]),
        ("Data", f"lake at {found['data']['watermark']}"),
        ("Features", found["features"]["view"]),
        ("Missing features", found["about"]["missing"]),
        ("Contributions", found["about"]["explanation"]),
        ("Code", code),
    ]
