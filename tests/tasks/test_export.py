"""The export after a night: only where it is asked for, and a failure is told and raises nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from shell.config import Settings
from shell.config_ai import AiConfig, VertexConfig
from shell.trials.candidate import Stage, StageResult
from tasks.export import cargo_of, export_night
from tests.tasks.ai.test_vertex_export import Vertex, score, standing_in
from tests.tasks.memory_shell import NOW, MemoryShell, small_settings
from tests.tasks.sources import proposal, rule
from tests.thorough import thorough


def shell_with(**vertex: str) -> MemoryShell:
    config = Settings(orchestrator=small_settings().orchestrator, ai=AiConfig(vertex=VertexConfig(**vertex)))
    return MemoryShell(rule(), settings=config)


def with_a_promoted_candidate(shell: MemoryShell) -> MemoryShell:
    candidate = shell.register_candidate(proposal(rule(fast=12)), NOW)
    shell.record_score(score(candidate.candidate_id))
    shell.versions.append(shell.versions[0].__class__(
        version="v002", hash=candidate.source_hash, parent="v001", hypothesis="it may work", promoted_at=NOW, state="active"
    ))
    promoted = StageResult(stage=Stage.PROMOTE, passed=True, reasons=("active as v002",), inputs={"previous": "v001"})
    shell.record_stage(candidate.candidate_id, promoted, NOW)
    return shell


@pytest.mark.parametrize("export", ["off", "on"])
def test_a_night_exports_nothing_unless_it_is_asked_to(export: str) -> None:
    shell = with_a_promoted_candidate(shell_with(export=export, project_id="a-project", api_endpoint="http://127.0.0.1:1"))
    assert asyncio.run(export_night(shell, NOW)) == ""
    assert shell.messages == []


def test_a_night_that_cannot_export_tells_it_and_raises_nothing() -> None:
    shell = with_a_promoted_candidate(shell_with(export="nightly"))
    said = asyncio.run(export_night(shell, NOW))
    assert said.startswith("The night of 2024-03-11 was not copied to Vertex: the export needs the Google Cloud project")
    assert shell.messages == [("export", "warning", said)]


def test_what_a_night_sends_is_every_counted_trial_and_every_version_that_came_of_one() -> None:
    cargo = cargo_of(with_a_promoted_candidate(shell_with(export="nightly")), NOW)
    assert cargo is not None
    assert [(run.name, run.params["verdict"]) for run in cargo.runs] == [("c0001", "promoted")]
    assert [(each.name, each.labels["candidate"]) for each in cargo.champions] == [("trading-brain-v002", "c0001")]


@pytest.fixture
def vertex() -> Iterator[Vertex]:
    with standing_in() as state:
        yield state


@thorough
def test_a_night_is_copied_over_the_real_sdk_once_and_a_refusal_is_told(vertex: Vertex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDSDK_AUTH_ACCESS_TOKEN", "ya29.canary")
    shell = with_a_promoted_candidate(shell_with(export="nightly", project_id="a-project", api_endpoint=vertex.url))
    assert asyncio.run(export_night(shell, NOW)) == "experiment trading-brain: 1 trials new, 0 changed, 1 versions registered, 0 as they were"
    assert asyncio.run(export_night(shell, NOW)).endswith("0 trials new, 0 changed, 0 versions registered, 2 as they were")
    assert len(vertex.models) == 1 and shell.messages == []
    vertex.refuses = 403
    said = asyncio.run(export_night(shell, NOW))
    assert "was not copied to Vertex: Vertex did not take the export: 403" in said and "ya29" not in said
    assert shell.messages == [("export", "warning", said)]


@thorough
def test_a_night_does_not_wait_for_a_vertex_that_does_not_answer(vertex: Vertex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDSDK_AUTH_ACCESS_TOKEN", "ya29.canary")
    vertex.waits_seconds = 3.0
    shell = with_a_promoted_candidate(shell_with(export="nightly", project_id="a-project", api_endpoint=vertex.url))
    assert "Vertex did not take it within 0.5 s" in asyncio.run(export_night(shell, NOW, deadline_seconds=0.5))
