"""What the gates decided of one release or backtest."""

from dataclasses import asdict, dataclass
from typing import Any

from bellwether.evaluation.gate_policy import Decision
from bellwether.evaluation.gates import lines


@dataclass(frozen=True, slots=True)
class GatesReport:
    """What the gates decided of one release or backtest."""

    subject: str
    kind: str
    decision: Decision

    def lines(self) -> list[str]:
        """Say it in words."""
        return [f"{self.kind} {self.subject}", *lines(self.decision)]

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        told = asdict(self.decision) | {"allowed": self.decision.allowed}
        return {"subject": self.subject, "kind": self.kind, **told}
