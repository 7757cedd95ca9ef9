"""Which files of data a view opens: what is in them is beyond an audit of bars."""

import sys
from pathlib import Path

DATA = frozenset(
    {
        ".csv",
        ".gz",
        ".parquet",
        ".feather",
        ".arrow",
        ".xlsx",
        ".h5",
        ".db",
        ".npy",
    }
)


def watched(own: Path) -> set[str]:
    """Return a set that fills with the files that Python opens from now on.

    Files below `own` are left out. A library that reads in machine code, as
    Polars does, is not seen.
    """
    seen: set[str] = set()

    def look(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and arguments and isinstance(arguments[0], str):
            path = arguments[0]
            if Path(path).suffix.lower() in DATA and not path.startswith(str(own)):
                seen.add(path)

    sys.addaudithook(look)
    return seen
