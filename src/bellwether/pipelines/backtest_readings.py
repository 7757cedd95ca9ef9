"""What a backtest means, in plain words."""

from typing import Any

from bellwether.core.types import Skill
from bellwether.pipelines.trades import HELD

Found = dict[str, Any]
FEW = 1_000.0
LEVEL = 0.05


def headline(found: Found, model: str) -> str:
    """Say in one sentence what it was worth: right calls, and money beside holding all.

    Whether that is skill the gates say, which count all that was tried.
    """
    mine, held = (found["strategies"][n]["metrics"]["sharpe"] for n in (model, HELD))
    better = mine is not None and (held is None or mine > held)
    if found["skill"]["beats_baseline"]:
        if better:
            return (
                "It was right more often than any baseline, and trading it beat holding all names, for "
                "its risk; whether that is skill, the gates say."
            )
        return "It was right more often than any baseline; after costs it was worth less than holding all names."
    if better:
        return "It was right no more often than a baseline; that it beat holding all names may be luck."
    return "No skill is shown, and holding all names was worth more."


def reading(found: Found, model: str, shown: Skill) -> list[str]:
    """Say in a few sentences what came out, good or bad."""
    mine = found["strategies"][model]["metrics"]
    held = found["strategies"][HELD]["metrics"]
    told = [
        (
            f"From {found['from']} to {found['to']}, {model} made {found['n']:,} forecasts for "
            f"{found['n_symbols']} symbols in {len(found['folds'])} periods, each by a model that was "
            "trained on what was known before."
        ),
        _direction(mine, shown),
        (
            f"Traded at next opens after costs it returned {_share(mine['cagr'])} a year with a Sharpe "
            f"ratio of {_number(mine['sharpe'])}{_span(mine['sharpe_ci'])}; holding all names equally "
            f"returned {_share(held['cagr'])} with {_number(held['sharpe'])}."
        ),
    ]
    gross = found["strategies"][model]["gross"]
    told.append(
        f"Before costs it was {_share(gross['cagr'])} a year: costs took "
        f"{_share((gross['cagr'] or 0) - (mine['cagr'] or 0))} a year at a turnover of "
        f"{_number(mine['turnover'])} a session."
    )
    told.append(_tests(found["tests"]["family"]))
    aged = found["degradation"]
    if len(aged) > 1:
        told.append(_ageing(aged))
    return told


def _direction(mine: Found, shown: Skill) -> str:
    accuracy = mine.get("directional_accuracy")
    if accuracy is None:
        return "It made no call that could be judged."
    best = shown.baseline or "no baseline"
    beside = "" if shown.baseline_accuracy is None else f" ({shown.baseline_accuracy:.1%})"
    verdict = (
        f"beyond chance better than {best}{beside}"
        if shown.beats_baseline
        else f"not better than {best}{beside} beyond chance: no skill is shown"
    )
    return f"Its calls were right {accuracy:.1%} of the time{_span(mine['directional_accuracy_ci'])}, {verdict}."


def _ageing(aged: list[Found]) -> str:
    first, last = aged[0], aged[-1]
    a, b = (row["directional_accuracy"]["mean"] for row in (first, last))
    if a is None or b is None:
        return "How models age cannot be said."
    return (
        f"A model in the period after its training was right {a:.2%} of the time; one {last['age']} "
        f"periods older {b:.2%}."
    )


def _tests(family: list[Found]) -> str:
    """Say how many tests of the forecasts find anything once all of them are counted."""
    counted = [row for row in family if row["p_holm"] is not None]
    if not counted:
        return "There is too little of it for any test of the forecasts."
    low = [f"{r['test']} ({r['null']})" for r in counted if r["p_holm"] <= LEVEL]
    if not low:
        return f"Of {len(counted)} tests of its forecasts none rejects chance at 5 % (Holm)."
    verb = "rejects" if len(low) == 1 else "reject"
    return (
        f"Of {len(counted)} tests of its forecasts {len(low)} {verb} chance at 5 % (Holm): "
        f"{', '.join(low)}."
    )


def luck(found: Found, model: str) -> str:
    """Say what is left of the Sharpe ratio once everything that was tried is counted."""
    tried, deflated = found["trials"], found["deflated"]
    n, label = tried["configurations"], tried["label"]
    if deflated is None:
        return (
            f"These forecasts were made before their outcomes and not chosen by them, so none of the "
            f"{n:,} configurations tried on {label} deflates their Sharpe ratio."
        )
    if n == 1:
        sure = found["strategies"][model]["sharpe_record"]["probabilistic"]
        above = "is undefined" if sure is None else f"is above 0 with a probability of {sure:.1%}"
        return (
            f"This is the only configuration ever tried on {label}, so there is no luck of choice to "
            f"take off, and the deflated Sharpe ratio is not assessable: the ratio {above}."
        )
    if deflated["p"] is None:
        why = deflated["why"]
        return f"After {n:,} configurations tried on {label} the deflated Sharpe is not assessable: {why}."
    return (
        f"After {n:,} configurations tried on {label} the deflated Sharpe is {deflated['p']:.1%}: the "
        f"probability that the ratio is above {_number(deflated['luck'])}, which the best of so many "
        f"would show without any skill ({_number(deflated['effective_trials'])} independent ones: "
        f"{deflated['p_effective']:.1%})."
    )


def warnings(found: Found) -> list[str]:
    """Name what a reader has to know before believing a figure."""
    told = []
    if found["lag_sessions"] == 0:
        told.append(
            "LAG 0: orders were filled at the open before the close that decided them. Nobody can do "
            "that; these figures are not results."
        )
    if found["switched_off"]:
        told.append(f"Left out of the simulation: {', '.join(found['switched_off'])}.")
    told += [s for s in [found["survivorship"]] if s]
    told += found["notes"]
    for name, s in found["strategies"].items():
        if s["ruined_at"] is not None:
            told.append(f"{name} lost everything on {s['ruined_at']}.")
    return told


def _share(value: float | None) -> str:
    return "an undefined share" if value is None else f"{value:.2%}"


def _number(value: float | None) -> str:
    if value is None:
        return "undefined"
    return f"{value:.2f}" if abs(value) < FEW else f"{value:.3g}"


def _span(interval: list[float] | None) -> str:
    if interval is None:
        return ""
    return f" (95 %: {interval[0]:.3f} to {interval[1]:.3f})"
