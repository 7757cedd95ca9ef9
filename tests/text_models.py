"""Small text models as folders, built without PyTorch: what they say can be computed by hand."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, save_model
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = (
    *("profit", "rose", "fell", "shares", "of", "the", "company", "record", "loss", "strong"),
    *("weak", "earnings", "not", "good", "up", "down", ".", ",", "and", "board", "met", "##s"),
)
VOCABULARY = {piece: number for number, piece in enumerate((*MARKS, *WORDS))}
WIDTH = 16
LABELS = ("Neutral", "POSITIVE", "negative")
"""Neither of the orders that published models use."""

Floats = NDArray[np.float32]


def weights(seed: int = 0) -> tuple[Floats, Floats, Floats]:
    """Return what the graph holds: a row for each piece, a square matrix, and one to the classes."""
    draw = np.random.default_rng(seed)
    shapes = ((len(VOCABULARY), WIDTH), (WIDTH, WIDTH), (WIDTH, len(LABELS)))
    pieces, mix, head = (draw.normal(size=shape).astype(np.float32) for shape in shapes)
    return pieces, mix, head


def by_hand(ids: Sequence[int], labels: Sequence[str] = LABELS, seed: int = 0) -> dict[str, float]:
    """Return the probabilities of the graph in 64 bits, by label in lower case."""
    pieces, mix, head = (w.astype(np.float64) for w in weights(seed))
    logits = np.maximum(pieces[list(ids)] @ mix, 0).mean(axis=0) @ head
    shares = np.exp(logits) / np.exp(logits).sum()
    return {label.lower(): float(p) for label, p in zip(labels, shares, strict=True)}


def ids_of(*words: str) -> list[int]:
    """Return pieces with the marks around them, by number."""
    return [VOCABULARY[piece] for piece in ("[CLS]", *words, "[SEP]")]


def graph(seed: int = 0, inputs: Sequence[str] = ("input_ids", "attention_mask")) -> Any:
    """Return logits = mean over pieces of relu(row of the piece @ mix) @ head, as ONNX."""
    named = zip(("pieces", "mix", "head"), weights(seed), strict=True)
    nodes = [
        helper.make_node("Gather", ["pieces", "input_ids"], ["rows"], name="look_up"),
        helper.make_node("MatMul", ["rows", "mix"], ["mixed"], name="mixing"),
        helper.make_node("Relu", ["mixed"], ["positive"], name="relu"),
        helper.make_node("ReduceMean", ["positive"], ["one"], name="mean", axes=[1], keepdims=0),
        helper.make_node("MatMul", ["one", "head"], ["logits"], name="classes"),
    ]
    asked = [helper.make_tensor_value_info(n, TensorProto.INT64, ["n", "pieces"]) for n in inputs]
    told = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", len(LABELS)])]
    constants = [numpy_helper.from_array(value, name) for name, value in named]
    closed = helper.make_graph(nodes, "classifier", asked, told, constants)
    return helper.make_model(closed, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def tokenizer() -> Any:
    """Return a WordPiece tokenizer over the vocabulary, as BERT has it."""
    pieces = models.WordPiece(VOCABULARY, unk_token="[UNK]", max_input_chars_per_word=100)  # noqa: S106
    found = Tokenizer(pieces)
    found.normalizer = normalizers.BertNormalizer(lowercase=True)
    found.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    marks = [(mark, VOCABULARY[mark]) for mark in ("[CLS]", "[SEP]")]
    found.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=marks
    )
    found.add_special_tokens(list(MARKS))
    return found


def folder(
    path: Path,
    *,
    eight_bits: bool = False,
    seed: int = 0,
    inputs: Sequence[str] = ("input_ids", "attention_mask"),
    **config: object,
) -> Path:
    """Write the three files into a new folder; `config` replaces entries of the configuration."""
    path.mkdir(parents=True)
    save_model(graph(seed, inputs), path / "model.onnx")
    if eight_bits:
        (path / "model.onnx").rename(path / "float.onnx")
        kinds = {"weight_type": QuantType.QInt8, "per_channel": True, "reduce_range": True}
        quantize_dynamic(path / "float.onnx", path / "model.onnx", **kinds)
        (path / "float.onnx").unlink()
    (path / "tokenizer.json").write_text(tokenizer().to_str())
    told = {
        "id2label": {str(number): label for number, label in enumerate(LABELS)},
        "vocab_size": len(VOCABULARY),
        "max_position_embeddings": 512,
    }
    (path / "config.json").write_text(json.dumps(told | config))
    return path
