"""Frames of the charts of a tear sheet: heading, what it says in words, switches; scripts draw."""

from collections.abc import Sequence
from datetime import date

import numpy as np

from bellwether.reports.markup import Html, fill, joined
from bellwether.reports.tearsheet_data import SERIES, Curve, Picture, Point, TearSheet, is_stamped
from bellwether.reports.words import number, percent

STYLES = 6
YEARS = (1, 3, 5, 10, 20)
LOG_FROM = 3.0
_NONE = Html("")
_SWITCH = (
    '<div class="switch" role="radiogroup" aria-label="Scale of equity">'
    '<label><input type="radio" name="scale" value="log"$log><span>log</span></label>'
    '<label><input type="radio" name="scale" value="linear"$linear><span>linear</span></label></div>'
)


def over_time(sheet: TearSheet, sampled: str) -> Html:
    """Frame the charts that share the axis of time; nothing if no curve has a session."""
    curves = [curve for curve in sheet.curves if len(curve.sessions)]
    if not curves:
        return _NONE
    frames = [
        _figure("equity", "Equity", _equity_note(sheet), _ends(curves), _switch(curves)),
        _figure("drawdown", "Drawdown", "Loss since the highest close so far.", _depths(curves)),
        _figure("sharpe", "Rolling Sharpe", "Annualised, of the sessions that end here."),
        _figure("exposure", "Exposure", _held(curves)),
        _figure("turnover", "Turnover", "Traded in a session over equity; bold: mean of 21."),
    ]
    needs = [{"wealth"}, {"drawdown"}, {"rolling_sharpe"}, set(SERIES[3:5]), {"turnover"}]
    known = {what for what in SERIES for curve in curves if _has(curve, what)}
    return fill(
        '$bar$frames<p class="note">$how $sampled</p>',
        bar=_bar(sheet, curves),
        frames=joined(f for f, need in zip(frames, needs, strict=True) if need & known),
        how="Drag across a chart to zoom into it, double-click or Escape to see everything; all "
        "charts of time move together. A line keeps the lowest and the highest value of each "
        "pixel column.",
        sampled=sampled,
    )


def skill(sheet: TearSheet) -> Html:
    """Frame the charts of the forecasts themselves; nothing if there is nothing to draw."""
    drawn = [
        (
            "calibration",
            "Calibration",
            "Told probability against what came true.",
            "Dashed: ideal.",
        ),
        ("ic", "IC by horizon", "Rank correlation of forecast and return.", ""),
        ("quantiles", "Return by quantile of forecast", "", _spread(sheet.quantiles)),
        ("degradation", "Skill by years since training", "Information coefficient.", ""),
    ]
    points = (sheet.calibration, sheet.ic_by_horizon, sheet.quantiles, sheet.degradation)
    frames = [
        _figure(name, title, f"{note} {more}".strip(), _listed(some), below=_parts(name, some))
        for (name, title, note, more), some in zip(drawn, points, strict=True)
        if any(np.isfinite(p.y) for p in some)
    ]
    return fill('<div class="pair">$frames</div>', frames=joined(frames)) if frames else _NONE


def pictures(some: Sequence[Picture]) -> Html:
    """Frame pictures; nothing if there is nothing to draw."""
    frames = [
        _figure(
            f"picture-{i}",
            one.title,
            one.note,
            _listed(one.points),
            below=_parts("picture", one.points),
        )
        for i, one in enumerate(some)
        if any(np.isfinite(p.y) for p in one.points)
    ]
    return joined(frames)


def style(curves: Sequence[Curve], i: int) -> str:
    """Name the colour, width and dashes of a curve: benchmarks are grey and dotted."""
    if curves[i].role == "benchmark":
        return "kb"
    return f"k{sum(c.role != 'benchmark' for c in curves[:i]) % STYLES}"


def _figure(
    name: str, title: str, note: str, said: str = "", switch: Html = _NONE, below: Html = _NONE
) -> Html:
    return fill(
        '<figure id="c-$name" data-chart="$name"><figcaption><h3>$title</h3><p>$note</p>'
        '<span class="quiet">$said</span>$switch</figcaption><div class="plot">'
        "<noscript>This chart needs scripts; the tables below do not.</noscript></div>"
        "$below</figure>",
        name=name,
        title=title,
        note=note,
        said=said or note,
        switch=switch,
        below=below,
    )


def _bar(sheet: TearSheet, curves: Sequence[Curve]) -> Html:
    keys = joined(
        fill(
            '<button type="button" class="key $style" data-style="$style" data-curve="$i" '
            'aria-pressed="true" title="$role: $name"><svg viewBox="0 0 24 8" aria-hidden="true">'
            '<line x1="0" x2="24" y1="4" y2="4"/></svg><span>$name</span></button>',
            style=style(sheet.curves, i),
            i=i,
            role=curve.role,
            name=curve.name,
        )
        for i, curve in enumerate(sheet.curves)
    )
    first = min(curve.sessions[0] for curve in curves)
    last = max(curve.sessions[-1] for curve in curves)
    return fill(
        '<div class="bar" role="group" aria-label="What the charts of time show">$keys'
        '<span class="ends"><button type="button" class="plain idle" data-whole>Show all</button>'
        '<select name="span" aria-label="Stretch of time">$spans</select></span></div>',
        keys=keys,
        spans=_spans(sheet, first, last),
    )


def _spans(sheet: TearSheet, first: date, last: date) -> Html:
    options = [fill('<option value="all">$a to $b</option>', a=first, b=last)]
    options += [
        fill('<option value="years:$n">last $n year$s</option>', n=n, s="s" if n > 1 else "")
        for n in YEARS
        if (last - first).days > 365.25 * n
    ]
    options += [
        fill('<option value="crisis:$i">$name</option>', i=i, name=name)
        for i, (name, begin, end) in enumerate(sheet.crises)
        if begin <= last and end >= first
    ]
    return joined([*options, Html('<option value="own" hidden>own choice</option>')])


def _switch(curves: Sequence[Curve]) -> Html:
    worth = np.concatenate([curve.series("wealth") for curve in curves])
    worth = worth[~np.isnan(worth)]
    logs = bool(worth.size and worth.min() > 0 and worth.max() > LOG_FROM * worth.min())
    on = Html(" checked")
    return fill(_SWITCH, log=on if logs else "", linear="" if logs else on)


def _has(curve: Curve, what: str) -> bool:
    values = curve.series(what)
    return bool(values.size and not np.isnan(values).all())


def _equity_note(sheet: TearSheet) -> str:
    text = "Worth of 1 that was put in."
    if sheet.crises:
        text += " Shaded: crisis windows."
    for curve in sheet.curves:
        gone = np.flatnonzero(curve.series("wealth") <= 0)
        if gone.size:
            text += f" {curve.name} was ruined on {curve.sessions[int(gone[0])]}."
    if any(is_stamped(warning) for warning in sheet.warnings):
        text += " Filled with lag 0: cannot be traded."
    return text


def _ends(curves: Sequence[Curve]) -> str:
    told = []
    for curve in curves:
        worth = curve.series("wealth")
        known = np.flatnonzero(~np.isnan(worth))
        if known.size:
            told.append(f"{curve.name} is worth {number(float(worth[known[-1]]), 2)} at the end")
    return "; ".join(told)


def _depths(curves: Sequence[Curve]) -> str:
    return "; ".join(
        f"{curve.name}: deepest {percent(float(np.nanmin(curve.series('drawdown'))))}"
        for curve in curves
        if _has(curve, "drawdown")
    )


def _held(curves: Sequence[Curve]) -> str:
    own = [curve.name for curve in curves if curve.role == "model"]
    whose = f" of {', '.join(own)}" if own else ""
    return f"Held{whose} over equity: solid gross, dashed net."


def _spread(points: Sequence[Point]) -> str:
    known = [p.y for p in points if np.isfinite(p.y)]
    if len(known) < 2:  # noqa: PLR2004 - a spread has two ends
        return "Mean return that followed."
    return f"Mean return that followed; highest less lowest: {percent(known[-1] - known[0], 2)}."


def _listed(points: Sequence[Point]) -> str:
    return "; ".join(f"{p.x}: {number(p.y, 4)}" for p in points if np.isfinite(p.y))


def _parts(name: str, points: Sequence[Point]) -> Html:
    words = []
    if any(p.low is not None and p.high is not None for p in points):
        words.append(("interval", "intervals"))
    if name in {"calibration", "degradation"}:
        words.append(("line", "line"))
    if name == "calibration":
        words.append(("reference", "ideal"))
    buttons = joined(
        fill(
            '<button type="button" class="key" data-part="$part" aria-pressed="true">$word</button>',
            part=part,
            word=word,
        )
        for part, word in words
    )
    return fill(
        '<div class="parts" role="group" aria-label="Parts of the chart">$buttons'
        '<button type="button" class="plain" data-whole hidden>Show all</button></div>',
        buttons=buttons,
    )
