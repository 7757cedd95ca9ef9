"""Folds inside the training rows, for what has to be learnt from forecasts out of sample."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from bellwether.models.rows import DECIDED, KNOWN, Instants

BLOCKS = 3
FIRST = 0.4
FEWEST_DATES = 10


def blocks(
    times: Instants,
) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Cut rows into blocks of dates that follow each other, each with the rows known before it.

    Returns
    -------
    list of pairs of int64 arrays
        Numbers of the rows to learn from: decided, and their labels known, no later than the
        block's first decision; and of the block's rows. None of fewer than ten dates.
    """
    decided, known = times[:, DECIDED], times[:, KNOWN]
    dates = np.unique(decided)
    if len(dates) < FEWEST_DATES:
        return []
    cuts = np.linspace(FIRST * len(dates), len(dates), BLOCKS + 1).astype(int)
    found = []
    for start, end in pairwise(cuts):
        learnt = np.flatnonzero((decided < dates[start]) & (known <= dates[start]))
        asked = np.flatnonzero((decided >= dates[start]) & (decided <= dates[end - 1]))
        if len(learnt):
            found.append((learnt, asked))
    return found
