"""Run a program with secrets that it only takes from the environment read from files first."""

import os
import sys
from pathlib import Path

SECRETS = ("MLFLOW_BACKEND_STORE_URI", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")

for name in SECRETS:
    path = os.environ.pop(f"{name}_FILE", None)
    if path is not None:
        os.environ[name] = Path(path).read_text(encoding="utf-8").strip()
os.execvp(sys.argv[1], sys.argv[1:])
