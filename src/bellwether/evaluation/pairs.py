"""Which of several models is better: tests of every pair, and the models that may be the best."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bellwether.evaluation.adjusted import adjusted_p
from bellwether.evaluation.comparison import DieboldMariano, diebold_mariano
from bellwether.evaluation.confidence_set import MIN_MODELS, MOST_MODELS, confidence_set
from bellwether.evaluation.forecast import paired_accuracy
from bellwether.evaluation.gate_earned import block_of
from bellwether.evaluation.intervals import MeanInterval
from bellwether.evaluation.rivals import FEWEST, YEAR, Ground, Rival
from bellwether.evaluation.series import Floats
from bellwether.evaluation.sharpe_difference import SharpeDifference, sharpe_difference

MOST_PAIRED = 6
"""Models of which every pair is tested; of more, each is tested against the first."""
SIZE = 0.1
SHARPE_REPS = 1000


@dataclass(frozen=True, slots=True)
class Pair:
    """Model A beside model B, on the same dates.

    Attributes
    ----------
    a, b : str
        Their names.
    squared : DieboldMariano
        Of squared errors by date, small-sample form: `mean` is above 0 where A errs more.
    accuracy : MeanInterval
        By how much more often A called the direction right, clustered by date.
    sharpe : SharpeDifference
        By how much A's net Sharpe ratio is above B's, a year.
    p_squared, p_sharpe : float or None
        p values after Holm (1979) over the pairs of one comparison.
    """

    a: str
    b: str
    squared: DieboldMariano
    accuracy: MeanInterval
    sharpe: SharpeDifference
    p_squared: float | None = None
    p_sharpe: float | None = None


def date_means(ground: Ground, values: Floats) -> Floats:
    """Return one mean a decision date, in order of time."""
    days, member = np.unique(ground.dates, return_inverse=True)
    sums = np.bincount(member, weights=values, minlength=days.size)
    return np.asarray(sums / np.bincount(member, minlength=days.size), dtype=np.float64)


def squared_losses(ground: Ground, rivals: Mapping[str, Rival]) -> dict[str, Floats]:
    """Return the mean squared error of each model at each decision date."""
    return {
        name: date_means(ground, (ground.log_return - one.forecast) ** 2)
        for name, one in rivals.items()
    }


def paired(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return which models are set against each other: all of six, else each against the first.

    Examples
    --------
    >>> paired(["a", "b", "c"])
    [('a', 'b'), ('a', 'c'), ('b', 'c')]
    """
    if len(names) <= MOST_PAIRED:
        return list(itertools.combinations(names, 2))
    return [(name, names[0]) for name in names[1:]]


def pairs(ground: Ground, rivals: Mapping[str, Rival], seed: int) -> list[Pair]:
    """Test models against each other, p values adjusted over the pairs (Holm)."""
    lost = squared_losses(ground, rivals)
    found = [_pair(ground, rivals[a], rivals[b], lost, seed) for a, b in paired([*rivals])]
    squared = _holm([pair.squared.p for pair in found])
    sharpe = _holm([pair.sharpe.p for pair in found])
    return [
        Pair(f.a, f.b, f.squared, f.accuracy, f.sharpe, p, q)
        for f, p, q in zip(found, squared, sharpe, strict=True)
    ]


def _pair(ground: Ground, one: Rival, other: Rival, lost: Mapping[str, Floats], seed: int) -> Pair:
    return Pair(
        one.name,
        other.name,
        diebold_mariano(lost[one.name] - lost[other.name], ground.horizon),
        paired_accuracy(
            ground.dates, ground.log_return, one.direction, other.direction, ground.horizon - 1
        ),
        _annual(sharpe_difference(one.net, other.net, seed=seed, reps=SHARPE_REPS)),
    )


def _annual(found: SharpeDifference) -> SharpeDifference:
    told = asdict(found)
    for name in ("difference", "se", "low", "high"):
        told[name] = None if told[name] is None else told[name] * math.sqrt(YEAR)
    return SharpeDifference(**told)


def _holm(p: Sequence[float | None]) -> list[float | None]:
    known = [value for value in p if value is not None]
    adjusted = iter(adjusted_p(known, "holm").tolist() if known else ())
    return [None if value is None else next(adjusted) for value in p]


def may_be_best(
    ground: Ground, rivals: Mapping[str, Rival], seed: int, size: float = SIZE
) -> dict[str, Any]:
    """Return the model confidence sets: of squared errors, and of net returns.

    Each has the best model with a probability of 1 - `size` (Hansen, Lunde and Nason 2011): `in` are
    its names, `p` every model's. None where there is one model only, or fewer than 60 dates.
    """
    names = [*rivals]
    squared = np.column_stack([*squared_losses(ground, rivals).values()])
    earned = -np.column_stack([one.net for one in rivals.values()])
    told = {}
    for what, losses in (("squared_error", squared), ("net_return", earned)):
        known = MIN_MODELS <= len(names) <= MOST_MODELS and len(losses) >= FEWEST
        told[what] = _set(names, losses, ground.horizon, seed, size) if known else None
    return {"size": size, **told}


def _set(
    names: Sequence[str], losses: Floats, horizon: int, seed: int, size: float
) -> dict[str, Any]:
    block = block_of(len(losses), horizon)
    found = confidence_set(losses, block=block, seed=seed, size=size)
    return {
        "in": [names[i] for i in found.included],
        "p": dict(zip(names, found.p.tolist(), strict=True)),
        "block": block,
    }
