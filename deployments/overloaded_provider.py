"""A provider of models that has no time for anybody: a server of this machine that answers every request with 529.

For a rehearsal's bad night. The requests are real, and nothing of them leaves the machine; the key is none.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from shell.secrets import Secret
from tasks.ai.connect import ModelAccess

OVERLOADED = 529
# Asked to come back in an hour, a caller gives up at once.
HEADERS = {"content-type": "application/json", "retry-after": "3600"}
REFUSAL = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded (an incident of the rehearsal)"}}


@contextmanager
def overloaded() -> Iterator[ModelAccess]:
    """The way to it, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="overloaded", daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        yield ModelAccess(anthropic_key=Secret("no-key-of-anybody"), anthropic_url=url)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Refusing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _refuse(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        data = json.dumps(REFUSAL).encode()
        self.send_response(OVERLOADED)
        for name, text in {**HEADERS, "content-length": str(len(data))}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _refuse

    def log_message(self, *_: object) -> None:
        """Not to stderr."""
