"""The supervised socket: confirmed subscriptions, silence noticed, coming back for ever."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from shell.errors import Fatal, Transient
from shell.exchange.kraken.wire import Fields
from shell.exchange.kraken.ws import Broken, Socket, Want
from tests.shell.exchange.kraken.socket_stand_in import FastPace, Line, SocketStandIn, running, serving_sockets, until
from tests.shell.exchange.kraken.times import HandPace

SYMBOLS = tuple(f"C{at}/USD" for at in range(30))


class Notes:
    """A listener that writes down what it is told."""

    def __init__(self, *wants: Want) -> None:
        self._wants = wants
        self.log: list[tuple[Any, ...]] = []
        self.greetings: list[Any] = []

    def wants(self) -> Sequence[Want]:
        return self._wants

    async def greet(self) -> Mapping[str, Any]:
        greeting = self.greetings.pop(0) if self.greetings else {}
        if isinstance(greeting, Exception):
            raise greeting
        assert isinstance(greeting, dict)
        return greeting

    def up(self) -> None:
        self.log.append(("up",))

    def down(self, reason: str) -> None:
        self.log.append(("down", reason))

    def refused(self, channel: str, symbol: str, reason: str) -> None:
        self.log.append(("refused", channel, symbol, reason))

    def message(self, message: Fields) -> None:
        if message.text("channel") == "poison":
            raise Broken("poison")
        self.log.append(("message", message.text("channel")))

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [entry for entry in self.log if entry[0] == kind]


def socket_of(here: SocketStandIn, notes: Notes, **options: Any) -> Socket:
    given = {"silence_seconds": 1.0, "ack_seconds": 0.3, **options}
    return Socket(here.url, notes, pace=given.pop("pace", FastPace()), chance=random.Random(7), local=True, **given)


TICKER = Want(channel="ticker", symbols=SYMBOLS, params={"snapshot": True})


def test_everything_is_subscribed_in_pieces_and_confirmed_by_symbol() -> None:
    async def run() -> None:
        notes = Notes(Want(channel="instrument"), TICKER)
        async with serving_sockets() as here, running(socket_of(here, notes).run()):
            await until(lambda: notes.of("up"))
            first, *rest = here.last.got
            assert first["params"] == {"channel": "instrument"}
            assert [len(each["params"]["symbol"]) for each in rest] == [25, 5]
            assert all(each["params"]["snapshot"] is True for each in rest)
            numbers = [each["req_id"] for each in here.last.got]
            assert len(set(numbers)) == 3 and all(0 < number < 2**31 for number in numbers)

    asyncio.run(run())


def test_a_dropped_request_is_asked_again_for_what_is_missing_alone() -> None:
    """Exceeded msg rate: Kraken drops the request and says so to nobody in particular."""

    async def run() -> None:
        notes = Notes(Want(channel="ticker", symbols=("A/USD", "B/USD")))

        async def hook(line: Line, request: dict[str, Any]) -> bool:
            if len(line.got) == 1:
                told = {"channel": "ticker", "symbol": "A/USD"}
                await line.tell({"method": "subscribe", "result": told, "success": True, "req_id": request["req_id"]})
                await line.tell({"Error": "Exceeded msg rate"})
                return True
            return False

        async with serving_sockets(hook) as here, running(socket_of(here, notes).run()):
            await until(lambda: notes.of("up"))
            assert [each["params"]["symbol"] for each in here.last.got] == [["A/USD", "B/USD"], ["B/USD"]]

    asyncio.run(run())


def test_a_subscription_that_is_never_answered_ends_the_connection() -> None:
    async def run() -> None:
        notes = Notes(Want(channel="ticker", symbols=("A/USD",)))

        async def hook(line: Line, request: dict[str, Any]) -> bool:
            return line.number == 1

        async with serving_sockets(hook) as here, running(socket_of(here, notes, ack_seconds=0.05).run()):
            await until(lambda: notes.of("up"))
            assert "never answered" in notes.of("down")[0][1] and len(here.lines[0].got) == 3 and len(here.lines) == 2

    asyncio.run(run())


def test_a_refused_symbol_is_told_and_stops_nobody_else() -> None:
    async def run() -> None:
        notes = Notes(Want(channel="ticker", symbols=("A/USD", "XYZ/USD")), Want(channel="trade", symbols=("A/USD",)))

        async def hook(line: Line, request: dict[str, Any]) -> bool:
            if "XYZ/USD" not in request["params"]["symbol"]:
                return False
            number = request["req_id"]
            await line.tell({"method": "subscribe", "success": False, "error": "Currency pair not supported XYZ/USD",
                             "symbol": "XYZ/USD", "req_id": number})
            told = {"channel": "ticker", "symbol": "A/USD"}
            await line.tell({"method": "subscribe", "result": told, "success": True, "req_id": number})
            return True

        async with serving_sockets(hook) as here, running(socket_of(here, notes).run()):
            await until(lambda: notes.of("up"))
            assert notes.of("refused") == [("refused", "ticker", "XYZ/USD", "Currency pair not supported XYZ/USD")]
            assert len(here.lines) == 1

    asyncio.run(run())


def test_silence_is_noticed_in_time_and_a_ping_was_tried() -> None:
    async def run() -> float:
        notes = Notes()
        async with serving_sockets(beat=0) as here, running(socket_of(here, notes, silence_seconds=0.4).run()):
            await until(lambda: notes.of("up"))
            began = asyncio.get_running_loop().time()
            await until(lambda: notes.of("down"))
            took = asyncio.get_running_loop().time() - began
            assert notes.of("down")[0][1] == "no message for 0.4 s" and here.lines[0].asked("ping", "ping")
            await until(lambda: len(here.lines) > 1)
            return took

    assert asyncio.run(run()) < 0.7


def test_heartbeats_alone_keep_a_connection() -> None:
    async def run() -> None:
        notes = Notes()
        async with serving_sockets(beat=0.05) as here, running(socket_of(here, notes, silence_seconds=0.4).run()):
            await asyncio.sleep(1.2)
            assert len(here.lines) == 1 and not notes.of("down") and not notes.of("message")

    asyncio.run(run())


def test_it_comes_back_after_every_kind_of_end() -> None:
    async def run() -> None:
        notes = Notes(TICKER)
        notes.greetings = [{}, {}, {}, Transient("no token"), {}]
        async with serving_sockets() as here, running(socket_of(here, notes).run()):
            for at, end in enumerate(("close", "abort", "poison", "nonsense"), 1):
                await until(lambda at=at: len(notes.of("up")) == at, 20)  # type: ignore[misc]
                if end == "close":
                    await here.last.connection.close(1001, "CloudFlare WebSocket proxy restarting")
                elif end == "abort":
                    here.last.connection.transport.abort()
                else:
                    await here.last.tell('{"channel": "poison"}' if end == "poison" else "not json")
            await until(lambda: len(notes.of("up")) == 5, 20)
            reasons = [entry[1] for entry in notes.of("down")]
            assert len(reasons) == 5 and "no token" in reasons and "poison" in reasons

    asyncio.run(run())


def test_pauses_grow_and_begin_again_after_a_steady_connection() -> None:
    async def run() -> list[float]:
        pace = HandPace()
        notes = Notes()
        notes.greetings = [Transient("x")] * 8
        async with serving_sockets() as here, running(socket_of(here, notes, pace=pace).run()):
            await until(lambda: notes.of("up"))
            pace.at += 3600
            notes.greetings = [Transient("x")] * 2
            await here.last.connection.close()
            await until(lambda: len(notes.of("up")) == 2)
            return pace.slept

    slept = asyncio.run(run())
    first, then = slept[:8], slept[8:]
    assert first[0] == 0 and all(5 <= pause <= 30 for pause in first[1:]) and max(first) > 15
    assert then[0] == 0 and then[1] >= 5


def test_a_key_that_is_refused_ends_it() -> None:
    async def run() -> None:
        notes = Notes()
        notes.greetings = [Fatal("the key is refused")]
        async with serving_sockets() as here:
            with pytest.raises(Fatal, match="the key is refused"):
                await socket_of(here, notes).run()
        assert notes.of("down") and not here.lines

    asyncio.run(run())


def test_the_greeting_stands_in_every_subscription() -> None:
    async def run() -> None:
        notes = Notes(Want(channel="executions"), Want(channel="balances"))
        notes.greetings = [{"token": "one"}, {"token": "two"}]
        async with serving_sockets() as here, running(socket_of(here, notes).run()):
            await until(lambda: notes.of("up"))
            await here.last.connection.close()
            await until(lambda: len(notes.of("up")) == 2)
            tokens = [[each["params"]["token"] for each in line.got] for line in here.lines]
            assert tokens == [["one", "one"], ["two", "two"]]

    asyncio.run(run())
