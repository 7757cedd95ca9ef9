"""Numbers as people read them."""

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def percent(value: float | None, digits: int = 1, *, signed: bool = False) -> str:
    """Write a fraction as a percentage with a true minus sign; a dash for None."""
    if value is None:
        return DASH
    text = f"{value * 100:.{digits}f}%"
    if text.strip("-0.%") == "":
        return text.lstrip("-")
    return text.replace("-", MINUS) if value < 0 or not signed else f"+{text}"


def number(value: float | None, digits: int) -> str:
    """Write a number with a true minus sign; a dash for None."""
    if value is None:
        return DASH
    return f"{value:,.{digits}f}".replace("-", MINUS)


def count(value: int | None) -> str:
    """Write a whole number; a dash for None."""
    return DASH if value is None else f"{value:,}"
