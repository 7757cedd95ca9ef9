"""The tear sheet of a backtest, and other reports like it: one file, no address outside it, light and dark, fit to print.

The charts are ours (`static/chart.js`), not a library's: Plotly's script alone is 4.8 MB in each
file and names hosts, cannot be read by key, and neither follows the reader's dark mode nor prints
without help. Here each chart is read, zoomed and switched by pointer and by key, the lines are
sampled as they are drawn, so zooming in shows every session, and a page of 44 years stays small.
"""

from collections.abc import Sequence

from bellwether.reports.markup import Html, fill, joined, template, text_of
from bellwether.reports.sheet_charts import over_time, pictures, skill
from bellwether.reports.sheet_months import months
from bellwether.reports.sheet_tables import block
from bellwether.reports.tearsheet_data import TearSheet, is_stamped
from bellwether.reports.tearsheet_series import packed

PACKAGE = "bellwether.reports"
Part = tuple[str, str, Html]


def render(sheet: TearSheet) -> str:
    """Render a tear sheet as one HTML file.

    Parameters
    ----------
    sheet : TearSheet
        Parts that are empty are left out; every text is escaped.

    Returns
    -------
    str
        The page; it asks nobody for anything when it is opened.
    """
    data, sampled = packed(sheet)
    parts = [part for part in _parts(sheet, sampled) if part[2]]
    return template(
        PACKAGE,
        "tearsheet.html",
        style=Html(text_of(PACKAGE, "static/base.css") + text_of(PACKAGE, "static/sheet.css")),
        script=Html(text_of(PACKAGE, "static/chart.js") + text_of(PACKAGE, "static/sheet.js")),
        data=data,
        kind=sheet.kind,
        title=sheet.title,
        heading=sheet.verdict[0] if sheet.verdict else sheet.title,
        subtitle=sheet.subtitle,
        stamp=_stamp(sheet.warnings),
        reading=_reading(sheet.verdict[1:]),
        warnings=_warnings(sheet.warnings),
        facts=_facts(sheet.facts),
        contents=_contents(parts),
        parts=joined(_section(part) for part in parts),
    )


def _parts(sheet: TearSheet, sampled: str) -> list[Part]:
    return [
        ("headline", "Headline", block(sheet.headline, "t-headline")),
        ("pictures", "Beside each other", pictures(sheet.pictures)),
        ("time", "Over time", over_time(sheet, sampled)),
        ("months", "Month by month", months(sheet.monthly)),
        ("skill", "Skill of the forecasts", skill(sheet)),
        *(
            (f"table-{i}", table.title, block(table, f"t-{i}"))
            for i, table in enumerate(sheet.tables)
        ),
        ("provenance", "Provenance", _provenance(sheet.provenance)),
    ]


def _section(part: Part) -> Html:
    name, title, body = part
    return fill(
        '<section aria-labelledby="h-$name" id="$name"><h2 id="h-$name">$title</h2>$body</section>',
        name=name,
        title=title,
        body=body,
    )


def _contents(parts: Sequence[Part]) -> Html:
    links = joined(
        fill('<li><a href="#$name">$title</a></li>', name=name, title=title)
        for name, title, _ in parts
    )
    return fill('<nav class="contents" aria-label="Contents"><ul>$links</ul></nav>', links=links)


def _stamp(warnings: Sequence[str]) -> Html:
    if not any(is_stamped(warning) for warning in warnings):
        return Html("")
    return Html('<span class="stamp">lag 0: cannot be traded</span>')


def _reading(sentences: Sequence[str]) -> Html:
    if not sentences:
        return Html("")
    told = joined(fill("<p>$text</p>", text=text) for text in sentences)
    return fill('<div class="reading">$told</div>', told=told)


def _warnings(warnings: Sequence[str]) -> Html:
    if not warnings:
        return Html("")
    ranked = sorted(warnings, key=lambda warning: not is_stamped(warning))
    items = joined(
        fill('<li class="stamped"><b>Cannot be traded</b><span>$text</span></li>', text=text)
        if is_stamped(text)
        else fill('<li><b aria-label="Warning">!</b><span>$text</span></li>', text=text)
        for text in ranked
    )
    return fill('<ul class="warnings" aria-label="Warnings">$items</ul>', items=items)


def _facts(facts: Sequence[tuple[str, str]]) -> Html:
    if not facts:
        return Html("")
    return fill('<dl class="glance">$pairs</dl>', pairs=_pairs(facts, "<div>", "</div>"))


def _provenance(pairs: Sequence[tuple[str, str]]) -> Html:
    return fill('<dl class="told">$pairs</dl>', pairs=_pairs(pairs)) if pairs else Html("")


def _pairs(pairs: Sequence[tuple[str, str]], before: str = "", after: str = "") -> Html:
    return joined(
        fill(f"{before}<dt>$name</dt><dd>$value</dd>{after}", name=name, value=value)
        for name, value in pairs
    )
