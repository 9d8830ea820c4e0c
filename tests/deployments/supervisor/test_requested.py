"""A night's work that a person asked for is started once through Prefect's own interface, or told of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from deployments.prefect_api import PrefectApi
from deployments.prefect_password import Password
from deployments.supervisor.requested import start_requested
from shell.errors import NotNow
from shell.secrets import Secret

NOW = datetime(2026, 11, 23, tzinfo=UTC)


class Shell:
    """Keeps one request, and what it was told."""

    def __init__(self, by: str = "", *, silent: bool = False) -> None:
        self.by, self.silent = by, silent
        self.told: list[tuple[str, str, str]] = []

    def take_request(self, flow: str, now: datetime) -> str:
        assert flow == "orchestrate"
        if self.silent:
            raise NotNow("the shell is not there")
        by, self.by = self.by, ""
        return by

    def notify(self, kind: str, severity: str, text: str, now: datetime) -> None:
        self.told.append((kind, severity, text))


@contextmanager
def prefect(begun: list[dict[str, object]], *, status: int = 200) -> Iterator[PrefectApi]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.give({"id": "d1", "parameter_openapi_schema": {"properties": {"now": {}}}, "tags": ["night"]})

        def do_POST(self) -> None:
            begun.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.give({"id": "r1"})

        def give(self, content: object) -> None:
            text = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/api"
        yield PrefectApi(url=url, password=Password(secret=Secret("brain:of-a-test"), place="a test"))
    finally:
        server.shutdown()
        server.server_close()


def test_a_request_is_started_once() -> None:
    shell, begun = Shell("Ann"), list[dict[str, object]]()
    with prefect(begun) as api:
        assert start_requested(shell, api, NOW) == "the night's work was started, as Ann asked"
        assert start_requested(shell, api, NOW) == ""
    assert len(begun) == 1
    assert shell.told == []


def test_without_a_request_or_a_shell_nothing_is_started() -> None:
    begun: list[dict[str, object]] = []
    with prefect(begun) as api:
        assert start_requested(Shell(), api, NOW) == start_requested(Shell("Ann", silent=True), api, NOW) == ""
    assert begun == []


def test_a_run_that_prefect_does_not_take_is_told_of() -> None:
    shell = Shell("Ann")
    with prefect([], status=500) as api:
        assert start_requested(shell, api, NOW).startswith("the night's work that Ann asked for could not be started")
    assert [(kind, severity) for kind, severity, _ in shell.told] == [("link", "warning")]
