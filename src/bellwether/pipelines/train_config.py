"""What is asked of a training run."""

from dataclasses import dataclass
from datetime import date

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.calendar_splits import months_of
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
    many features made by a grammar, chosen inside folds, beside the model without them. `search` (grid, random or bayes) tries
    `trials` configurations of the model inside each training set.

    With `first`, `step` or `window` the walk-forward is cut by the calendar, as a backtest's is: from
    the session `first`, in periods of `step` (`1y`), each trained on the `window` before it.
    `learning_curve` judges the model trained on ever shorter pasts too.
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
    trials: int = 50
    view: str = DEFAULT
    first: date | None = None
    step: str | None = None
    window: str | None = None
    learning_curve: bool = False

    def __post_init__(self) -> None:
        """Refuse periods that the calendar does not have, and a learning curve of a search."""
        if self.learning_curve and self.search:
            raise InvalidRequest(
                "learning_curve", "a search finds other parameters for every past; ask for one"
            )
        for length in (self.step, self.window):
            if length is not None:
                months_of(length)


def walk_of(config: TrainConfig) -> Walk:
    """Return how the walk-forward of a run is cut."""
    return Walk(
        config.horizon_sessions,
        config.min_train_sessions,
        config.test_sessions,
        config.seed,
        config.workers,
        config.winsorise,
        config.first,
        config.step,
        config.window,
    )
