"""The numbers behind the charts of a tear sheet, packed for the page."""

import base64
import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bellwether.reports.markup import Html
from bellwether.reports.tearsheet_data import SERIES, Curve, Floats, Point, TearSheet

MOST_NUMBERS = 720_000  # 4 bytes each, a third more as text: some 4 MB
FEWEST_SESSIONS = 500
EPOCH = date(1970, 1, 1).toordinal()
Whole = NDArray[np.int64]


def chosen(curve: Curve, most: int) -> Whole:
    """Choose at most about `most` sessions to show.

    Returns
    -------
    ndarray of int, shape (m,)
        In order: the first and the last session and, of each equal stretch, those with the lowest
        and the highest wealth, so that no spike of it is lost. All of them where they are few.
    """
    n = len(curve.sessions)
    if n <= most:
        return np.arange(n)
    bins = max(most // 2, 1)
    wide = -(-n // bins)
    padded = np.full(bins * wide, np.nan)
    padded[:n] = curve.series("wealth")
    parts = padded.reshape(bins, wide)
    begin = np.arange(bins)[~np.isnan(parts).all(axis=1)]
    lowest = np.where(np.isnan(parts), np.inf, parts).argmin(axis=1)
    highest = np.where(np.isnan(parts), -np.inf, parts).argmax(axis=1)
    return np.unique(
        np.concatenate([[0, n - 1], begin * wide + lowest[begin], begin * wide + highest[begin]])
    )


def packed(sheet: TearSheet) -> tuple[Html, str]:
    """Pack what is drawn as JSON that can stand inside a page.

    Returns
    -------
    (Html, str)
        The JSON, and a sentence that says which sessions were left out; empty if none.
    """
    most = max(MOST_NUMBERS // max(len(sheet.curves) * len(SERIES), 1), FEWEST_SESSIONS)
    calendars: list[str] = []
    curves = []
    left = 0
    for curve in sheet.curves:
        shown = chosen(curve, most)
        left += len(curve.sessions) - len(shown)
        days = _days([curve.sessions[i] for i in shown])
        if days not in calendars:
            calendars.append(days)
        told: dict[str, Any] = {"name": curve.name, "role": curve.role}
        told["calendar"] = calendars.index(days)
        told |= {what: _floats(values[shown]) for what, values in _known(curve).items()}
        curves.append(told)
    data = {
        "calendars": calendars,
        "curves": curves,
        "crises": [[name, _day(first), _day(last)] for name, first, last in sheet.crises],
        "points": {
            "calibration": _points(sheet.calibration),
            "ic": _points(sheet.ic_by_horizon),
            "quantiles": _points(sheet.quantiles),
            "degradation": _points(sheet.degradation),
        }
        | {f"picture-{i}": _points(p.points) for i, p in enumerate(sheet.pictures)},
        "pictures": {
            f"picture-{i}": {"xName": p.x, "yName": p.y, "form": p.form, "zero": p.zero}
            for i, p in enumerate(sheet.pictures)
        },
    }
    return _inside(data), _said(left, sum(len(c.sessions) for c in sheet.curves))


def _known(curve: Curve) -> dict[str, Floats]:
    series = {what: curve.series(what) for what in SERIES}
    return {what: values for what, values in series.items() if not np.isnan(values).all()}


def _said(left: int, of: int) -> str:
    if not left:
        return ""
    return (
        f"{of - left:,} of {of:,} values of each line are in this page: of each stretch the lowest"
        " and the highest equity. The JSON result keeps every session."
    )


def _inside(data: object) -> Html:
    """Write JSON in which no character can end a script element."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return Html(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _floats(values: Floats) -> str:
    with np.errstate(over="ignore"):
        return base64.b64encode(values.astype("<f4").tobytes()).decode()


def _days(sessions: Sequence[date]) -> str:
    days = np.array([_day(session) for session in sessions], dtype="<i4")
    return base64.b64encode(days.tobytes()).decode()


def _day(day: date) -> int:
    return day.toordinal() - EPOCH


def _points(points: Sequence[Point]) -> list[list[object]]:
    return [
        [p.x if isinstance(p.x, str) else float(p.x), float(p.y), _end(p.low), _end(p.high), p.n]
        for p in points
        if np.isfinite(p.y) and (isinstance(p.x, str) or np.isfinite(p.x))
    ]


def _end(value: float | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None
