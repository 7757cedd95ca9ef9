"""Posts as archives keep them: a folder a symbol, a file a day, a JSON object a line."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from bellwether.core.errors import UnreadableFile
from bellwether.sources.fingerprint import Fingerprint

SHAPE = dict.fromkeys(("symbol", "time", "text", "publisher", "location", "why"), pl.String())


def is_archive(path: Path) -> bool:
    """Tell whether a folder holds folders and no tables of its own."""
    inside = [p for p in path.iterdir() if not p.name.startswith(".")] if path.is_dir() else []
    return bool(inside) and all(p.is_dir() for p in inside)


def posts(path: Path, read: Fingerprint) -> Iterator[tuple[Path, pl.DataFrame]]:
    """Read a table of each symbol's folder, laid out as `tables` does; bytes go into `read`.

    An object has `created_at` and `text`, a string or a list of words. A line that is no such
    object is `malformed_row`.

    Raises
    ------
    UnreadableFile
        If a file cannot be read at all, or there is none.
    """
    found = 0
    for folder in sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")):
        rows = []
        for file in sorted(p for p in folder.iterdir() if p.is_file() and p.name[0] != "."):
            place = f"{folder.name}/{file.name}"
            rows += _lines(file, place, folder.name, read)
            found += 1
        if rows:
            yield folder, pl.DataFrame(rows, schema=SHAPE, orient="row")
    if not found:
        raise UnreadableFile(str(path), "its folders hold no file")


def _lines(file: Path, place: str, symbol: str, read: Fingerprint) -> list[tuple[Any, ...]]:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UnreadableFile(place, str(error)) from error
    read.add(place, content)
    told = content.decode("utf-8", "replace").split("\n")
    return [_row(line, f"{place}:{i}", symbol) for i, line in enumerate(told, 1) if line.strip()]


def _row(line: str, location: str, symbol: str) -> tuple[str | None, ...]:
    told = _object(line)
    if told is None:
        return symbol, None, line[:200], None, location, "malformed_row"
    text, by = told["text"], told.get("user_id_str")
    said = " ".join(map(str, text)) if isinstance(text, list) else text
    who = None if by is None else str(by)
    whole = said.encode("utf-8", "replace").decode()  # half a pair of surrogates is no character
    return symbol, _time(told["created_at"]), whole, who, location, None


def _object(line: str) -> dict[str, Any] | None:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(told, dict) and isinstance(told.get("created_at"), str)
    return told if whole and isinstance(told.get("text"), (str, list)) else None


def _time(written: str) -> str:
    """Return a time written as in Wed Jan 01 03:59:03 +0000 2014 in ISO's form; others as they are."""
    try:
        return datetime.strptime(written, "%a %b %d %H:%M:%S %z %Y").isoformat()
    except ValueError:
        return written
