"""The newest vectors in this process."""

import threading
from collections.abc import Sequence

from bellwether.core.types import FeatureVector


class InProcessOnlineStore:
    """The OnlineStore port as a dictionary; readers never wait."""

    def __init__(self) -> None:
        self._vectors: dict[tuple[str, str], FeatureVector] = {}
        self._writing = threading.Lock()

    def put(self, vectors: Sequence[FeatureVector]) -> None:
        """Keep `vectors`; one with an older session or watermark never replaces a newer one."""
        with self._writing:
            for vector in vectors:
                key = (vector.symbol, vector.view)
                known = self._vectors.get(key)
                if known is None or (known.session, known.watermark) <= (
                    vector.session,
                    vector.watermark,
                ):
                    self._vectors[key] = vector

    def get(self, symbol: str, view: str) -> FeatureVector | None:
        """Return the vector of `symbol`, or None."""
        return self._vectors.get((symbol, view))
