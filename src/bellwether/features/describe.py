"""What there is to say about a feature, for people and for docs/features.md."""

from typing import Any

from bellwether.features.feature import Feature, FeatureView
from bellwether.features.inputs import OF_THE_DATE
from bellwether.features.needs import LOST
from bellwether.features.section import level
from bellwether.features.views import DEFAULT, views


def described(feature: Feature, view: FeatureView) -> dict[str, Any]:
    """Return formula, meaning, unit, source, warm-up, lineage and what adjusted bars refuse."""
    return {
        "name": feature.name,
        "view": view.version,
        "formula": str(feature.expression),
        "meaning": feature.meaning,
        "unit": feature.unit,
        "group": feature.group,
        "kind": feature.kind.value,
        "source": feature.source,
        "here_because": _why(feature, view),
        "warm_up_sessions": feature.warm_up,
        "ttl_sessions": view.ttl_sessions,
        "scale_free": feature.scale_free,
        "lineage": lineage(feature),
        "not_given_by": [how for how, lost in LOST.items() if feature.needs & lost],
    }


def _why(feature: Feature, view: FeatureView) -> str:
    if feature.why != "expected":
        return feature.why
    if view.name == DEFAULT:
        return "users expect it"
    return "users expect it; out of sample its view did not help (docs/features.md)"


def lineage(feature: Feature) -> str:
    """Say what the numbers are made of."""
    dated = [c for c in feature.reads if c in OF_THE_DATE]
    barred = [c for c in feature.reads if c not in OF_THE_DATE]
    told = [f"the date ({', '.join(dated)})"] if dated else []
    if barred:
        told.append(f"bars and corporate actions, adjusted forward ({', '.join(barred)})")
    if level(feature.expression):
        told.append("the section of each session")
    return "; ".join(told)


def markdown() -> str:
    """Return the tables of docs/features.md: one a view."""
    lines = []
    for view in views().values():
        lines += [f"### {view.name}: {len(view.features)} features", ""]
        lines += ["| feature | meaning | unit | warm-up | source |", "|---|---|---|---|---|"]
        lines += [
            f"| `{f.name}` | {f.meaning} | {f.unit} | {f.warm_up} | {f.source} |"
            for f in view.features
        ]
        lines.append("")
    return "\n".join(lines)
