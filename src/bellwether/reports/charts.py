"""Inline drawings (SVG) for reports, without colours of their own: the style sheet has them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bellwether.reports.markup import Html, fill, joined

LEVELS = ("fault", "suspect", "note", "rejected")
CLASS = {"note": "note-mark"}
ROW, NAMES, ROOM, NARROW, WIDE = 20.0, 150.0, 1000.0, 20.0, 64.0
LABEL = 34.0
SHADES = (1, 10, 100, 1000)
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 340.0, 130.0, 44.0, 16.0, 6.0
POINTS, MARKS = 340, 160
FEWEST = 2


def shade(count: int) -> str:
    """Name the shade of a count: h0 for none, then by powers of ten."""
    return f"h{sum(count >= least for least in SHADES)}"


def stacked(counts: Mapping[str, int], most: int) -> Html:
    """Draw counts by level as one bar on a scale that ends at `most`."""
    x = 0.0
    parts = []
    for level in LEVELS:
        width = 100.0 * counts.get(level, 0) / max(most, 1)
        if width:
            parts.append(
                fill(
                    '<rect class="$c" x="$x" y="0" width="$w" height="10"/>',
                    c=CLASS.get(level, level),
                    x=f"{x:.3f}",
                    w=f"{max(width, 0.4):.3f}",
                )
            )
            x += max(width, 0.4)
    return fill(
        '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">$parts</svg>',
        parts=joined(parts),
    )


def heat_map(counts: Mapping[tuple[str, int], int], rows: Sequence[str]) -> Html:
    """Draw counts by row and year; `counts` maps (row, year) to how many."""
    years = [year for _, year in counts]
    if not years:
        return Html('<p class="empty">Nothing was flagged.</p>')
    first, last = min(years), max(years)
    cell = min(max(ROOM / (last - first + 1), NARROW), WIDE)
    width = NAMES + (last - first + 1) * cell
    height = (len(rows) + 1) * ROW
    parts = [_row(name, i, counts, (first, last), cell) for i, name in enumerate(rows)]
    step = 1 if cell >= LABEL else 5
    parts += [
        fill(
            '<text x="$x" y="$y" text-anchor="middle">$label</text>',
            x=NAMES + (year - first + 0.5) * cell,
            y=height - 6,
            label=year,
        )
        for year in range(first, last + 1)
        if year % step == 0
    ]
    return fill(
        '<div class="scroll heatbox" tabindex="0" role="region" aria-label="Flags by year">'
        '<svg class="heat" width="$w" height="$h" role="img" aria-label="Flags by kind and year, '
        '$first to $last">$parts</svg></div>',
        w=f"{width:.0f}",
        h=f"{height:.0f}",
        first=first,
        last=last,
        parts=joined(parts),
    )


def _row(
    name: str,
    i: int,
    counts: Mapping[tuple[str, int], int],
    span: tuple[int, int],
    cell: float,
) -> Html:
    cells = [
        fill('<text class="name" x="0" y="$y">$name</text>', y=i * ROW + 14, name=_words(name))
    ]
    for year in range(span[0], span[1] + 1):
        n = counts.get((name, year), 0)
        cells.append(
            fill(
                '<rect class="$shade" x="$x" y="$y" width="$w" height="$h" rx="2">'
                "<title>$title</title></rect>",
                shade=shade(n),
                x=NAMES + (year - span[0]) * cell + 1,
                y=i * ROW + 1,
                w=cell - 2,
                h=ROW - 2,
                title=f"{_words(name)}, {year}: {n:,}",
            )
        )
    return joined(cells)


@dataclass(frozen=True, slots=True)
class Mark:
    """One flagged session of a price chart; sessions without a bar stand at the last close."""

    session: str
    level: str
    title: str


def price(sessions: Sequence[str], closes: Sequence[float], marks: Sequence[Mark]) -> Html:
    """Draw positive closes on a logarithmic scale, with marks where sessions are flagged."""
    if len(closes) < FEWEST:
        return Html('<p class="empty">Too few sessions to draw.</p>')
    logs = [math.log(c) for c in closes]
    low, high = min(logs), max(logs)
    middle, half = (low + high) / 2, max((high - low) / 2, 0.01)
    low, high = middle - half, middle + half

    def at(i: int) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - 4) * i / (len(logs) - 1)
        y = TOP + (HEIGHT - TOP - BOTTOM) * (high - logs[i]) / (high - low)
        return x, y

    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(at, _thinned(logs)))
    place = {session: i for i, session in enumerate(sessions)}
    drawn = [_mark(mark, at(_where(mark.session, place, sessions))) for mark in _fewer(marks)]
    return fill(
        '<svg class="price" viewBox="0 0 $w $h" role="img" aria-label="$label">$frame'
        '<polyline class="line" points="$line"/>$marks</svg>',
        w=WIDTH,
        h=HEIGHT,
        label=f"Closes from {sessions[0]} to {sessions[-1]} with {len(marks)} marks",
        frame=_frame(math.exp(low), math.exp(high), sessions),
        line=line,
        marks=joined(drawn),
    )


def _thinned(values: Sequence[float]) -> list[int]:
    """Keep the lowest and the highest of each bin, so that no spike is lost."""
    n = len(values)
    if n <= 2 * POINTS:
        return list(range(n))
    kept = {0, n - 1}
    for b in range(POINTS):
        inside = range(b * n // POINTS, (b + 1) * n // POINTS)
        kept |= {min(inside, key=values.__getitem__), max(inside, key=values.__getitem__)}
    return sorted(kept)


def _fewer(marks: Sequence[Mark]) -> list[Mark]:
    """Keep the most severe, at most `MARKS`, and draw the worst last, on top."""
    ranked = sorted(marks, key=lambda mark: LEVELS.index(mark.level))
    return ranked[:MARKS][::-1]


def _where(session: str, place: Mapping[str, int], sessions: Sequence[str]) -> int:
    from bisect import bisect_right

    found = place.get(session)
    return found if found is not None else max(bisect_right(sessions, session) - 1, 0)


def _mark(mark: Mark, at: tuple[float, float]) -> Html:
    x, y = at
    shapes = {
        "fault": '<circle class="mark fault" cx="$x" cy="$y" r="4"><title>$t</title></circle>',
        "suspect": '<path class="mark suspect" d="M$x $top l4 4 l-4 4 l-4 -4 z"><title>$t</title></path>',
        "note": '<rect class="mark note-mark" x="$left" y="$ytop" width="4" height="4"><title>$t</title></rect>',
    }
    return fill(
        shapes[mark.level],
        x=f"{x:.1f}",
        y=f"{y:.1f}",
        top=f"{y - 4:.1f}",
        left=f"{x - 2:.1f}",
        ytop=f"{y - 2:.1f}",
        t=f"{mark.session}: {mark.title}",
    )


def _frame(low: float, high: float, sessions: Sequence[str]) -> Html:
    lines = []
    for y, value in ((TOP, high), (HEIGHT - BOTTOM, low)):
        lines.append(
            fill(
                '<line class="grid" x1="$l" x2="$r" y1="$y" y2="$y"/>'
                '<text x="$t" y="$ty" text-anchor="end">$value</text>',
                l=LEFT,
                r=WIDTH - 4,
                y=y,
                t=LEFT - 5,
                ty=y + 3.5,
                value=f"{value:,.{0 if value >= 1000 else 2}f}",  # noqa: PLR2004 - thousands need no cents
            )
        )
    ends = '<text x="$l" y="$y">$first</text><text x="$r" y="$y" text-anchor="end">$last</text>'
    text = fill(ends, l=LEFT, r=WIDTH - 4, y=HEIGHT - 3, first=sessions[0], last=sessions[-1])
    return joined([*lines, text])


def _words(name: str) -> str:
    return name.replace("_", " ")
