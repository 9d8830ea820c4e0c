"""What other servers make of the protocol: pings, thinking, fields nobody knows, whole answers, and what is no answer at all.

Goal: whatever comes back, the night goes on with a reply that can be booked or with a call that failed. Method: a real socket.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from shell.config_ai import AiConfig
from shell.model_calls import Usage
from shell.secrets import Secret
from shell.store.canonical import canonical
from tasks.ai.connect import ModelAccess, connected
from tasks.ai.dialogue import CallFailed, Question, Reply, Role, Turn
from tasks.ai.discreet import DiscreetModels
from tests.tasks.ai.messages_server import MessagesServer, Refuse, Say, as_sse, serving
from tests.thorough import thorough

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")

QUESTION = Question(
    role=Role.ANALYSE, model="claude-opus-5-5", system="You are the analyst.", turns=(Turn(by="user", content="Decide."),),
    output_tokens_max=2_000,
)
AI = AiConfig(retries_max=0, call_deadline=timedelta(seconds=30))
Events = list[dict[str, Any]]
SEED = 7


@pytest.fixture(scope="module")
def server() -> Iterator[MessagesServer]:
    with serving() as running:
        yield running


@pytest.fixture
def models(server: MessagesServer) -> DiscreetModels:
    server.script.clear()
    server.model_page = server.count_page = None
    return connected(AI, "anthropic", ModelAccess(anthropic_key=Secret("sk-a"), anthropic_url=server.url))


def pinged(events: Events) -> Iterable[dict[str, Any] | bytes]:
    yield b": a comment that keeps the line open\n\n"
    for event in events:
        yield {"type": "ping"}
        yield event


def thinking(events: Events) -> Iterable[dict[str, Any] | bytes]:
    """A block of thinking, one that is hidden, and one of a kind nobody knows, before the text."""
    start, *rest = events
    yield start
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}
    yield {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "fees first"}}
    yield {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln"}}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "content_block_start", "index": 1, "content_block": {"type": "redacted_thinking", "data": "eA=="}}
    yield {"type": "content_block_stop", "index": 1}
    yield {"type": "content_block_start", "index": 2, "content_block": {"type": "musing", "about": ["rain", 1]}}
    yield {"type": "content_block_delta", "index": 2, "delta": {"type": "musing_delta", "more": "rain"}}
    yield {"type": "content_block_stop", "index": 2}
    for event in rest:
        yield {**event, "index": event["index"] + 3} if "index" in event else event


def extended(events: Events) -> Iterable[dict[str, Any] | bytes]:
    """Fields and events of a later day."""
    for event in events:
        yield {"type": "weather", "sky": "grey"}
        more = copy.deepcopy(event) | {"later": {"deep": [1, None]}}
        if "message" in more:
            more["message"] |= {"mood": "good", "context_management": None}
            more["message"]["usage"] |= {"service_tier": "standard", "server_tool_use": None, "inference_geo": "eu", "new": 3}
        yield more


def other_line_ends(events: Events) -> Iterable[dict[str, Any] | bytes]:
    """The same stream with carriage returns, cut into pieces in the middle of everything, of characters as well."""
    body = b"".join(map(as_sse, events)).replace(b"\n", b"\r\n")
    body = body.replace(b"\\u00e9", "é".encode())
    return [body[at : at + 7] for at in range(0, len(body), 7)]


@pytest.mark.parametrize("bent", [pinged, thinking, extended, other_line_ends])
def test_a_stream_with_more_in_it_is_the_same_answer(server: MessagesServer, models: DiscreetModels, bent: Any) -> None:
    server.script = [Say(text="an answer, é", bent=bent, input_tokens=11, output_tokens=22)]
    reply = models.ask(QUESTION)
    assert (reply.text, reply.stop_reason) == ("an answer, é", "end_turn")
    assert reply.usage == Usage(input_tokens=11, output_tokens=22)
    assert canonical(Reply.of(json.loads(canonical(reply.as_dict())))) == canonical(reply), "it can be stored as it is"
    if bent is thinking:
        assert [block["type"] for block in reply.content] == ["thinking", "redacted_thinking", "musing", "text"]
        assert reply.content[0]["signature"] == "c2ln", "what a paused reply is gone on with is sent back as it came"


def test_a_server_that_does_not_stream_is_understood(server: MessagesServer, models: DiscreetModels) -> None:
    server.script = [Say(text="at once", whole=True, input_tokens=11, output_tokens=22, usage={"cache_read_input_tokens": 5})]
    reply = models.ask(QUESTION)
    assert (reply.text, reply.stop_reason, reply.model) == ("at once", "end_turn", "claude-opus-5-5")
    assert reply.usage == Usage(input_tokens=11, output_tokens=22, cache_read_tokens=5)
    server.script = [Say(text="no", whole=True, stop_reason="refusal")]
    assert models.ask(QUESTION).stop_reason == "refusal"


NO_ANSWERS: dict[str, Say] = {
    "a page of HTML": Say(text="", raw=b"<html>Bad gateway</html>", kind="text/html"),
    "an empty body": Say(text="", raw=b""),
    "no event": Say(text="", raw=b"data: hello\n\ndata: world\n\n"),
    "garbage where JSON should be": Say(text="", raw=b"event: message_start\ndata: {nonsense\n\n"),
    "bytes that are no text": Say(text="", raw=b"event: message_start\ndata: \xff\xfe\xfa\n\n"),
    "a list": Say(text="", raw=b"event: message_start\ndata: [1, 2]\n\n"),
    "JSON that is no message": Say(text="", raw=b'{"type": "error", "error": {"type": "overloaded_error"}}', kind="application/json"),
    "JSON that is a number": Say(text="", raw=b"17", kind="application/json"),
    "JSON nested without end": Say(text="", raw=b"[" * 100_000, kind="application/json"),
    "an error in the stream": Say(text="x", bent=lambda events: [
        *events[:3], {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    ]),
    "a piece of a block that never began": Say(text="x", bent=lambda events: [events[0], *events[2:]]),
    "no beginning": Say(text="x", bent=lambda events: events[1:]),
    "no reason to stop": Say(text="x", bent=lambda events: events[:-2]),
    "no usage": Say(text="x", bent=lambda events: [{**each, "usage": None} if "usage" in each else each for each in events]),
    "a bill that pays us": Say(text="x", output_tokens=-5_000),
    "a bill that is no number": Say(text="x", usage={"input_tokens": "many"}),
    "a bill beyond all bounds": Say(text="x", usage={"cache_read_input_tokens": 10**15}),
}


@pytest.mark.parametrize("what", NO_ANSWERS)
def test_what_is_no_answer_is_a_call_that_counts_as_reserved(server: MessagesServer, models: DiscreetModels, what: str) -> None:
    server.script = [NO_ANSWERS[what]]
    with pytest.raises(CallFailed, match="the reply broke off") as failed:
        models.ask(QUESTION)
    assert not failed.value.free, "it may have been worked on"
    assert "\n" not in str(failed.value) and len(str(failed.value)) < 400


def test_the_key_does_not_follow_a_redirect(server: MessagesServer, models: DiscreetModels) -> None:
    with serving() as elsewhere:
        server.script = [Refuse(status=307, headers={"location": f"{elsewhere.url}/v1/messages"})]
        with pytest.raises(CallFailed, match="answered 307"):
            models.ask(QUESTION)
        assert elsewhere.requests == []


def test_no_proxy_of_the_environment_sees_what_is_meant_for_this_machine(
    server: MessagesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.script = [Say(text="straight")]
    straight = connected(AI, "anthropic", ModelAccess(anthropic_key=Secret("sk-a"), anthropic_url=server.url))
    assert straight.ask(QUESTION).text == "straight"


@pytest.mark.parametrize("page", [{}, {"id": "claude-opus-5-5"}, {"lifecycle": None}, {"lifecycle": "active"}, [], "soon", 17])
def test_a_model_page_that_says_nothing_of_its_end_is_no_warning(server: MessagesServer, models: DiscreetModels, page: Any) -> None:
    server.model_page = page
    assert models.lifecycle("claude-opus-5-5") == ""


@pytest.mark.parametrize("page", [{}, [], "many", {"input_tokens": None}, {"input_tokens": -1}, {"input_tokens": "12"}])
def test_a_count_that_is_none_is_a_call_that_failed(server: MessagesServer, models: DiscreetModels, page: Any) -> None:
    server.count_page = page
    with pytest.raises(CallFailed, match="did not count") as failed:
        models.count(QUESTION)
    assert failed.value.free


def broken(chance: random.Random) -> Any:
    """One way to get a stream wrong: events lost, doubled or out of order, a field that is not there or something else."""
    wrong: tuple[Any, ...] = (None, -1, 3.5, "text", [], {}, [{}], True, "\ud800", 10**30, {"type": "text"})

    def bend(events: Events) -> Events:
        found = copy.deepcopy(events)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(found))
            match chance.choice(("lose", "double", "swap", "field", "field", "field")):
                case "lose" if len(found) > 1:
                    del found[at]
                case "double":
                    found.insert(at, copy.deepcopy(found[at]))
                case "swap":
                    other = chance.randrange(len(found))
                    found[at], found[other] = found[other], found[at]
                case _:
                    place: Any = found[at]
                    while (inner := [each for each in place.values() if isinstance(each, dict) and each]) and chance.random() < 0.6:
                        place = chance.choice(inner)
                    name = chance.choice(sorted(place))
                    if chance.random() < 0.3:
                        del place[name]
                    else:
                        place[name] = chance.choice(wrong)
        return found

    return bend


def bent_streams(server: MessagesServer, models: DiscreetModels, seed: int, number: int) -> int:
    """Ask `number` times; every answer is a reply that can be stored and booked, or a call that failed. How many replies."""
    chance, replies = random.Random(seed), 0
    for turn in range(number):
        server.script = [Say(text="x" * 900, bent=broken(chance))]
        try:
            reply = models.ask(QUESTION)
        except CallFailed:
            continue
        replies += 1
        stored = json.loads(canonical(reply.as_dict()))
        assert canonical(Reply.of(stored)) == canonical(reply), f"seed {seed}, turn {turn}"
        assert min(reply.usage.input_tokens, reply.usage.output_tokens) >= 0
    return replies


def test_a_stream_that_was_bent_never_breaks_the_night(server: MessagesServer, models: DiscreetModels) -> None:
    assert 0 <= bent_streams(server, models, SEED, 15) < 15


@thorough
def test_many_bent_streams(server: MessagesServer, models: DiscreetModels) -> None:
    replies = [bent_streams(server, models, seed, 30) for seed in range(8)]
    assert 0 < sum(replies) < 8 * 30, "either nothing was bent, or nothing could be read"
