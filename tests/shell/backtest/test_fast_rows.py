"""A fast run whose rows cross while it is made: the certified run's books still, and no forged order of frames gets through.

Method: a strategy that trades at every step, both ways and one run after another in a bench; then a child made of frames.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shell.backtest import fast
from shell.backtest.driver import run_backtest
from shell.backtest.fast import FastBench, run_fast
from shell.backtest.fast_wire import FINISHING, GOING, encode_beat, encode_refusal
from shell.backtest.result import BacktestResult, BacktestSettings
from shell.backtest.result_rows import LINE_BYTES_MAX, ROWS_A_LINE
from shell.backtest.result_stream import ReceivedRows
from shell.backtest.result_wire import answer_bytes_max
from shell.config import HostConfig
from shell.errors import DataError, StrategyFault
from shell.host.port import StrategySource
from shell.host.wire import HEADER, Kind, frame
from tests.shell.backtest.test_fast import ONE, assert_same_books, strategy
from tests.shell.backtest.test_result_stream import ANSWER, FIRST, LONG, SECOND, TRADED
from tests.shell.backtest.test_result_wire import EXPECTED, SETTINGS

REQUEST = 77
BRIEF = replace(SETTINGS, host=HostConfig(call_timeout=timedelta(seconds=0.2), start_timeout=timedelta(seconds=1)))


def flipping(share: float, then: str = "") -> StrategySource:
    """In and out in turn at every step, slowly enough for some beats on any machine."""
    body = f"""
        {then}
        for _ in range(20_000):
            pass
        return [Signal("BTC/USD", Action.CLOSE if portfolio.positions else Action.BUY, {share})]
    """
    code = strategy(body).code.replace("scan_interval_minutes = 60", "scan_interval_minutes = 5")
    return StrategySource(code=f"from shell.contract import Action, Signal\n{code}")


class Counted(ReceivedRows):
    """Notes where in its run each block came."""

    came: list[tuple[str, int]]
    told: int

    def add(self, body: bytes) -> None:
        super().add(body)
        self.came.append((body[2:8].decode().strip('"'), Counted.told))


@pytest.fixture
def crossed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """(table, slot last told of) of every block that came."""
    Counted.came, Counted.told = [], 0
    monkeypatch.setattr(fast, "ReceivedRows", Counted)
    return Counted.came


def tell(done: int, _total: int) -> None:
    Counted.told = done


def test_rows_cross_during_the_run_and_its_books_are_the_certified_runs(crossed: list[tuple[str, int]]) -> None:
    quick = run_fast(flipping(0.1), ONE, settings=SETTINGS, progress=tell)
    assert_same_books(quick, run_backtest(flipping(0.1), ONE, settings=SETTINGS))
    assert len(quick.fills) > 1_000 and len(quick.trades) > 500
    assert {table for table, _ in crossed} == {"fills", "trades"}
    # Well before its end, and all that was whole before its answer.
    assert crossed[0][1] < 0.75 * quick.steps
    assert [table for table, _ in crossed].count("fills") == len(quick.fills) // ROWS_A_LINE


def test_nothing_of_one_run_is_in_the_next_ones_result(crossed: list[tuple[str, int]]) -> None:
    """The second of them breaks for good after rows of it have crossed; the last comes to a process that served another."""
    breaks = flipping(0.1, "if timestamp.day == 4: raise ValueError('as planted')")
    blocks = []
    with FastBench(ONE, start=None, end=None, settings=SETTINGS) as bench:
        first = bench.run(flipping(0.1))
        blocks.append(len(crossed))
        with pytest.raises(StrategyFault, match="as planted"):
            bench.run(breaks)
        blocks.append(len(crossed))
        none, second, third = bench.run(strategy("return []")), bench.run(flipping(0.2)), bench.run(flipping(0.1))
    assert 0 < blocks[0] < blocks[1] < len(crossed)
    assert (none.fills, none.trades) == ((), ())
    for result, share in ((first, 0.1), (second, 0.2), (third, 0.1)):
        assert_same_books(result, run_backtest(flipping(share), ONE, settings=SETTINGS))


# -- a child made of frames ---------------------------------------------------------------------------------------


class Child:
    """Answers with these frames, one a reading, then with silence; a reading takes so long."""

    last_words = ""

    def __init__(self, frames: list[bytes], seconds: float = 0.0) -> None:
        self._frames, self._seconds, self.now = list(frames), seconds, 0.0

    def send(self, *_: object) -> int:
        return REQUEST

    def receive(self, _bytes_max: int, seconds: float, _call: str) -> bytes:
        self.now += self._seconds if self._frames else seconds
        return self._frames.pop(0) if self._frames else b""


def table(block: bytes, request_id: int = REQUEST) -> bytes:
    return frame(request_id, Kind.TABLE, block)


def beat(slot: int, phase: int = GOING) -> bytes:
    return frame(REQUEST, Kind.BEAT, encode_beat(slot, phase))


ANSWERED = frame(REQUEST, Kind.ANSWER, ANSWER)
HONEST_FRAMES = [
    beat(0), table(FIRST), beat(100), table(SECOND), table(TRADED), beat(EXPECTED.steps, FINISHING), ANSWERED,
]


def heard(
    monkeypatch: pytest.MonkeyPatch, frames: list[bytes], seconds: float = 0.0, settings: BacktestSettings = SETTINGS
) -> BacktestResult:
    child: Any = Child(frames, seconds)
    monkeypatch.setattr(fast, "monotonic", lambda: child.now)
    return fast._Conversation(child, EXPECTED, settings, None).result(StrategySource(code=""))


@pytest.mark.parametrize("together", [False, True])
def test_frames_in_honest_order_are_a_result(monkeypatch: pytest.MonkeyPatch, together: bool) -> None:
    got = heard(monkeypatch, [b"".join(HONEST_FRAMES)] if together else HONEST_FRAMES)
    assert (got.fills, got.trades, got.equity_hash) == (LONG.fills, LONG.trades, LONG.equity_hash)


FORGED = {
    "rows after the end of the run": ([*HONEST_FRAMES[:3], HONEST_FRAMES[5], *HONEST_FRAMES[3:5], ANSWERED], "after the end"),
    "rows after the answer": ([*HONEST_FRAMES[:-1], ANSWERED + table(FIRST)], "more after its answer"),
    "a block twice": ([*HONEST_FRAMES[:2], *HONEST_FRAMES[1:]], "does not follow"),
    "a block less": ([*HONEST_FRAMES[:3], *HONEST_FRAMES[4:]], "other rows"),
    "rows of another request": ([beat(0), table(FIRST, REQUEST - 1)], "not asked"),
    "a block beyond a line": ([HEADER.pack(LINE_BYTES_MAX + 1, REQUEST, Kind.TABLE)], "at most 1048576 are allowed"),
    "a block as an answer": ([frame(REQUEST, Kind.ANSWER, FIRST)], "another length"),
    "an answer as a block": ([table(ANSWER)], "another form"),
    "an answer beyond what rows left": (
        [table(FIRST), HEADER.pack(answer_bytes_max(EXPECTED, ReceivedRows(EXPECTED)) - len(FIRST) + 1, REQUEST, Kind.ANSWER)],
        "at most",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_frames_in_another_order_are_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    frames, words = FORGED[name]
    with pytest.raises(StrategyFault, match=words) as fault:
        heard(monkeypatch, frames)
    assert fault.value.kind == "bad_reply"


def test_rows_without_end_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = [table(FIRST.replace(b'["fills", 0', b'["fills", %d' % (at * ROWS_A_LINE))) for at in range(100)]
    with pytest.raises(StrategyFault, match="bytes; at most") as fault:
        heard(monkeypatch, endless)
    assert fault.value.kind == "bad_reply"


def test_rows_do_not_keep_a_run_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """1.2 s for a call: what comes 0.5 s apart is in time if it is beats, and not if it is rows."""
    beats = [beat(at) for at in range(1, 9)]
    assert heard(monkeypatch, [*beats, table(FIRST), table(SECOND), beat(9), table(TRADED), ANSWERED], 0.5, BRIEF)
    with pytest.raises(StrategyFault, match=r"did not go on for 0\.2 s") as fault:
        heard(monkeypatch, [beat(1), table(FIRST), table(SECOND), table(TRADED), ANSWERED], 0.5, BRIEF)
    assert fault.value.kind == "timeout"


def test_what_a_run_sent_before_its_fault_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="no bars"):
        heard(monkeypatch, [beat(0), table(FIRST), frame(REQUEST, Kind.FAULT, encode_refusal(DataError("no bars")))])
    assert heard(monkeypatch, HONEST_FRAMES).fills == LONG.fills


def test_a_strategy_that_sends_rows_of_its_own_ends_the_process() -> None:
    forged = """
        import sys
        frame = sys._getframe()
        while "heart" not in frame.f_locals:
            frame = frame.f_back
        type(frame.f_locals["rows"]).blocks = lambda _: [b'["fills", 0, "backtest", "candidate", []]']
        return []
    """
    with FastBench(ONE, start=None, end=None, settings=SETTINGS) as bench:
        with pytest.raises(StrategyFault, match="other") as fault:
            bench.run(strategy(forged), check_policy=False)
        assert fault.value.kind == "bad_reply"
        assert bench.run(strategy("return []")).fills == ()
