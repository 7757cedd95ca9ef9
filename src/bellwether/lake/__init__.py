"""Bars and quarantine, kept for good."""
