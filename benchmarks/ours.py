"""Our app as a factory, so that other servers than the shipped one can run it."""

import os
from pathlib import Path

from bellwether.api.app import create_app
from bellwether.bootstrap import bootstrap
from bellwether.inference.service import PredictionService
from bellwether.settings import Settings


def create() -> object:
    """Build the app over a home."""
    wired = bootstrap(Settings(home=Path(os.environ["BELLWETHER_HOME"])))
    return create_app(PredictionService(wired.ports), allowed_hosts=None)
