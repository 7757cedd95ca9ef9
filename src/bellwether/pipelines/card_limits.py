"""What a release cannot tell, and what makes its figures look better than they are, in sentences."""

from collections.abc import Mapping
from typing import Any

FEW_SESSIONS = 1260
NEAR = 0.02
Found = dict[str, Any]


def limits(found: Found, outcome: Mapping[str, Any]) -> list[str]:
    """Say it of one release, from its card and from what its run found."""
    told = [
        _skill(found),
        *_span(found),
        *_data(found, outcome),
        *_costs(found),
        *_intervals(found),
    ]
    return [*told, _always(found)]


def _skill(found: Found) -> str:
    if found["judged"] is None:
        return "It was never judged out of sample on enough dates: nothing is known of its skill."
    model, table = found["model"], found["judged"]["table"]
    if found["skill"]["label"] == "skill shown":
        return "The gates found skill beyond chance and the trials counted; that is the past."
    low, high = table[model]["r2_ci"]
    near = (
        "its squared error cannot be told from that of the prevailing mean"
        if low is None or low <= 0 <= high
        else f"its squared error is {'below' if low > 0 else 'above'} that of the prevailing mean"
    )
    return f"The gates do not find skill beyond the best baseline, and {near}."


def _span(found: Found) -> list[str]:
    judged = found["judged"]
    if judged is None:
        return []
    told = []
    if judged["dates"] < FEW_SESSIONS:
        told.append(
            f"It was judged on {judged['dates']:,} dates, less than five years: its intervals are wide."
        )
    tried = (judged["table"][found["model"]]["deflated"] or {}).get("trials")
    if tried is not None and tried > 1:
        told.append(
            f"{tried:,} configurations were tried on this label: the best of them looks good by luck."
        )
    return told


def _data(found: Found, outcome: Mapping[str, Any]) -> list[str]:
    data, told = found["data"], []
    if data["survivorship"]:
        told.append(data["survivorship"])
    quality = data["quality"]
    if quality and quality["ignored"]:
        told.append(f"It was trained below the quality bar: {'; '.join(quality['failing'])}.")
    told += [refused["words"] for refused in outcome.get("refused", ())]
    if found["scope"] != "panel":
        told.append(f"It learnt from {found['scope']} alone.")
    return told


def _costs(found: Found) -> list[str]:
    off = found["costs"]["switched_off"]
    told = [f"Its trades were judged without {', '.join(off)}."] if off else []
    judged = found["judged"]
    if judged is not None and (net := judged["table"][found["model"]]["cagr"]) is not None:
        told += ["Trading every call of it lost money after costs."] if net < 0 else []
    return told


def _intervals(found: Found) -> list[str]:
    asked, realised = found["coverage"]["asked"], found["coverage"]["realised"]
    if asked is None or realised is None:
        return ["It answers without an interval: too little of it was judged."]
    if abs(realised - asked) <= NEAR:
        return []
    return [f"Its {asked:.0%} intervals held {realised:.1%} of what came."]


def _always(found: Found) -> str:
    return (
        f"It answers for {len(found['data']['symbols'])} symbol(s) over "
        f"{found['horizon_sessions']} session(s) and nothing else; it has not seen what came after "
        f"{found['data']['last']}."
    )
