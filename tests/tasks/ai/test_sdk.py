"""One code path to two providers, over a real socket: what is sent, what is booked, and what is never waited for."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from shell.config_ai import AiConfig, VertexConfig
from shell.errors import BadInput, NotNow
from shell.model_calls import Usage
from shell.secrets import Secret
from tasks.ai.connect import ModelAccess, access_from, connected
from tasks.ai.dialogue import CallFailed, Question, Reply, Role, Turn
from tasks.ai.replies import PLAN_SCHEMA
from tests.tasks.ai.messages_server import MessagesServer, Refuse, Say, serving

QUESTION = Question(
    role=Role.ANALYSE, model="claude-opus-5-5", system="You are the analyst.", turns=(Turn(by="user", content="Decide."),),
    output_tokens_max=32_000, schema=PLAN_SCHEMA,
)
AI = AiConfig(
    vertex=VertexConfig(project_id="a-project", region="us-east5", structured_outputs="on"), retries_max=2,
    call_deadline=timedelta(seconds=30),
)


@pytest.fixture(scope="module")
def server() -> Iterator[MessagesServer]:
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(server: MessagesServer) -> None:
    server.requests.clear()
    server.script.clear()


def access(server: MessagesServer) -> ModelAccess:
    return ModelAccess(
        anthropic_key=Secret("sk-a"), anthropic_url=server.url, vertex_url=f"{server.url}/v1", vertex_token=Secret("ya29.t")
    )


@pytest.mark.parametrize("provider", ["anthropic", "vertex"])
def test_both_providers_are_asked_the_same_and_answer_the_same(server: MessagesServer, provider: str) -> None:
    kept = {"cache_creation_input_tokens": 30, "cache_read_input_tokens": 7,
            "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10}}
    server.script = [Say(text="an answer, half a \ud83d", usage=kept, input_tokens=11, output_tokens=22)]
    models = connected(AI, provider, access(server))
    assert models.count(QUESTION) == 5_000
    reply = models.ask(QUESTION)
    assert reply.text == "an answer, half a ?"
    assert (reply.stop_reason, reply.model) == ("end_turn", "claude-opus-5-5")
    assert reply.usage == Usage(
        input_tokens=11, output_tokens=22, cache_write_5m_tokens=20, cache_write_1h_tokens=10, cache_read_tokens=7
    )
    (_, count, _), (path, body, headers) = server.requests
    assert count["messages"] == body["messages"] == [{"role": "user", "content": "Decide."}]
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": PLAN_SCHEMA}}
    assert (body["max_tokens"], body["stream"]) == (32_000, True)
    if provider == "vertex":
        assert path == "/v1/projects/a-project/locations/us-east5/publishers/anthropic/models/claude-opus-5-5:streamRawPredict"
        assert (headers["Authorization"], body["anthropic_version"]) == ("Bearer ya29.t", "2026-10-21")
    else:
        assert (path, headers["Authorization"], body["model"]) == ("/v1/messages", "Bearer sk-a", "claude-opus-5-5")
    assert models.lifecycle("claude-opus-5-5") == ""
    assert Reply.of(reply.as_dict()) == reply


def test_a_retry_after_beyond_the_deadline_is_not_waited_for(server: MessagesServer) -> None:
    server.script = [Refuse(status=429, headers={"retry-after": "3600"})]
    begun = time.monotonic()
    with pytest.raises(CallFailed, match="past the deadline") as failed:
        connected(AI, "anthropic", access(server)).ask(QUESTION)
    assert failed.value.free
    assert time.monotonic() - begun < 240


def test_what_passes_is_tried_again_and_what_does_not_is_not(server: MessagesServer) -> None:
    models = connected(AI, "anthropic", access(server))
    models._chance = random.Random(7)
    server.script = [Refuse(status=529), Say(text="at last")]
    assert models.ask(QUESTION).text == "at last"
    server.script = [Refuse(status=400, kind="invalid_request_error"), Say(text="never asked")]
    with pytest.raises(CallFailed, match="answered 400") as failed:
        models.ask(QUESTION)
    assert failed.value.free
    assert len(server.script) == 1


@pytest.mark.parametrize("status", [408, 504])
def test_a_time_out_on_the_way_counts_as_paid_and_is_not_tried_again(server: MessagesServer, status: int) -> None:
    """The model may have worked on it: tried again at no price, one reservation would pay for several answers."""
    server.script = [Refuse(status=status), Say(text="never asked")]
    with pytest.raises(CallFailed, match=f"answered {status}") as failed:
        connected(AI, "anthropic", access(server)).ask(QUESTION)
    assert not failed.value.free
    assert len(server.script) == 1


def test_a_provider_that_is_not_there_cost_nothing(server: MessagesServer) -> None:
    nowhere = ModelAccess(anthropic_key=Secret("sk-a"), anthropic_url="http://127.0.0.1:9")
    quick = AI.model_copy(update={"retries_max": 0})
    with pytest.raises(CallFailed, match="cannot be reached") as failed:
        connected(quick, "anthropic", nowhere).ask(QUESTION)
    assert failed.value.free
    assert "sk-a" not in str(failed.value)


def test_missing_google_credentials_are_a_sentence(server: MessagesServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/credentials.json")
    with pytest.raises(CallFailed, match="vertex: .*credentials") as failed:
        connected(AI, "vertex", ModelAccess(vertex_url=f"{server.url}/v1")).ask(QUESTION)
    assert failed.value.free
    assert server.requests == []


def test_a_key_never_leaves_this_machine_unencrypted_nor_without_being_set() -> None:
    with pytest.raises(BadInput, match="unencrypted"):
        connected(AI, "anthropic", ModelAccess(anthropic_key=Secret("k"), anthropic_url="http://example.com"))
    with pytest.raises(NotNow, match="ANTHROPIC_API_KEY"):
        connected(AI, "anthropic", ModelAccess())
    with pytest.raises(NotNow, match="project"):
        connected(AiConfig(), "vertex", ModelAccess())
    found = access_from({"ANTHROPIC_API_KEY": "sk-x", "ANTHROPIC_BASE_URL": "http://127.0.0.1:1", "OTHER": "y"})
    assert found == ModelAccess(anthropic_key=Secret("sk-x"), anthropic_url="http://127.0.0.1:1")
    assert "sk-x" not in repr(found)
