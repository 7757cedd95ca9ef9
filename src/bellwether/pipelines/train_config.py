"""What is asked of a training run."""

from dataclasses import dataclass, replace
from datetime import date

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.calendar_splits import months_of
from bellwether.evaluation.choosing import Rule, rule
from bellwether.evaluation.gate_policy import Policy
from bellwether.features.views import DEFAULT
from bellwether.pipelines.walk import Walk
from bellwether.quality.treatments import QUALITY_BAR


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What is asked of a training run; sizes in sessions.

    `each` adds a model of its own for every symbol beside the panel's. Releases are packed of
    `model`; the models `against` and all baselines are judged on the same rows. With `universe` a
    name counts only in the sessions in which it was known to be a member.

    `quality_bar` is the share of sessions without fault that each symbol and all together need;
    `ignore_quality` trains below it too. `winsorise` draws training targets in to so many robust
    deviations; what is judged is never drawn in. None leaves them as they are. `generate` tries so
    many features made by a grammar, chosen inside folds, beside the model without them. `search`
    (grid, random or bayes) tries `trials` configurations of the model inside each training set.
    `window_sessions` trains on the newest so many decision dates only, `embargo_sessions` keeps so
    many between the last outcome trained on and a test. `select` says how features are chosen
    inside each training set, as `evaluation.choosing.rule` reads it; with `generate` the generated
    ones are chosen so too, and no symbol gets a model of its own.

    With `first`, `step` or `window` the walk-forward is cut by the calendar, as a backtest's is: from
    the session `first`, in periods of `step` (`1y`), each trained on the `window` before it.
    `learning_curve` judges the model trained on ever shorter pasts too.

    `policy` is what the gates ask of what is packed; None where nobody declared one. `by` says who
    asks. A release that `waits` does not answer before somebody says so. None of them changes what
    is trained, or is part of the question.
    """

    symbols: tuple[str, ...] | None = None
    model: str = "lightgbm"
    against: tuple[str, ...] = ("linear",)
    horizon_sessions: int = 1
    seed: int = 0
    each: bool = True
    min_train_sessions: int = 504
    test_sessions: int = 252
    workers: int = 1
    universe: str | None = None
    quality_bar: float = QUALITY_BAR
    ignore_quality: bool = False
    winsorise: float | None = None
    generate: int | None = None
    search: str | None = None
    window_sessions: int | None = None
    embargo_sessions: int = 0
    select: str | None = None
    trials: int = 50
    view: str = DEFAULT
    policy: Policy | None = None
    by: str = "local"
    waits: bool = False
    first: date | None = None
    step: str | None = None
    window: str | None = None
    learning_curve: bool = False

    def __post_init__(self) -> None:
        """Refuse periods that the calendar does not have, and what does not go together."""
        if self.learning_curve and (self.search or self.select):
            why = "a search or a selection finds another model for every past; ask for one"
            raise InvalidRequest("learning_curve", why)
        if self.window_sessions and (self.first or self.step or self.window):
            why = "periods of the calendar are trained on a `window`, such as 10y"
            raise InvalidRequest("window_sessions", why)
        for length in (self.step, self.window):
            if length is not None:
                months_of(length)

    @property
    def asked(self) -> Policy | None:
        """The policy in force: the gate that was overridden by name is not asked."""
        if self.policy is None or not self.ignore_quality:
            return self.policy
        return replace(self.policy, off=(*self.policy.off, "data_quality"))


def walk_of(config: TrainConfig) -> Walk:
    """Return how the walk-forward of a run is cut."""
    return Walk(
        config.horizon_sessions,
        config.min_train_sessions,
        config.test_sessions,
        config.seed,
        config.workers,
        config.winsorise,
        config.window_sessions,
        config.embargo_sessions,
        config.first,
        config.step,
        config.window,
    )


def rule_of(config: TrainConfig) -> Rule | None:
    """Return how features are chosen; None where all are read.

    Raises
    ------
    InvalidRequest
        If it cannot be done so, or not together with a search.
    """
    if config.select is None:
        return None
    if config.search is not None:
        raise InvalidRequest(
            "select, search", "one of the two: choose features, or search parameters"
        )
    return rule(config.select, config.seed)
