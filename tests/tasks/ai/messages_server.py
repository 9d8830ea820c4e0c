"""A local server that speaks the Messages API and Vertex's rawPredict: streams, token counts, models; from a script of answers.

It stands where a provider stands, behind a real socket: the SDK does not use httpx, so replacing that would prove nothing. Each
answer is given to whoever asks next; a role may have answers of its own. Every request is kept as it came.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Say:
    """A reply that comes: its text, why it stops, the tokens it bills, and how slowly its events drip.

    `bent` makes other events, or bytes, of those there would be; `whole` answers at once, as a server that does not stream;
    `raw` and `kind` replace the body and what it is said to be.
    """

    text: str
    stop_reason: str = "end_turn"
    input_tokens: int = 5_000
    output_tokens: int = 1_000
    drip_seconds: float = 0.0
    break_off: bool = False
    usage: Mapping[str, Any] = field(default_factory=dict)
    bent: Callable[[list[dict[str, Any]]], Iterable[dict[str, Any] | bytes]] | None = None
    whole: bool = False
    raw: bytes | None = None
    kind: str = "text/event-stream"


@dataclass(frozen=True, kw_only=True)
class Refuse:
    """A reply that does not come: a status, and the headers with it."""

    status: int
    kind: str = "overloaded_error"
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Say | Refuse | Callable[[Body], "Say | Refuse"]


@dataclass
class MessagesServer:
    """The script and the record. `by_model` is asked first, then `script`, then `otherwise`."""

    url: str = ""
    script: list[Answer] = field(default_factory=list)
    by_role: dict[str, list[Answer]] = field(default_factory=dict)
    otherwise: Answer | None = None
    requests: list[tuple[str, Body, Mapping[str, str]]] = field(default_factory=list)
    counted_tokens: int = 5_000
    count_status: int = 200
    lifecycle: str = "active"
    # What a model's page and a count say instead, whatever that is.
    model_page: Any = None
    count_page: Any = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def asked(self) -> list[Body]:
        """Bodies of the requests for a message, in the order they came."""
        return [body for path, body, _ in self.requests if "count" not in path and body]

    def next_answer(self, body: Body) -> Say | Refuse:
        with self.lock:
            own = self.by_role.get(role_of(body), [])
            source = own or self.script
            answer = source.pop(0) if source else self.otherwise
        if answer is None:
            return Refuse(status=400, kind="invalid_request_error")
        return answer(body) if callable(answer) else answer


def role_of(body: Body) -> str:
    """Which role asks, by how its prompt begins."""
    system = str(body.get("system", ""))
    for role, words in {"analyse": "You are the analyst", "review": "You review", "generate": "You write"}.items():
        if system.startswith(words):
            return role
    return ""


@contextmanager
def serving() -> Iterator[MessagesServer]:
    """A server on a free port of this machine until the block ends."""
    state = MessagesServer()

    class Handler(_Handler):
        desk = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    desk: MessagesServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.desk.requests.append((self.path, {}, dict(self.headers)))
        name = self.path.rsplit("/", 1)[-1]
        page = {
            "id": name, "type": "model", "display_name": name, "created_at": "2026-01-01T00:00:00Z",
            "lifecycle": self.desk.lifecycle, "retires_at": None if self.desk.lifecycle == "active" else "2027-01-31T00:00:00Z",
        }
        self._json(200, page if self.desk.model_page is None else self.desk.model_page)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.desk.lock:
            self.desk.requests.append((self.path, body, dict(self.headers)))
        if "count_tokens" in self.path or "count-tokens" in self.path:
            if self.desk.count_status != 200:
                return self._json(self.desk.count_status, _error("not_found_error"))
            told = {"input_tokens": self.desk.counted_tokens}
            return self._json(200, told if self.desk.count_page is None else self.desk.count_page)
        answer = self.desk.next_answer(body)
        if isinstance(answer, Refuse):
            return self._json(answer.status, _error(answer.kind), answer.headers)
        return self._stream(body, answer)

    def _stream(self, body: Body, say: Say) -> None:
        model = str(body.get("model") or self.path.split("/models/")[1].split(":")[0])
        if say.whole:
            self._json(200, whole_message(say, model))
            return
        self.send_response(200)
        self.send_header("content-type", say.kind)
        self.send_header("request-id", "req_1")
        self.send_header("connection", "close")
        self.end_headers()
        events: Iterable[dict[str, Any] | bytes] = _events(say, model)
        if say.bent is not None:
            events = say.bent(list(_events(say, model)))
        for event in [say.raw] if say.raw is not None else events:
            try:
                self.wfile.write(event if isinstance(event, bytes) else as_sse(event))
                self.wfile.flush()
            except OSError:
                return
            if say.break_off and isinstance(event, dict) and event["type"] == "content_block_delta":
                break
            time.sleep(say.drip_seconds)
        self.close_connection = True

    def _json(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"content-type": "application/json", "content-length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def _error(kind: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": f"a {kind}, from the stand-in"}, "request_id": "req_1"}


def as_sse(event: Mapping[str, Any]) -> bytes:
    return f"event: {event.get('type')}\ndata: {json.dumps(event)}\n\n".encode()


def whole_message(say: Say, model: str) -> dict[str, Any]:
    """The message that the events would have added up to."""
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": model, "stop_reason": say.stop_reason,
        "stop_sequence": None, "content": [{"type": "text", "text": say.text}],
        "usage": {"input_tokens": say.input_tokens, "output_tokens": say.output_tokens, **say.usage},
    }


def _events(say: Say, model: str) -> Iterator[dict[str, Any]]:
    usage = {"input_tokens": say.input_tokens, "output_tokens": 1, **say.usage}
    message: dict[str, Any] = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": usage,
    }
    yield {"type": "message_start", "message": message}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for piece in _pieces(say.text):
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
    yield {"type": "content_block_stop", "index": 0}
    yield {
        "type": "message_delta", "delta": {"stop_reason": say.stop_reason, "stop_sequence": None},
        "usage": {"output_tokens": say.output_tokens},
    }
    yield {"type": "message_stop"}


def _pieces(text: str, size: int = 400) -> Sequence[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]
