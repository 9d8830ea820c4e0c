"""The desk over a socket is the desk: the same values, the same errors, slots once, and nobody else gets in."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Thread

import httpx
import polars as pl
import pytest
from typer.testing import CliRunner

from deployments.cli.main import app
from deployments.companions import companions_of
from shell.clock import SystemClock, parse_moment
from shell.config import ControlConfig
from shell.control.server import ControlApi
from shell.desk import Desk
from shell.errors import BadInput, NotNow, OutcomeUnknown, Rejected, UsageError
from shell.market.frames import rows_of
from shell.market.history import data_hash
from shell.secrets import Secret
from shell.trials.candidate import ChangeClass, Proposal, Stage, StageResult, TrialScore
from shell.trials.segments import SegmentName
from tasks.client import ShellClient
from tasks.socket_client import SocketClient
from tests.shell.control.desks import START, STEP, Served, served
from tests.thorough import thorough


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("control") / "home") as ready:
        yield ready


def raw_client(shell: Served) -> httpx.Client:
    """Requests as anybody with curl would make them, in a time that a busy machine can keep."""
    transport = httpx.HTTPTransport(uds=str(shell.opened.home.control_socket))
    return httpx.Client(transport=transport, base_url="http://shell", timeout=60)


def test_only_its_owner_may_open_the_socket(shell: Served) -> None:
    path = shell.opened.home.control_socket
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "name",
    ["settings", "status", "active_strategy", "strategy_index", "document", "backtest_settings", "submissions",
     "candidates", "last_search", "paper_trials"],
)
def test_a_read_over_the_socket_equals_the_desk(name: str, shell: Served) -> None:
    direct = shell.calls.ask(lambda desk: getattr(desk, name)())
    remote = getattr(shell.client, name)()
    assert remote == direct or list(remote) == list(direct)
    assert type(remote) is type(direct) or isinstance(remote, list | tuple)


def test_segments_budget_and_candles_equal_the_desks(shell: Served) -> None:
    now = shell.client.status().now
    assert shell.client.segments(now) == shell.calls.ask(lambda desk: desk.segments(now))
    assert shell.client.budget(now) == shell.calls.ask(lambda desk: desk.budget(now))
    remote = shell.client.history(SegmentName.SEARCH, None, now)
    direct = shell.calls.ask(lambda desk: desk.history(SegmentName.SEARCH, None, now))
    assert (remote.symbols, remote.source, remote.real) == (direct.symbols, direct.source, direct.real)
    # What a flow says it was scored on, the shell must find to be its own.
    assert data_hash(remote) == data_hash(direct)
    for symbol, frame in direct.m5.items():
        assert rows_of(remote.m5[symbol]).tobytes() == rows_of(frame).tobytes()
        assert isinstance(remote.m5[symbol]["timestamp"].dtype, pl.Datetime)


def test_a_candidates_records_arrive_whole_and_once(shell: Served) -> None:
    client, now = shell.client, shell.client.status().now
    active = client.active_strategy()
    proposal = Proposal(
        source=active.source, parent_version=active.version, hypothesis="the same again, in words: ä€😀", provider="local",
        seed=3, parameters={"fast": 5, "slow": 0.1 + 0.2, "mode": "ema"},
    )
    made = client.register_candidate(proposal, now)
    assert made.proposal == proposal
    result = StageResult(stage=Stage.REVIEW, passed=True, reasons=("fine",), inputs={"x": [1.1, None, {"y": True}]})
    for _ in range(2):
        client.record_stage(made.candidate_id, result, now)
    client.classify(made.candidate_id, ChangeClass.TWEAK)
    again = client.candidate(made.candidate_id)
    assert (again.stages, again.change_class) == ((result,), ChangeClass.TWEAK)
    assert again == shell.calls.ask(lambda desk: desk.candidate(made.candidate_id))
    score = TrialScore(
        candidate_id=made.candidate_id, segment="search", scored_at=now, data_hash="d", source_hash=made.source_hash,
        sharpe=0.1234567890123456789, daily_returns=(1e-17, -0.1, 1 / 3), trades=4, total_return_pct=0.01,
    )
    client.record_score(score)
    assert list(client.scores(SegmentName.SEARCH)) == [score]


def test_errors_arrive_as_the_errors_they_were(shell: Served) -> None:
    now = shell.client.status().now
    with pytest.raises(Rejected, match="c9999"):
        shell.client.candidate("c9999")
    with pytest.raises(UsageError, match="lies in the future"):
        shell.client.performance(now + timedelta(hours=1))
    with pytest.raises(BadInput, match="no severity: info, warning, critical"):
        shell.client.notify("night", "approved", "text", now)
    with pytest.raises(BadInput, match="file name"):
        shell.client.save_report("../evil", "text")
    with pytest.raises(Rejected, match="c9999"):
        shell.client.promote("c9999", now)


def test_a_persons_word_by_command_is_recorded_by_the_shell_that_runs(shell: Served) -> None:
    active, now = shell.client.active_strategy(), shell.client.status().now
    source = replace(active.source, code=f"{active.source.code}\n# decided on by a person\n")
    name = shell.client.register_candidate(
        Proposal(source=source, parent_version=active.version, hypothesis="it waits", provider="local", seed=1), now
    ).candidate_id
    words = [name, "--by", "Ann", "--home", str(shell.opened.home.root), "--json"]
    yes = json.loads(CliRunner().invoke(app, ["approve", *words]).stdout.splitlines()[-1])
    assert (yes["approved"], yes["by"], yes["shell_running"]) == (True, "Ann", True)
    assert shell.client.approval(name, now) == "approved"
    assert not json.loads(CliRunner().invoke(app, ["reject", *words]).stdout.splitlines()[-1])["approved"]
    assert shell.client.approval(name, now) == "rejected"
    with pytest.raises(Rejected, match="no candidate c9999"):
        shell.client.person_decides("c9999", True, "Ann")


def test_a_slot_is_registered_scanned_once_and_its_answer_kept(shell: Served) -> None:
    slot = shell.client.status().now + STEP
    assert shell.client.register_slot(slot).state == "waiting"
    assert shell.client.register_slot(slot).state == "waiting"
    assert shell.client.slot_state(slot).outcome is None
    waiting = Thread(target=shell.step)
    waiting.start()
    outcome = shell.client.scan(slot)
    waiting.join()
    assert (outcome.slot, outcome.origin) == (slot, "requested")
    assert shell.client.scan(slot) == outcome
    assert shell.client.register_slot(slot).state == "scanned"


def test_a_slot_nobody_registered_is_a_fallback_until_it_is_reported(shell: Served) -> None:
    slot, now = shell.step(), shell.step()
    missing = shell.client.unreported_scans(now)
    assert [(parse_moment(row["slot"]), row["origin"]) for row in missing] == [(slot, "fallback")]
    shell.client.mark_reported([slot], now)
    assert shell.client.unreported_scans(now) == []


def test_a_slot_that_was_passed_over_is_not_found_and_one_far_ahead_is_refused(shell: Served) -> None:
    shell.step()
    with pytest.raises(NotNow, match="stays a gap"):
        shell.client.slot_state(START - STEP)
    with pytest.raises(BadInput, match="more than a day ahead"):
        shell.client.register_slot(shell.client.status().now + timedelta(days=3))


def test_a_body_is_read_strictly_and_told_what_is_wrong(shell: Served) -> None:
    with raw_client(shell) as raw:
        for path, body, told in [
            ("/desk/performance", {"now": "2026-03-02T00:00:00"}, "now"),
            ("/desk/performance", {"now": "2026-03-02T00:00:00Z", "more": 1}, "more"),
            ("/desk/record_searches", {"candidate_id": None, "count": "3", "now": "2026-03-02T00:00:00Z"}, "count"),
            ("/kill", {}, "reason"),
        ]:
            answer = raw.post(path, json=body)
            assert (answer.status_code, answer.json()["kind"]) == (422, "BadInput")
            assert told in answer.json()["message"]
        assert raw.post("/kill", content=b"x" * 5_000_000).status_code == 413
        assert raw.get("/nowhere").json()["kind"] == "Rejected"
        routes = raw.get("/openapi.json").json()["paths"]
        assert {"/status", "/slots/{slot}", "/kill", "/resume", "/desk/record_stage"} <= set(routes)


def test_the_kill_switch_halts_and_a_person_lifts_it(shell: Served) -> None:
    with raw_client(shell) as raw:
        assert raw.post("/kill", json={"reason": "drill"}).json() == {"halted": ["KILL_SWITCH"]}
        assert shell.client.status().halted == ("KILL_SWITCH",)
        assert raw.post("/pause", json={"by": "a test"}).json() == {"halted": ["KILL_SWITCH", "OPERATOR_PAUSE"]}
        assert raw.post("/pause", json={"by": "a test"}).status_code == 409
        for kind in ("KILL_SWITCH", "OPERATOR_PAUSE"):
            left = raw.post("/resume", json={"kind": kind, "by": "a test"}).json()
        assert left == {"halted": []}


def test_no_shell_is_a_sentence_and_a_lost_answer_is_unknown(tmp_path: Path) -> None:
    client = SocketClient(tmp_path / "none.sock", connect_seconds=0.1)
    with pytest.raises(NotNow, match="brain up"):
        client.status()
    path = Path("/tmp") / f"conduct-{os.getpid()}.sock"
    deaf = socket.socket(socket.AF_UNIX)
    deaf.bind(str(path))
    deaf.listen(1)
    Thread(target=_answer_health_then_hang_up, args=(deaf,), daemon=True).start()
    try:
        with pytest.raises(OutcomeUnknown, match="did not answer"):
            SocketClient(path, connect_seconds=2).notify("test", "info", "sent?", START)
    finally:
        deaf.close()
        path.unlink()


def _answer_health_then_hang_up(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}")
    connection.recv(65_536)
    connection.close()


def test_tcp_needs_a_token_and_a_caller_who_knows_it(shell: Served, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(Rejected, match="CONTROL_TOKEN"):
        ControlApi(tmp_path / "a.sock", ControlConfig(tcp_port=port)).start(shell.calls)
    # A path short enough for a socket, wherever the test's own folder lies.
    api = ControlApi(shell.opened.home.run / "tcp.sock", ControlConfig(tcp_port=port), Secret("right-token-0123456789"))
    api.start(shell.calls)
    try:
        url = f"http://127.0.0.1:{port}"
        assert SocketClient(url=url, token=Secret("right-token-0123456789")).status().mode == "paper"
        for wrong in ({}, {"authorization": "Bearer wrong"}):
            assert httpx.get(f"{url}/status", headers=wrong, trust_env=False, timeout=60).status_code == 401
        assert api.health().ok
    finally:
        api.stop()
    assert not (shell.opened.home.run / "tcp.sock").exists()


@thorough
def test_a_successors_socket_survives_the_stop_of_the_one_before(shell: Served) -> None:
    path = shell.opened.home.run / "twice.sock"
    first, second = ControlApi(path), ControlApi(path)
    first.start(shell.calls)
    second.start(shell.calls)
    first.stop()
    assert SocketClient(path).alive()
    second.stop()
    assert not path.exists()


def test_the_control_api_is_the_first_companion_of_every_shell(shell: Served) -> None:
    companions, told = companions_of(shell.opened.shell, SystemClock(), dict)
    assert [each.name for each in companions] == ["control", "Watchdog", "page"]
    assert "TELEGRAM_BOT_TOKEN" in told[0]
    assert not any(each.health().ok for each in companions)
    for each in companions:
        each.stop()
    assert shell.client.alive()


def test_the_protocol_and_the_desk_have_the_same_methods(shell: Served) -> None:
    named = {name for name in vars(ShellClient) if not name.startswith("_")}
    assert {name for name in vars(Desk) if not name.startswith("_")} >= named
    assert [name for name in sorted(named) if not callable(getattr(shell.client, name))] == []
    # One that this client has no line for is served all the same, by position and by name.
    night = "2026-03-02"
    assert shell.client.spending(night) == shell.client.spending(night=night) == shell.calls.ask(lambda desk: desk.spending(night))
    with pytest.raises(AttributeError):
        shell.client.nonsense()
