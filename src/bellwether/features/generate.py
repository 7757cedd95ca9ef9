"""Candidates of features by a small declared grammar; their names say how they are made.

``<base>__<rule>`` or ``<base>__<rule>__<base>``, such as ``rsi_14__lag_5`` or
``return_5__over__volatility_20``. The order is fixed, so the first n are always the same n.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from bellwether.core.errors import InvalidRequest
from bellwether.features.expr import Expr, lag, pair, window
from bellwether.features.feature import Feature, FeatureView, Kind

MAX_CANDIDATES = 5000


@dataclass(frozen=True, slots=True)
class Grammar:
    """What may be built: sizes in sessions.

    `lags` and `differences` look back at the base itself; `means` and `spreads` are its rolling
    moments, `places` where it stands between its lowest and highest; `ratios`, `products` and
    `comparisons` join two bases.
    """

    lags: tuple[int, ...] = (1, 2, 5, 10)
    differences: tuple[int, ...] = (1, 5, 20)
    means: tuple[int, ...] = (5, 20)
    spreads: tuple[int, ...] = (20,)
    places: tuple[int, ...] = (60,)
    ratios: bool = True
    products: bool = True
    comparisons: bool = True


def candidates(base: Sequence[Feature], n: int, grammar: Grammar | None = None) -> FeatureView:
    """Return a view of the first `n` candidates of the grammar over `base`.

    Only scale-free features are built on. Rules of one base come first, then those of two.

    Raises
    ------
    InvalidRequest
        If `n` is not from 1 to 5,000, or there is nothing to build on.
    """
    if isinstance(n, bool) or not 1 <= n <= MAX_CANDIDATES:
        raise InvalidRequest("generate", f"{n} is not in 1..{MAX_CANDIDATES}")
    usable = [f for f in base if f.kind is Kind.MODEL and f.scale_free]
    if not usable:
        raise InvalidRequest("generate", "no scale-free feature to build on")
    made = [f for _, f in zip(range(n), _all(usable, grammar or Grammar()), strict=False)]
    return FeatureView("generated", tuple(made), ttl_sessions=1)


def _all(base: Sequence[Feature], grammar: Grammar) -> Iterator[Feature]:
    for rule, expression in ((r, e) for f in base for r, e in _of_one(f, grammar)):
        yield _feature(rule, expression)
    for left, right in combinations(base, 2):
        for rule, expression in _of_two(left, right, grammar):
            yield _feature(rule, expression)


def _of_one(f: Feature, grammar: Grammar) -> Iterator[tuple[str, Expr]]:
    x = f.expression
    yield from ((f"{f.name}__lag_{k}", lag(x, k)) for k in grammar.lags)
    yield from ((f"{f.name}__change_{k}", x - lag(x, k)) for k in grammar.differences)
    yield from ((f"{f.name}__mean_{k}", window("mean", x, k)) for k in grammar.means)
    yield from ((f"{f.name}__spread_{k}", window("std", x, k)) for k in grammar.spreads)
    for k in grammar.places:
        low, high = window("min", x, k), window("max", x, k)
        yield f"{f.name}__place_{k}", (x - low) / (high - low)


def _of_two(a: Feature, b: Feature, grammar: Grammar) -> Iterator[tuple[str, Expr]]:
    if grammar.ratios:
        yield f"{a.name}__over__{b.name}", a.expression / b.expression
    if grammar.products:
        yield f"{a.name}__times__{b.name}", a.expression * b.expression
    if grammar.comparisons:
        yield f"{a.name}__above__{b.name}", pair("above", a.expression, b.expression)


def _feature(name: str, expression: Expr) -> Feature:
    return Feature(
        name,
        expression,
        "generated",
        "ratio",
        "Made by the grammar; kept only where it was chosen inside a fold",
        source="Kanter and Veeramachaneni, 2015",
        why="generated",
    )
