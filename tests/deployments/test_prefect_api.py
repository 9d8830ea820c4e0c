"""Questions to Prefect carry its password, health does not, and whoever lacks it is told where to look."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from deployments.checks import State, prefect_check
from deployments.prefect_api import PrefectApi, call, is_healthy, is_open
from deployments.prefect_password import PASSWORD_FILE, kept_password
from deployments.prefect_server import URL_FILE
from shell.errors import NotNow, Rejected, Transient
from shell.home import Home


@dataclass
class Prefect:
    """Asks for a password as Prefect does: on every path but its health. `words` are those it was told, path by path."""

    password: str = ""
    url: str = ""
    words: list[tuple[str, str | None]] = field(default_factory=list)

    def admits(self, path: str, told: str | None) -> bool:
        self.words.append((path, told))
        wanted = f"Basic {base64.b64encode(self.password.encode()).decode()}"
        return path.endswith("/health") or not self.password or told == wanted


@pytest.fixture
def prefect() -> Iterator[Prefect]:
    stand_in = Prefect()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            admitted = stand_in.admits(self.path, self.headers["Authorization"])
            status = 401 if not admitted else 409 if self.path.endswith("/refused") else 200
            self.send_response(status)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"true")

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}/api"
    yield stand_in
    server.shutdown()
    server.server_close()


@pytest.fixture
def home(tmp_path: Path, prefect: Prefect) -> Home:
    """One whose server runs."""
    place = Home.private(tmp_path).create()
    (place.prefect / URL_FILE).write_text(f"{prefect.url} {os.getpid()}\n")
    return place


def api_of(prefect: Prefect, home: Home) -> PrefectApi:
    return PrefectApi(url=prefect.url, password=kept_password(home.prefect))


def test_a_question_carries_the_password_and_health_does_not(prefect: Prefect, home: Home) -> None:
    api = api_of(prefect, home)
    prefect.password = api.password.secret.reveal()
    assert call(api, "GET", "/flows", None) is True
    assert is_healthy(api.url)
    (asked, told), (health, untold) = prefect.words
    assert (asked, health, untold) == ("/api/flows", "/api/health", None)
    assert told is not None and base64.b64decode(told.removeprefix("Basic ")).decode() == prefect.password
    with pytest.raises(NotNow, match="409"):
        call(api, "GET", "/refused", None)
    with pytest.raises(Transient):
        call(PrefectApi(url="http://127.0.0.1:1/api", password=api.password), "GET", "/flows", None)


def test_a_wrong_password_is_one_sentence_that_says_where_it_stands_and_not_what_it_is(prefect: Prefect, home: Home) -> None:
    prefect.password = "brain:another-0123456789"
    api = api_of(prefect, home)
    with pytest.raises(Rejected) as refused:
        call(api, "GET", "/flows", None)
    told = str(refused.value)
    assert str(home.prefect / PASSWORD_FILE) in told and prefect.url in told and "`brain down`, then `brain up`" in told
    assert api.password.secret.reveal() not in told


def test_doctor_finds_a_server_without_a_password_one_with_another_and_a_lost_one(prefect: Prefect, home: Home) -> None:
    def found() -> tuple[State, str]:
        check = prefect_check(home, {})
        return check.state, check.sentence

    assert is_open(prefect.url)
    state, told = found()
    assert state is State.WRONG and "asks for no password" in told
    prefect.password = "brain:another-0123456789"
    assert not is_open(prefect.url)
    state, told = found()
    assert state is State.WRONG and "kept nowhere" in told
    kept = kept_password(home.prefect)
    state, told = found()
    assert state is State.WRONG and "does not take the password" in told
    prefect.password = kept.secret.reveal()
    assert found() == (State.OK, f"answers at {prefect.url}, to its password alone")
    Path(kept.place).chmod(0o644)
    state, told = found()
    assert state is State.WRONG and "others on this machine can read" in told
