"""Worlds in which the truth is known, to measure how often the gates are wrong.

Markets have fat tails, volatility that clusters, and names that move together. Strategies hold a
position in every name, decided by a signal that knows nothing; what they earn on average is known
exactly, so that a gate that passes one is wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import ndtri

from bellwether.evaluation.gate_earned import YEAR, Earned, annual, earned
from bellwether.evaluation.gate_fairness import Said, Served
from bellwether.evaluation.regimes import VOLATILITY, volatility_terciles
from bellwether.evaluation.series import Floats

Signals = NDArray[np.float32]

TAIL = 4.0
MEMORY, ROUGHNESS = 0.97, 0.18
MARKET_SD, OWN_SD = 0.010, 0.016


@dataclass(frozen=True, slots=True)
class World:
    """What a market and the strategies in it are like.

    Attributes
    ----------
    years, symbols : int
        Sessions are 252 times `years`.
    market_sharpe : float
        True annual Sharpe ratio of holding all names.
    strategies : int
        Tried, and counted by the ledger; the best of them by its own record is judged.
    alike : float
        Share of a signal that all strategies have in common, 0 to 1.
    long_bias : float
        Mean of the signals in their own sd: how much of the market strategies hold.
    planted : float
        True annual Sharpe ratio that is added to one strategy, which then is the one judged.
    """

    years: int = 10
    symbols: int = 20
    market_sharpe: float = 0.0
    strategies: int = 1
    alike: float = 0.0
    long_bias: float = 0.0
    planted: float = 0.0


def market(world: World, rng: np.random.Generator) -> Floats:
    """Return simple returns of shape (n_sessions, n_symbols).

    r_it = b_i m_t + e_it, with m and e products of a volatility exp(h), h an AR(1) with
    coefficient 0.97 (a part of it shared by all), and a t with 4 degrees of freedom.
    """
    n = world.years * YEAR
    shared = _heat(rng, (n, 1))
    own = 0.5 * shared + 0.7 * _heat(rng, (n, world.symbols))
    moved = np.exp(shared) * _fat(rng, (n, 1)) * MARKET_SD
    rest = np.exp(own) * _fat(rng, (n, world.symbols)) * OWN_SD
    beta = rng.uniform(0.6, 1.4, world.symbols)
    returns = moved * beta + rest
    # the drift of all names together, in units of the sd that holding them has
    return np.asarray(
        returns + world.market_sharpe / np.sqrt(YEAR) * _true_sd(returns), dtype=np.float64
    )


def _true_sd(returns: Floats) -> float:
    return float(returns.mean(axis=1).std())


def strategies(world: World, returns: Floats, rng: np.random.Generator) -> Floats:
    """Return net returns of strategies that know nothing, shape (n_sessions, n_strategies).

    Each holds sign(signal) / n_symbols of every name; signals are AR(1) with a coefficient drawn
    from 0.5 to 0.98, independent of the returns. No cost is taken: costs would make the true mean
    negative, and errors rarer.
    """
    n, k = returns.shape
    common = _signal(rng, n, k)
    net = np.empty((n, world.strategies))
    weights = (np.sqrt(world.alike), np.sqrt(1 - world.alike), world.long_bias)
    shared, own, bias = (np.float32(w) for w in weights)
    for j in range(world.strategies):
        mine = _signal(rng, n, k)
        told = common * shared + mine * own + bias
        net[:, j] = np.einsum("ts,ts->t", np.sign(told), returns) / k
    return net


def drawn(world: World, seed: Sequence[int]) -> Earned:
    """Draw a world and return what the gates would see of the strategy that is judged.

    The planted strategy if there is one, else the best by its own record among all tried.
    """
    rng = np.random.default_rng(seed)  # noqa: TID251 - of the run's seed
    returns = market(world, rng)
    net = strategies(world, returns, rng)
    if world.planted:
        net[:, 0] += world.planted / np.sqrt(YEAR) * net[:, 0].std()
    ratios = [annual(column) or 0.0 for column in net.T]
    chosen = 0 if world.planted else int(np.argmax(ratios))
    return evidence_of(returns, net, chosen)


def evidence_of(returns: Floats, net: Floats, chosen: int) -> Earned:
    """Lay returns of a market and of the strategies in it out as the gates see them.

    Parameters
    ----------
    returns : array, shape (n_sessions, n_symbols)
        NaN where a name does not trade; every session has one that does.
    net : array, shape (n_sessions, n_strategies)
        What each strategy earned.
    chosen : int
        The strategy that is judged; all count as tried.
    """
    held = np.nanmean(returns, axis=1)
    known = np.cumsum(np.nan_to_num(returns), axis=0)
    call = np.vstack([np.zeros((1, returns.shape[1])), np.sign(known[:-1])])
    return earned(
        net=net[:, chosen],
        baselines={
            "always_up": held,
            "historical_mean": np.nanmean(call * returns, axis=1),
            "last_value": np.zeros(len(held)),
        },
        trials=np.delete(net, chosen, axis=1),
        n_trials=net.shape[1],
        folds=np.arange(len(held)) // YEAR,
        regimes=volatility_terciles(held),
        regime_names=VOLATILITY,
    )


def said_and_served(seed: Sequence[int], dates: int = 500, names: int = 30) -> tuple[Said, Served]:
    """Draw forecasts whose chances are true, and calls that are right alike in every group.

    Outcomes of a date share a factor (correlation 0.3 of their latent normals), so that rows are
    anything but independent.
    """
    rng = np.random.default_rng(seed)  # noqa: TID251 - of the run's seed
    p = np.clip(0.52 + 0.03 * rng.standard_normal((dates, names)), 0.35, 0.65)
    latent = np.sqrt(0.3) * rng.standard_normal((dates, 1))
    latent = latent + np.sqrt(0.7) * rng.standard_normal((dates, names))
    up = latent < ndtri(p)
    call = rng.random((dates, names)) < 0.5  # noqa: PLR2004 - a coin
    days = np.datetime64("2010-01-01") + np.arange(dates)
    day = np.repeat(days, names)
    sectors = np.tile(np.repeat(["energy", "finance", "technology"], names // 3), dates)
    sizes = np.tile(np.tile(["small", "middle", "large"], names // 3), dates)
    said = Said(day, up.ravel(), p.ravel())
    called, came = (np.where(v, 1.0, -1.0).ravel() for v in (call, up))
    return said, Served(day, called, came, {"sector": sectors, "size": sizes})


def _heat(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Return log volatilities around 0, an AR(1) that begins where it always is."""
    noise = rng.standard_normal(shape) * ROUGHNESS
    noise[0] /= np.sqrt(1 - MEMORY**2)
    return np.asarray(lfilter([1.0], [1.0, -MEMORY], noise, axis=0), dtype=np.float64)


def _fat(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return np.asarray(rng.standard_t(TAIL, shape) / np.sqrt(TAIL / (TAIL - 2)), dtype=np.float64)


def _signal(rng: np.random.Generator, n: int, k: int) -> Signals:
    """Return signals of sd 1 in single precision: only their sign is traded."""
    phi = np.float32(rng.uniform(0.5, 0.98))
    noise = rng.standard_normal((n, k), dtype=np.float32)
    noise[1:] *= np.sqrt(1 - phi**2)
    ones = np.ones(1, dtype=np.float32)
    found = lfilter(ones, np.array([1, -phi], dtype=np.float32), noise, axis=0)
    return np.asarray(found, dtype=np.float32)
