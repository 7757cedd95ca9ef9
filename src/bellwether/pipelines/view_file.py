"""A user's own view: a Python file with functions of well-known names, run as it is."""

import inspect
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl

from bellwether.audit.chain import FILLS
from bellwether.audit.found import KEYS, Panel, Subject
from bellwether.core.errors import BrokenView

PROBE_ROWS = 400


def load(path: Path) -> ModuleType:
    """Run the file and return what it defines.

    Raises
    ------
    BrokenView
        If it cannot be read or raises; with its own traceback.
    """
    try:
        code = compile(path.read_bytes(), str(path), "exec")
    except (OSError, SyntaxError, ValueError) as error:
        told = "".join(traceback.format_exception_only(error))
        raise BrokenView(path.name, "cannot be read", told) from error
    module = ModuleType("audited_view")
    module.__file__ = str(path)
    try:
        exec(code, module.__dict__)  # noqa: S102 - the user's own code on the user's own machine
    except BaseException as error:
        raise BrokenView(path.name, "raises when it is run", _trace(error, path)) from error
    return module


def _trace(error: BaseException, path: Path) -> str:
    """Return the part of the traceback that lies in the user's file."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    said = "".join(traceback.format_exception_only(error))
    if not frames:
        return said
    return "Traceback (most recent call last):\n" + "".join(traceback.format_list(frames)) + said


def subject_of(module: ModuleType, panel: Panel, *, backwards: bool = False) -> Subject:
    """Return what the file defines as what is audited; each function is tried on some bars first.

    `backwards` calls a function of one symbol's bars for the symbols in reverse order.

    Raises
    ------
    BrokenView
        If it defines no features, or what it defines cannot be used.
    """
    path = Path(str(module.__file__))
    whole, single = getattr(module, "features", None), getattr(module, "features_of", None)
    if not callable(whole) and not callable(single):
        why = "defines neither features(panel) nor features_of(bars)"
        raise BrokenView(path.name, why, "")
    call = _Call(module, panel, path)
    features = call.panel("features") if callable(whole) else call.symbols("features_of", backwards)
    optional: dict[str, Any] = {}
    for name in ("label", "fills"):
        if callable(getattr(module, name, None)):
            optional[name] = call.panel(name)
    for name in ("folds", "fit", "transform"):
        if callable(getattr(module, name, None)):
            optional[name] = call.plain(name)
    return Subject(features=features, **_constants(module, path), **optional)


def _constants(module: ModuleType, path: Path) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name, field, allowed in (
        ("DECIDES", "decides", ("open", "close")),
        ("FILLS", "filled", tuple(FILLS)),
    ):
        if hasattr(module, name):
            value = getattr(module, name)
            if value not in allowed:
                why = f"{name} is {value!r}, none of {', '.join(allowed)}"
                raise BrokenView(path.name, why, "")
            told[field] = value
    if hasattr(module, "HORIZON"):
        horizon = module.HORIZON
        if not isinstance(horizon, int) or isinstance(horizon, bool) or horizon < 1:
            raise BrokenView(path.name, f"HORIZON is {horizon!r}, a whole number from 1 needed", "")
        told["horizon"] = horizon
    return told


class _Call:
    """Calls the functions of one file, in Polars or pandas as each wants it."""

    def __init__(self, module: ModuleType, panel: Panel, path: Path) -> None:
        self._module = module
        self._pandas: dict[str, bool] = {}
        self._panel = panel
        self._path = path

    def panel(self, name: str) -> Callable[[Panel], pl.DataFrame]:
        """Return function `name` of the whole panel."""
        function = getattr(self._module, name)
        wide = len(inspect.signature(function).parameters) > 1

        def call(panel: Panel) -> pl.DataFrame:
            return self._one(name, panel.bars, panel.universe if wide else None, wide=wide)

        return call

    def symbols(self, name: str, backwards: bool) -> Callable[[Panel], pl.DataFrame]:  # noqa: FBT001 - one way or the other
        """Return function `name` of one symbol's bars as one of the whole panel."""

        def call(panel: Panel) -> pl.DataFrame:
            parts = panel.bars.partition_by("symbol", maintain_order=True)
            made = [self._one(name, p, None, wide=False) for p in parts[:: -1 if backwards else 1]]
            return pl.concat(made[:: -1 if backwards else 1], how="diagonal_relaxed")

        return call

    def plain(self, name: str) -> Callable[..., Any]:
        """Return function `name` of a frame, or of a state and a frame."""
        function = getattr(self._module, name)

        def call(*arguments: Any) -> Any:
            *state, frame = arguments
            if not self._wants_pandas(name):
                made = function(*state, frame)
                return keyed(made, frame) if name == "transform" else made
            made = function(*state, to_pandas(frame))
            return to_polars(made, frame) if name == "transform" else made

        return call

    def _wants_pandas(self, name: str) -> bool:
        """Tell by FRAME, or the annotation of its first frame, or by what the file imports."""
        if name not in self._pandas:
            told = getattr(self._module, "FRAME", None)
            if told in ("pandas", "polars"):
                self._pandas[name] = told == "pandas"
            else:
                notes = str(inspect.signature(getattr(self._module, name)))
                names = {
                    getattr(v, "__name__", "")
                    for v in vars(self._module).values()
                    if isinstance(v, ModuleType)
                }
                only = "pandas" in names and "polars" not in names
                said = "pd." in notes or "pandas." in notes
                self._pandas[name] = said or (only and "pl." not in notes)
        return self._pandas[name]

    def _one(
        self, name: str, bars: pl.DataFrame, universe: pl.DataFrame | None, *, wide: bool
    ) -> pl.DataFrame:
        function = getattr(self._module, name)
        if self._wants_pandas(name):
            given = to_pandas(bars)
            extra = [None if universe is None else to_pandas(universe)] if wide else []
            return to_polars(function(given, *extra), bars)
        return keyed(function(bars.clone(), *([universe] if wide else [])), bars)


def to_pandas(frame: pl.DataFrame) -> Any:
    """Return a frame as pandas has it, dates as timestamps."""
    dates = [c for c, kind in frame.schema.items() if kind == pl.Date]
    return frame.with_columns(pl.col(c).cast(pl.Datetime("ns")) for c in dates).to_pandas()


def to_polars(made: Any, bars: pl.DataFrame) -> pl.DataFrame:
    """Return what a pandas function gave, keyed by symbol and session.

    Where it has neither as columns they are taken from its index by name, or from the bars that
    it was given, by their row numbers.
    """
    if type(made).__module__ == "numpy":
        return keyed(made, bars)
    kind = type(made).__name__ if type(made).__module__.partition(".")[0] == "pandas" else ""
    if kind == "Series":
        made = made.to_frame(made.name or "feature")
    elif kind != "DataFrame":
        raise TypeError(f"returned {type(made).__name__}, not a frame")
    made = _keyed_by_index(made, bars)
    made.columns = [str(c) for c in made.columns]
    frame: pl.DataFrame = pl.from_pandas(made.reset_index(drop=True), nan_to_null=True)
    return frame


def _keyed_by_index(made: Any, bars: pl.DataFrame) -> Any:
    """Take symbol and session from the index where they are no columns."""
    levels = made.index.nlevels
    if levels > 1 and made.index.names[-1] is None:  # as groupby(...).apply gives it
        made = made.droplevel(list(range(levels - 1)))
    named = [n for n in made.index.names if n in KEYS]
    if named:
        made = made.drop(columns=[n for n in named if n in made.columns]).reset_index()
    missing = [k for k in KEYS if k not in made.columns]
    if missing:
        at = made.index.to_numpy()
        if at.dtype.kind not in "iu" or (at.size and (at.min() < 0 or at.max() >= bars.height)):
            raise TypeError(f"returned neither {' nor '.join(missing)}, nor the rows of its input")
        for key in missing:
            made[key] = bars[key].gather(at).to_numpy()
    return made


def keyed(made: Any, bars: pl.DataFrame) -> pl.DataFrame:
    """Return what a Polars function gave, keyed by symbol and session of its input where it is not."""
    if isinstance(made, pl.LazyFrame):
        made = made.collect()
    if isinstance(made, pl.Series):
        made = made.to_frame()
    if isinstance(made, dict):
        made = pl.DataFrame(made)
    if type(made).__module__ == "numpy":
        made = pl.DataFrame(made)
    if not isinstance(made, pl.DataFrame):
        raise TypeError(f"returned {type(made).__name__}, not a frame")
    missing = [k for k in KEYS if k not in made.columns]
    if missing and made.height == bars.height:
        made = made.with_columns(bars[k] for k in missing)
    elif missing == ["symbol"] and bars["symbol"].n_unique() == 1:
        made = made.with_columns(symbol=pl.lit(bars["symbol"][0]))
    frame: pl.DataFrame = made
    return frame


def tell(error: BaseException, path: Path) -> str:
    """Return the traceback of an error that the user's own code raised."""
    return _trace(error, path)


def hints(path: Path) -> Sequence[tuple[int, str]]:
    """List the lines of the file in which look-ahead is usually written."""
    signs = ("shift(-", "center=True", "bfill", "backward_fill", 'strategy="backward"', "interpolate",
             'strategy="forward"', 'direction="forward"', "reverse(", "[::-1]", "fftpack", ".fft",
             "savgol", "filtfilt", "fit_transform", "lead(", "resample(", "sort(descending",
             "pct_change(-", "diff(-", "shift(periods=-", "nearest")  # fmt: skip
    found = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        code = line.split("#", 1)[0]
        if any(sign in code for sign in signs):
            found.append((number, code.strip()[:100]))
    return found
