"""Tables of a tear sheet: sorted by a click on a heading, sifted where they are long."""

from bellwether.reports.cells import cell, sortable
from bellwether.reports.markup import Html, fill, joined
from bellwether.reports.tearsheet_data import Table
from bellwether.reports.words import DASH

LONG = 16
FIGURES = frozenset("0123456789.,%$-+()x ") | {"\N{MINUS SIGN}", DASH, "\N{INFINITY}"}


def block(table: Table, name: str) -> Html:
    """Render a table with its note; nothing if it has no rows.

    Parameters
    ----------
    table : Table
        What to show.
    name : str
        Its id in the page.
    """
    if not table.rows:
        return Html("")
    return fill(
        '<div class="block">$note$sift$rows</div>',
        note=fill('<p class="note">$note</p>', note=table.note) if table.note else Html(""),
        sift=_sift(table, name),
        rows=_grid(table, name),
    )


def _sift(table: Table, name: str) -> Html:
    if len(table.rows) < LONG:
        return Html("")
    return fill(
        '<div class="pick"><input type="search" data-sift="$name" placeholder="Filter" '
        'aria-label="Filter: $title"><output>$n rows</output></div>',
        name=name,
        title=table.title,
        n=f"{len(table.rows):,}",
    )


def _grid(table: Table, name: str) -> Html:
    forms = list(table.formats) or [""] * len(table.columns)
    texts = [[cell(v, f) for v, f in zip(row, forms, strict=True)] for row in table.rows]
    left = [k == 0 or _is_text([row[k] for row in texts]) for k in range(len(table.columns))]
    heads = joined(
        fill(
            '<th scope="col" class="$side">$name</th>',
            side="t" if left[k] else "",
            name=fill('<button type="button">$name</button>', name=title)
            if title and len(table.rows) > 1
            else title,
        )
        for k, title in enumerate(table.columns)
    )
    body = joined(
        fill("<tr>$cells</tr>", cells=_row(row, shown, left))
        for row, shown in zip(table.rows, texts, strict=True)
    )
    return fill(
        '<div class="scroll $tall" tabindex="0" role="region" aria-label="$title">'
        '<table class="data" id="$name"><caption class="quiet">$title</caption>'
        "<thead><tr>$heads</tr></thead><tbody>$body</tbody></table></div>",
        tall="tall" if len(table.rows) >= LONG else "",
        title=table.title,
        name=name,
        heads=heads,
        body=body,
    )


def _row(row: object, shown: list[str], left: list[bool]) -> Html:
    cells = []
    for k, (value, text) in enumerate(zip(row, shown, strict=True)):  # type: ignore[call-overload]
        amount = sortable(value)
        cells.append(
            fill(
                "<$tag$side$amount>$text</$end>",
                tag=Html('th scope="row"') if k == 0 else "td",
                end="td" if k else "th",
                side=Html(' class="t"') if left[k] else "",
                amount=Html("") if amount is None else fill(' data-v="$v"', v=repr(amount)),
                text=text,
            )
        )
    return joined(cells)


def _is_text(column: list[str]) -> bool:
    """Tell whether a column reads as words: one that only holds figures stands to the right."""
    return not all(set(text) <= FIGURES for text in column)
