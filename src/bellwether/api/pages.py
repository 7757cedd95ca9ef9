"""The dashboard: the state of the forecasts, read in ten seconds."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from bellwether.api import charts
from bellwether.api.markup import page
from bellwether.reports.markup import Html, fill, joined
from bellwether.reports.words import DASH, count, number, percent

Overview = Mapping[str, Any]

_SAMPLE_ENDS = re.compile(r"sample_data_ends_(?P<day>[\d-]+)")
_SHORT_ID = 12
_YEAR = len("2026-")


def dashboard(overview: Overview) -> Html:
    """Render the dashboard from `PredictionService.overview()` as JSON has it: None, never NaN."""
    symbols = overview["symbols"]
    domain = charts.skill_domain([_skill(s) for s in symbols])
    return page(
        "dashboard.html",
        as_of=overview["as_of"] or "no data yet",
        clock=_instant(overview["clock"]),
        badges=joined(_badge(reason) for reason in overview["degraded"]),
        verdict=_verdict(symbols),
        reading=_reading(overview["walk_forward"]),
        cards=joined(_card(s, domain) for s in symbols) or _NO_SYMBOLS,
        walk_forward=_walk_forward(overview["walk_forward"]),
        options=joined(fill('<option value="$s"></option>', s=s["symbol"]) for s in symbols),
        first_symbol=symbols[0]["symbol"] if symbols else "",
        horizon=_horizon(overview["walk_forward"]),
        recent=joined(_recent(row) for row in overview["recent"]) or _NO_PREDICTIONS,
        predictions=count(overview["predictions"]),
        quarantine=count(overview["quarantine"]),
    )


def in_words(reason: str) -> str:
    """Say a `degraded` reason as a person would."""
    sample = _SAMPLE_ENDS.fullmatch(reason)
    if sample:
        return f"Sample data, ends {sample['day']}"
    text = reason.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


_UNSCORED: Overview = {
    "directional_accuracy": None,
    "ci_low": None,
    "ci_high": None,
    "n": 0,
    "baseline": None,
    "baseline_accuracy": None,
    "shown": False,
}
_NO_SYMBOLS = Html(
    '<p class="empty">No symbol has been ingested yet. Begin with <code>bellwether demo</code>.</p>'
)
_NO_RELEASE = Html('<p class="note">No release answers for this symbol yet.</p>')
_NO_PREDICTIONS = Html('<tr><td colspan="5" class="empty">Nothing was asked yet.</td></tr>')
_NO_WALK_FORWARD = Html(
    '<p class="empty">Nothing has been scored yet. Train with <code>bellwether train</code>.</p>'
)


def _badge(reason: str) -> Html:
    return fill('<li class="badge warn">$words</li>', words=in_words(reason))


def _instant(text: str | None) -> str:
    if not text:
        return DASH
    try:
        return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return text


def _verdict(symbols: Sequence[Overview]) -> str:
    shown = [s["symbol"] for s in symbols if _skill(s)["shown"]]
    if not symbols:
        return "Nothing to forecast yet"
    if not shown:
        return f"Skill shown on none of {len(symbols)} symbols"
    return f"Skill shown on {len(shown)} of {len(symbols)} symbols: {', '.join(shown)}"


def _reading(walk_forward: Overview | None) -> str:
    if not walk_forward:
        return "No model has been scored out of sample."
    return str(walk_forward["reading"])


def _horizon(walk_forward: Overview | None) -> int:
    return int((walk_forward or {}).get("horizon_sessions") or 1)


def _card(symbol: Overview, domain: tuple[float, float]) -> Html:
    skill = _skill(symbol)
    history = symbol["history"]
    answered = symbol["release"] is not None
    return page(
        "card.html",
        symbol=symbol["symbol"],
        close=number(symbol["last_close"], 2),
        session=symbol["last_session"] or DASH,
        sparkline=charts.sparkline(history["sessions"], history["close"]),
        tone="yes" if skill["shown"] else "no",
        claim="Skill shown" if skill["shown"] else "No skill shown",
        bar=charts.skill_bar(skill, domain),
        low=percent(domain[0], 0),
        high=percent(domain[1], 0),
        words=_skill_words(skill),
        release=fill(
            '<p class="note">$model <code title="$release">$short</code></p>',
            model=symbol["model"] or "",
            release=symbol["release"],
            short=symbol["release"][:_SHORT_ID],
        )
        if answered
        else _NO_RELEASE,
    )


def _skill(symbol: Overview) -> Overview:
    return symbol["skill"] or _UNSCORED


def _tone(value: float | None) -> str:
    if value is None or value == 0:
        return "flat"
    return "up" if value > 0 else "down"


def _skill_words(skill: Overview) -> str:
    if not skill["n"] or skill["directional_accuracy"] is None:
        return "Not scored out of sample yet."
    text = f"Right {percent(skill['directional_accuracy'])} of {skill['n']:,} times out of sample"
    if skill["ci_low"] is not None and skill["ci_high"] is not None:
        text += f" (interval {percent(skill['ci_low'])} to {percent(skill['ci_high'])})"
    if skill["baseline"] and skill["baseline_accuracy"] is not None:
        name = skill["baseline"].replace("_", " ")
        text += f"; {name}: {percent(skill['baseline_accuracy'])}"
    return text + "."


def _walk_forward(walk_forward: Overview | None) -> Html:
    if not walk_forward:
        return _NO_WALK_FORWARD
    rows = walk_forward["rows"]
    domain = charts.accuracy_domain(rows)
    horizon = walk_forward["horizon_sessions"]
    return page(
        "walk_forward.html",
        model=walk_forward["model"],
        first=walk_forward["from"],
        last=walk_forward["to"],
        horizon=f"{count(horizon)} session" + ("" if horizon == 1 else "s"),
        rows=joined(_row(row, domain) for row in rows),
    )


def _row(row: Overview, domain: tuple[float, float]) -> Html:
    return fill(
        '<tr class="$kind"><th scope="row">$name$tag</th><td>$n</td>'
        '<td>$accuracy$ci</td><td class="plot">$plot</td>'
        "<td>$r2</td><td>$brier</td><td>$sharpe</td><td>$roi</td><td>$drawdown</td></tr>",
        kind="model" if row["is_model"] else "baseline",
        name=row["name"].replace("_", " "),
        tag=Html(' <span class="tag">model</span>') if row["is_model"] else "",
        n=count(row["n"]),
        accuracy=percent(row["directional_accuracy"]),
        ci=_range(row),
        plot=charts.interval(row, domain),
        r2=percent(row["r2_oos"], 2, signed=True),
        brier=number(row["brier"], 4),
        sharpe=number(row["sharpe"], 2),
        roi=percent(row["roi"], signed=True),
        drawdown=percent(row["max_drawdown"]),
    )


def _range(row: Overview) -> Html:
    if row["ci_low"] is None or row["ci_high"] is None:
        return Html("")
    low, high = percent(row["ci_low"]), percent(row["ci_high"])
    return fill(' <span class="ci">$low$dash$high</span>', low=low, dash=DASH, high=high)


def _recent(row: Overview) -> Html:
    return fill(
        '<tr><td><a href="/predictions/$link" title="Release $release">$at</a></td>'
        '<th scope="row">$symbol</th><td>$as_of</td><td class="$tone">$expected</td>'
        "<td>$probability</td></tr>",
        link=quote(str(row["prediction_id"]), safe=""),
        at=_instant(row["recorded_at"]).removesuffix(" UTC")[_YEAR:],
        symbol=row["symbol"],
        as_of=row["as_of"],
        tone=_tone(row["expected_return"]),
        expected=percent(row["expected_return"], 2, signed=True),
        probability=percent(row["probability_up"]),
        release=row["release"],
    )
