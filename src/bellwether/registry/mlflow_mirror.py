"""Runs mirrored to MLflow, one way: people look there, and nothing reads it to decide."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from bellwether.core.errors import StorageError
from bellwether.core.ports import RunRow
from bellwether.core.types import ReleaseFiles

EXPERIMENT = "bellwether"
RUN_TAG = "bellwether.run_id"


class MlflowMirror:
    """The Tracker port on an MLflow store: a SQLite file by default, a server by its address."""

    def __init__(self, tracking_uri: str, artifacts: str) -> None:
        self.uri = tracking_uri
        self._artifacts = artifacts

    def mirror(self, run: RunRow, releases: Sequence[ReleaseFiles]) -> None:
        """Push one run with its parameters, metrics and releases; again changes nothing."""
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        try:
            self._push(MlflowClient(tracking_uri=self.uri), run, releases)
        except (MlflowException, OSError) as error:
            raise StorageError("mlflow", str(error).splitlines()[0]) from error

    def _push(self, client: Any, run: RunRow, releases: Sequence[ReleaseFiles]) -> None:
        from mlflow.entities import Metric, Param, RunTag

        found = client.get_experiment_by_name(EXPERIMENT)
        experiment = (
            found.experiment_id
            if found
            else client.create_experiment(EXPERIMENT, artifact_location=self._artifacts)
        )
        seen = client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{run.run_id}'")
        if seen and seen[0].info.status == "FINISHED":
            return
        started = int(run.started_at.timestamp() * 1000)
        target = (
            seen[0]
            if seen
            else client.create_run(experiment, start_time=started, tags={RUN_TAG: run.run_id})
        )
        target_id = target.info.run_id
        config = json.loads(run.config)
        params = [Param(k, json.dumps(v)[:500]) for k, v in sorted(config.items())]
        metrics = [
            Metric(name, value, started, 0)
            for name, value in sorted(_numbers(json.loads(run.outcome)).items())
        ]
        client.log_batch(
            target_id,
            metrics=metrics[:1000],
            params=params,
            tags=[
                RunTag("bellwether.watermark", run.watermark.isoformat()),
                RunTag("bellwether.releases", ",".join(r.release_id for r in releases)[:4000]),
            ],
        )
        for release in releases:
            client.log_dict(target_id, release.manifest, f"{release.release_id}/manifest.json")
        ended = int(run.finished_at.timestamp() * 1000)
        client.set_terminated(target_id, status="FINISHED", end_time=ended)


def _numbers(tree: object, prefix: str = "") -> dict[str, float]:
    if isinstance(tree, Mapping):
        found: dict[str, float] = {}
        for key, value in tree.items():
            found |= _numbers(value, f"{prefix}.{key}" if prefix else str(key))
        return found
    if isinstance(tree, int | float) and not isinstance(tree, bool):
        return {prefix: float(tree)}
    return {}
