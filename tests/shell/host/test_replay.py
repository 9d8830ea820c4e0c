"""A replay over real child processes: the same answers through the lane, over the socket and inline; and no future anywhere."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from shell.contract import Action, ClosedTrade, Intent, Signal
from shell.errors import StrategyFault
from shell.host import process
from shell.host.account import HostPortfolio, decode_tidings, encode_tidings
from shell.host.inline import InlineHost
from shell.host.lane import available
from shell.host.port import Account, ClosedNotice, FillNotice, Holding, LateTrade, Replay, StrategySource, Tidings
from shell.host.supervisor import HostedStrategy
from shell.market.history import History
from shell.market.recorded import RecordedBook
from shell.market.recorder import recording_of
from shell.market.synthetic import synthetic_market
from tests.shell.host.sources import LIMITS, QUICK, strategy
from tests.shell.scripted import START, STEP

SYMBOLS = ["BTC/USD", "ETH/USD", "SOL/USD"]
FEES = ((0.001, 0.002),) * len(SYMBOLS)
SLOTS = 40
SEES = """
data = markets["ETH/USD"]
at = timestamp.timestamp()
newest = [str(frame["timestamp"][-1].timestamp()) if frame.height else "" for frame in (data.candles_5m, data.candles_1h)]
row = [data.candles_5m.height, data.candles_1h.height, data.current_price, data.spread, data.volume_24h,
       data.maker_fee_pct, indicators.ema_last(data, "5m", 5), portfolio.total_value, len(portfolio.recent_trades)]
return [Signal("ETH/USD", Action.BUY, reasoning=" ".join([*newest, *map(str, row)]))]
"""

Host = HostedStrategy | InlineHost


class Worlds:
    """Starts hosts over one invented history and closes them."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.made: list[Host] = []

    def book(self, at: int = 0) -> RecordedBook:
        begin = START + timedelta(days=1)
        book = RecordedBook(recording_of(self.history, SYMBOLS, begin, begin + SLOTS * STEP), spread_pct=0.001)
        book.slot = at
        return book

    def start(self, source: StrategySource, *, inline: bool = False, at: int = 0) -> Host:
        host: Host = InlineHost(source) if inline else HostedStrategy(source, QUICK, check_policy=False)
        self.made.append(host)
        book = self.book(at)
        host.start_replay(Replay(book, FEES), limits=LIMITS, windows=book.windows(), state=None)
        return host


@pytest.fixture(scope="module")
def history() -> History:
    return synthetic_market(5, SYMBOLS, START, 2)


@pytest.fixture
def worlds(history: History) -> Iterator[Worlds]:
    made = Worlds(history)
    yield made
    for host in made.made:
        host.close()


def account(cash: float = 1000.0) -> Account:
    held = Holding("BTC/USD", 2.0, 90.0, Intent.DAY, 80.0, None, START, "t")
    return Account(cash, 900.0, 950.0, 1.5, (held,))


def everything_told(host: Host) -> list[str]:
    """What a strategy says at every slot, some told something, some rolled over."""
    heard = []
    for slot in range(SLOTS):
        if slot % 7 == 0:
            (answer,) = host.step(slot, Tidings(account(1000.0 + slot), [FillNotice("BTC/USD", Action.BUY, 1.0, 2.0, Intent.DAY)]))
        else:
            (answer,) = host.roll(slot, slot + 1, 1).signals
        heard.append(answer.reasoning)
    return heard


def test_lane_socket_and_inline_show_one_and_the_same(worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    lane = everything_told(worlds.start(strategy(SEES)))
    inline = everything_told(worlds.start(strategy(SEES), inline=True))
    monkeypatch.setattr(process, "available", lambda: False)
    socket = everything_told(worlds.start(strategy(SEES)))
    assert lane == inline == socket
    assert len(set(lane)) == SLOTS


def test_what_is_shown_is_what_had_closed(worlds: Worlds) -> None:
    host, book = worlds.start(strategy(SEES)), worlds.book()
    for slot in range(SLOTS):
        (answer,) = host.roll(slot, slot + 1, 1).signals
        m5, h1, *_, price = answer.reasoning.split()[:5]
        now = book.moment_of(slot)
        assert datetime.fromtimestamp(float(m5), now.tzinfo) == now - STEP
        assert datetime.fromtimestamp(float(h1), now.tzinfo) + timedelta(hours=1) <= now < datetime.fromtimestamp(
            float(h1), now.tzinfo
        ) + timedelta(hours=2)
        assert float(price) == book.closes[1, slot]


@pytest.mark.skipif(not available(), reason="there is no shared memory to look into")
def test_nothing_of_the_future_lies_in_the_shared_memory(worlds: Worlds) -> None:
    # Behind the policy's back, as code that had broken out of Python would look.
    looks = """
    tapes = markets["ETH/USD"]._shelf.tapes
    beyond = sum(float(np.abs(tape.table[tape.count:]).sum()) for tape in tapes.values())
    return [Signal("ETH/USD", Action.BUY, reasoning=f"{beyond} {[tape.count for tape in tapes.values()]}")]
    """
    host = worlds.start(strategy(looks))
    for slot in (0, 1, 13, 30):
        (answer,) = host.roll(slot, slot + 1, 1).signals
        counts = worlds.book().counts(slot)
        assert answer.reasoning == f"0.0 {list(counts)}"


@pytest.mark.skipif(not available(), reason="there is no shared memory to write to")
def test_the_child_cannot_write_what_it_is_shown(worlds: Worlds) -> None:
    writes = """
    table = markets["ETH/USD"]._shelf.tapes[list(markets["ETH/USD"]._shelf.tapes)[0]].table
    table.flags.writeable = True
    """
    (_, _, fault) = worlds.start(strategy(writes)).roll(0, 1, 1)
    assert fault is not None
    assert "ValueError" in str(fault)


def test_a_roll_ends_at_the_first_signal_and_goes_on_behind_it(worlds: Worlds) -> None:
    host = worlds.start(strategy("if self.count in (4, 9): return [Signal('BTC/USD', Action.CLOSE)]"))
    assert host.roll(0, 20, 1) == (3, [Signal("BTC/USD", Action.CLOSE)], None)
    assert host.roll(4, 20, 1).slot == 8
    assert host.roll(9, 20, 1) == (20, [], None)
    assert host.get_state()["count"] == 20


def test_a_roll_asks_only_at_the_slots_that_are_due(worlds: Worlds) -> None:
    for inline in (False, True):
        host = worlds.start(strategy("self.seen.append(timestamp.isoformat())"), inline=inline)
        assert host.roll(1, 20, 3).slot == 22
        first = worlds.book()
        assert host.get_state()["seen"] == [first.moment_of(slot).isoformat() for slot in range(1, 20, 3)]


@pytest.mark.parametrize("inline", [False, True])
def test_a_fault_names_its_slot_and_a_new_start_goes_on_from_there(worlds: Worlds, inline: bool) -> None:
    host = worlds.start(strategy("if self.count == 6: raise KeyError('planted')"), inline=inline)
    slot, signals, fault = host.roll(0, SLOTS, 1)
    assert (slot, signals) == (5, [])
    assert fault is not None
    assert "KeyError: planted" in str(fault)
    assert host.roll(6, SLOTS, 1).fault is not None
    again = worlds.start(strategy(SEES), inline=inline, at=17)
    fresh = worlds.start(strategy(SEES), inline=inline)
    for _ in fresh_until(fresh, 17):
        pass
    assert [again.roll(slot, slot + 1, 1).signals for slot in range(18, 25)] == [
        fresh.roll(slot, slot + 1, 1).signals for slot in range(18, 25)
    ]


def fresh_until(host: Host, stop: int) -> Iterator[int]:
    for slot in range(stop + 1):
        host.roll(slot, slot + 1, 1)
        yield slot


def test_a_strategy_that_hangs_in_a_roll_is_killed_on_time(worlds: Worlds) -> None:
    host = worlds.start(strategy("while self.count == 3: pass"))
    assert isinstance(host, HostedStrategy)
    pid = host.pid
    slot, _, fault = host.roll(0, SLOTS, 1)
    assert slot == 2
    assert fault is not None
    assert fault.kind == "timeout"
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_process_that_dies_in_a_roll_is_noticed(worlds: Worlds) -> None:
    host = worlds.start(strategy("if self.count == 3: import time; time.sleep(30)"))
    assert isinstance(host, HostedStrategy)
    assert host.roll(0, 2, 1).fault is None
    assert host.pid is not None
    os.kill(host.pid, signal.SIGKILL)
    fault = host.roll(2, 3, 1).fault
    assert fault is not None
    assert fault.kind == "killed"


def test_a_parent_that_takes_its_time_finds_its_strategy_waiting(worlds: Worlds) -> None:
    host = worlds.start(strategy())
    for slot in range(0, 6, 2):
        assert host.roll(slot, slot + 2, 1).fault is None
        time.sleep(0.3)
    assert host.get_state()["count"] == 6


FORGERIES: dict[str, str] = {
    "an answer to the next question": "answers.words[0] = answers.words[0] + 2; time_(60)",
    "a form that does not exist": "answers.words[1] = 7; answers.words[0] = answers.words[0] + 1; import time; time.sleep(60)",
    "an endless message": "answers.words[2] = 1 << 60; answers.words[1] = 1; answers.words[0] = answers.words[0] + 1; time_(60)",
    "a negative length": "answers.words[2] = -5; answers.words[1] = 1; answers.words[0] = answers.words[0] + 1; time_(60)",
    "signals that are none": "answers.write_message(bytes([10]) + b'[1, 2]'); answers.words[2] = 7; answers.words[1] = 1; "
    "answers.words[0] = answers.words[0] + 1; time_(60)",
}


@pytest.mark.skipif(not available(), reason="there is no shared memory to write to")
@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_forged_answers_are_faults_and_nothing_worse(worlds: Worlds, forgery: str) -> None:
    body = f"""
    import gc, time
    time_ = time.sleep
    (session,) = [each for each in gc.get_objects() if type(each).__name__ == "LaneSession"]
    answers = session.ends[1]
    if self.count == 3:
        {forgery}
    """
    host = worlds.start(strategy("import gc; gc.unfreeze()\n" + "\n".join(line[4:] for line in body.splitlines())))
    assert isinstance(host, HostedStrategy)
    rolled = host.roll(0, SLOTS, 1)
    assert rolled.fault is not None
    assert rolled.fault.kind in ("bad_reply", "timeout")
    assert host.pid is None


def test_tidings_survive_the_wire() -> None:
    trade = ClosedTrade(
        symbol="BTC/USD", side="long", qty=1.0, entry_price=2.0, exit_price=3.0, pnl=0.9, pnl_pct=0.45, intent=Intent.SWING,
        opened_at=START, closed_at=START + STEP, fees=0.1, tag="x",
    )
    notices = [FillNotice("BTC/USD", Action.CLOSE, 1.0, 3.0, Intent.SWING), ClosedNotice("BTC/USD", 0.9, 0.45)]
    for sent in (Tidings(None), Tidings(account(), notices, [trade])):
        got = decode_tidings(encode_tidings(sent))
        assert (got.account, list(got.notices), list(got.new_trades)) == (sent.account, list(sent.notices), list(sent.new_trades))


def test_a_trade_is_made_when_somebody_looks_at_it_and_once() -> None:
    made = []

    def make() -> ClosedTrade:
        made.append(len(made))
        return ClosedTrade(
            symbol="BTC/USD", side="long", qty=1.0, entry_price=2.0, exit_price=3.0, pnl=float(len(made)), pnl_pct=0.45,
            intent=Intent.SWING, opened_at=START, closed_at=START + STEP,
        )

    late = LateTrade(make)
    portfolio = HostPortfolio(account(), lambda symbol: 1.0, (late, make()))
    assert made == [0]
    first = portfolio.recent_trades
    assert made == [0, 1]
    assert [trade.pnl for trade in first] == [2.0, 1.0]
    assert all(one is other for one, other in zip(first, portfolio.recent_trades, strict=True))
    assert list(decode_tidings(encode_tidings(Tidings(None, (), [late]))).new_trades) == [first[0]]
    assert made == [0, 1]


@pytest.mark.parametrize("inline", [False, True])
def test_the_portfolio_moves_with_the_price_and_a_kept_one_stands_still(worlds: Worlds, inline: bool) -> None:
    keeps = """
    if self.count == 1:
        self.kept, self.first = portfolio, portfolio.positions[0]
    now = [portfolio.total_value, portfolio.positions[0].unrealized_pnl, portfolio.daily_pnl, portfolio.total_pnl]
    old = [self.kept.total_value, self.first.unrealized_pnl, self.first.current_price]
    return [Signal("BTC/USD", Action.CLOSE, reasoning=f"{now} {old}")]
    """
    host, book = worlds.start(strategy(keeps), inline=inline), worlds.book()
    first = float(book.closes[0, 0])
    for slot in range(4):
        (answer,) = host.step(slot, Tidings(account())) if slot == 0 else host.roll(slot, slot + 1, 1).signals
        price = float(book.closes[0, slot])
        now = [1000.0 + 2.0 * price, 2.0 * price - 180.0, 1000.0 + 2.0 * price - 900.0, 1000.0 + 2.0 * price - 950.0]
        assert answer.reasoning == f"{now} {[1000.0 + 2.0 * first, 2.0 * first - 180.0, first]}"


@pytest.mark.parametrize("inline", [False, True])
def test_the_recent_trades_are_still_there_after_a_portfolio_was_kept(worlds: Worlds, inline: bool) -> None:
    keeps = """
    self.kept = [*getattr(self, "kept", []), portfolio]
    return [Signal("BTC/USD", Action.CLOSE, reasoning=str([len(each.recent_trades) for each in self.kept]))]
    """
    trade = ClosedTrade(
        symbol="BTC/USD", side="long", qty=1.0, entry_price=2.0, exit_price=3.0, pnl=0.9, pnl_pct=0.45, intent=Intent.SWING,
        opened_at=START, closed_at=START + STEP,
    )
    host = worlds.start(strategy(keeps), inline=inline)
    host.step(0, Tidings(account(), [], [trade]))
    (second,) = host.roll(1, 2, 1).signals
    host.step(2, Tidings(account(), [], [trade]))
    (fourth,) = host.roll(3, 4, 1).signals
    assert (second.reasoning, fourth.reasoning) == ("[1, 1]", "[1, 1, 2, 2]")


def test_asking_a_host_that_is_not_running_is_a_fault(worlds: Worlds) -> None:
    make: list[Callable[[], Host]] = [lambda: InlineHost(strategy()), lambda: HostedStrategy(strategy(), QUICK)]
    for each in make:
        assert each().roll(0, 1, 1).fault is not None
        with pytest.raises(StrategyFault):
            each().step(0, Tidings(None))
