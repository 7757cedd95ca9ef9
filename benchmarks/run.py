"""Run every benchmark."""

import runpy
from pathlib import Path

for script in ("predict.py", "online_read.py", "group_commit.py"):
    runpy.run_path(str(Path(__file__).parent / script), run_name="__main__")
