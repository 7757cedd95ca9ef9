"""P values of a family, adjusted for how many there are."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bellwether.core.errors import InvalidRequest

Method = Literal["bh", "by", "holm"]

METHODS = ("bh", "by", "holm")


def adjusted_p(p: ArrayLike, method: Method) -> NDArray[np.float64]:
    """Adjust p values for being m of them.

    ``bh`` (Benjamini and Hochberg 1995) and ``by`` (Benjamini and Yekutieli 2001) bound the
    expected share of false ones among those at or below a level, ``bh`` for independent or
    positively dependent tests, ``by`` for any; ``holm`` (1979) bounds the chance of a single false
    one, for any. With p ascending and i from 1:

        bh    min over j >= i of m p_j / j
        by    bh * (1 + 1/2 + .. + 1/m)
        holm  max over j <= i of (m - j + 1) p_j

    each at most 1; the first two by SciPy (`false_discovery_control`). A test that said nothing is
    not among them.

    Parameters
    ----------
    p : array, shape (m,)
        In [0, 1]: of all tests that were made, whatever came out.
    method : {"bh", "by", "holm"}
        Which adjustment.

    Returns
    -------
    array of float64, shape (m,)
        In the order given; empty for none.

    Raises
    ------
    InvalidRequest
        If a value is NaN or outside [0, 1], or the method is unknown.

    Examples
    --------
    >>> adjusted_p([0.001, 0.008, 0.039, 0.041, 0.27, 0.6], "bh").round(4).tolist()
    [0.006, 0.024, 0.0615, 0.0615, 0.324, 0.6]
    """
    given = np.asarray(p, dtype=np.float64)
    if method not in METHODS:
        raise InvalidRequest("method", f"{method!r} is none of {', '.join(METHODS)}")
    if given.ndim != 1:
        raise InvalidRequest("p", f"has shape {given.shape}, one column needed")
    if not ((given >= 0) & (given <= 1)).all():
        raise InvalidRequest("p", "holds NaN or a value outside [0, 1]")
    if given.size == 0:
        return given
    if method == "holm":
        return _holm(given)
    from scipy.stats import false_discovery_control

    return np.asarray(false_discovery_control(given, method=method), dtype=np.float64)


def _holm(given: NDArray[np.float64]) -> NDArray[np.float64]:
    order = np.argsort(given, kind="stable")
    stepped = np.maximum.accumulate(given[order] * np.arange(given.size, 0, -1))
    adjusted = np.empty(given.size)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
