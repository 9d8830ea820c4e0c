"""Prefect's password: one a home, its owner's alone, the operator's own before it, and shown by one command only."""

from __future__ import annotations

import io
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from deployments.cli import status, up
from deployments.cli.main import app
from deployments.prefect_api import PrefectApi
from deployments.prefect_password import (
    LENGTH_MIN,
    PASSWORD_FILE,
    kept_password,
    known_password,
    password_command,
    password_of,
)
from deployments.standing import prefect_of
from deployments.supervisor import conductor
from deployments.supervisor.child import Program
from shell.config import PrefectConfig
from shell.errors import BadInput, Rejected
from shell.home import Home
from shell.secrets import Secret

CANARY = "operator:canary-0123456789"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """With a `.env` of its own to be."""
    return replace(Home.private(tmp_path / "home"), config=tmp_path / "project" / "config").create()


def written(home: Home, text: str) -> None:
    home.env_file.parent.mkdir(parents=True, exist_ok=True)
    home.env_file.write_text(f"PREFECT_API_AUTH_STRING={text}\n")


def test_it_is_made_once_its_owners_alone_and_another_one_in_another_home(home: Home, tmp_path: Path) -> None:
    assert known_password(home, {}) is None
    assert not (home.prefect / PASSWORD_FILE).exists(), "whoever only asks makes none"
    made = password_of(home, {})
    file = home.prefect / PASSWORD_FILE
    assert made.place == str(file)
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)
    assert file.read_text() == f"{made.secret.reveal()}\n"
    assert made.secret.reveal().startswith("brain:") and len(made.secret.reveal()) > 40
    assert password_of(home, {}) == known_password(home, {}) == made
    assert password_of(Home.private(tmp_path / "another"), {}).secret != made.secret
    assert [each.name for each in home.prefect.iterdir()] == [PASSWORD_FILE], "nothing half made is left"


def test_server_worker_and_conductor_that_start_at_once_have_the_same(home: Home) -> None:
    with ThreadPoolExecutor(8) as starting:
        found = list(starting.map(lambda _: kept_password(home.prefect).secret, range(64)))
    assert len(set(found)) == 1


def test_the_operators_own_comes_first_and_nothing_is_made(home: Home) -> None:
    written(home, CANARY)
    assert password_of(home, {}).secret == Secret(CANARY)
    assert password_of(home, {"PREFECT_API_AUTH_STRING": CANARY[::-1]}).secret == Secret(CANARY[::-1])
    assert not (home.prefect / PASSWORD_FILE).exists()


@pytest.mark.parametrize("text", ["a" * (LENGTH_MIN - 1), "pässword-0123456789", "two\tcanary-words-01234"])
def test_one_that_is_guessed_easily_or_prefect_cannot_compare_is_refused_without_being_told(home: Home, text: str) -> None:
    with pytest.raises(Rejected, match="16 characters or more") as refused:
        password_of(home, {"PREFECT_API_AUTH_STRING": text})
    assert text not in str(refused.value)
    assert str(home.env_file) in str(refused.value)


def test_a_file_that_others_can_read_or_that_is_a_link_is_not_used(home: Home, tmp_path: Path) -> None:
    file = Path(password_of(home, {}).place)
    file.chmod(0o640)
    with pytest.raises(BadInput, match=f"others on this machine can read {file}.*remove it"):
        password_of(home, {})
    file.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").chmod(0o600)
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match="cannot be read"):
        known_password(home, {})


def test_server_and_worker_have_it_in_their_environment_and_shell_and_database_have_not(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", CANARY)
    api = PrefectApi(url="http://127.0.0.1:1/api", password=password_of(home))
    server = conductor.server_environment(home, PrefectConfig(), api, "sqlite://")
    client = conductor.client_environment(home, home.root, api)
    holders = {name: [key for key, value in each.items() if CANARY in value] for name, each in
               {"server": server, "client": client, "shell": conductor.base_environment(home)}.items()}
    assert holders == {"server": ["PREFECT_SERVER_API_AUTH_STRING"], "client": ["PREFECT_API_AUTH_STRING"], "shell": []}
    program = Program(name="worker", command=("x",), environment=client, folder=home.root, log=home.logs, ready=lambda: True)
    assert CANARY not in repr(program) + repr(api) + repr(api.password)
    assert CANARY not in " ".join(conductor.worker_command())


def test_one_command_shows_it_and_says_where_it_comes_from(tmp_path: Path) -> None:
    home = Home.private(tmp_path).create()
    asked = ["prefect-password", "--home", str(tmp_path)]
    assert password_command(home) == f"brain {' '.join(asked)}" and password_command(Home.project()) == "brain prefect-password"
    none_yet = CliRunner().invoke(app, [*asked, "--json"])
    assert none_yet.exit_code == 1
    assert "`brain up` makes one" in json.loads(none_yet.stdout)["error"]
    made = password_of(home)
    shown = CliRunner().invoke(app, asked)
    assert (shown.exit_code, shown.stdout) == (0, f"{made.secret.reveal()}\n")
    facts = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)
    assert facts == {"password": made.secret.reveal(), "place": made.place}


def test_up_and_status_name_the_command_and_print_no_password(home: Home) -> None:
    secret, said = password_of(home, {}).secret.reveal(), Console(record=True, width=300, file=io.StringIO())
    by = password_command(home)
    up._show(said, {"ui": "http://127.0.0.1:1", "home": str(home.root), "page": "", "children": {}, "password_command": by})
    found = prefect_of(home)
    told = said.export_text() + status._prefect({**found, "reachable": True})
    assert told.count(f"`{by}`") == 2
    assert status._prefect(found) == "not running"
    assert secret not in told + str(found)
