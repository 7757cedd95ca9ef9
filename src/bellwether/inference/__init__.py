"""Predictions: one service under HTTP, the command line and replay."""
