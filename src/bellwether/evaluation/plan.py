"""How predictors are to be evaluated."""

from dataclasses import dataclass

from bellwether.core.errors import InvalidRequest

RESTRICTIONS = ("none", "sign:+", "sign:-", "nonnegative", "both:+", "both:-")
COMBINATIONS = ("none", "mean", "median", "trimmed")
MEANS = ("same", "all")


@dataclass(frozen=True, slots=True)
class Plan:
    """How to forecast.

    Attributes
    ----------
    first : int
        Row of the first forecast.
    window : int or None
        Rows that each fit sees, the newest; None for all before.
    restrict : str
        ``sign:+``: a slope that is not positive is set to 0, and the forecast is the mean of the
        rows that were fitted. ``nonnegative``: a forecast below 0 is set to 0. ``both:``: both.
    combine : str
        ``mean``, ``median`` or ``trimmed`` (mean without the smallest and the largest) of the
        predictors' forecasts.
    horizon : int
        Rows from the beginning to the end of an outcome; outcomes that overlap are known that late.
    lags : int or None
        Lags in Clark and West's variance; None for horizon - 1.
    mean : str
        The benchmark: ``same``, the mean of the rows that the fit saw; ``all``, of every outcome
        known before, also where the predictor is missing or the window has moved on.
    min_rows : int or None
        A predictor with fewer rows before `first` begins when it has them; None: it is refused.
    """

    first: int
    window: int | None = None
    restrict: str = "none"
    combine: str = "none"
    horizon: int = 1
    lags: int | None = None
    mean: str = "same"
    min_rows: int | None = None

    def __post_init__(self) -> None:
        for name, value, known in (
            ("restrict", self.restrict, RESTRICTIONS),
            ("combine", self.combine, COMBINATIONS),
            ("mean", self.mean, MEANS),
        ):
            if value not in known:
                raise InvalidRequest(name, f"{value!r} is none of {', '.join(known)}")
        for name, number, least in (("horizon", self.horizon, 1), ("min_rows", self.min_rows, 3)):
            if number is not None and number < least:
                raise InvalidRequest(name, f"is {number}, at least {least} needed")
        if self.lags is not None and self.lags < 0:
            raise InvalidRequest("lags", f"is {self.lags}, must not be negative")
