"""Who may command: whatever strangers, groups, channels, forwards, edits, old messages and others' buttons try, nothing happens."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from telegram import Update

from shell.calls import Calls
from shell.clock import VirtualClock
from shell.config import Settings
from shell.errors import NotNow
from shell.home import Home
from shell.telegram.books import Reader
from shell.telegram.confirm import Confirmations
from shell.telegram.conversation import Conversation
from shell.telegram.gate import Gate, Wish
from tests.thorough import thorough

OWNER, OTHER_OWNER, STRANGER = 1001, 1002, 666
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CODE = "424242"
TEXTS = ("/pause", "/kill", "/rollback", "/orchestrate", f"/yes {CODE}", "/yes 000000", "/status@other_bot", "hello", "/")
PRESSED = (f"yes:{CODE}", f"no:{CODE}", "yes:000000", "approve:c0001", "kill:", "")
KINDS = ("message", "edited_message", "channel_post", "edited_channel_post", "callback_query", "business_message", "my_chat_member")
CHATS = ("own", "private", "group", "supergroup", "channel", "none")
TRIED = {
    "kind": KINDS, "user": (OWNER, OTHER_OWNER, STRANGER, None), "chat": CHATS, "text": TEXTS, "pressed": PRESSED,
    "age": (0, 29, 31, 21_600, -600), "forwarded": (False, False, True), "via_bot": (False, False, True),
    "sender_chat": (False, False, True), "is_bot": (False, False, True), "gap": (False, False, True),
}


def update_of(tried: dict[str, Any], number: int) -> Update:
    """An update as Telegram would write it, whoever it is from."""
    user = None if tried["user"] is None else {"id": tried["user"], "is_bot": tried["is_bot"], "first_name": "A"}
    chat_id = {"own": tried["user"] or 5, "private": 777}.get(tried["chat"], -100)
    kind = {"own": "private", "none": "private"}.get(tried["chat"], tried["chat"])
    message: dict[str, Any] = {
        "message_id": number, "date": int((NOW - timedelta(seconds=tried["age"])).timestamp()),
        "chat": {"id": chat_id, "type": kind}, "text": tried["text"],
    }
    if user is not None:
        message["from"] = user
    if tried["forwarded"]:
        message["forward_origin"] = {"type": "hidden_user", "date": 1, "sender_user_name": "X"}
    if tried["via_bot"]:
        message["via_bot"] = {"id": 5, "is_bot": True, "first_name": "B"}
    if tried["sender_chat"]:
        message["sender_chat"] = {"id": -100, "type": "channel", "title": "C"}
    if tried["kind"] == "callback_query":
        query: dict[str, Any] = {"id": f"q{number}", "from": user or {"id": 5, "is_bot": False, "first_name": "Z"},
                                 "chat_instance": "1", "data": tried["pressed"]}
        if tried["chat"] != "none":
            query["message"] = message
        content: dict[str, Any] = {"callback_query": query}
    elif tried["kind"] == "my_chat_member":
        content = {}
    else:
        content = {tried["kind"]: message}
    found = Update.de_json({"update_id": number, **content}, None)
    assert found is not None
    return found


def may(tried: dict[str, Any]) -> bool:
    """The rule once more, written from the issue: listed people, in private, new and of their own, lately."""
    if tried["user"] not in (OWNER, OTHER_OWNER) or tried["is_bot"] or tried["chat"] != "own":
        return False
    if tried["kind"] == "callback_query":
        return not tried["gap"]
    return tried["kind"] == "message" and 0 <= tried["age"] <= 30 and not (
        tried["forwarded"] or tried["via_bot"] or tried["sender_chat"]
    )


class Trap:
    """Stands for the trading thread: whatever reaches it is an effect."""

    def __init__(self) -> None:
        self.effects: list[str] = []

    def ask(self, question: Any, *, seconds: float = 0) -> Any:
        trap = self

        class Hand:
            def __getattr__(self, name: str) -> Any:
                return lambda *_: trap.effects.append(name) or "done"

        class Front:
            by_hand = Hand()

            def rollback(self, *_: Any) -> Any:
                trap.effects.append("rollback")
                return SimpleNamespace(version="v0", previous="v1")

            def status(self) -> Any:
                raise NotNow("busy")

        return question(Front())


def attack(tries: list[dict[str, Any]], folder: Path) -> tuple[int, int]:
    """Let every update in; returns (effects, updates let through). Fails at the first effect that was not allowed."""
    trap, gate = Trap(), Gate((OWNER, OTHER_OWNER))
    reader = Reader(
        home=Home.private(folder, project=folder), settings=Settings(), clock=VirtualClock(NOW), calls=cast(Calls, trap),
        links=tuple,
    )
    codes = Confirmations(seconds=lambda: 0.0, new_code=lambda: CODE)
    conversation, let_in = Conversation(reader, codes, None, "brain_bot"), 0
    waiting: int | None = None  # whose code it is
    for number, tried in enumerate(tries, 1):
        before = len(trap.effects)
        wish = gate.judge(update_of(tried, number), NOW, after_gap=tried["gap"])
        told = ""
        if isinstance(wish, Wish):
            let_in += 1
            if not (wish.pressed.startswith(("approve", "kill")) or "@" in wish.text):
                told = conversation.answer(wish).html
        happened = trap.effects[before:]
        asked = tried["text"] if tried["kind"] != "callback_query" else tried["pressed"]
        if happened:
            assert may(tried), f"{happened} by {tried}"
            if happened[0] not in ("pause", "request_run"):
                assert waiting == tried["user"], f"{happened} without a code: {tried}"
                assert asked in (f"/yes {CODE}", f"yes:{CODE}"), tried
        if re.search(r"/yes \d{6}", told):
            waiting = tried["user"]
        elif asked in (f"/yes {CODE}", f"yes:{CODE}", f"no:{CODE}") and may(tried) and waiting == tried["user"]:
            waiting = None
    return len(trap.effects), let_in


@given(st.lists(st.fixed_dictionaries({name: st.sampled_from(values) for name, values in TRIED.items()}), max_size=25))
@settings(max_examples=25)
def test_nothing_happens_that_an_owner_did_not_ask_for(tmp_path_factory: Any, tries: list[dict[str, Any]]) -> None:
    attack(tries, tmp_path_factory.getbasetemp())


def drawn(chance: random.Random) -> dict[str, Any]:
    tried = {name: chance.choice(values) for name, values in TRIED.items()}
    if chance.random() < 0.5:
        # An owner doing it right, so that there is something to be stolen.
        tried |= {"kind": chance.choice(("message", "callback_query")), "user": chance.choice((OWNER, OTHER_OWNER)), "chat": "own", "age": 0,
                  "forwarded": False, "via_bot": False, "sender_chat": False, "is_bot": False, "gap": False}
    return tried


def test_among_thousands_of_updates_only_the_owners_have_effects(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    effects, let_in = attack([drawn(chance) for _ in range(1_000)], tmp_path)
    assert effects > 50, "nothing was tried"
    assert let_in > 250


@thorough
def test_a_hundred_thousand_updates(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed + 1)
    effects, _ = attack([drawn(chance) for _ in range(100_000)], tmp_path)
    assert effects > 5_000, "nothing was tried"
    print(f"100000 updates, {effects} effects, unauthorised 0, seed {seed + 1}")


def test_every_single_thing_that_is_wrong_with_an_update_is_enough(tmp_path: Path) -> None:
    right = {name: values[0] for name, values in TRIED.items()}
    assert attack([right], tmp_path) == (1, 1)
    wrong = [
        ("user", STRANGER), ("user", None), ("chat", "private"), ("chat", "group"), ("chat", "supergroup"), ("chat", "channel"),
        ("age", 31), ("age", 21_600), ("age", -600), ("forwarded", True), ("via_bot", True), ("sender_chat", True),
        ("is_bot", True), *(("kind", kind) for kind in KINDS[1:] if kind != "callback_query"),
    ]
    for name, value in wrong:
        assert attack([{**right, name: value}], tmp_path) == (0, 0), (name, value)


def test_ignored_updates_are_counted_by_reason() -> None:
    gate, right = Gate((OWNER,)), {name: values[0] for name, values in TRIED.items()}
    for change in ({"user": STRANGER}, {"user": STRANGER}, {"chat": "group"}, {"age": 31}):
        gate.judge(update_of({**right, **change}, 1), NOW)
    assert gate.ignored == {"not an owner": 2, "not a private chat": 1, "late": 1}
