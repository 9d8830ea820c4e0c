"""A stand-in for Telegram's Bot API over real HTTP: what the bot uses of it, its limits, and the ways it fails.

Written from https://core.telegram.org/bots/api (read 2026-11-22). It keeps every message it was given, and updates are put
in by the test, as people's phones would.
"""

from __future__ import annotations

import json
import re
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Event, Thread
from typing import Any
from urllib.parse import parse_qs

TOKEN = "7000000001:AAcanary-telegram-token_0123456789abc"
OWNER = 1001
TEXT_CHARACTERS_MAX = 4096
BUTTON_BYTES_MAX = 64


class BotServer:
    """The state behind the interface. `say` and `press` are what people do; `sent` is what they see."""

    def __init__(self, now: Any = None) -> None:
        self.changed = Condition()
        self.now = now or (lambda: datetime.now(UTC))
        self.updates: deque[dict[str, Any]] = deque()
        self.sent: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.calls: Counter[str] = Counter()
        self.answered: list[dict[str, Any]] = []
        # Answers to give instead of the right ones, per method, oldest first: (status, description, parameters).
        self.failures: dict[str, deque[tuple[int, str, dict[str, Any]]]] = {}
        self.blocked: set[int] = set()
        self.hanging = Event()
        self.closing = False
        self.pollers = 0
        self.polls = 0
        self._number = 100
        self._messages = 0

    # -- what people and tests do ---------------------------------------------------------------------------------

    def put(self, **content: Any) -> int:
        """Any update, as Telegram would deliver it."""
        with self.changed:
            self._number += 1
            self.updates.append({"update_id": self._number, **content})
            self.changed.notify_all()
            return self._number

    def say(self, text: str, *, user: int = OWNER, at: datetime | None = None, **message: Any) -> int:
        """A person writes in their private chat with the bot."""
        return self.put(message=self.message(text, user=user, at=at, **message))

    def message(self, text: str, *, user: int = OWNER, at: datetime | None = None, **message: Any) -> dict[str, Any]:
        self._messages += 1
        return {
            "message_id": self._messages, "date": int((at or self.now()).timestamp()), "text": text,
            "from": person(user), "chat": {"id": user, "type": "private", "first_name": "Ann"}, **message,
        }

    def press(self, data: str, *, user: int = OWNER, chat: dict[str, Any] | None = None) -> int:
        """A person presses a button under a message of the bot's."""
        self._messages += 1
        shown = {
            "message_id": self._messages, "date": int(self.now().timestamp()), "text": "a question",
            "from": {"id": 7000000001, "is_bot": True, "first_name": "Brain"},
            "chat": chat or {"id": user, "type": "private", "first_name": "Ann"},
        }
        query = {"id": f"q{self._messages}", "from": person(user), "chat_instance": "1", "data": data, "message": shown}
        return self.put(callback_query=query)

    def fail(self, method: str, status: int, description: str = "made to fail", times: int = 1, **parameters: Any) -> None:
        self.failures.setdefault(method, deque()).extend([(status, description, parameters)] * times)

    def wait_for(self, test: Any, seconds: float = 30.0) -> bool:
        # In slices, because not everything that is waited for happens in here.
        with self.changed:
            return any(self.changed.wait_for(test, 0.1) for _ in range(int(seconds / 0.1)))

    def texts(self, chat: int = OWNER) -> list[str]:
        return [each["text"] for each in self.sent if each["method"] == "sendMessage" and each["chat_id"] == chat]

    def expect(self, pattern: str, *, after: int = 0, seconds: float = 30.0, chat: int = OWNER) -> str:
        """The first message of the bot's from number `after` on that matches; fails with all of them otherwise."""
        def found() -> str | None:
            return next((text for text in self.texts(chat)[after:] if re.search(pattern, text)), None)

        assert self.wait_for(lambda: found() is not None, seconds), f"no {pattern!r} among {self.texts(chat)[after:]}"
        text = found()
        assert text is not None
        return text

    def ask(self, text: str, pattern: str, *, user: int = OWNER, seconds: float = 30.0) -> str:
        """Say something and wait for the answer to it."""
        before = len(self.texts(user))
        self.say(text, user=user)
        return self.expect(pattern, after=before, seconds=seconds, chat=user)

    def buttons(self) -> list[str]:
        """The data of the newest message's buttons."""
        with_some = [each for each in self.sent if each.get("reply_markup")]
        rows = json.loads(with_some[-1]["reply_markup"])["inline_keyboard"] if with_some else []
        return [button["callback_data"] for row in rows for button in row]

    # -- the interface --------------------------------------------------------------------------------------------

    def answer(self, method: str, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with self.changed:
            self.calls[method] += 1
            self.changed.notify_all()
            waiting = self.failures.get(method)
            if waiting:
                status, description, parameters = waiting.popleft()
                return status, {"ok": False, "error_code": status, "description": description, "parameters": parameters}
        handler = getattr(self, f"on_{method}", None)
        if handler is None:
            return 404, {"ok": False, "error_code": 404, "description": "Not Found: method not found"}
        try:
            return 200, {"ok": True, "result": handler(given)}
        except Refusal as refusal:
            return refusal.status, {"ok": False, "error_code": refusal.status, "description": str(refusal)}

    def on_getMe(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"id": 7000000001, "is_bot": True, "first_name": "Brain", "username": "brain_test_bot"}

    def on_setMyCommands(self, given: dict[str, Any]) -> bool:
        for each in json.loads(given["commands"]):
            if not re.fullmatch(r"[a-z0-9_]{1,32}", each["command"]) or not 1 <= len(each["description"]) <= 256:
                raise Refusal(400, "Bad Request: BOT_COMMAND_INVALID")
        return True

    def on_getUpdates(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        offset, seconds = int(given.get("offset") or 0), float(given.get("timeout") or 0)
        limit = int(given.get("limit") or 100)
        with self.changed:
            if self.pollers:
                raise Refusal(409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running")
            self.pollers += 1
            self.polls += seconds > 0
            self.changed.notify_all()
            try:
                if offset < 0:
                    while len(self.updates) > -offset:
                        self.updates.popleft()
                else:
                    while self.updates and self.updates[0]["update_id"] < offset:
                        self.updates.popleft()
                self.changed.wait_for(lambda: self.updates or self.closing, seconds)
                return list(self.updates)[:limit]
            finally:
                self.pollers -= 1

    def on_sendMessage(self, given: dict[str, Any]) -> dict[str, Any]:
        text = given.get("text", "")
        if not text.strip():
            raise Refusal(400, "Bad Request: message text is empty")
        if len(re.sub(r"<[^>]*>", "", text)) > TEXT_CHARACTERS_MAX:
            raise Refusal(400, "Bad Request: message is too long")
        if given.get("parse_mode") == "HTML":
            _require_html(text)
        markup = json.loads(given["reply_markup"]) if given.get("reply_markup") else {}
        for row in markup.get("inline_keyboard", ()):
            for button in row:
                if not 1 <= len(button["callback_data"].encode()) <= BUTTON_BYTES_MAX:
                    raise Refusal(400, "Bad Request: BUTTON_DATA_INVALID")
        return self._sent("sendMessage", given)

    def on_sendPhoto(self, given: dict[str, Any]) -> dict[str, Any]:
        if not any(isinstance(value, bytes) and value.startswith(b"\x89PNG") for value in given.values()):
            raise Refusal(400, "Bad Request: no picture")
        return self._sent("sendPhoto", given)

    def on_sendDocument(self, given: dict[str, Any]) -> dict[str, Any]:
        return self._sent("sendDocument", given)

    def on_answerCallbackQuery(self, given: dict[str, Any]) -> bool:
        self.answered.append(given)
        return True

    def _sent(self, method: str, given: dict[str, Any]) -> dict[str, Any]:
        chat = int(given["chat_id"])
        if chat in self.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        with self.changed:
            self._messages += 1
            self.sent.append({"method": method, **given, "chat_id": chat})
            self.changed.notify_all()
            return {
                "message_id": self._messages, "date": int(self.now().timestamp()), "text": str(given.get("text", "")),
                "chat": {"id": chat, "type": "private", "first_name": "Ann"},
            }


class Refusal(Exception):
    def __init__(self, status: int, description: str) -> None:
        self.status = status
        super().__init__(description)


def person(number: int, *, is_bot: bool = False) -> dict[str, Any]:
    return {"id": number, "is_bot": is_bot, "first_name": "Ann"}


def _require_html(text: str) -> None:
    """As Telegram: known tags, properly nested, nothing else with an angle bracket or a loose ampersand."""
    open_tags: list[str] = []
    for slash, name in re.findall(r"<(/?)([^>]*)>", text):
        if name not in ("b", "i", "pre", "code"):
            raise Refusal(400, f"Bad Request: can't parse entities: unsupported tag {name}")
        if slash:
            if not open_tags or open_tags.pop() != name:
                raise Refusal(400, f"Bad Request: can't parse entities: unexpected end tag {name}")
        else:
            open_tags.append(name)
    bare = re.sub(r"</?(b|i|pre|code)>", "", text)
    if open_tags or "<" in bare or ">" in bare or re.search(r"&(?!(lt|gt|amp|quot);)", bare):
        raise Refusal(400, "Bad Request: can't parse entities")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bot: BotServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.bot.bodies.append(body)
        place, _, method = self.path.rpartition("/")
        if self.bot.hanging.is_set():
            while self.bot.hanging.is_set() and not self.bot.closing:
                Event().wait(0.05)
            self.close_connection = True
            return
        if place != f"/bot{TOKEN}":
            self._give(401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
            return
        self._give(*self.bot.answer(method, _fields(self.headers.get("Content-Type") or "", body)))

    def _give(self, status: int, content: dict[str, Any]) -> None:
        text = json.dumps(content).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        return None


def _fields(kind: str, body: bytes) -> dict[str, Any]:
    if kind.startswith("multipart/"):
        parsed = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
        found: dict[str, Any] = {}
        for part in parsed.iter_parts():
            name = str(part.get_param("name", header="content-disposition"))
            content = part.get_payload(decode=True)
            found[name] = content if part.get_filename() else content.decode()
            if part.get_filename():
                found["filename"] = part.get_filename()
        return found
    if kind.startswith("application/json"):
        return dict(json.loads(body or b"{}"))
    return {name: values[0] for name, values in parse_qs(body.decode()).items()}


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        return None


@contextmanager
def serving(bot: BotServer, port: int = 0) -> Iterator[str]:
    """Serve while the block runs; gives the address for [telegram] base_url."""
    handler = type("Handler", (_Handler,), {"bot": bot})
    server = _Quiet(("127.0.0.1", port), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        with bot.changed:
            bot.closing = True
            bot.changed.notify_all()
        server.shutdown()
        server.server_close()
