"""compose.yaml and the Dockerfile, read as their tools would as far as can be without them: every name resolves, secrets stay put.

Neither is run here: that needs a Docker daemon and images from a registry.
"""

from __future__ import annotations

import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.prefect_password import CLIENT_VARIABLE, SERVER_VARIABLE
from deployments.supervisor.conductor import POOL, ROOT_VARIABLE
from shell.secrets import SECRET_NAMES
from tasks.context import SOCKET_VARIABLE

ROOT = "/srv/trading-brain"
KNOWN = {
    "image", "build", "restart", "init", "read_only", "tmpfs", "cap_drop", "security_opt", "logging", "command", "environment",
    "env_file", "volumes", "networks", "depends_on", "stop_grace_period", "healthcheck", "ports",
}
INSTRUCTIONS = {"FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "STOPSIGNAL", "ENTRYPOINT", "CMD"}


@pytest.fixture(scope="module")
def folder(project: Path) -> Path:
    return project / "deployments" / "elsewhere"


@pytest.fixture(scope="module")
def compose(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / "compose.yaml").read_text())
    return found


def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def test_everything_named_is_there(compose: dict[str, Any], folder: Path) -> None:
    assert set(services(compose)) == {"database", "shell", "prefect-server", "conductor", "worker"}
    for name, service in services(compose).items():
        assert set(service) <= KNOWN, name
        assert re.fullmatch(r"[a-z-]+(:\d+)?", service["image"]), "no registry's address"
        assert set(service.get("networks", [])) <= set(compose["networks"]), name
        for volume in service.get("volumes", []):
            source, target = volume.split(":")[:2]
            assert target.startswith("/"), volume
            assert (folder / source).exists() if source.startswith(".") else source in compose["volumes"], volume
        for other, how in service.get("depends_on", {}).items():
            assert "healthcheck" in services(compose)[other], f"{name} waits for the health of {other}"
            assert how == {"condition": "service_healthy"}
        if "build" in service:
            assert (folder / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        for word, module in zip(service.get("command", []), service.get("command", [])[1:], strict=False):
            assert word != "-m" or find_spec(module) is not None, module
    assert find_spec(services(compose)["shell"]["healthcheck"]["test"][3]) is not None


def test_the_shell_waits_for_its_database_alone_and_only_it_may_write_what_trades(compose: dict[str, Any]) -> None:
    found = services(compose)
    assert list(found["shell"]["depends_on"]) == ["database"]
    for name, service in found.items():
        mounts = {each.split(":")[1]: each for each in service.get("volumes", [])}
        assert (f"{ROOT}/data" in mounts) is (f"{ROOT}/strategy" in mounts) is (name == "shell")
        assert mounts.get(f"{ROOT}/config", ":ro").endswith(":ro")
        environment = service.get("environment", {})
        assert ("BRAIN_DATABASE_URL" in environment) is (name == "shell")
        assert ("env_file" in service) is (name == "shell")
        assert {each for each in SECRET_NAMES if each.startswith(("KRAKEN", "TELEGRAM"))}.isdisjoint(environment), name
    assert "storage" not in found["worker"]["networks"] + found["conductor"]["networks"]
    assert compose["networks"]["storage"] == {"internal": True}


def test_nothing_listens_beyond_this_machine_and_every_process_of_ours_is_confined(compose: dict[str, Any]) -> None:
    for name, service in services(compose).items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        if name != "database":
            assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
            assert service["security_opt"] == ["no-new-privileges:true"]


def test_prefect_asks_for_the_password_its_clients_have_and_without_one_nothing_starts(compose: dict[str, Any]) -> None:
    wanted = "${PREFECT_API_AUTH_STRING:?set it}"
    holders = {
        name: [key for key, value in service.get("environment", {}).items() if "AUTH_STRING" in key + str(value)]
        for name, service in services(compose).items()
    }
    assert holders == {
        "database": [], "shell": [], "prefect-server": [SERVER_VARIABLE], "conductor": [CLIENT_VARIABLE], "worker": [CLIENT_VARIABLE],
    }
    assert {services(compose)[name]["environment"][key] for name, keys in holders.items() for key in keys} == {wanted}


def test_the_names_are_those_the_program_uses(compose: dict[str, Any]) -> None:
    for name in ("worker", "conductor"):
        environment = services(compose)[name]["environment"]
        assert environment[SOCKET_VARIABLE] == f"{ROOT}/data/run/control.sock"
        assert environment[ROOT_VARIABLE] == ROOT
        assert environment["PREFECT_API_URL"].startswith("http://prefect-server:4200/")
        assert f"control:{ROOT}/data/run" in services(compose)[name]["volumes"]
    command = services(compose)["worker"]["command"]
    assert command[command.index("--pool") + 1] == POOL
    assert f"control:{ROOT}/data/run" in services(compose)["shell"]["volumes"]


def test_the_dockerfile_copies_what_is_there_checks_every_hash_and_runs_as_nobody_special(folder: Path, project: Path) -> None:
    text = re.sub(r"\\\n", " ", "\n".join(line for line in (folder / "Dockerfile").read_text().splitlines() if not line.startswith("#")))
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    assert {word for word, _ in lines} <= INSTRUCTIONS
    assert lines[0][0] == "FROM"
    for source in [part for word, rest in lines if word == "COPY" for part in shlex.split(rest)[:-1]]:
        assert (project / source).exists(), source
    installs = [rest for word, rest in lines if word == "RUN" and "requirements.lock" in rest]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert [rest for word, rest in lines if word == "USER"] == ["brain"]
    left_out = (folder / "Dockerfile.dockerignore").read_text().splitlines()
    assert {".env", "data", ".git"} <= set(left_out)
