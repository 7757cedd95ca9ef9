"""What is asked of a model before it may be used: thresholds as data, and verdicts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal

import msgspec

from bellwether.core.errors import InvalidRequest, UnknownName

State = Literal["passed", "failed", "not assessable"]
Mode = Literal["require", "report"]

SKILL = ("beats_baselines", "deflated_sharpe", "stability")
CONDUCT = (
    *("leak_audit", "data_quality", "golden_rows", "budget", "too_good", "calibration"),
    "bias",
)
GATES = (*CONDUCT, *SKILL)
MODES = ("require", "report")


@dataclass(frozen=True, slots=True)
class TooGood:
    """Beyond these a result is taken for a mistake: it stops, and is audited.

    `r2_oos` is of one session and grows with the horizon; `hit_rate` is a share of calls;
    `sharpe` is annual and net.
    """

    r2_oos: float = 0.02
    hit_rate: float = 0.57
    sharpe: float = 3.0
    min_dates: int = 60


@dataclass(frozen=True, slots=True)
class Stability:
    """How evenly what was earned beyond the baselines must be spread.

    `folds` is the least share of folds with more than nothing; the whole must stay above nothing
    without its best fold; and no regime of at least `min_dates` may lose beyond chance.
    """

    folds: float = 0.5
    min_dates: int = 60


@dataclass(frozen=True, slots=True)
class Honesty:
    """How far what is said may be from what comes, beyond chance.

    `ece` is the expected calibration error of probabilities, `coverage` the distance between the
    nominal and the realised coverage of intervals; `block` dates are drawn together.
    """

    ece: float = 0.02
    coverage: float = 0.02
    block: int = 10
    min_dates: int = 60


@dataclass(frozen=True, slots=True)
class Bias:
    """When groups of names count as served unequally: Holm over families at `level`."""

    level: float = 0.05
    min_dates: int = 60


@dataclass(frozen=True, slots=True)
class Budget:
    """What one forecast may take (95th percentile), and a release weigh."""

    latency_ms: float = 10.0
    size_mb: float = 100.0


@dataclass(frozen=True, slots=True)
class Policy:
    """The declared policy.

    Attributes
    ----------
    skill : {"require", "report"}
        Whether shown skill is needed to pass, or its absence only told.
    level : float
        Chance at which a model without skill may pass as skilled, at most.
    min_dates : int
        Sessions without which skill is not assessable.
    reps, seed : int
        Bootstrap samples, and their seed.
    off : tuple of str
        Gates that are not asked; every report names them.
    must_know : tuple of str
        Gates that refuse also where they are not assessable, besides those of skill.
    too_good, spread, honesty, fairness, budget
        Thresholds of the gates too_good, stability, calibration, bias and budget.
    """

    skill: Mode = "require"
    level: float = 0.05
    min_dates: int = 252
    reps: int = 1000
    seed: int = 0
    off: tuple[str, ...] = ()
    must_know: tuple[str, ...] = ("leak_audit", "data_quality", "golden_rows")
    too_good: TooGood = field(default_factory=TooGood)
    spread: Stability = field(default_factory=Stability)
    honesty: Honesty = field(default_factory=Honesty)
    fairness: Bias = field(default_factory=Bias)
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        if self.skill not in MODES:
            raise UnknownName("skill mode", self.skill, MODES)
        for name in (*self.off, *self.must_know):
            if name not in GATES:
                raise UnknownName("gate", name, GATES)
        _check_numbers(self)
        for part in (self.too_good, self.spread, self.honesty, self.fairness, self.budget):
            _check_part(part)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one gate says.

    Attributes
    ----------
    gate, state : str
        Its name; passed, failed or not assessable.
    words : str
        What was found, one sentence.
    passes_when : str
        What would have to be true to pass; empty where it passed.
    value, threshold : float or None
        The measured figure, and what it is held against.
    p : float or None
        Of the test, where there is one.
    interval : tuple of float or None
        Around `value`, 95 %.
    n_dates : int or None
        Dates it is of.
    applies : bool
        False where the subject has nothing of the kind: then it never refuses.
    """

    gate: str
    state: State
    words: str
    passes_when: str = ""
    value: float | None = None
    threshold: float | None = None
    p: float | None = None
    interval: tuple[float, float] | None = None
    n_dates: int | None = None
    applies: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """All verdicts, whether skill is shown, and what refuses; allowed where nothing does."""

    mode: Mode
    verdicts: tuple[Verdict, ...]
    skill_shown: bool
    refusing: tuple[str, ...]
    off: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether it may be used."""
        return not self.refusing


def decide(verdicts: tuple[Verdict, ...], policy: Policy) -> Decision:
    """Draw the conclusion from the verdicts.

    Skill is shown where all three gates of skill were asked and passed and nothing was too good; one
    that is switched off shows nothing. Without shown skill, mode `require` refuses.

    Examples
    --------
    >>> decide((Verdict("budget", "failed", "too slow"),), Policy(skill="report")).refusing
    ('budget',)
    """
    by_name = {v.gate: v for v in verdicts}
    states = [by_name[g].state if g in by_name else "not assessable" for g in SKILL]
    good = by_name.get("too_good")
    shown = all(s == "passed" for s in states) and (good is None or good.state != "failed")
    refusing = [v.gate for v in verdicts if v.gate not in SKILL and _refuses(v, policy)]
    if policy.skill == "require":
        refusing += [g for g, s in zip(SKILL, states, strict=True) if s != "passed"]
    return Decision(policy.skill, verdicts, shown, tuple(refusing), policy.off)


def policy_of(told: Mapping[str, Any]) -> Policy:
    """Read a policy from nested mappings, such as a TOML file; what is left out is the default.

    Raises
    ------
    InvalidRequest, UnknownName
        If a name is unknown, or a value of the wrong type or out of range.

    Examples
    --------
    >>> policy_of({"skill": "report", "too_good": {"sharpe": 4.0}}).too_good.sharpe
    4.0
    """
    _known(told, Policy, "")
    try:
        return msgspec.convert(dict(told), Policy)
    except msgspec.ValidationError as error:
        said, _, place = str(error).partition(" - at `$.")
        raise InvalidRequest(place.rstrip("`") or "policy", said) from None


def _refuses(verdict: Verdict, policy: Policy) -> bool:
    if verdict.state == "not assessable":
        return verdict.applies and verdict.gate in policy.must_know
    return verdict.state == "failed"


def _known(told: Mapping[str, Any], kind: type[Any], place: str) -> None:
    parts = {f.name: f for f in fields(kind)}
    for name, value in told.items():
        if name not in parts:
            raise UnknownName("setting of a policy", f"{place}{name}", tuple(parts))
        inner = parts[name].type
        if isinstance(value, Mapping) and isinstance(inner, type) and is_dataclass(inner):
            _known(value, inner, f"{name}.")


def _check_numbers(policy: Policy) -> None:
    shares = {"level": policy.level, "spread.folds": policy.spread.folds}
    shares["fairness.level"] = policy.fairness.level
    for name, share in shares.items():
        if not 0 < share < 1:
            raise InvalidRequest(name, f"is {share}, must lie between 0 and 1")
    for name, least, most in (("min_dates", 60, 10**6), ("reps", 100, 10**6), ("seed", 0, 2**63)):
        value = getattr(policy, name)
        if not least <= value <= most:
            raise InvalidRequest(name, f"is {value}, must be from {least} to {most}")


def _check_part(part: Any) -> None:
    for f in fields(part):
        value = getattr(part, f.name)
        if not (math.isfinite(value) and value > 0):
            raise InvalidRequest(f.name, f"is {value}, must be finite and above 0")
