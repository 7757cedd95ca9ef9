"""Scoring a packed model: the one way in which any number of ours is ever forecast."""

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from bellwether.core.errors import UnloadableArtifact
from bellwether.models.base import INPUT, LEVELS, OUTPUT, QUANTILES, Column, Forecasts
from bellwether.models.session import ONNX_ERRORS, open_session
from bellwether.models.table import AT_ONCE, Matrix, features

_TOLD = ([OUTPUT], [OUTPUT, QUANTILES])


class PackedModel:
    """An ONNX model on float32 and one thread; safe to call from any thread.

    A single row is padded to two: a linear model multiplies a lone row by another routine than a
    matrix, and the last bit would depend on the company a row is scored in.

    Raises
    ------
    UnloadableArtifact
        If the bytes are no ONNX model with the expected input and output.
    """

    def __init__(self, content: bytes, name: str = "model.onnx") -> None:
        self._session = open_session(content, name)
        try:
            shape = self._session.get_inputs()[0].shape
            asked = [put.name for put in self._session.get_inputs()]
            self._told = [out.name for out in self._session.get_outputs()]
            told = self._session.get_modelmeta().custom_metadata_map.get(LEVELS, "[]")
            self.levels = tuple(float(level) for level in json.loads(told))
        except ONNX_ERRORS as error:
            raise UnloadableArtifact(name, str(error).splitlines()[0]) from error
        if asked != [INPUT] or self._told not in _TOLD:
            raise UnloadableArtifact(name, f"its inputs are {asked}, its outputs {self._told}")
        self.n_features = int(shape[1])

    def predict(self, X: npt.NDArray[Any]) -> Forecasts:
        """Score rows of shape (n, n_features); NaN marks a missing feature.

        They are read as float32: float64 is rounded to it, and the memory may be in any order.

        Raises
        ------
        InvalidRequest
            If they are no matrix of that width, or a number is infinite.
        """
        told = features(X, self.n_features)
        if len(told) > AT_ONCE:
            cut = range(0, len(told), AT_ONCE)
            parts = [self._run(told[start : start + AT_ONCE]) for start in cut]
            outs = [np.concatenate(part) for part in zip(*parts, strict=True)]
        else:
            outs = self._run(told)
        wide: list[Column] = [out.astype(np.float64) for out in outs]
        return Forecasts(wide[0][:, 0], wide[0][:, 1], wide[1] if len(wide) > 1 else None)

    def _run(self, told: Matrix) -> list[npt.NDArray[np.float32]]:
        """Score rows at once; the graph holds wider copies of them meanwhile."""
        if len(told) == 0:
            none = [np.empty((0, 2), np.float32)]
            return none + ([np.empty((0, len(self.levels)), np.float32)] if self.levels else [])
        rows = told if len(told) != 1 else np.repeat(told, 2, axis=0)
        return [out[: len(told)] for out in self._session.run(self._told, {INPUT: rows})]
