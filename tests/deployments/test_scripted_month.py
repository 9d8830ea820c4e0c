"""Nights of a rehearsal whose model is scripted, told so that a stranger can follow them: thought, tried, refused, why, what for.

A few nights without Prefect every day, thirty through `brain rehearse` as it is typed in `make faults`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shell.config import Settings
from shell.config_ai import AiConfig
from shell.home import Home
from shell.market.synthetic import synthetic_market
from shell.store.store import Store
from shell.trials.candidate import Stage, StageResult
from tasks.costs import costs_of
from tasks.decide import decide_and_keep
from tasks.life import live
from tasks.night import Decision, DecisionKind, NightRecord, night_of
from tasks.report import write_report
from tests.tasks.ai.messages_server import serving
from tests.tasks.ai.scripted import SCENES, Month
from tests.tasks.memory_shell import NOW, START, SYMBOLS, MemoryShell, small_settings
from tests.tasks.sources import proposal, rule
from tests.tasks.zigzag import zigzag
from tests.thorough import thorough

REPOSITORY = Path(__file__).resolve().parents[2]
DAYS = 62
SEED = 7
# The scenes that cost no backtest: what a night is like on which a model thinks, refuses, or hands in what may not run.
CHEAP = tuple(each for each in SCENES if each.title in ("no change", "the analyst's answer is mended", "hostile code"))


def reports_of(shell: MemoryShell, nights: int) -> dict[str, str]:
    """Live `nights` nights as the flows do, up to the gate, and give each one's report."""
    for night in range(nights):
        at = NOW + timedelta(days=night)
        shell.last = at
        decision = decide_and_keep(shell, at, seed=SEED)
        outcomes = tuple(live(shell, item, at, SEED) for item in decision.items)
        write_report(shell, NightRecord(
            night=night_of(at), at=at, decision=decision, settlements=(), outcomes=outcomes, performance=shell.performance(at),
            active_version=shell.active.version, aggregated={}, costs=costs_of(shell, at),
        ))
    return dict(shell.reports)


def test_a_stranger_can_follow_what_a_model_thought_tried_and_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    base = small_settings(search_evaluations=1, search_days_max=5, nights_between_searches=0, revisions_max=1)
    settings = Settings(orchestrator=base.orchestrator, ai=AiConfig(provider="anthropic", retries_max=0))
    shell = MemoryShell(
        rule(term_1="rsi", rsi_period=8, rsi_below=40, term_2="breakout", channel=96), settings=settings,
        history=zigzag(SYMBOLS, START, DAYS + 3), last=START + timedelta(days=DAYS),
    )
    with serving() as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test-canary")
        Month(scenes=CHEAP).play(server)
        quiet, mended, hostile = reports_of(shell, 3).values()
    assert "no change: a few days of a slow strategy say nothing" in quiet
    assert "predicted: the strategy goes on paying little (refuted if fees is above 100" in quiet
    assert "| judge the night | claude-opus-5-5 | 5,000 | 1,000 | 0.0400 | answered |" in quiet
    assert "judge the night, form mended" in mended
    assert "overhaul asked for: coins that fell for a day rise again" in hostile
    assert "Refused at review: strategy.py, line 1: the module os may not be imported" in hostile
    assert "write candidate 1, text 2" in hostile
    assert "models cost $0.08 this night" in hostile
    assert "sk-test-canary" not in quiet + mended + hostile


def test_a_draft_that_gave_way_to_a_revision_is_told() -> None:
    """It is in the ledger and not where its life ended: it stands in the report, with the reason."""
    shell = MemoryShell(rule(), settings=small_settings())
    draft = shell.register_candidate(replace(proposal(rule(fast=12)), hypothesis="trends last"), NOW)
    reasons = ("line 12: an entry without a stop_loss",)
    shell.record_stage(draft.candidate_id, StageResult(stage=Stage.REVIEW, passed=False, reasons=reasons, inputs={}), NOW)
    decision = Decision(kind=DecisionKind.EVOLVE, reasons=("a search may be made",))
    text = write_report(shell, NightRecord(
        night=night_of(NOW), at=NOW, decision=decision, settlements=(), outcomes=(), performance={}, active_version="v001",
        aggregated={},
    )).markdown
    assert "## Refused on the way" in text
    assert "c0001: trends last. Refused at review: line 12: an entry without a stop\\_loss" in text


@thorough
@pytest.mark.prefect
@pytest.mark.timeout(3_700)
def test_thirty_nights_as_they_are_typed(tmp_path: Path) -> None:
    """`ANTHROPIC_BASE_URL=... brain rehearse --provider anthropic --days 30`, in a project of its own with short windows."""
    project, data = tmp_path / "project", tmp_path / "data"
    for name in ("config", "strategy"):
        shutil.copytree(REPOSITORY / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    settings = project / "config" / "settings.toml"
    text = settings.read_text()
    for name, value in (
        ("history_days_min", 30), ("history_days_max", 60), ("search_evaluations", 2), ("search_days_max", 8),
        ("nights_between_searches", 0), ("min_trades", 4), ("min_days", 10),
    ):
        [line] = [each for each in text.splitlines() if each.startswith(f"{name} = ")]
        text = text.replace(line, f"{name} = {value}")
    settings.write_text(text)
    data.mkdir()
    market = synthetic_market(SEED, ["BTC/USD", "ETH/USD"], datetime(2026, 1, 20, tzinfo=UTC), 100, "planted-edge")
    for symbol, frame in market.m5.items():
        frame.write_parquet(data / f"{symbol.replace('/', '-')}_5m.parquet")
    with serving() as server:
        Month().play(server)
        done = subprocess.run(
            [
                sys.executable, "-m", "deployments.cli.main", "rehearse", "--provider", "anthropic", "--days", "30", "--start",
                "2026-03-28", "--data", str(data), "--out", str(tmp_path / "out"), "--json",
            ],
            cwd=project, capture_output=True, text=True, timeout=3_600, check=False,
            env={
                **os.environ, "PYTHONPATH": str(REPOSITORY), "ANTHROPIC_API_KEY": "sk-test-canary",
                "ANTHROPIC_BASE_URL": server.url,
            },
        )
        asked = len(server.asked)
    assert done.returncode == 0, done.stderr[-3_000:]
    facts = json.loads(done.stdout.strip().splitlines()[-1])
    assert (facts["nights"], facts["books_check"]) == (30, [])
    verdicts = [(each["provider"], each["verdict"]) for each in facts["candidates"]]
    assert ("anthropic", "promoted") in verdicts and ("anthropic", "refused") in verdicts
    home = Home.private(tmp_path / "out")
    with Store.open(home.database, read_only=True) as store:
        calls = store.model_calls.list()
        assert store.events.verify()
    assert len(calls) == asked, "one row a request, and none without"
    spent = sum(call.counted_usd for call in calls)
    report = Path(facts["report"]).read_text(encoding="utf-8")
    nights = "\n".join(each.read_text(encoding="utf-8") for each in sorted(home.reports.glob("night-*.md")))
    for told in (
        "a few days of a slow strategy say nothing", "without a stop", "the stop is above the price", "the model refused to answer",
        "answered 529", "the module os may not be imported", "trends last, and end soon",
    ):
        assert told in nights.replace("\\_", "_"), told
    assert "models cost" in report and "the model refused to answer" in report
    assert f"{spent:.2f}" in report, "the worth table counts every dollar"
    assert "sk-test-canary" not in report + nights + done.stdout + done.stderr
