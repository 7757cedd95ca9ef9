"""What a model says of itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Card:
    """What a model is and promises, the same before and after it learnt.

    Attributes
    ----------
    name, library, what
        How it is asked for, what fits it, and what it is in a line.
    missing
        What it makes of a feature that is NaN.
    explanation
        How its contributions are made.
    use
        When to use it.
    seeded
        Whether another seed gives another model.
    doubles
        Whether a row of weight two is the same as that row twice; where not, weights count too,
        but drawing rows at random or a least number of rows a leaf makes the two differ.
    needs_times
        Whether it has to be told when rows were decided and their labels known.
    extra
        The optional part of the platform that it needs, "" for none.
    levels
        The quantiles of the log return that it tells beside its mean.
    size_kb, latency_us
        The most that it may weigh packed, and take for one row on one thread: a budget, held
        by the contract suite.
    """

    name: str
    library: str
    what: str
    missing: str
    explanation: str
    use: str
    seeded: bool = False
    doubles: bool = False
    needs_times: bool = False
    extra: str = ""
    levels: tuple[float, ...] = ()
    size_kb: int = 50
    latency_us: int = 500
