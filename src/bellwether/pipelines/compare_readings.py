"""What a comparison means, in plain sentences."""

from collections.abc import Sequence
from typing import Any

Found = dict[str, Any]
LEVEL = 0.05
SURE = 0.95
FEW = 6


def reading(found: Found) -> list[str]:
    """Say who is better, by how much, and what is chance."""
    told = [_best(found), _squared(found), _calls(found), _ranks(found)]
    return [*(text for text in told if text), _earned(found), _pairs(found)]


def _models(found: Found) -> list[str]:
    return [name for name, role in found["roles"].items() if role == "model"]


def _best(found: Found) -> str:
    names = _models(found) or [*found["table"]]
    span = f"{found['dates']:,} dates from {found['from']} to {found['to']}"
    told = found["may_be_best"]["squared_error"]
    inside = [] if told is None else told["in"]
    if told is None:
        return f"Over {span} nothing can be said of which is best."
    if len(inside) == len(found["table"]):
        return f"Over {span} no model can be told from the others by its squared error."
    if len(inside) == 1:
        return f"Over {span} {inside[0]} has the smallest squared error beyond chance."
    out = [name for name in names if name not in inside]
    left = f" {_listed(out)} cannot." if out else ""
    return f"Over {span} {_listed(inside)} may have the smallest squared error (90 %).{left}"


def _squared(found: Found) -> str:
    better = [
        name
        for name in _models(found)
        if (ends := found["table"][name]["r2_ci"])[0] is not None and ends[0] > 0
    ]
    if not better:
        return "None is nearer to what came than the prevailing mean by more than chance."
    told = _listed([f"{n} ({found['table'][n]['r2_oos']:.2%})" for n in better])
    return f"Nearer to what came than the prevailing mean beyond chance: {told}."


def _calls(found: Found) -> str:
    always = found["table"].get("always_up")
    able = [
        name
        for name in _models(found)
        if (ends := found["table"][name]["beyond_chance_ci"]) is not None and ends[0] > 0
    ]
    text = (
        "No model's calls are right more often than its share of ups gives by chance."
        if not able
        else f"Right more often than their share of ups gives by chance: {_listed(able)}."
    )
    if always is None or always["directional_accuracy"] is None:
        return text
    base = always["directional_accuracy"]
    above = [
        name
        for name in _models(found)
        if (ends := found["table"][name]["directional_accuracy_ci"]) is not None and ends[0] > base
    ]
    more = (
        f"Above {base:.1%} of always up with the whole interval: {_listed(above)}."
        if above
        else (f"None is above the {base:.1%} of always up with its whole interval.")
    )
    return f"{text} {more}"


def _ranks(found: Found) -> str:
    """Say who puts the names of a date in an order; nothing where there are too few names."""
    known = {n: f for n in _models(found) if (f := found["table"][n])["ic_ci"] is not None}
    if not known:
        return ""
    able = [f"{n} ({f['ic']:.3f})" for n, f in known.items() if f["ic_ci"][0] > 0]
    if not able:
        return "None puts the names of a date in a better order than chance."
    return f"Names of a date are put in a better order than by chance (IC) by {_listed(able)}."


def _earned(found: Found) -> str:
    told = {n: found["table"][n] for n in _models(found)}
    if not told:
        return "Only baselines are compared; nobody chose them, and nothing is deflated."
    passed = [
        n for n, f in told.items() if (f["deflated"] or {}).get("p") and f["deflated"]["p"] >= SURE
    ]
    ratios = {n: f["sharpe_record"]["annual"] for n, f in told.items()}
    known = {n: r for n, r in ratios.items() if r is not None}
    if not known:
        return "None of them traded."
    best = max(known, key=lambda n: known[n])
    counts = [f["deflated"]["trials"] for f in told.values() if f["deflated"]]
    market = found["table"].get("always_up")
    held = (
        ""
        if market is None or market["sharpe_record"]["annual"] is None
        else (f"; always up made {market['sharpe_record']['annual']:.2f}")
    )
    verdict = (
        f"with {max(counts):,} configurations tried on this label, none is above luck"
        if counts and not passed
        else f"above luck after {max(counts, default=0):,} tried: {_listed(passed)}"
        if passed
        else "nobody counted the trials"
    )
    return f"After costs the best Sharpe ratio is {known[best]:.2f} ({best}){held}; {verdict}."


def _pairs(found: Found) -> str:
    apart = [
        f"{p['b'] if p['squared']['mean'] > 0 else p['a']} errs less than "
        f"{p['a'] if p['squared']['mean'] > 0 else p['b']}"
        for p in found["pairs"]
        if p["p_squared"] is not None and p["p_squared"] <= LEVEL
    ]
    which = "Pair by pair" if found["all_pairs"] else "Each tested against the first"
    if not apart:
        return f"{which}, no difference of squared errors is beyond chance (Holm)."
    return f"Beyond chance (Holm): {_listed(apart)}."


def _listed(names: Sequence[str]) -> str:
    few = ", ".join(names[:FEW])
    return few if len(names) <= FEW else f"{few} and {len(names) - FEW} more"
