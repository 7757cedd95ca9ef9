"""`bellwether` in processes of its own, for tests that kill it."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.servers import free_port


class Program:
    """One command that says a line when it is ready, and goes on until it is stopped."""

    def __init__(self, ready: str, *arguments: str, **environment: str) -> None:
        command = [sys.executable, "-m", "bellwether", *arguments]
        clean = {k: v for k, v in os.environ.items() if not k.startswith("BELLWETHER_")}
        self.log = Path(environment["BELLWETHER_HOME"]) / f"{arguments[0]}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env={**clean, **environment}, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.said: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith(ready):
                break
        else:
            pytest.fail(f"`{' '.join(arguments)}` ended before it was ready:\n{self.tail()}")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.said.extend(self.process.stdout)
        self.process.stdout.close()

    def tail(self) -> str:
        """Return the end of what it wrote to standard error."""
        return self.log.read_text()[-3000:]

    def kill(self) -> None:
        """Kill it at once."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to end, and return its exit status."""
        self._end(signal.SIGTERM)
        return self.process.returncode

    def _end(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        self.process.wait(30)
        self._reader.join(10)


class Server(Program):
    """`bellwether serve` on a free port."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.port = free_port()
        super().__init__("serving on", "serve", "--port", str(self.port), *arguments, **environment)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"
