"""A program run over all sessions of one symbol at once, each result written where it is wanted."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from bellwether.core.errors import InvalidRequest
from bellwether.features.exact import ARRAY_PAIRS, ARRAY_UNARY
from bellwether.features.program import Program, Step
from bellwether.features.talib_call import DIRECTIONAL, Params, compiled_call, direct

Array = npt.NDArray[np.float64]


class Workspace:
    """Arrays for results on the way, used again while they are warm. One thread's.

    `kernels` lets our compiled functions do what TA-Lib is slow at (`kernels.py`); equal bits.
    """

    def __init__(self, *, kernels: bool = False) -> None:
        self.kernels = kernels
        self._free: list[Array] = []

    def take(self, n: int) -> Array:
        """Return an array of shape (n,) with anything in it."""
        while self._free:
            held = self._free.pop()
            if len(held) >= n:
                return held
        return np.empty(n)

    def give(self, array: Array) -> None:
        """Take back what was taken."""
        self._free.append(array)


def run(
    program: Program,
    columns: Mapping[str, Array],
    out: Array | Sequence[Array],
    workspace: Workspace | None = None,
) -> None:
    """Run `program` over arrays of shape (n_sessions,).

    Parameters
    ----------
    out : ndarray of shape (n_outputs, n_sessions), or as many arrays of shape (n_sessions,)
        Where results are computed in place; each row contiguous.
    workspace : Workspace, optional
        Where the rest lives until nobody reads it any more.
    """
    rows = list(out)
    if any(row.strides[0] != row.itemsize for row in rows if row.size > 1):
        raise InvalidRequest("out", "each row must be contiguous")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        _Run(program, columns, rows, workspace or Workspace()).through()


def run_all(program: Program, columns: Mapping[str, Array]) -> list[Any]:
    """Return what each step of `program` gives: arrays, numbers, or tuples where it gives several."""
    n = len(columns[program.columns[0]]) if program.columns else 0
    values: list[Any] = []
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        for step in program.steps:
            args = [values[i] for i in step.args]
            if step.do == "column":
                values.append(_column(columns, step))
            elif step.do == "const":
                values.append(step.how)
            elif step.do == "pick":
                values.append(args[0][step.how])
            else:
                outs = [np.empty(n) for _ in range(_outputs(step))]
                _compute(step, args, outs)
                values.append(outs[0] if len(outs) == 1 else tuple(outs))
    return values


class _Run:
    """One pass over one symbol."""

    def __init__(
        self,
        program: Program,
        columns: Mapping[str, Array],
        out: Sequence[Array],
        workspace: Workspace,
    ) -> None:
        self._program, self._columns, self._out = program, columns, out
        self._workspace, self._n = workspace, len(out[0]) if out else 0
        self._values: list[Any] = [None] * len(program.steps)
        self._held: dict[int, Array] = {}
        self._unread: list[Array] = []

    def through(self) -> None:
        """Run all steps; warm-ups are emptied last, since steps read each other's results."""
        program, out = self._program, self._out
        for at, (step, (given, spent)) in enumerate(zip(program.steps, program.done, strict=True)):
            self._step(at, step)
            for i in given if step.do in ("column", "const") else given[1:]:
                out[i][:] = self._values[at]
            for old in spent:
                self._let_go(old)
        for array in self._unread:
            self._workspace.give(array)
        for i, warm_up in enumerate(program.warm_ups):
            out[i][:warm_up] = np.nan

    def _step(self, at: int, step: Step) -> None:
        if step.do == "column":
            self._values[at] = _column(self._columns, step)
        elif step.do == "const":
            self._values[at] = step.how
        elif step.do != "pick" and self._values[at] is None:  # picks are written by their function
            together = _batches(self._program)[at] if self._workspace.kernels else ()
            if together:
                self._batch(together)
            else:
                args, places = self._begin(at, step)
                _compute(step, args, places, kernels=self._workspace.kernels)

    def _batch(self, together: tuple[int, ...]) -> None:
        from bellwether.features import batch

        calls = []
        for at in together:
            step = self._program.steps[at]
            args, outs = self._begin(at, step)
            function, params, _ = _talib(step)
            bound = direct(function, params, len(args))
            prepared = bound.prepared(args, outs) if bound and self._n else None
            if bound and bound.native and prepared:
                calls.append((bound.native, prepared))
        batch.run(calls)

    def _begin(self, at: int, step: Step) -> tuple[list[Any], list[Array]]:
        """Return what a step reads, and where it writes; from now on others may read that."""
        args = [self._values[i] for i in step.args]
        places, count = [at], _outputs(step)
        if count > 1:
            places = [self._program.picks.get((at, k), _NOBODY) for k in range(count)]
            self._values[at] = ()
        elif self._workspace.kernels and step.do == "ta" and _talib(step)[0] in DIRECTIONAL:
            mates = self._program.mates[at]
            places = [mates.get(name, _NOBODY) for name in DIRECTIONAL]
        outs = [
            self._workspace.take(self._n)[: self._n] if p < 0 else self._place(p) for p in places
        ]
        for place, out in zip(places, outs, strict=True):
            if place >= 0:
                self._values[place] = out
        return args, outs

    def _loose(self) -> Array:
        """Return a place for what nobody reads, until the run is over."""
        held = self._workspace.take(self._n)
        self._unread.append(held)
        return held[: self._n]

    def _place(self, at: int) -> Array:
        given = self._program.done[at][0]
        if given:
            return self._out[given[0]]
        held = self._held[at] = self._workspace.take(self._n)
        return held[: self._n]

    def _let_go(self, at: int) -> None:
        self._values[at] = None
        if at in self._held:
            self._workspace.give(self._held.pop(at))


_NOBODY = -1  # reads it


@lru_cache(64)
def _batches(program: Program) -> dict[int, tuple[int, ...]]:
    """For each step the TA-Lib calls that can be made with it in one go; empty where it is none."""
    from bellwether.features.batch import USABLE

    done: set[int] = set()
    found: dict[int, tuple[int, ...]] = {}
    can = [i for i, step in enumerate(program.steps) if USABLE and _in_batch(step)]
    for at in range(len(program.steps)):
        open_ = [i for i in can if i >= at and i not in done]
        ready = [i for i in open_ if all(a < at or a in done for a in program.steps[i].args)]
        found[at] = tuple(ready) if at in ready else ()
        done |= set(found[at])
    return found


def _in_batch(step: Step) -> bool:
    if step.do != "ta":
        return False
    function, params, _ = _talib(step)
    bound = direct(function, params, len(step.args))
    ours = compiled_call(function, params)
    return ours is None and bound is not None and bound.native is not None


def _outputs(step: Step) -> int:
    return _talib(step)[2] if step.do == "ta" else 1


def _compute(
    step: Step, args: Sequence[Any], outs: Sequence[Array], *, kernels: bool = False
) -> None:
    """Compute one step that gives arrays into `outs`, none of which is an argument."""
    (out, *_) = outs
    if step.do == "ta":
        _indicator(step, args, outs, kernels=kernels)
    elif step.do == "lag":
        _lagged(args[0], int(str(step.how)), out)
    elif all(not isinstance(a, np.ndarray) for a in args):
        out[:] = (ARRAY_PAIRS if step.do == "pair" else ARRAY_UNARY)[str(step.how)](
            *map(np.float64, args)
        )
    else:
        (ARRAY_PAIRS if step.do == "pair" else ARRAY_UNARY)[str(step.how)](*args, out=out)


def _column(columns: Mapping[str, Array], step: Step) -> Array:
    return np.ascontiguousarray(columns[str(step.how)], dtype=np.float64)


def _lagged(values: Array | float, sessions: int, out: Array) -> None:
    n = len(out)
    out[:sessions] = np.nan
    out[sessions:] = values[: max(n - sessions, 0)] if isinstance(values, np.ndarray) else values


def _talib(step: Step) -> tuple[str, Params, int]:
    return cast("tuple[str, Params, int]", step.how)


def _indicator(
    step: Step, inputs: Sequence[Array], outs: Sequence[Array], *, kernels: bool
) -> None:
    function, params, _ = _talib(step)
    if len(inputs[0]) == 0:
        return
    bound = compiled_call(function, params) if kernels else None
    bound = bound or direct(function, params, len(inputs))
    if bound is not None:
        bound.into(inputs, outs)
        return
    from talib import _ta_lib

    missing = any(np.isnan(x[-1]) and np.isnan(x).all() for x in inputs)
    said: Any = np.nan if missing else getattr(_ta_lib, function)(*inputs, **dict(params))
    for k, out in enumerate(outs):
        out[:] = said[k] if isinstance(said, tuple) else said
