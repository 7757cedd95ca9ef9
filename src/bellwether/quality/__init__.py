"""The room that looks for faults in daily bars: pure functions from bars to flags."""

from bellwether.quality.inspect import inspect
from bellwether.quality.policy import QualityPolicy
from bellwether.quality.reconcile import disagreements, reconciled

__all__ = ["QualityPolicy", "disagreements", "inspect", "reconciled"]
