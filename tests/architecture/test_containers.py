"""The images and the compose file keep what docs/deploy.md promises, read from the files themselves."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bellwether.settings import SECRETS, Settings

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOTS = {"buckets"}
DOCKERFILES = sorted((ROOT / "docker").rglob("*Dockerfile"))
NAME_OF_A_SECRET = re.compile(
    r"PASSWORD|SECRET|TOKEN|KEY|DATABASE_URL|REDIS_URL|STORE_URI|ROOT_USER"
)

services = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
dockerfiles = pytest.mark.parametrize("path", DOCKERFILES, ids=lambda p: str(p.relative_to(ROOT)))


def instructions(path: Path) -> list[tuple[str, str]]:
    """Read a Dockerfile: each instruction with its arguments, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [(line[0].upper(), line[1]) for line in lines]


def last_stage(path: Path) -> dict[str, str]:
    """Return the instructions of the stage that is run; the last one of a kind counts."""
    found = instructions(path)
    begin = max(place for place, (kind, _) in enumerate(found) if kind == "FROM")
    return dict(found[begin:])


@pytest.mark.parametrize("name", ["docker-compose.yml", "docker/compose.standin.yml"])
def test_compose_files_follow_the_specification(name: str) -> None:
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


@services
def test_services_can_do_little(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert {"mem_limit", "pids_limit", "stop_grace_period"} <= set(service)
    assert "cap_add" not in service
    assert "privileged" not in service


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - ONE_SHOTS))
def test_servers_are_watched_and_restarted(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert SERVICES[name]["healthcheck"]["test"]


def test_only_the_api_can_be_reached_and_only_from_this_host() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    outside = {name for name, service in SERVICES.items() if service["networks"] != ["back"]}

    assert published == {"api": ["127.0.0.1:${BELLWETHER_PORT:-8000}:8000"]}
    assert outside == {"api"}
    assert COMPOSE["networks"]["back"] == {"internal": True}


@services
def test_secrets_come_from_files(service: dict[str, Any]) -> None:
    given = service.get("environment", {})
    secret = {name: value for name, value in given.items() if NAME_OF_A_SECRET.search(name)}
    readable = {f"/run/secrets/{name}" for name in service.get("secrets", ())}

    assert [name for name in secret if not name.endswith("_FILE")] == []
    assert set(secret.values()) <= readable


def test_the_platform_is_told_settings_that_exist() -> None:
    told = {
        name.removeprefix("BELLWETHER_").removesuffix("_FILE").lower(): name
        for name in SERVICES["api"]["environment"]
    }

    assert told.keys() <= Settings.model_fields.keys()
    assert {name for name, told_as in told.items() if told_as.endswith("_FILE")} <= SECRETS
    for name in ("worker", "scheduler"):
        assert SERVICES[name]["environment"] == SERVICES["api"]["environment"]


def test_secrets_are_made_once_and_lie_in_a_closed_folder(tmp_path: Path) -> None:
    script = tmp_path / "secrets.sh"
    script.write_bytes((ROOT / "docker/secrets.sh").read_bytes())
    read = [subprocess.run(["bash", script], check=True) and _contents(tmp_path) for _ in range(2)]
    needed = {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}

    assert read[0] == read[1]
    assert needed <= read[0].keys()
    assert len({value for name, value in read[0].items() if not name.endswith(("url", "uri"))}) >= 6
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert "docker/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def _contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / "secrets").iterdir()}


def test_the_starter_reads_secrets_from_files_and_becomes_the_program(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k3y\n")
    starter = [sys.executable, ROOT / "docker/mlflow/with_secrets.py"]
    shown = ["sh", "-c", 'echo "$AWS_SECRET_ACCESS_KEY ${AWS_SECRET_ACCESS_KEY_FILE-gone}"']
    given = {"PATH": os.environ["PATH"], "AWS_SECRET_ACCESS_KEY_FILE": str(tmp_path / "key")}
    done = subprocess.run([*starter, *shown], env=given, capture_output=True, text=True, check=True)

    assert done.stdout == "k3y gone\n"


@services
def test_images_are_pinned(service: dict[str, Any]) -> None:
    image = re.sub(r"\$\{\w+:-(.+)\}", r"\1", service["image"])

    assert re.fullmatch(r"[\w\-/]+:[\w.\-]+", image)
    assert not image.endswith(":latest")


@dockerfiles
def test_bases_are_pinned(path: Path) -> None:
    given = dict(line.split("=", 1) for kind, line in instructions(path) if kind == "ARG")
    bases = [line.split()[0] for kind, line in instructions(path) if kind == "FROM"]
    images = [given[base.strip("${}")] if base.startswith("$") else base for base in bases]

    assert [image for image in images if not re.fullmatch(r"\w+:\d+\.\d+-[\w\-]+", image)] == []


@dockerfiles
def test_images_run_as_somebody_without_a_shell_in_between(path: Path) -> None:
    run = last_stage(path)

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", run["USER"])
    assert "CMD [" in run["HEALTHCHECK"]
    assert run["STOPSIGNAL"]
    assert all(run[kind].startswith("[") for kind in ("ENTRYPOINT", "CMD") if kind in run)
    assert "ADD" not in dict(instructions(path))


@dockerfiles
def test_dockerfiles_pass_the_linter(path: Path) -> None:
    done = subprocess.run([BIN / "hadolint", path], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_images_install_what_the_checkout_does() -> None:
    makefile = (ROOT / "Makefile").read_text()
    wanted = re.search(r"^UV_VERSION := (.+)$", makefile, re.MULTILINE)
    lock = (ROOT / "requirements/dev.txt").read_text()
    given = [line for path in DOCKERFILES for kind, line in instructions(path) if kind == "ARG"]

    assert wanted is not None
    assert {line for line in given if line.startswith("UV=")} == {f"UV={wanted[1]}"}
    assert [
        line for line in given if line.startswith("MOTO=") and f"moto=={line[5:]} " not in lock
    ] == []


def test_no_library_in_the_images_reports_to_its_makers() -> None:
    assert "ORT_DISABLE_TELEMETRY=1" in last_stage(ROOT / "docker/Dockerfile")["ENV"]
    for name in ("Dockerfile", "mlflow.Dockerfile"):
        assert "MLFLOW_DISABLE_TELEMETRY=true" in last_stage(ROOT / "docker" / name)["ENV"]
