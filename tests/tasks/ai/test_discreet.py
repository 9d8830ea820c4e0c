"""A server that repeats the key it was sent is understood without it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shell.config_ai import AiConfig
from shell.secrets import MASK, Secret
from tasks.ai.connect import ModelAccess, connected
from tasks.ai.dialogue import CallFailed, Question, Role, Turn
from tasks.ai.discreet import DiscreetModels
from tests.tasks.ai.messages_server import MessagesServer, Refuse, Say, serving

KEY = "sk-ant-canary-0123456789"
QUESTION = Question(
    role=Role.ANALYSE, model="claude-opus-5-5", system="You are the analyst", turns=(Turn(by="user", content="what now?"),),
    output_tokens_max=100,
)


@pytest.fixture(scope="module")
def server() -> Iterator[MessagesServer]:
    with serving() as one:
        yield one


def asked(server: MessagesServer, key: str) -> DiscreetModels:
    return connected(AiConfig(), "anthropic", ModelAccess(anthropic_key=Secret(key), anthropic_url=server.url))


def test_neither_a_reply_nor_a_failure_keeps_the_key(server: MessagesServer) -> None:
    server.script = [Say(text=f"your key is {KEY}, is it not?"), Refuse(status=401, kind=f"no {KEY}")]
    models = asked(server, KEY)
    reply = models.ask(QUESTION)
    assert reply.text == f"your key is {MASK}, is it not?"
    assert KEY not in str(reply.as_dict())
    with pytest.raises(CallFailed, match="answered 401") as failed:
        models.ask(QUESTION)
    error: BaseException | None = failed.value
    assert failed.value.free
    while error is not None:
        assert KEY not in f"{error!r} {error}"
        error = error.__cause__ or error.__context__


def test_a_stand_in_for_a_key_is_left_in_what_a_model_wrote(server: MessagesServer) -> None:
    server.script = [Say(text="test = 1")]
    assert asked(server, "test").ask(QUESTION).text == "test = 1"
