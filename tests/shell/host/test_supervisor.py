"""The host end to end, over real child processes: what reaches a strategy, what comes back, and what is left behind."""

from __future__ import annotations

import os
import signal
import textwrap
from collections.abc import Iterator
from datetime import timedelta

import pytest

from shell.clock import monotonic
from shell.contract import Action, ClosedTrade, Intent, OpenPosition, OrderType, Signal
from shell.errors import StrategyFault, StrategyRejected
from shell.host import landlock
from shell.host.port import ClosedNotice, FillNotice, StrategySource
from shell.host.supervisor import HostedStrategy
from shell.host.syscalls import this_machine
from shell.market.bars import Bar, Tier
from tests.shell.host.sources import BEGIN, BEGIN_MS, BODY_LINE, LIMITS, QUICK, SYMBOLS, bar, rows, scan, strategy, windows


class Hosts:
    """Makes started hosts and closes them all."""

    def __init__(self) -> None:
        self.made: list[HostedStrategy] = []

    def start(self, source: StrategySource, **start: object) -> HostedStrategy:
        host = HostedStrategy(source, QUICK, check_policy=False)
        self.made.append(host)
        arguments: dict[str, object] = {"symbols": SYMBOLS, "limits": LIMITS, "windows": windows(), "state": None}
        host.start(**(arguments | start))  # type: ignore[arg-type]
        return host


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    hosts = Hosts()
    yield hosts
    for host in hosts.made:
        host.close()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def told(host: HostedStrategy, number: int = 1, **what: object) -> str:
    """The reasoning of the only signal of a scan."""
    (answer,) = host.analyze(scan(number, **what))  # type: ignore[arg-type]
    return answer.reasoning


def tell(expression: str) -> StrategySource:
    """A strategy that says the value of an expression in a signal's reasoning."""
    return strategy(f"return [Signal('BTC/USD', Action.BUY, reasoning=str({expression}))]")


def test_signals_arrive_with_every_field_and_its_type(hosts: Hosts) -> None:
    body = """
    return [
        Signal("BTC/USD", Action.BUY, np.float64(0.05), OrderType.LIMIT, 99, np.float32(95.5), 120.25, Intent.DAY, 1,
               "up", "t"),
        Signal("ETH/USD", "CLOSE"),
    ]
    """
    signals = hosts.start(strategy(body)).analyze(scan())
    assert signals == [
        Signal("BTC/USD", Action.BUY, 0.05, OrderType.LIMIT, 99.0, 95.5, 120.25, Intent.DAY, 1.0, "up", "t"),
        Signal("ETH/USD", Action.CLOSE),
    ]
    assert type(signals[0].limit_price) is float
    assert signals[1].action is Action.CLOSE


def test_market_data_of_a_scan_is_what_was_sent(hosts: Hosts) -> None:
    host = hosts.start(
        tell(
            "[[(m.symbol, m.current_price, m.spread, m.volume_24h, m.maker_fee_pct, m.taker_fee_pct) for m in"
            " [markets['ETH/USD']]], sorted(markets), timestamp.isoformat(), portfolio.cash, portfolio.total_value,"
            " portfolio.daily_pnl, portfolio.total_pnl, portfolio.fees]"
        )
    )
    assert told(host, 3) == (
        "[[('ETH/USD', 103.0, 2.0, 50.0, 0.0025, 0.004)], ['BTC/USD', 'ETH/USD', 'SOL/USD'],"
        " '2024-01-10T00:15:00+00:00', 9000.0, 10000.0, -5.0, 7.5, 1.25]"
    )


def test_bars_appear_when_they_close_and_not_before(hosts: Hosts) -> None:
    frame = "markets['BTC/USD'].candles_5m"
    host = hosts.start(tell(f"({frame}.height, {frame}['close'][-1], {frame}['timestamp'][-1].isoformat())"))
    assert told(host, 0) == "(50, 149.0, '2024-01-09T23:55:00+00:00')"
    assert told(host, 1, bars=[bar(1)]) == "(51, 200.0, '2024-01-10T00:00:00+00:00')"
    # A bar handed over early is not shown: it closes at scan 3, this is scan 2.
    assert told(host, 2, bars=[bar(3)]) == "(51, 200.0, '2024-01-10T00:00:00+00:00')"
    assert told(host, 3) == "(52, 200.0, '2024-01-10T00:10:00+00:00')"


def test_a_bar_still_open_is_not_shown_even_if_it_was_handed_over(hosts: Hosts) -> None:
    hour = Bar("BTC/USD", Tier.H1, BEGIN_MS, 1.0, 1.0, 1.0, 1.0, 1.0)
    host = hosts.start(tell("markets['BTC/USD'].candles_1h.height"))
    assert [told(host, number, bars=[hour] if number == 2 else []) for number in (2, 11, 12)] == ["50", "50", "51"]


def test_candles_have_the_columns_of_the_contract_in_every_tier(hosts: Hosts) -> None:
    host = hosts.start(tell("[str(markets['SOL/USD'].candles_1h.schema), markets['SOL/USD'].candles_1d.height]"))
    answer = told(host)
    assert "Datetime(time_unit='ms', time_zone='UTC')" in answer
    assert answer.endswith("50]")


def test_a_frame_kept_from_an_earlier_scan_never_changes(hosts: Hosts) -> None:
    body = """
    if self.count == 1:
        self.old = markets
        self.frame = markets["BTC/USD"].candles_5m
        self.copy = self.frame.clone()
    same = self.frame.equals(self.copy) and self.old["BTC/USD"].candles_5m.equals(self.copy)
    return [Signal("BTC/USD", Action.BUY, reasoning=f"{same} {markets['BTC/USD'].candles_5m.height}")]
    """
    host = hosts.start(strategy(body))
    for number in range(1, 200):
        assert told(host, number, bars=[bar(number)]) == f"True {50 + number}"


def test_indicators_follow_the_bars_inside_the_host(hosts: Hosts) -> None:
    body = """
    m = markets["BTC/USD"]
    grown, whole = indicators.ema(m, "5m", 21), indicators.ema_of(m.candles_5m["close"], 21)
    same = len(grown) == m.candles_5m.height and np.allclose(grown, whole, rtol=1e-12, equal_nan=True)
    return [Signal("BTC/USD", Action.BUY, reasoning=str(same))]
    """
    host = hosts.start(strategy(body))
    assert [told(host, number, bars=[bar(number, close=150.0 + number)]) for number in range(1, 8)] == ["True"] * 7


def test_fills_and_closed_trades_reach_the_strategy_before_analyze(hosts: Hosts) -> None:
    host = hosts.start(tell("self.seen"))
    notices = [FillNotice("BTC/USD", Action.BUY, 0.5, 100.0, Intent.DAY), ClosedNotice("ETH/USD", -2.0, -0.01)]
    assert told(host, 1, notices=notices) == (
        "[['fill', 'BTC/USD', 'BUY', 0.5, 100.0, 'DAY'], ['closed', 'ETH/USD', -2.0, -0.01]]"
    )


def a_trade(number: int) -> ClosedTrade:
    return ClosedTrade(
        symbol="BTC/USD",
        side="long",
        qty=1.0,
        entry_price=100.0,
        exit_price=101.0,
        pnl=float(number),
        pnl_pct=0.01,
        intent=Intent.SWING,
        opened_at=BEGIN,
        closed_at=BEGIN + timedelta(minutes=number),
    )


def test_positions_and_the_last_hundred_trades_are_shown(hosts: Hosts) -> None:
    trades = "[t.pnl for t in portfolio.recent_trades]"
    held = "[(p.symbol, p.opened_at.hour, p.tag) for p in portfolio.positions]"
    host = hosts.start(
        tell(f"(len({trades}), {trades}[:1], {trades}[-1:], {held})"),
        recent_trades=[a_trade(number) for number in range(150)],
    )
    position = OpenPosition(
        symbol="ETH/USD",
        side="long",
        qty=2.0,
        avg_entry=50.0,
        current_price=51.0,
        unrealized_pnl=2.0,
        unrealized_pnl_pct=0.02,
        intent=Intent.POSITION,
        opened_at=BEGIN,
        tag="x",
    )
    assert told(host, 1) == "(100, [50.0], [149.0], [])"
    assert told(host, 2, positions=[position], trades=[a_trade(150)]) == "(100, [51.0], [150.0], [('ETH/USD', 0, 'x')])"


def test_state_survives_into_a_fresh_process(hosts: Hosts) -> None:
    first = hosts.start(strategy())
    for number in range(1, 4):
        first.analyze(scan(number))
    state = first.get_state()
    assert state == {"count": 3, "seen": []}
    second = hosts.start(tell("self.count"), state=state)
    assert second.pid != first.pid
    assert told(second, 4) == "4"


def test_skills_are_modules_and_nothing_else_of_the_workspace_is(hosts: Hosts) -> None:
    source = strategy("from strategy.skills.trend import up\nreturn [Signal('BTC/USD', Action.BUY, reasoning=up())]")
    source = StrategySource(code=source.code, skills={"trend": "def up():\n    return 'rising'\n"})
    assert told(hosts.start(source)) == "rising"
    absent = hosts.start(strategy("from strategy.skills import absent"))
    with pytest.raises(StrategyFault, match="ImportError: cannot import name 'absent'"):
        absent.analyze(scan())


def test_scan_interval_is_a_property_an_attribute_or_five_minutes(hosts: Hosts) -> None:
    def interval_of(line: str) -> int:
        source = strategy()
        code = source.code.replace("class Strategy:", f"class Strategy:\n    {line}")
        host = HostedStrategy(StrategySource(code=code), QUICK)
        hosts.made.append(host)
        return host.start(symbols=SYMBOLS, limits=LIMITS, windows={}, state=None)

    assert interval_of("pass") == 5
    assert interval_of("scan_interval_minutes = property(lambda self: 15)") == 15
    with pytest.raises(StrategyFault, match=r"scan_interval_minutes is 2\.5; a whole number from 1 to 1440") as caught:
        interval_of("scan_interval_minutes = 2.5")
    assert caught.value.kind == "bad_reply"


def test_an_exception_is_a_fault_with_its_line_and_ends_the_process(hosts: Hosts) -> None:
    host = hosts.start(strategy("x = 1\nreturn [x / 0]"))
    pid = host.pid
    with pytest.raises(StrategyFault) as caught:
        host.analyze(scan())
    assert (caught.value.kind, caught.value.line) == ("error", BODY_LINE + 1)
    assert str(caught.value) == f"line {BODY_LINE + 1}: ZeroDivisionError: division by zero"
    assert pid is not None
    assert not alive(pid)
    with pytest.raises(StrategyFault, match="start it first"):
        host.analyze(scan())


def test_an_exception_inside_a_skill_names_both_places(hosts: Hosts) -> None:
    source = strategy("from strategy.skills.trend import up\nup({})")
    host = hosts.start(StrategySource(code=source.code, skills={"trend": "def up(d):\n    return d['k']\n"}))
    with pytest.raises(StrategyFault) as caught:
        host.analyze(scan())
    assert str(caught.value) == f"line {BODY_LINE + 1}: strategy/skills/trend.py line 2: KeyError: k"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise SystemExit", "SystemExit"),
        ("return self.analyze(markets, portfolio, timestamp)", "RecursionError"),
        ("class Loud(Exception):\n    def __str__(self):\n        while True: pass\nraise Loud(5)", "Loud"),
        ("raise ValueError('a\\u202eb' + '\\n' + 'x' * 10**6)", "ValueError: a b x"),
        ("raise ValueError(f'{object()!r}')", r"ValueError: <object object at 0x…>"),
        ("np.ones(10**12)", "MemoryError"),
    ],
)
def test_whatever_is_raised_becomes_a_short_error(hosts: Hosts, body: str, message: str) -> None:
    with pytest.raises(StrategyFault, match=message) as caught:
        hosts.start(strategy(body)).analyze(scan())
    assert caught.value.kind == "error"
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


def test_code_that_does_not_load_or_initialize_is_a_fault_of_start(hosts: Hosts) -> None:
    for code, message in [
        ("def broken(:\n", "line 1: SyntaxError"),
        ("x = 1\nraise RuntimeError('no')\n", "line 2: RuntimeError: no"),
    ]:
        with pytest.raises(StrategyFault, match=message):
            hosts.start(StrategySource(code=code))


@pytest.mark.parametrize(
    "body",
    [
        "try:\n    while True: pass\nexcept BaseException:\n    while True: pass",
        "int('9' * 4000) ** 10**7",
    ],
)
def test_a_strategy_that_hangs_is_killed_at_its_deadline(hosts: Hosts, body: str) -> None:
    host = hosts.start(strategy(body))
    pid, began = host.pid, monotonic()
    with pytest.raises(StrategyFault) as caught:
        host.analyze(scan())
    assert caught.value.kind == "timeout"
    assert 0.9 < monotonic() - began < 60.0
    assert pid is not None
    assert not alive(pid)


def test_a_hanging_start_is_killed_too(hosts: Hosts) -> None:
    config = QUICK.model_copy(update={"start_timeout": timedelta(seconds=1.5)})
    host = HostedStrategy(StrategySource(code="while True: pass"), config, check_policy=False)
    with pytest.raises(StrategyFault, match=r"start did not answer within 1\.5 s"):
        host.start(symbols=SYMBOLS, limits=LIMITS, windows={}, state=None)
    assert host.pid is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("import os\nos._exit(0)", "the strategy's process ended during analyze"),
        ("import os\nos.abort()", "died during analyze .SIGABRT."),
        ("import os\nos.closerange(3, 100)", "ended during analyze"),
    ],
)
def test_a_process_that_ends_is_a_fault(hosts: Hosts, body: str, message: str) -> None:
    with pytest.raises(StrategyFault, match=message) as caught:
        hosts.start(strategy(body)).analyze(scan())
    assert caught.value.kind == "killed"


# The frames of the host's own functions hold the socket's descriptor and the request's number: nothing hides them.
_FORGE = """
import os, sys, struct, time
frame = sys._getframe()
while "request_id" not in frame.f_locals:
    frame = frame.f_back
number = frame.f_locals["request_id"]
data = {data}
os.write(frame.f_locals["descriptor"], data)
time.sleep({pause})
"""


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("struct.pack('<IIB', 2, number ^ 1, 10) + b'[]'", "bad_reply"),
        ("struct.pack('<IIB', 2**31, number, 10)", "bad_reply"),
        ("struct.pack('<IIB', 2, number, 10) + b'[]' + b'more'", "bad_reply"),
        ("struct.pack('<IIB', 2, number, 11) + b'{}'", "bad_reply"),
        ("b'xx'", "timeout"),
    ],
)
def test_bytes_written_to_the_socket_by_the_strategy_fool_nobody(hosts: Hosts, data: str, kind: str) -> None:
    host = hosts.start(strategy(_FORGE.format(data=data, pause=5)))
    host_pid = host.pid
    with pytest.raises(StrategyFault) as caught:
        host.analyze(scan())
    assert caught.value.kind == kind
    assert host_pid is not None
    assert not alive(host_pid)


@pytest.mark.parametrize("number", ["number", "(number + 1) % 2**32"])
def test_a_reply_too_many_is_refused_at_the_next_request(hosts: Hosts, number: str) -> None:
    forged = _FORGE.format(data=f"struct.pack('<IIB', 2, {number}, 10) + b'[]'", pause=0)
    body = "if self.count == 1:\n" + textwrap.indent(forged.strip(), "    ")
    host = hosts.start(strategy(body))

    def go_on() -> None:
        for number in range(1, 4):
            host.analyze(scan(number))

    with pytest.raises(StrategyFault) as caught:
        go_on()
    assert caught.value.kind == "bad_reply"


def test_a_child_inherits_nothing(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRAKEN_API_SECRET", "secret")
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, True)
    try:
        host = hosts.start(tell("'KRAKEN_API_SECRET' in __import__('os').environ"))
        assert told(host) == "False"
        assert host.pid is not None
        assert os.getsid(host.pid) == host.pid
    finally:
        os.close(write_end)
    os.set_blocking(read_end, False)
    # The end of the stream: nobody else holds the other end.
    assert os.read(read_end, 1) == b""
    os.close(read_end)


def test_what_only_an_attack_does_kills_and_is_called_an_attempt(hosts: Hosts) -> None:
    host = hosts.start(strategy("import os\nos.fork()"))
    pid = host.pid
    with pytest.raises(StrategyFault, match="tried during analyze what only an attack does") as caught:
        host.analyze(scan())
    assert caught.value.kind == "attempt"
    assert pid is not None
    assert not alive(pid)


def test_closing_twice_or_before_a_start_is_harmless() -> None:
    host = HostedStrategy(strategy(), QUICK)
    host.close()
    host.prespawn()
    pid = host.pid
    assert pid is not None
    assert alive(pid)
    host.close()
    host.close()
    assert not alive(pid)


def test_starting_again_replaces_the_process(hosts: Hosts) -> None:
    host = hosts.start(strategy())
    first = host.pid
    host.start(symbols=SYMBOLS, limits=LIMITS, windows={}, state=None)
    assert host.pid != first
    assert first is not None
    assert not alive(first)


def test_the_parents_death_ends_an_idle_child() -> None:
    host = HostedStrategy(strategy(), QUICK)
    host.start(symbols=SYMBOLS, limits=LIMITS, windows={}, state=None)
    pid = host.pid
    assert pid is not None
    # What the kernel does when the parent dies: its end of the socket closes.
    host._child._socket.close()  # type: ignore[union-attr]
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    host.close()


def test_a_refused_file_starts_no_process() -> None:
    host = HostedStrategy(strategy("import os"), QUICK)
    with pytest.raises(StrategyRejected, match=f"line {BODY_LINE}: the module os may not be imported") as caught:
        host.start(symbols=SYMBOLS, limits=LIMITS, windows={}, state=None)
    assert len(caught.value.findings) == 1
    assert host.pid is None


def test_hash_seed_decides_the_order_of_sets(hosts: Hosts) -> None:
    def order(seed: str) -> str:
        host = HostedStrategy(tell("list({'BTC/USD', 'ETH/USD', 'SOL/USD', 'XRP/USD'})"), QUICK, hash_seed=seed)
        hosts.made.append(host)
        host.start(symbols=SYMBOLS, limits=LIMITS, windows={}, state=None)
        return told(host)

    assert order("1") != order("2")


def test_memory_is_bounded_and_isolation_is_told_as_it_is(hosts: Hosts) -> None:
    host = hosts.start(strategy())
    assert host.isolation["memory_limit"] is True
    assert host.isolation["core_dumps"] is False
    assert host.isolation["uid"] != 0
    assert host.isolation["seccomp"] is (this_machine() is not None)
    assert host.isolation["landlock_abi"] == landlock.version()
    assert set(host.isolation["probes"].values()) == {"denied"}


def test_a_window_of_the_full_contract_size_crosses_whole(hosts: Hosts) -> None:
    tiers = {tier: tier.window_bars for tier in Tier}
    big = {("BTC/USD", tier): rows(tier, count) for tier, count in tiers.items()}
    heights = "[frame.height for m in [markets['BTC/USD']] for frame in (m.candles_5m, m.candles_1h, m.candles_1d)]"
    host = hosts.start(tell(heights), windows=big)
    assert told(host, 0) == str(list(tiers.values()))


def test_a_flood_on_the_error_stream_does_not_stop_the_host(hosts: Hosts) -> None:
    body = """
    import os
    try:
        for _ in range(1000):
            os.write(2, b"x" * 4096)
    except BlockingIOError:
        pass
    return [Signal("BTC/USD", Action.BUY)]
    """
    host = hosts.start(strategy(body))
    assert len(host.analyze(scan())) == 1
    host.close()
    assert 0 < len(host.last_words) <= 64 * 1024


def test_a_stopped_process_times_out(hosts: Hosts) -> None:
    host = hosts.start(strategy())
    assert host.pid is not None
    os.kill(host.pid, signal.SIGSTOP)
    # Not reaped by this: it only waits until the signal has taken effect.
    os.waitid(os.P_PID, host.pid, os.WSTOPPED | os.WNOWAIT)
    with pytest.raises(StrategyFault, match="did not answer within 1 s"):
        host.analyze(scan())
