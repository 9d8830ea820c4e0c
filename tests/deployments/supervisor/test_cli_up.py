"""`brain up` and `brain down` refuse with a sentence, leave nothing half done, and say the same as JSON."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deployments.cli.main import app
from deployments.supervisor.note import UpNote, holding, process_of, write_note
from shell.home import Home


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def last(result: Result) -> dict[str, object]:
    found: dict[str, object] = json.loads(result.stdout.strip().splitlines()[-1])
    return found


@pytest.fixture
def home(tmp_path: Path) -> Home:
    place = Home.private(tmp_path / "home").create()
    place.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    return place


def test_a_second_up_is_refused_and_told_where_the_first_is(home: Home) -> None:
    with holding(home):
        write_note(home, UpNote(supervisor=process_of(os.getpid()), ui="http://127.0.0.1:4999", phase="up"))
        for words in (["up", "--prefect-port", "4998"], ["up", "--detach"]):
            result = run(*words, "--home", str(home.root), "--json")
            assert result.exit_code == 1
            assert "up already" in str(last(result)["error"])


def test_a_busy_port_is_refused_before_anything_starts(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        result = run("up", "--prefect-port", str(taken.getsockname()[1]), "--home", str(home.root), "--json")
    assert result.exit_code == 1
    assert "in use" in str(last(result)["error"])
    assert not (home.run / "up.json").exists()
    assert not home.control_socket.exists()


def test_down_with_nothing_running_says_so(home: Home) -> None:
    result = run("down", "--home", str(home.root), "--json")
    assert (result.exit_code, last(result)) == (0, {"stopped": [], "was_up": False, "leftovers": []})
