"""Forecasters: one contract, packed as ONNX, scored as packed."""
