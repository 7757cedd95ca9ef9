"""A tear sheet for the terminal: what must be read first, narrow tables, equity as a line of blocks."""

import math
from collections.abc import Sequence
from textwrap import wrap

import numpy as np

from bellwether.reports.cells import cell
from bellwether.reports.tearsheet_data import Floats, Table, TearSheet, is_stamped
from bellwether.reports.words import number

WIDTH = 80
BLOCKS = "▁▂▃▄▅▆▇█"
SPARKS = 40
NAME = 18
FEW = 8
LEAST = 20
GAP = "  "


def lines(sheet: TearSheet, width: int = WIDTH, few: int = FEW) -> list[str]:
    """Write a sheet as lines of text.

    Parameters
    ----------
    sheet : TearSheet
        What to tell; long tables are named with their number of rows.
    width : int
        Columns of the terminal, at least 20; no line is longer.
    few : int
        Rows up to which a table is written out.

    Returns
    -------
    list of str
        Without line ends, colours or control characters, whatever names a symbol has.
    """
    width = max(width, LEAST)
    told = [*_wrapped(sheet.title, width), *_wrapped(sheet.subtitle, width), ""]
    for sentence in sheet.verdict:
        told += _wrapped(sentence, width)
    told += [""]
    for text in sorted(sheet.warnings, key=lambda warning: not is_stamped(warning)):
        told += _wrapped(text, width, "!! " if is_stamped(text) else "! ")
    told += [""]
    for name, value in sheet.facts:
        told += _wrapped(f"{name}: {value}", width)
    told += ["", *_table(sheet.headline, width), "", *_equity(sheet, width)]
    for table in sheet.tables:
        told += ["", *_listed(table, width, few)]
    told += [""]
    for name, value in sheet.provenance:
        told += _wrapped(f"{name}: {value}", width)
    return _tidy(told)


def spark(values: Floats, n: int = SPARKS) -> str:
    """Draw values as blocks: the last known of each of `n` stretches, lowest to highest.

    Parameters
    ----------
    values : ndarray of float, shape (m,)
        NaN is no value and leaves a space.
    n : int
        Most blocks.
    """
    if not values.size:
        return ""
    parts = np.array_split(values, min(n, values.size))
    ends = [part[~np.isnan(part)][-1] if not np.isnan(part).all() else math.nan for part in parts]
    known = [value for value in ends if not math.isnan(value)]
    if not known:
        return ""
    low, high = min(known), max(known)
    if high <= low:
        return "".join(" " if math.isnan(v) else BLOCKS[3] for v in ends)
    top = len(BLOCKS) - 1
    return "".join(
        " " if math.isnan(v) else BLOCKS[round(top * ((v - low) / (high - low)))] for v in ends
    )


def _equity(sheet: TearSheet, width: int) -> list[str]:
    told = []
    room = max(width - NAME - 12, FEW)
    for curve in sheet.curves:
        worth = curve.series("wealth")
        known = worth[~np.isnan(worth)]
        if not known.size:
            continue
        logs = bool(known.min() > 0)
        drawn = spark(np.log(worth) if logs else worth, min(SPARKS, room))
        last = _amount(float(known[-1]))
        told.append(_fit(f"{_fit(_clean(curve.name), NAME):<{NAME}}{GAP}{drawn} {last}", width))
    return (
        [_fit("Equity of 1 (each on its own scale, log where it never is 0)", width), *told]
        if told
        else []
    )


def _amount(value: float) -> str:
    return f"{value:.2e}" if abs(value) >= 1e6 else number(value, 2)  # noqa: PLR2004 - too long else


def _listed(table: Table, width: int, few: int) -> list[str]:
    if len(table.rows) <= few:
        return _table(table, width)
    return _wrapped(f"{table.title}: {len(table.rows):,} rows, in the report", width)


def _table(table: Table, width: int) -> list[str]:
    if not table.rows:
        return []
    forms = list(table.formats) or [""] * len(table.columns)
    grid = [[_clean(name) for name in table.columns]]
    grid += [[_clean(cell(v, f)) for v, f in zip(r, forms, strict=True)] for r in table.rows]
    head = _wrapped(table.title, width)
    return [*head, *_columns(grid, width), *_wrapped(table.note, width)]


def _columns(grid: Sequence[Sequence[str]], width: int) -> list[str]:
    """Set rows in columns; columns that do not fit go below, under the first one again."""
    wide = [max(len(row[k]) for row in grid) for k in range(len(grid[0]))]
    first = min(wide[0], max(width // 2 - len(GAP), 1))
    told: list[str] = []
    rest = list(range(1, len(wide)))
    while rest or not told:
        taken: list[int] = []
        left = width - first
        while rest and (not taken or wide[rest[0]] + len(GAP) <= left):
            left -= wide[rest[0]] + len(GAP)
            taken.append(rest.pop(0))
        told += [
            _fit(
                _fit(row[0], first).ljust(first)
                + "".join(GAP + row[k].rjust(wide[k]) for k in taken),
                width,
            ).rstrip()
            for row in grid
        ]
    return told


def _wrapped(text: str, width: int, before: str = "") -> list[str]:
    after = " " * len(before)
    return wrap(before + _clean(text), width, subsequent_indent=after) if text else []


def _clean(text: str) -> str:
    """Take out what a terminal would obey instead of showing."""
    return "".join(c if c.isprintable() else " " for c in str(text))


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _tidy(told: list[str]) -> list[str]:
    """Drop empty lines at the ends and where two meet."""
    kept: list[str] = []
    for line in told:
        if line or (kept and kept[-1]):
            kept.append(line)
    while kept and not kept[-1]:
        kept.pop()
    return kept
