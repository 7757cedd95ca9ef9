"""Small inline drawings (SVG) without styles of their own: the style sheet colours them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bellwether.reports.markup import Html, fill

WIDTH = 240.0
SPARK_HEIGHT = 52.0
BAR_HEIGHT = 22.0
PLOT_WIDTH = 84.0
PLOT_HEIGHT = 14.0
_MARGIN = 2.0
_STEP = 0.05
_USUAL = (0.40, 0.60)
_NEAR_HALF = (0.48, 0.52)
_FEWEST_POINTS = 2

Row = Mapping[str, Any]


def sparkline(sessions: Sequence[str], closes: Sequence[float | None]) -> Html:
    """Draw closes as a line over the area below it."""
    known = [(i, c) for i, c in enumerate(closes) if c is not None]
    if len(known) < _FEWEST_POINTS:
        return Html('<p class="empty">Too few sessions to draw.</p>')
    low, high = min(c for _, c in known), max(c for _, c in known)
    height = SPARK_HEIGHT - 2 * _MARGIN
    x_scale = WIDTH / (len(closes) - 1)
    y_scale = height / (high - low) if high > low else 0.0
    line = " ".join(
        f"{i * x_scale:.1f},{_MARGIN + height - (c - low) * y_scale:.1f}" for i, c in known
    )
    ends = (known[0][0] * x_scale, known[-1][0] * x_scale)
    area = f"{ends[0]:.1f},{SPARK_HEIGHT} {line} {ends[1]:.1f},{SPARK_HEIGHT}"
    label = f"Closes from {sessions[0]} to {sessions[-1]}, between {low:,.2f} and {high:,.2f} USD"
    return fill(
        '<svg class="spark" viewBox="0 0 $w $h" preserveAspectRatio="none" role="img" '
        'aria-label="$label"><title>$label</title><polygon class="area" points="$area"/>'
        '<polyline class="line" points="$line" vector-effect="non-scaling-stroke"/></svg>',
        w=WIDTH,
        h=SPARK_HEIGHT,
        label=label,
        area=area,
        line=line,
    )


def skill_domain(skills: Sequence[Row]) -> tuple[float, float]:
    """Return one scale for all skill bars, so that they can be compared."""
    names = ("ci_low", "ci_high", "directional_accuracy", "baseline_accuracy")
    return _domain([skill[name] for skill in skills for name in names])


def accuracy_domain(rows: Sequence[Row]) -> tuple[float, float]:
    """Return one scale for the intervals of the walk-forward table; it holds one half."""
    names = ("ci_low", "ci_high", "directional_accuracy")
    known = [row[name] for row in rows for name in names if row[name] is not None]
    return min([_NEAR_HALF[0], *known]), max([_NEAR_HALF[1], *known])


def _domain(values: Sequence[float | None]) -> tuple[float, float]:
    known = [v for v in values if v is not None]
    low, high = min([_USUAL[0], *known]), max([_USUAL[1], *known])
    return max(0.0, math.floor(low / _STEP) * _STEP), min(1.0, math.ceil(high / _STEP) * _STEP)


def skill_bar(skill: Row, domain: tuple[float, float]) -> Html:
    """Draw directional accuracy with its interval, and a line where the baseline stands."""
    middle = BAR_HEIGHT / 2
    parts = [
        fill(
            '<rect class="track" x="0" y="$y" width="$w" height="6" rx="3"/>', y=middle - 3, w=WIDTH
        )
    ]
    low, high = skill["ci_low"], skill["ci_high"]
    tone = "yes" if skill["shown"] else "no"
    if low is not None and high is not None:
        left, right = _x(low, domain, WIDTH), _x(high, domain, WIDTH)
        parts.append(
            fill(
                '<rect class="ci $tone" x="$x" y="$y" width="$w" height="6" rx="3"/>',
                tone=tone,
                x=f"{left:.1f}",
                y=middle - 3,
                w=f"{max(right - left, 1.0):.1f}",
            )
        )
    if skill["baseline_accuracy"] is not None:
        parts.append(_tick(_x(skill["baseline_accuracy"], domain, WIDTH), BAR_HEIGHT, "baseline"))
    if skill["directional_accuracy"] is not None:
        x = _x(skill["directional_accuracy"], domain, WIDTH)
        parts.append(
            fill(
                '<circle class="dot $tone" cx="$x" cy="$y" r="5"/>',
                tone=tone,
                x=f"{x:.1f}",
                y=middle,
            )
        )
    return _drawing("bar", WIDTH, BAR_HEIGHT, parts)


def interval(row: Row, domain: tuple[float, float]) -> Html:
    """Draw one row's directional accuracy and interval, with a line at one half."""
    middle = PLOT_HEIGHT / 2
    kind = "model" if row["is_model"] else "other"
    parts = [_tick(_x(0.5, domain, PLOT_WIDTH), PLOT_HEIGHT, "half")]
    if row["ci_low"] is not None and row["ci_high"] is not None:
        parts.append(
            fill(
                '<line class="whisker $kind" x1="$a" x2="$b" y1="$y" y2="$y"/>',
                kind=kind,
                a=f"{_x(row['ci_low'], domain, PLOT_WIDTH):.1f}",
                b=f"{_x(row['ci_high'], domain, PLOT_WIDTH):.1f}",
                y=middle,
            )
        )
    if row["directional_accuracy"] is not None:
        x = _x(row["directional_accuracy"], domain, PLOT_WIDTH)
        parts.append(
            fill(
                '<circle class="dot $kind" cx="$x" cy="$y" r="3.5"/>',
                kind=kind,
                x=f"{x:.1f}",
                y=middle,
            )
        )
    return _drawing("interval", PLOT_WIDTH, PLOT_HEIGHT, parts)


def _x(value: float, domain: tuple[float, float], width: float) -> float:
    low, high = domain
    return (min(max(value, low), high) - low) / (high - low) * width


def _tick(x: float, height: float, kind: str) -> Html:
    return fill(
        '<line class="tick $kind" x1="$x" x2="$x" y1="0" y2="$h"/>',
        kind=kind,
        x=f"{x:.1f}",
        h=height,
    )


def _drawing(kind: str, width: float, height: float, parts: Sequence[Html]) -> Html:
    return fill(
        '<svg class="$kind" viewBox="0 0 $w $h" aria-hidden="true">$parts</svg>',
        kind=kind,
        w=width,
        h=height,
        parts=Html("".join(parts)),
    )
