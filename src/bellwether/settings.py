"""Settings: flags, then the environment (BELLWETHER_*), then bellwether.toml, then defaults."""

import os
import tomllib
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from bellwether.core.errors import ConfigError

PREFIX = "BELLWETHER_"
FILE = "bellwether.toml"
SECRETS = frozenset[str]()


class Settings(BaseModel):
    """Everything that can be set; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    home: Path = Path(".bellwether")
    """Folder of all that the embedded default writes; deleting it starts afresh."""
    host: str = "127.0.0.1"
    """Address the server binds; with local access it must be a loopback address."""
    port: int = 8000
    """Port the server binds."""
    auth: Literal["local"] = "local"
    """Who may call: `local` trusts whoever reaches the loopback address."""
    clock: Literal["auto", "system"] = "auto"
    """`auto` stands at the sample's last session while the sample is all there is."""
    database_url: str = ""
    """SQLAlchemy address of the database; empty means SQLite in `home`."""
    lake_url: str = ""
    """Folder of the Delta tables; empty means `home`/lake."""
    mlflow_uri: str = ""
    """MLflow tracking address; empty means SQLite in `home`."""
    workers: int = 2
    """Processes for training."""
    refresh_s: float = 5.0
    """Seconds between looks for new releases and features while serving."""
    log_format: Literal["console", "json"] = "console"
    """How log lines look."""

    @property
    def database(self) -> str:
        """Address of the database in force."""
        return self.database_url or f"sqlite:///{(self.home / 'bellwether.db').resolve()}"

    @property
    def lake(self) -> str:
        """Folder of the lake in force."""
        return self.lake_url or str((self.home / "lake").resolve())

    @property
    def mlflow(self) -> str:
        """Address of the tracker in force."""
        return self.mlflow_uri or f"sqlite:///{(self.home / 'mlflow.db').resolve()}"


def load(flags: Mapping[str, Any] | None = None) -> tuple[Settings, dict[str, str]]:
    """Return the settings in force and where each value came from.

    Raises
    ------
    ConfigError
        If a name is unknown, a value is unusable, or the server would be open to the network.
    """
    given = {k: v for k, v in (flags or {}).items() if v is not None}
    environment = {
        k.removeprefix(PREFIX).lower(): v for k, v in os.environ.items() if k.startswith(PREFIX)
    }
    layers = (("flag", given), ("environment", environment), (FILE, _file()))
    values: dict[str, Any] = {}
    origin = dict.fromkeys(Settings.model_fields, "default")
    for name, layer in layers:
        for key, value in layer.items():
            if key not in values:
                values[key] = value
                origin[key] = name
    try:
        settings = Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        raise ConfigError(key, f"{first['msg']} (from the {origin.get(key, 'file')})") from error
    _refuse_open_door(settings)
    return settings, origin


def _file() -> dict[str, Any]:
    path = Path(FILE)
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(FILE, str(error)) from error


def _refuse_open_door(settings: Settings) -> None:
    try:
        loopback = ip_address(settings.host).is_loopback
    except ValueError:
        loopback = settings.host == "localhost"
    if settings.auth == "local" and not loopback:
        raise ConfigError(
            "host",
            f"{settings.host} can be reached from other machines, and auth=local trusts every "
            "caller. Bind a loopback address and put a proxy that authenticates before it.",
        )
