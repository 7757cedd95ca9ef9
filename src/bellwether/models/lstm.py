"""A long short-term memory network, fitted by PyTorch."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from bellwether.core.errors import MissingExtra
from bellwether.models.base import Explainer, Matrix, Model, blank_as_zero
from bellwether.models.card import Card
from bellwether.models.linear import AT_THE_MEAN, CLIP, moments
from bellwether.models.recurrent import window
from bellwether.models.rows import Column, Rows

EXTRA = "deep"
HIDDEN = 16
STEPS = 300
BATCH = 512
RATE = 0.005
PULL = 5_000.0


class LSTM(Model):
    """One small LSTM (Hochreiter and Schmidhuber, 1997) over the past that a row carries.

    A forecaster sees one row at a time, so the window has to lie in the row: as lags of a
    feature, or as returns over ever shorter spans up to now (see `recurrent.window`); nothing is
    remembered from row to row. The features that are no part of the window are read beside the
    last state, and what is read out is shrunk as that of `linear` is. Return and direction are
    learnt together, the return in units of its own spread, in 300 batches of 512 rows drawn by the
    seed, on one thread.

    Raises
    ------
    MissingExtra
        If PyTorch is not installed.
    InvalidRequest
        If the features carry no past of two steps.
    """

    name = "lstm"
    card = Card(
        name,
        "PyTorch",
        "an LSTM of 16 cells over the lags in a row, the other features beside its last state",
        missing=AT_THE_MEAN,
        explanation="Shapley values over two orders, first to last and back; exact for pairs",
        use="to ask whether order in time says more than the features do; long panels only",
        seeded=True,
        extra=EXTRA,
        latency_us=1_000,
    )

    def __init__(self, columns: Sequence[str], seed: int = 0, n_steps: int = STEPS) -> None:
        if find_spec("torch") is None:
            raise MissingExtra(f"The model {self.name}", EXTRA)
        self._window = window(columns)
        self._static = np.setdiff1d(np.arange(len(columns)), self._window)
        self._seed = seed
        self._steps = n_steps

    def learn(self, rows: Rows) -> None:
        """Fit the network; what has nothing to learn from stays at its mean, or at one half."""
        wide = blank_as_zero(rows.X).astype(np.float64)
        self._mean, spread = moments(wide, rows.weights)
        self._scale = np.where(spread > 0, spread, np.inf)  # what never moved is not read
        z = np.clip(np.nan_to_num((wide - self._mean) / self._scale), -CLIP, CLIP)
        level = rows.mean(rows.y) if np.ptp(rows.y) > 0 else float(rows.y[0])
        size = float(np.sqrt(rows.mean((rows.y - level) ** 2)))
        learnt = self._fitted(z.astype(np.float32), rows, level, size)
        self._into, self._back, bias_in, bias_back, head, lean = learnt
        self._bias = bias_in + bias_back
        up = rows.y[rows.y != 0] > 0
        both = float(up.any() and not up.all())
        self._head = head * np.array([[size], [both]])
        self._lean = np.array([lean[0] * size + level, lean[1] * both])

    def _fitted(
        self, z: Matrix, rows: Rows, level: float, size: float
    ) -> list[npt.NDArray[np.float64]]:
        import torch

        with _alone(torch, self._seed):
            core = torch.nn.LSTM(self._window.shape[1], HIDDEN, batch_first=True)
            head = torch.nn.Linear(HIDDEN + len(self._static), 2)
            torch.nn.init.zeros_(head.weight)
            torch.nn.init.zeros_(head.bias)
            if size > 0:
                self._descend(torch, core, head, _tensors(torch, z, rows, level, size))
            parts = (*core.parameters(), *head.parameters())
            return [part.detach().numpy().astype(np.float64) for part in parts]

    def _descend(self, torch: Any, core: Any, head: Any, data: Sequence[Any]) -> None:
        """Walk down the squared error of the return and the log loss of the direction."""
        z, target, up, moved, weight = data
        steps, static = torch.from_numpy(self._window), torch.from_numpy(self._static)
        walker = torch.optim.Adam([*core.parameters(), *head.parameters()], lr=RATE)
        loss = torch.nn.functional
        for rows in _batches(torch, len(z), self._steps):
            state = core(z[rows][:, steps])[1][0][0]
            told = head(torch.hstack([state, z[rows][:, static]]))
            off = loss.mse_loss(told[:, 0], target[rows], reduction="none")
            lost = loss.binary_cross_entropy_with_logits(told[:, 1], up[rows], reduction="none")
            walker.zero_grad()
            shrunk = PULL / len(z) * head.weight.square().sum()
            (((off + lost * moved[rows]) * weight[rows]).mean() + shrunk).backward()
            walker.step()

    def packed(self) -> bytes:
        """Return the network as one ONNX graph."""
        from bellwether.models import graph

        n = graph.node
        nodes = [
            *graph.standardised(),
            n("Gather", ["z", "window"], "past", axis=1),
            n("Transpose", ["past"], "by_step", perm=[1, 0, 2]),
            graph.lstm("by_step", "state", HIDDEN),
            n("Squeeze", ["state", "first"], "last"),
            n("Gather", ["z", "static"], "beside", axis=1),
            n("Concat", ["last", "beside"], "seen", axis=1),
            n("MatMul", ["seen", "head"], "fitted"),
            n("Add", ["fitted", "lean"], "both"),
            n("Gather", ["both", "first"], "log_return", axis=1),
            n("Gather", ["both", "second"], "score", axis=1),
            n("Sigmoid", ["score"], "probability_up"),
        ]
        constants = [
            graph.constant("mean", self._mean),
            graph.constant("scale", self._scale),
            graph.constant("zero", 0.0),
            graph.constant("low", -CLIP),
            graph.constant("high", CLIP),
            graph.constant("window", self._window, np.int64),
            graph.constant("static", self._static, np.int64),
            *graph.lstm_constants(self._into, self._back, self._bias),
            graph.constant("head", self._head.T),
            graph.constant("lean", self._lean),
            graph.constant("first", [0], np.int64),
            graph.constant("second", [1], np.int64),
        ]
        packed: bytes = graph.model(nodes, constants, self._n_features).SerializeToString()
        return packed

    def explained(self) -> Explainer:
        """Return the network of the return as arrays."""
        return {
            "mean": self._mean,
            "scale": self._scale,
            "clip": np.array([CLIP]),
            "window": self._window,
            "static": self._static,
            "input": self._into,
            "recurrent": self._back,
            "bias": self._bias,
            "head": self._head[0],
            "level": self._lean[:1],
        }


@contextmanager
def _alone(torch: Any, seed: int) -> Iterator[None]:
    """Draw by a seed and compute on one thread; leave the library's own state as it was."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def _tensors(torch: Any, z: Matrix, rows: Rows, level: float, size: float) -> list[Any]:
    weights: Column = np.ones(len(rows)) if rows.weights is None else rows.weights
    columns = ((rows.y - level) / size, rows.y > 0, rows.y != 0, weights / weights.mean())
    return [torch.from_numpy(z), *(torch.from_numpy(c.astype(np.float32)) for c in columns)]


def _batches(torch: Any, n: int, steps: int) -> Iterator[Any]:
    """Draw batches, each row once before any comes again."""
    order = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        while len(order) < min(BATCH, n):
            order = torch.cat([order, torch.randperm(n)])
        yield order[:BATCH]
        order = order[BATCH:]
