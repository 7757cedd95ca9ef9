"""Bellwether: a self-hosted forecasting platform for equities."""

__version__ = "0.3.0"
