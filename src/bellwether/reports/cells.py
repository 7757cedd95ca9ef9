"""A value of a table as text, and as what it is sorted by."""

import math
from datetime import date

from bellwether.reports.words import DASH, MINUS, number, percent

PLAIN = {"num2": 2, "num4": 4, "bps": 1}
WHOLE_USD = 1000.0
INFINITE = "\N{INFINITY}"


def cell(value: object, form: str = "") -> str:
    """Write a cell of a table.

    Parameters
    ----------
    value : object
        None and NaN become a dash; text stays text whatever the format.
    form : str
        One of `tearsheet_data.FORMATS`; empty goes by the type of the value.
    """
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    amount = sortable(value)
    if amount is None or isinstance(value, date):
        return str(value) if str(value) != "nan" else DASH
    if math.isinf(amount):
        return INFINITE if amount > 0 else MINUS + INFINITE
    return _written(amount, form or ("int" if hasattr(value, "__index__") else "num2"), value)


def sortable(value: object) -> float | None:
    """Return what a cell is sorted by; None for text and for no value."""
    if isinstance(value, date):
        return float(value.toordinal())
    if isinstance(value, str) or not hasattr(value, "__float__"):
        return None
    amount = float(value)
    return None if math.isnan(amount) else amount


def _written(amount: float, form: str, value: object) -> str:
    if form == "pct":
        return percent(amount)
    if form == "usd":
        text = number(abs(amount), 0 if abs(amount) >= WHOLE_USD else 2)
        return f"{MINUS if amount < 0 else ''}${text}"
    if form == "int":
        return number(amount, 0)
    if form in PLAIN:
        return _unsigned_zero(number(amount, PLAIN[form]))
    return str(value)


def _unsigned_zero(text: str) -> str:
    return text.lstrip(MINUS) if not text.strip(f"{MINUS}0.,") else text
