"""The error tree.

* BellwetherError
  x InputError                 what the caller sent cannot be used
    - InvalidRequest           a field of a request or an option of a command
    - UnknownName              a symbol, source, model or view that does not exist here
    - MissingRecord            a record that could exist and does not; names the command that makes it
    - UnreadableFile           a file that cannot be read at all
    - MissingExtra             something that needs an optional part that is not installed
  x ConfigError                a setting that cannot be used
  x DataError                  data that breaks a rule
    - SchemaViolation          a frame that does not fit its schema at a door
    - InsufficientHistory      too few sessions for what was asked
    - NothingTold              a source that has nothing for a session yet
    - QualityTooLow            too many faulty bars for what was asked
    - LeakFound                an audit that is not green where a release is to be made
    - LookAheadFound           a strategy whose past targets depend on what came later
    - BrokenView               a user's own view that cannot be computed
  x ArtifactError              a release that cannot be trusted
    - TamperedArtifact         bytes that differ from their recorded hash
    - UnloadableArtifact       bytes that cannot be used by this version
  x StorageError               a store that did not do what it was asked
    - Overloaded               a bounded queue is full; try again later
    - Unavailable              it cannot be reached now; try again later
  x Cancelled                  work that was told to end
  x ReplayMismatch             a stored prediction that is not reproduced

Each error is built from data, says what was wrong, with what, and what to do. Transport codes
(HTTP status, exit code) live with the transport, never here.
"""

from collections.abc import Sequence


class BellwetherError(Exception):
    """Base of every error that Bellwether raises on purpose."""


class InputError(BellwetherError):
    """What the caller sent cannot be used."""


class InvalidRequest(InputError):
    """A field of a request, or an option of a command, breaks its rule."""

    def __init__(self, field: str, why: str) -> None:
        self.field = field
        self.why = why
        super().__init__(f"{field}: {why}")


class UnknownName(InputError):
    """A name that does not exist here."""

    def __init__(self, kind: str, name: str, known: Sequence[str] = (), hint: str = "") -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(known)
        listed = ", ".join(self.known[:12]) + (", ..." if len(self.known) > 12 else "")  # noqa: PLR2004
        tail = f" Known: {listed}." if listed else ""
        super().__init__(f"There is no {kind} {name!r}.{tail}{' ' + hint if hint else ''}")


class MissingRecord(InputError):
    """A record that could exist and does not."""

    def __init__(self, kind: str, key: str, command: str) -> None:
        self.kind = kind
        self.key = key
        self.command = command
        super().__init__(f"There is no {kind} for {key}. Make one with: {command}")


class UnreadableFile(InputError):
    """A file that cannot be read at all."""

    def __init__(self, path: str, why: str, line: int | None = None) -> None:
        self.path = path
        self.why = why
        self.line = line
        place = path if line is None else f"{path}:{line}"
        super().__init__(f"{place}: {why}")


class MissingExtra(InputError):
    """Something that needs an optional part of the platform, which is not installed here."""

    def __init__(self, what: str, extra: str) -> None:
        self.what = what
        self.extra = extra
        super().__init__(
            f"{what} needs an optional part that is not installed here. "
            f"Install it with: pip install 'bellwether[{extra}]'"
        )


class ConfigError(BellwetherError):
    """A setting that cannot be used."""

    def __init__(self, setting: str, why: str) -> None:
        self.setting = setting
        self.why = why
        super().__init__(f"Setting {setting}: {why}")


class DataError(BellwetherError):
    """Data that breaks a rule."""


class SchemaViolation(DataError):
    """A frame that does not fit its schema at a door."""

    def __init__(self, frame: str, why: str) -> None:
        self.frame = frame
        self.why = why
        super().__init__(f"Frame {frame!r} does not fit its schema: {why}")


class InsufficientHistory(DataError):
    """Too few sessions for what was asked."""

    def __init__(self, what: str, have: int, need: int) -> None:
        self.what = what
        self.have = have
        self.need = need
        super().__init__(f"{what}: {have} sessions of history, at least {need} needed.")


class NothingTold(DataError):
    """A source that has nothing for a session; it may come later."""

    def __init__(self, source: str, session: object) -> None:
        self.source = source
        self.session = session
        super().__init__(f"{source} tells no bar of the session {session}.")


class QualityTooLow(DataError):
    """Too many faulty bars for what was asked; names what fails, what would pass, and the override."""

    def __init__(self, failing: Sequence[str], passes: str, override: str) -> None:
        self.failing = tuple(failing)
        self.passes = passes
        self.override = override
        listed = "; ".join(self.failing[:6])
        more = f"; and {len(self.failing) - 6} more" if len(self.failing) > 6 else ""  # noqa: PLR2004
        super().__init__(
            f"The data is below the quality bar: {listed}{more}. It passes when {passes}. {override}"
        )


class StateMismatch(DataError):
    """A rebuilt state that is not the one that was left."""

    def __init__(self, what: str, why: str) -> None:
        self.what = what
        self.why = why
        super().__init__(f"{what}: {why}. Rebuild it from all bars.")


class LeakFound(DataError):
    """An audit that is not green, where a release is to be made; names the first cell."""

    def __init__(self, subject: str, first: str, alarms: int) -> None:
        self.subject = subject
        self.first = first
        self.alarms = alarms
        more = f" ({alarms - 1} more)" if alarms > 1 else ""
        super().__init__(
            f"{subject} has no green leak audit, so that no release is made: {first}{more} "
            f"See all with: bellwether features audit --view {subject.partition('@')[0]}"
        )


class LookAheadFound(DataError):
    """A strategy whose target at a session changes with what came after that session.

    `sessions` names the sessions, which are counted otherwise.
    """

    def __init__(
        self,
        symbol: str,
        session: int,
        cut: int,
        known: float,
        told: float,
        sessions: Sequence[object] | None = None,
    ) -> None:
        self.symbol = symbol
        self.session = session
        self.cut = cut
        self.known = known
        self.told = told
        decided, by = (str(n if sessions is None else sessions[n]) for n in (session, cut))
        super().__init__(
            f"The strategy looks ahead: its target for {symbol} in session {decided} is {known:g} "
            f"from what was known by session {by}, and {told:g} once later sessions are there. "
            "Compute each target from rows up to its own."
        )


class BrokenView(DataError):
    """A user's own view that cannot be computed; with the traceback of its own code."""

    def __init__(self, file: str, why: str, trace: str) -> None:
        self.file = file
        self.why = why
        self.trace = trace
        super().__init__(f"{file} {why}" + (f":\n{trace.rstrip()}" if trace else "."))


class ArtifactError(BellwetherError):
    """A release that cannot be trusted."""


class TamperedArtifact(ArtifactError):
    """Bytes that differ from their recorded hash; `cure` says what to do."""

    def __init__(
        self,
        name: str,
        expected: str,
        found: str,
        cure: str = "Restore the release from a backup or train it again.",
    ) -> None:
        self.name = name
        self.expected = expected
        self.found = found
        super().__init__(
            f"{name} does not match its recorded hash (expected {expected[:12]}, found {found[:12]}). "
            f"{cure}"
        )


class UnloadableArtifact(ArtifactError):
    """Bytes that cannot be used by this version."""

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        self.why = why
        super().__init__(f"{name} cannot be loaded: {why}")


class Unfitted(ArtifactError):
    """A model that is asked before it learnt."""

    def __init__(self, model: str) -> None:
        self.model = model
        super().__init__(f"The model {model} has learnt nothing yet: fit it first.")


class StorageError(BellwetherError):
    """A store that did not do what it was asked."""

    def __init__(self, store: str, why: str) -> None:
        self.store = store
        self.why = why
        super().__init__(f"{store}: {why}")


class Overloaded(StorageError):
    """A bounded queue is full."""

    def __init__(self, store: str, waiting: int, retry_after_s: int = 1) -> None:
        self.waiting = waiting
        self.retry_after_s = retry_after_s
        super().__init__(store, f"{waiting} writes are waiting; try again in {retry_after_s} s.")


class Unavailable(StorageError):
    """A store that cannot be reached now; nothing is known to be lost."""

    def __init__(self, store: str, why: str, retry_after_s: int = 2) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(store, why)


class Cancelled(BellwetherError):
    """Work that was told to end before it was done."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what} was cancelled.")


class ReplayMismatch(BellwetherError):
    """A stored prediction that is not reproduced."""

    def __init__(self, prediction_id: str, field: str, stored: object, replayed: object) -> None:
        self.prediction_id = prediction_id
        self.field = field
        self.stored = stored
        self.replayed = replayed
        super().__init__(
            f"Prediction {prediction_id}: {field} was stored as {stored!r} and replays as {replayed!r}."
        )
