"""Runs mirrored to MLflow, one way: people look there, and nothing reads it to decide."""

import logging
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uuid_utils

from bellwether.core.errors import StorageError, Unavailable
from bellwether.core.ports import RunRow
from bellwether.core.types import ReleaseFiles
from bellwether.registry.mlflow_content import (
    METRICS_AT_ONCE,
    TEXTS_AT_ONCE,
    batches,
    metrics,
    model_name,
    params,
    tags,
    write_files,
)
from bellwether.registry.mlflow_link import is_remote, ping

EXPERIMENT = "bellwether"
RUN_TAG = "bellwether.run_id"
CLAIM_TAG = "bellwether.claim"
RELEASE_TAG = "bellwether.release_id"
CALL_S = 10
BUSY = frozenset({408, 429, 502, 503, 504})

_USER = re.compile(r"//[^/@\s]*@")


class MlflowMirror:
    """The Tracker port on an MLflow store: a SQLite file by default, a server by its address.

    A run is known by the tag of its id and is FINISHED when all of it is there. One that was left
    half done is completed: MLflow keeps a metric with the same time and value once, and the rest
    overwrites itself. MLflow has no unique names for runs: of two made for the same run at once,
    the one claimed first is kept and the other deleted by whoever sees both. Two can remain only
    where the clocks of the mirroring machines differ by more than the time between two requests;
    the next `mirror` of that run removes one. Versions of models are numbered by MLflow itself, so
    there the lowest number is kept and none can remain.

    Parameters
    ----------
    tracking_uri
        sqlite:///path, the address of another database, or the http(s) address of a server.
    artifacts
        Folder of the artifacts beside a database; a server says itself where they go.
    """

    def __init__(self, tracking_uri: str, artifacts: str) -> None:
        self.uri = tracking_uri
        self.remote = is_remote(tracking_uri)
        self._artifacts = artifacts

    def ping(self) -> None:
        """Ask for a sign of life; a file always gives one.

        Raises
        ------
        Unavailable
            If there is none within two seconds.
        """
        ping(self.uri)

    def mirror(self, run: RunRow, releases: Sequence[ReleaseFiles]) -> None:
        """Push one run with its parameters, metrics and releases; again changes nothing.

        Raises
        ------
        Unavailable
            If the server is away, or goes away meanwhile; the next call completes the run.
        StorageError
            If MLflow refuses the run.
        """
        self.ping()
        _quiet()
        from mlflow import MlflowClient

        with self._translated():
            self._push(MlflowClient(self.uri, self.uri), run, releases)

    def _push(self, client: Any, run: RunRow, releases: Sequence[ReleaseFiles]) -> None:
        found = _claimed(client, self._experiment(client), run)
        if found.info.status == "FINISHED":
            return
        _log(client, found, run, releases)
        with tempfile.TemporaryDirectory(prefix="bellwether-mirror-") as folder:
            write_files(Path(folder), run, releases)
            client.log_artifacts(found.info.run_id, folder)
        for release in releases:
            _register(client, found, release)
        client.set_terminated(found.info.run_id, "FINISHED", _millis(run.finished_at))

    def _experiment(self, client: Any) -> str:
        found = client.get_experiment_by_name(EXPERIMENT)
        if found is None:
            serves = self.uri.startswith(("http://", "https://"))  # a database keeps no artifacts
            location = None if serves else self._artifacts
            with _unless("RESOURCE_ALREADY_EXISTS"):
                client.create_experiment(EXPERIMENT, artifact_location=location)
            found = client.get_experiment_by_name(EXPERIMENT)
        return str(found.experiment_id)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError, OSError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            why = _USER.sub("//", lines[0])
            kind = Unavailable if self.remote and _is_away(error) else StorageError
            raise kind("mlflow", why) from error


def _quiet() -> None:
    """Put an end to waits of minutes, to chatter on standard output and to calls to the vendor."""
    from mlflow import environment_variables as knobs

    logging.getLogger("mlflow").setLevel(logging.WARNING)  # its import set it to INFO
    for knob, value in (
        (knobs.MLFLOW_HTTP_REQUEST_MAX_RETRIES, 0),
        (knobs.MLFLOW_HTTP_REQUEST_TIMEOUT, CALL_S),
        (knobs.MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT, True),
        (knobs.MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR, False),
        (knobs.MLFLOW_DISABLE_TELEMETRY, True),
    ):
        if not knob.is_set():
            knob.set(value)


def _claimed(client: Any, experiment: str, run: RunRow) -> Any:
    """Return MLflow's run of a run of ours, made if need be, and the only one of its kind."""

    def seen() -> list[Any]:
        found = client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{run.run_id}'")
        return sorted(found, key=_seniority)

    mine = seen()
    if not mine:
        claim = {RUN_TAG: run.run_id, CLAIM_TAG: str(uuid_utils.uuid7())}
        client.create_run(experiment, _millis(run.started_at), claim, run.run_id)
        mine = seen()
    for spare in mine[1:]:
        client.delete_run(spare.info.run_id)
    return mine[0]


def _seniority(found: Any) -> tuple[bool, str]:
    return found.info.status != "FINISHED", found.data.tags.get(CLAIM_TAG, "")


def _log(client: Any, found: Any, run: RunRow, releases: Sequence[ReleaseFiles]) -> None:
    from mlflow.entities import Metric, Param, RunTag

    at, target = _millis(run.started_at), found.info.run_id
    numbers = [Metric(name, value, at, 0) for name, value in metrics(run).items()]
    for some in batches(numbers, METRICS_AT_ONCE):
        client.log_batch(target, metrics=some)
    asked = [Param(n, v) for n, v in params(run).items() if n not in found.data.params]
    for few in batches(asked, TEXTS_AT_ONCE):
        client.log_batch(target, params=few)
    told = [RunTag(name, text) for name, text in tags(run, releases).items()]
    for lot in batches(told, TEXTS_AT_ONCE):
        client.log_batch(target, tags=lot)


def _register(client: Any, found: Any, release: ReleaseFiles) -> None:
    """Make a release a version of its model, once."""
    name = model_name(release)
    wanted = f"name = '{name}' and tags.`{RELEASE_TAG}` = '{release.release_id}'"

    def seen() -> list[Any]:
        return sorted(client.search_model_versions(wanted), key=lambda v: int(v.version))

    versions = seen()
    if not versions:
        with _unless("RESOURCE_ALREADY_EXISTS"):
            client.create_registered_model(name)
        source = f"{found.info.artifact_uri}/{release.release_id}"
        tag = {RELEASE_TAG: release.release_id}
        client.create_model_version(name, source, found.info.run_id, tag)
        versions = seen()
    for spare in versions[1:]:
        with _unless("RESOURCE_DOES_NOT_EXIST"):  # its maker was quicker
            client.delete_model_version(name, spare.version)


@contextmanager
def _unless(code: str) -> Iterator[None]:
    """Let an error of MLflow with this code pass unraised."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != code:
            raise


def _is_away(error: BaseException | None) -> bool:
    """Say whether the network, or the server's own servers, are to blame and not the run."""
    from mlflow.exceptions import MlflowException

    while error is not None:
        if isinstance(error, MlflowException) and error.get_http_status_code() in BUSY:
            return True
        if isinstance(error, OSError) and hasattr(error, "response"):  # of requests
            if error.response is not None:
                return error.response.status_code in BUSY
            return "too many 500 error" not in str(error)
        error = error.__cause__ or error.__context__
    return False


def _millis(at: Any) -> int:
    return int(at.timestamp() * 1000)
