"""Opening an ONNX model: one thread, the processor, and one error for all that can be wrong."""

import onnxruntime as ort

from bellwether.core.errors import UnloadableArtifact

ONNX_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    TypeError,
    *(
        error
        for error in vars(ort.capi.onnxruntime_pybind11_state).values()
        if isinstance(error, type) and issubclass(error, Exception)
    ),
)
"""What ONNX Runtime raises when bytes are no model, or a model cannot be run."""


def open_session(content: bytes, name: str) -> ort.InferenceSession:
    """Return a session on one thread, so that a result does not depend on the machine's cores.

    Raises
    ------
    UnloadableArtifact
        If the bytes are no ONNX model.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except ONNX_ERRORS as error:
        raise UnloadableArtifact(name, str(error).splitlines()[0]) from error
