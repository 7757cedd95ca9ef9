"""Tone by a fine-tuned BERT such as FinBERT, run by ONNX Runtime; no PyTorch is needed."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bellwether.core.errors import MissingExtra, UnloadableArtifact
from bellwether.core.types import Tone
from bellwether.models.session import ONNX_ERRORS, open_session
from bellwether.sentiment.base import NEGATIVE, NEUTRAL, POSITIVE, Scorer
from bellwether.sentiment.folder import GRAPH, TOKENIZER, ModelFolder, read_folder

EXTRA = "finbert"
MOST_CHARS = 20_000
REMEMBERED = 4_096
PROBE = "Profit rose."
INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids"})

Texts = Sequence[str]


class FinbertScorer(Scorer):
    """Score texts by a classifier of three classes (Araci, 2019: FinBERT) in a local folder.

    A score is P(positive) - P(negative). Each text is run alone, without padding and on one
    thread: a model in eight bits takes the scale of its activations from all that it is given at
    once, so that a text would score differently beside others. Texts are spread over threads
    instead. The first 20,000 characters of a text are read, and of those the first 512 pieces, or
    fewer where the model holds fewer. A text without any piece is neutral.

    Parameters
    ----------
    folder
        Holds `model.onnx`, `tokenizer.json` and `config.json`; with `manifest.json`, hashes of
        the three are compared.
    threads
        Texts that are run at a time.

    Raises
    ------
    MissingExtra
        If the package `tokenizers` is not installed.
    UnreadableFile
        If the folder or a file of it is missing.
    TamperedArtifact
        If a file differs from the manifest.
    UnloadableArtifact
        If a file cannot be used, or the three do not fit together.
    """

    instant = False

    def __init__(self, folder: Path, threads: int = 1) -> None:
        if find_spec("tokenizers") is None:
            raise MissingExtra("Scoring headlines by a model", EXTRA)
        read = read_folder(folder)
        self.method = f"finbert-{read.digest[:12]}"
        self._name, self._labels, self._threads = read.name, read.labels, threads
        self._tokenizer = _tokenizer(read)
        self._session = open_session(read.graph, f"{read.name}/{GRAPH}")
        self._inputs = [put.name for put in self._session.get_inputs()]
        if not {"input_ids"} <= set(self._inputs) <= INPUTS:
            raise UnloadableArtifact(f"{read.name}/{GRAPH}", f"its inputs are {self._inputs}")
        self._remembered = lru_cache(REMEMBERED)(self._tone)
        self._tone(PROBE)

    def tones(self, texts: Texts) -> list[Tone]:
        """Return what each text sounds like, with the three probabilities.

        Any characters are safe; half of a surrogate pair is read as a question mark.

        Raises
        ------
        UnloadableArtifact
            If the model fails, or tells anything but three finite numbers.
        """
        read = [text[:MOST_CHARS].encode("utf-8", "replace").decode() for text in texts]
        distinct = list(dict.fromkeys(read))
        if self._threads > 1 and len(distinct) > 1:
            with ThreadPoolExecutor(self._threads, thread_name_prefix="sentiment") as pool:
                found = dict(zip(distinct, pool.map(self._remembered, distinct), strict=True))
        else:
            found = {text: self._remembered(text) for text in distinct}
        return [found[text] for text in read]

    def _tone(self, text: str) -> Tone:
        pieces = self._tokenizer.encode(text)
        if all(pieces.special_tokens_mask):
            return Tone(0.0, NEUTRAL, 0.0, 0.0, 1.0)
        given = {
            "input_ids": pieces.ids,
            "attention_mask": pieces.attention_mask,
            "token_type_ids": pieces.type_ids,
        }
        asked = {name: np.array([given[name]], dtype=np.int64) for name in self._inputs}
        try:
            logits = np.asarray(self._session.run(None, asked)[0], dtype=np.float64)
        except ONNX_ERRORS as error:
            raise UnloadableArtifact(f"{self._name}/{GRAPH}", str(error).splitlines()[0]) from error
        if logits.shape != (1, len(self._labels)) or not np.isfinite(logits).all():
            why = f"it told {logits.tolist()} of a text, not three finite numbers"
            raise UnloadableArtifact(f"{self._name}/{GRAPH}", why)
        weights = np.exp(logits[0] - logits.max())
        share = dict(zip(self._labels, (weights / weights.sum()).tolist(), strict=True))
        return Tone(
            share[POSITIVE] - share[NEGATIVE],
            max((NEUTRAL, POSITIVE, NEGATIVE), key=share.__getitem__),
            share[POSITIVE],
            share[NEGATIVE],
            share[NEUTRAL],
        )


def _tokenizer(read: ModelFolder) -> Any:
    from tokenizers import Tokenizer

    name = f"{read.name}/{TOKENIZER}"
    try:
        found = Tokenizer.from_buffer(read.tokenizer)
        found.no_padding()
        found.enable_truncation(read.max_pieces)
    except Exception as error:  # the library raises no narrower kind
        raise UnloadableArtifact(name, str(error).splitlines()[0]) from error
    if found.get_vocab_size() > read.vocabulary:
        why = f"it knows {found.get_vocab_size()} pieces, the model {read.vocabulary}"
        raise UnloadableArtifact(name, why)
    return found
