"""Settings: flags, then the environment (BELLWETHER_*), then bellwether.toml, then defaults."""

import getpass
import os
import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from bellwether.core.errors import ConfigError

PREFIX = "BELLWETHER_"
FILE = "bellwether.toml"
_HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
MOST_OF_A_NAME = 128
SECRETS = frozenset({"database_url", "redis_url", "s3_access_key", "s3_secret_key"})


class Settings(BaseModel):
    """Everything that can be set; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    home: Path = Path(".bellwether")
    """Folder of all that the embedded default writes; deleting it starts afresh."""
    host: str = "127.0.0.1"
    """Address the server binds; with local access it must be a loopback address."""
    port: int = 8000
    """Port the server binds."""
    auth: Literal["local", "proxy"] = "local"
    """Who may call: `local` trusts whoever reaches the loopback address; `proxy` trusts that
    something in front has checked every caller, and may bind any address."""
    allowed_hosts: str = ""
    """Names, separated by commas, that a Host header may carry besides the address bound."""
    server_workers: int = Field(1, ge=1, le=256)
    """Processes that answer HTTP on the one port."""
    clock: str = "auto"
    """`auto` stands at the sample's last session while the sample is all there is; `system` goes
    with the machine; an instant such as 2013-03-01T22:00:00+00:00 stands there, for rehearsals."""
    database_url: str = ""
    """SQLAlchemy address of the database; empty means SQLite in `home`."""
    database_pool: int = Field(4, ge=1, le=200)
    """Connections that a process keeps to PostgreSQL, besides the writer's own."""
    write_deadline_s: float = Field(5.0, gt=0)
    """Seconds after which a prediction that is not on disk is refused with 503."""
    redis_url: str = ""
    """Address of Redis, redis://, rediss:// or unix://; empty keeps features in the process and
    offers no asynchronous requests."""
    redis_cluster: bool = False
    """Whether that address is a node of a Redis Cluster."""
    redis_timeout_s: float = Field(0.25, gt=0)
    """Seconds Redis has to answer."""
    redis_expire_days: int = Field(30, ge=1)
    """Days after which a vector that nobody renewed leaves Redis."""
    live_shards: int = Field(16, ge=1, le=1024)
    """Streams that live bars go through; the same for all who share a Redis."""
    live_lease_s: float = Field(10.0, gt=0)
    """Seconds after which a consumer of live bars that said nothing counts as dead."""
    queue_capacity: int = Field(10_000, ge=1)
    """Asynchronous requests that may wait; more are refused with 503."""
    queue_attempts: int = Field(3, ge=1)
    """Deliveries of one request before it becomes a dead letter."""
    lake_url: str = ""
    """Folder or s3:// address of the Delta tables; empty means `home`/lake."""
    releases_url: str = ""
    """Folder or s3:// address of the releases; empty means `home`/releases."""
    dask: str = ""
    """Address of a Dask scheduler that backtests are worked on; empty means `workers` processes."""
    work_url: str = ""
    """Folder or s3:// address of what long work leaves: parts of backtests, reports; empty means
    `home`/work."""
    s3_endpoint: str = ""
    """Address of an S3-compatible server; empty means AWS."""
    s3_region: str = "us-east-1"
    """Region of the buckets."""
    s3_access_key: str = ""
    """Key to the buckets; empty leaves it to the machine's own identity."""
    s3_secret_key: str = ""
    """Secret of that key."""
    mlflow_uri: str = ""
    """MLflow tracking address; empty means SQLite in `home`."""
    quality_bar: float = Field(0.98, ge=0, le=1)
    """Share of sessions without fault that each symbol and all together need to be trained on."""
    workers: int = Field(2, ge=1)
    """Processes for training."""
    policy: str = ""
    """File of the policy that gates ask (docs/gates.md); empty means that none is declared."""
    operator: str = ""
    """Who acts here, as the ledger names it; empty means the name of the login."""
    schedule_source: str = "sample"
    """Source that the schedule asks after each session: sample or files."""
    schedule_path: str = ""
    """File or folder that the source `files` reads then."""
    schedule_symbols: str = ""
    """Symbols, separated by commas, that the schedule asks for; empty means all there are."""
    job_attempts: int = Field(4, ge=1, le=100)
    """Times a step of a job is tried before its run fails."""
    job_backoff_s: float = Field(5.0, ge=0, le=3600)
    """Seconds before the second try; each further wait is twice as long."""
    sentiment: Literal["lexicon", "finbert"] = "lexicon"
    """What scores headlines: words that are counted, or a model in a folder (docs/sentiment.md)."""
    sentiment_model: str = ""
    """Folder of that model, or the name under which `sentiment export` kept it in `home`."""
    sentiment_words: str = ""
    """CSV of words (Word, Positive, Negative) that `lexicon` counts; empty means its own."""
    sentiment_fallback: Literal["none", "lexicon"] = "none"
    """Who scores while that model or CSV cannot be loaded: nobody, or the lexicon's own words;
    either way the answer says so."""
    refresh_s: float = Field(5.0, gt=0)
    """Seconds between looks for new releases and features while serving."""
    log_format: Literal["console", "json"] = "console"
    """How log lines look."""

    @field_validator("clock")
    @classmethod
    def _is_a_clock(cls, value: str) -> str:
        if value not in {"auto", "system"}:
            try:
                zone = datetime.fromisoformat(value).tzinfo
            except ValueError:
                raise ValueError("it is auto, system or an instant") from None
            if zone is None:
                raise ValueError("the instant needs its offset, such as +00:00")
        return value

    @property
    def database(self) -> str:
        """Address of the database in force."""
        return self.database_url or f"sqlite:///{(self.home / 'bellwether.db').resolve()}"

    @property
    def jobs(self) -> str:
        """Address of the database of jobs in force."""
        return self.database_url or f"sqlite:///{(self.home / 'jobs.db').resolve()}"

    @property
    def stands_at(self) -> datetime | None:
        """The instant the clock was set to, UTC; None where it was not set to one."""
        if self.clock in {"auto", "system"}:
            return None
        return datetime.fromisoformat(self.clock).astimezone(UTC)

    @property
    def acting(self) -> str:
        """Who acts here."""
        try:
            return (self.operator or getpass.getuser())[:MOST_OF_A_NAME]
        except (KeyError, OSError):  # a container's user need have no name
            return "unknown"

    @property
    def lake(self) -> str:
        """Folder of the lake in force."""
        return self.lake_url or str((self.home / "lake").resolve())

    @property
    def releases(self) -> str:
        """Place of the releases in force."""
        return self.releases_url or str((self.home / "releases").resolve())

    @property
    def work(self) -> str:
        """Place of what long work leaves."""
        return self.work_url or str((self.home / "work").resolve())

    @property
    def sentiment_folder(self) -> Path:
        """Folder of the model that scores headlines, whether it is there or not."""
        return model_folder(self.home, self.sentiment_model)

    @property
    def storage_options(self) -> dict[str, str]:
        """How the buckets are reached, by the names that Delta gives the options."""
        found = {
            "aws_region": self.s3_region,
            "aws_conditional_put": "etag",
            "aws_endpoint_url": self.s3_endpoint,
            "aws_allow_http": "true" if self.s3_endpoint.startswith("http://") else "",
            "aws_access_key_id": self.s3_access_key,
            "aws_secret_access_key": self.s3_secret_key,
        }
        return {name: value for name, value in found.items() if value}

    @property
    def mlflow(self) -> str:
        """Address of the tracker in force."""
        return self.mlflow_uri or f"sqlite:///{(self.home / 'mlflow.db').resolve()}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown: the secret values, and the passwords of addresses among them."""
        values = [str(getattr(self, name)) for name in sorted(SECRETS) if getattr(self, name)]
        addresses = [v for v in (*values, self.mlflow_uri) if "://" in v]
        hidden = {v for v in values if "://" not in v}
        hidden.update(p for address in addresses for p in _passwords(address))
        return tuple(sorted(hidden, key=len, reverse=True))


def load(flags: Mapping[str, Any] | None = None) -> tuple[Settings, dict[str, str]]:
    """Return the settings in force and where each value came from.

    Raises
    ------
    ConfigError
        If a name is unknown, a value is unusable, or the server would be open to the network.
    """
    given = {k: v for k, v in (flags or {}).items() if v is not None}
    environment = _environment()
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
    if settings.sentiment == "finbert" and not settings.sentiment_model:
        raise ConfigError("sentiment_model", "sentiment=finbert needs a folder, or a name")
    return settings, origin


def model_folder(home: Path, model: str) -> Path:
    """Return `model` where it is a path, or the folder below `home` that a hub's name stands for."""
    if Path(model).is_dir() or not _HUB_NAME.fullmatch(model):
        return Path(model)
    return home / "sentiment" / model.replace("/", "--")


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a process of our own: this one's, and `extra`."""
    return {**os.environ, **extra}


def _environment() -> dict[str, str]:
    """Read BELLWETHER_NAME, and BELLWETHER_NAME_FILE as the path of a file that holds the value."""
    found = {
        k.removeprefix(PREFIX).lower(): v for k, v in os.environ.items() if k.startswith(PREFIX)
    }
    for name in [n for n in found if n.removesuffix("_file") in SECRETS and n.endswith("_file")]:
        path = found.pop(name)
        try:
            found[name.removesuffix("_file")] = Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(name, f"{path} cannot be read: {error}") from error
    return found


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
            "caller. Bind a loopback address, or put a proxy that authenticates before it and set "
            "auth=proxy.",
        )


def _passwords(address: str) -> set[str]:
    """Return the passwords of an address, as they are written there and as they are meant."""
    try:
        parts = urlsplit(address)
        told = {v for k, v in parse_qsl(parts.query) if k.endswith("password")}
        written = {parts.password} if parts.password else set()
    except ValueError:
        return {address}  # nobody can say where the secret begins
    return {p for w in written | told for p in (w, unquote(w), quote(w, safe=""))}
