"""Returns by month as a table that is also a heat map: the numbers stand in the cells."""

import calendar
import math
from collections.abc import Mapping, Sequence

from bellwether.reports.markup import Html, fill, joined
from bellwether.reports.words import percent

SHADES = (0.0, 0.02, 0.04, 0.08)
Returns = Sequence[tuple[int, int, float]]
_NAMES = tuple(calendar.month_abbr)[1:]
_LEGEND = Html(
    '<p class="shades"><span><i class="d4"></i>loss over 8%</span>'
    '<span><i class="d3"></i>4%</span><span><i class="d2"></i>2%</span>'
    '<span><i class="d1"></i>any</span><span><i class="u1"></i>gain, any</span>'
    '<span><i class="u2"></i>2%</span><span><i class="u3"></i>4%</span>'
    '<span><i class="u4"></i>over 8%</span></p>'
)


def months(monthly: Mapping[str, Returns]) -> Html:
    """Draw the months of each curve, one curve shown at a time; nothing if there are none."""
    known = {name: kept for name, returns in monthly.items() if (kept := _finite(returns))}
    if not known:
        return Html("")
    grids = joined(_grid(i, name, kept) for i, (name, kept) in enumerate(known.items()))
    return fill(
        '<div class="pick">$pick$legend</div>$grids'
        '<p class="note">Percent a month; the year is compounded from the months that are there. '
        "A year shows itself in the charts above when it is pressed.</p>",
        pick=_pick(list(known)),
        legend=_LEGEND,
        grids=grids,
    )


def shade(value: float) -> str:
    """Name the shade of a return: u1 to u4 for gains, d1 to d4 for losses, none for 0."""
    steps = sum(abs(value) > least for least in SHADES)
    return f"{'u' if value > 0 else 'd'}{steps}" if steps else ""


def _finite(returns: Returns) -> dict[tuple[int, int], float]:
    return {(y, m): float(r) for y, m, r in returns if r is not None and math.isfinite(r)}


def _pick(names: Sequence[str]) -> Html:
    if len(names) == 1:
        return fill("<h3>$name</h3>", name=names[0])
    options = joined(
        fill('<option value="$i">$name</option>', i=i, name=name) for i, name in enumerate(names)
    )
    return fill('<select name="months" aria-label="Months of">$options</select>', options=options)


def _grid(i: int, name: str, returns: Mapping[tuple[int, int], float]) -> Html:
    heads = joined(fill('<th scope="col">$month</th>', month=month) for month in _NAMES)
    rows = joined(_year(year, returns) for year in sorted({year for year, _ in returns}))
    return fill(
        '<div class="scroll heat" data-months="$i" tabindex="0" role="region" '
        'aria-label="Months of $name"$hidden><table class="months">'
        '<caption class="quiet">Returns of $name by month, in percent</caption>'
        '<thead><tr><th scope="col">Year</th>$heads<th scope="col">Year</th></tr></thead>'
        "<tbody>$rows</tbody></table></div>",
        i=i,
        name=name,
        hidden=Html(" hidden") if i else "",
        heads=heads,
        rows=rows,
    )


def _year(year: int, returns: Mapping[tuple[int, int], float]) -> Html:
    found = [returns.get((year, month)) for month in range(1, 13)]
    whole = math.prod(1.0 + value for value in found if value is not None) - 1.0
    return fill(
        '<tr><th scope="row"><button type="button" title="Show $year in the charts">$year</button>'
        "</th>$cells$whole</tr>",
        year=year,
        cells=joined(_cell(value) for value in found),
        whole=_cell(whole),
    )


def _cell(value: float | None) -> Html:
    if value is None:
        return Html("<td></td>")
    text = percent(value).removesuffix("%")
    return fill('<td class="$shade">$text</td>', shade=shade(value), text=text)
