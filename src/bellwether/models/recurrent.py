"""A small recurrent network as arrays: where its window lies in a row, what it says, and why."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from bellwether.core.errors import InvalidRequest

Array = npt.NDArray[np.generic]
Wide = npt.NDArray[np.float64]

FEWEST_STEPS = 2


def window(columns: Sequence[str]) -> npt.NDArray[np.int64]:
    """Find the past that every row carries: positions of shape (n_steps, n_channels), oldest first.

    A feature with lags (`return_1_lag_2`, `return_1_lag_1`, `return_1`) is a channel; those with the
    most lags are taken. Without any lag, the returns over ever shorter spans up to now (`return_60`, ...,
    `return_1`) are the one channel. All of it was known when the row was, as the view's features are.

    Raises
    ------
    InvalidRequest
        If the features carry no past of two steps.
    """
    at = {name: i for i, name in enumerate(columns)}
    lagged = {stem: _lags(stem, at) for stem in columns if f"{stem}_lag_1" in at}
    longest = max(map(len, lagged.values()), default=0)
    channels = [steps for steps in lagged.values() if len(steps) == longest]
    if not channels:
        spans = [(int(found[1]), at[found[0]]) for found in map(_span, columns) if found]
        channels = [[i for _, i in sorted(spans, reverse=True)]]
    if len(channels[0]) < FEWEST_STEPS:
        raise InvalidRequest(
            "columns",
            "carry no past: a sequence model reads a feature with its lags (return_1_lag_1, ...) "
            "or returns over several spans (return_1, return_5, ...)",
        )
    return np.array(channels, dtype=np.int64).T


def _span(name: str) -> re.Match[str] | None:
    return re.fullmatch(r"return_(\d+)", name)


def _lags(stem: str, at: Mapping[str, int]) -> list[int]:
    steps = [at[stem]]
    while (earlier := f"{stem}_lag_{len(steps)}") in at:
        steps.append(at[earlier])
    return steps[::-1]


def standardised(x: npt.NDArray[np.float32], explainer: Mapping[str, Array]) -> Wide:
    """Return features in units of the training rows: 0 where missing, clipped."""
    mean, scale = (explainer[name].astype(np.float64) for name in ("mean", "scale"))
    clip = float(explainer["clip"][0])
    standard: Wide = np.clip(np.nan_to_num((x - mean) / scale), -clip, clip)
    return standard


def said(z: Wide, explainer: Mapping[str, Array]) -> Wide:
    """Return the log return of standardised rows, of shape (n,), in float64.

    Gates lie in the order of PyTorch: input, forget, cell, output.
    """
    into, back, bias, head = (
        explainer[name].astype(np.float64) for name in ("input", "recurrent", "bias", "head")
    )
    hidden = np.zeros((len(z), back.shape[1]))
    cell = np.zeros_like(hidden)
    for step in explainer["window"].astype(np.int64):
        gates = z[:, step] @ into.T + hidden @ back.T + bias
        take, forget, new, out = np.split(gates, 4, axis=1)
        cell = _sigmoid(forget) * cell + _sigmoid(take) * np.tanh(new)
        hidden = _sigmoid(out) * np.tanh(cell)
    seen = np.hstack([hidden, z[:, explainer["static"].astype(np.int64)]])
    told: Wide = seen @ head + float(explainer["level"][0])
    return told


def shares(explainer: Mapping[str, Array], x: npt.NDArray[np.float32]) -> tuple[float, Wide]:
    """Split a forecast into that of a row at the mean, and what each feature adds to it.

    Features are set from their mean to their value one after the other, first to last and last to
    first, and what each changes is averaged over the two. These are Shapley values, exact where
    no more than two features act together (an order and its reverse share each pair alike).
    """
    z = standardised(x, explainer)
    n = len(z)
    upto = np.tri(n + 1, n, -1)  # row j has the first j features
    asked = np.vstack([upto, 1 - upto]) * z
    told = said(asked, explainer)
    first_to_last = np.diff(told[: n + 1])
    last_to_first = -np.diff(told[n + 1 :])
    added = np.where(z == 0, 0.0, (first_to_last + last_to_first) / 2)
    return float(told[0]), added


def _sigmoid(values: Wide) -> Wide:
    curve: Wide = 0.5 * (1 + np.tanh(0.5 * values))
    return curve
