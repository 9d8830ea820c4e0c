"""The log of a run that somebody waits for: what happened, not what Prefect says of itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deployments.prefect_api import PrefectApi
from deployments.prefect_password import Password
from deployments.supervisor.deployed_run import follow
from shell.secrets import Secret

OWN = (
    "Worker 'trading-brain' submitting flow run '50e7d767'", "Flow run 'glittering-mandrill' submitted to infrastructure",
    "Running 1 deployment pull step(s)", "Executing deployment step: set_working_directory",
    "Deployment step 'set_working_directory' completed successfully", "All deployment steps completed successfully",
    "Running hook 'keep_answer' in response to entering state 'Completed'", "Hook 'keep_answer' finished running successfully",
)
TOLD = (
    "Beginning flow run 'snapshot 2026-11-23' for flow 'snapshot'", "Flow run 'x' has no candles", "no candidate was found",
    "Finished in state Completed()",
)


class Prefect(BaseHTTPRequestHandler):
    """As much of Prefect's API as a run that has ended is read by."""

    def do_GET(self) -> None:
        self._say({"name": "snapshot 2026-11-23", "state_type": "COMPLETED", "state": {"message": None}})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if "logs" in self.path:
            lines = enumerate((*OWN, *TOLD))
            self._say([{"id": str(at), "timestamp": "2026-11-23T13:30:12Z", "message": line} for at, line in reversed(list(lines))])
        else:
            self._say([{"key": None, "data": '```json{"day": "2026-11-23"}```'}])

    def log_message(self, *told: object) -> None:
        """Nothing on the terminal."""

    def _say(self, told: object) -> None:
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def api() -> Iterator[PrefectApi]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Prefect)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    password = Password(secret=Secret("brain:of-a-test"), place="a test")
    yield PrefectApi(url=f"http://127.0.0.1:{server.server_port}", password=password)
    server.shutdown()
    server.server_close()


def test_whoever_waits_reads_what_happened_and_not_what_prefect_says_of_itself(api: PrefectApi) -> None:
    heard: list[str] = []
    done = follow(api, "http://ui", "50e7d767", heard.append)
    assert heard == [f"13:30:12 {line}" for line in TOLD]
    assert (done.state, done.answer) == ("COMPLETED", {"day": "2026-11-23"})
