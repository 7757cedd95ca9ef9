"""Scoring a packed model: the one way in which any number of ours is ever forecast."""

import numpy as np
import onnxruntime as ort

from bellwether.core.errors import UnloadableArtifact
from bellwether.models.base import INPUT, OUTPUT, Forecasts, Matrix

_UNLOADABLE: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    TypeError,
    *(
        error
        for error in vars(ort.capi.onnxruntime_pybind11_state).values()
        if isinstance(error, type) and issubclass(error, Exception)
    ),
)


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
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
            shape = self._session.get_inputs()[0].shape
            names = (self._session.get_inputs()[0].name, self._session.get_outputs()[0].name)
        except _UNLOADABLE as error:
            raise UnloadableArtifact(name, str(error).splitlines()[0]) from error
        if names != (INPUT, OUTPUT):
            raise UnloadableArtifact(name, f"its input and output are called {names}")
        self.n_features = int(shape[1])

    def predict(self, X: Matrix) -> Forecasts:
        """Score rows of shape (n, n_features), float32; NaN marks a missing feature."""
        rows = X if len(X) != 1 else np.repeat(X, 2, axis=0)
        if len(rows) == 0:
            empty = np.empty(0)
            return Forecasts(empty, empty)
        (out,) = self._session.run([OUTPUT], {INPUT: rows})
        wide = out[: len(X)].astype(np.float64)
        return Forecasts(wide[:, 0], wide[:, 1])
