"""The hash of what a source read, so that anybody can tell whether a file is still the same."""

import hashlib


class Fingerprint:
    """SHA-256 of the bytes of the files that were read, as `sha256sum` gives it.

    Of one file it is that of its bytes. Of several it is that of their list, a line each of hash, two
    spaces and name, in the order in which they were read: `sha256sum * | sha256sum` in the folder.
    """

    def __init__(self) -> None:
        self._files: list[tuple[str, str]] = []

    def add(self, name: str, content: bytes) -> None:
        """Take the bytes of one more file into account."""
        self._files.append((name, hashlib.sha256(content).hexdigest()))

    @property
    def value(self) -> str | None:
        """The hash as 64 hexadecimal digits; None where nothing was read."""
        if not self._files:
            return None
        if len(self._files) == 1:
            return self._files[0][1]
        listed = "".join(f"{found}  {name}\n" for name, found in self._files)
        return hashlib.sha256(listed.encode()).hexdigest()
