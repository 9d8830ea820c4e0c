"""The same over real sockets: two protocols on one port, cut connections, and time driven from outside."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import websockets
from websockets.sync.client import connect

from shell.errors import NotNow
from shell.exchange.simulator.faults import read_plan
from shell.exchange.simulator.hosting import hosted
from shell.exchange.simulator.server import Running, running
from shell.exchange.simulator.venue import Rules
from tests.shell.exchange.simulator.kit import sign, still_tape

RULES = Rules(tier="off", balances=(("ZUSD", Decimal(100_000)),))


def served(story: Callable[[Running, httpx.AsyncClient], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def tell() -> None:
        async with (
            running(still_tape(), RULES, **options) as exchange,
            httpx.AsyncClient(base_url=exchange.rest, timeout=5) as client,
        ):
            await asyncio.wait_for(story(exchange, client), 60)

    asyncio.run(tell())


async def ask(exchange: Running, client: httpx.AsyncClient, nonce: int, name: str, **params: Any) -> Any:
    body, path = urlencode({"nonce": nonce, **params}), f"/0/private/{name}"
    headers = {
        "API-Key": exchange.desk.key, "API-Sign": sign(exchange.desk.secret, path, str(nonce), body),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    answer = await client.post(path, content=body, headers=headers)
    answer.raise_for_status()
    return answer.json()


def test_rest_and_both_websockets_are_served_on_one_port() -> None:
    async def story(exchange: Running, client: httpx.AsyncClient) -> None:
        assert (await client.get("/0/public/SystemStatus")).json()["result"]["status"] == "online"
        token = (await ask(exchange, client, 1, "GetWebSocketsToken"))["result"]["token"]
        async with websockets.connect(exchange.ws) as public, websockets.connect(exchange.ws_auth) as private:
            for each in (public, private):
                assert json.loads(await each.recv())["channel"] == "status"
            await public.send(json.dumps({"method": "subscribe", "params": {"channel": "ticker", "symbol": ["BTC/USD"]}}))
            await private.send(json.dumps({"method": "subscribe", "params": {"channel": "executions", "token": token}}))
            assert [json.loads(await public.recv()).get("success"), json.loads(await public.recv())["type"]] == [True, "snapshot"]
            assert [json.loads(await private.recv()).get("success"), json.loads(await private.recv())["type"]] == [True, "snapshot"]
            answer = await ask(exchange, client, 2, "AddOrder", pair="XBTUSD", type="buy", ordertype="market", volume="0.01")
            assert answer["error"] == []
            stages = [json.loads(await private.recv())["data"][0]["exec_type"] for _ in range(4)]
            assert stages == ["pending_new", "new", "trade", "filled"]
            # In lockstep nothing but hearts move.
            assert json.loads(await asyncio.wait_for(public.recv(), 3)) == {"channel": "heartbeat"}
        assert (await client.get("/control/books")).json()["wrong"] == []
        # Some clients add /v2 themselves.
        for address in (f"{exchange.ws}/v2", exchange.ws.removesuffix("/v2"), exchange.ws_auth.removesuffix("/v2")):
            async with websockets.connect(address) as other:
                assert json.loads(await other.recv())["channel"] == "status"

    served(story)


def test_a_lost_answer_is_a_cut_connection_and_a_hanging_one_never_comes() -> None:
    plan = read_plan({"faults": [
        {"kind": "lost_after", "on": "AddOrder"}, {"kind": "lost_before", "on": "AddOrder", "hang": True},
        {"kind": "html_before", "on": "AddOrder", "status": 520}, {"kind": "delay", "on": "AddOrder", "seconds": 0.3},
    ]})

    async def story(exchange: Running, client: httpx.AsyncClient) -> None:
        order = {"pair": "XBTUSD", "type": "buy", "ordertype": "market", "volume": "0.01"}
        with pytest.raises(httpx.TransportError):
            await ask(exchange, client, 1, "AddOrder", **order)
        with pytest.raises(httpx.TimeoutException):
            async with httpx.AsyncClient(base_url=exchange.rest, timeout=0.5) as hasty:
                await ask(exchange, hasty, 2, "AddOrder", **order)
        with pytest.raises(httpx.HTTPStatusError, match="520"):
            await ask(exchange, client, 3, "AddOrder", **order)
        begun = time.perf_counter()
        assert (await ask(exchange, client, 4, "AddOrder", **order))["error"] == []
        assert time.perf_counter() - begun >= 0.3
        closed = await ask(exchange, client, 5, "ClosedOrders")
        assert closed["result"]["count"] == 2

    served(story, plan=plan)


def test_a_cut_stream_closes_and_a_silent_one_says_nothing() -> None:
    async def story(exchange: Running, client: httpx.AsyncClient) -> None:
        async with websockets.connect(exchange.ws) as public:
            await public.send(json.dumps({"method": "subscribe", "params": {"channel": "trade", "symbol": ["BTC/USD"]}}))
            await public.recv(), await public.recv()
            assert (await client.post("/control/drop")).json() == {"dropped": 1}
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(public.recv(), 5)
        await client.post("/control/faults", json={"faults": [{"kind": "ws_silence", "on": "trade", "seconds": 2.5}]})
        async with websockets.connect(exchange.ws) as public:
            await public.send(json.dumps({"method": "subscribe", "params": {"channel": "trade", "symbol": ["BTC/USD"]}}))
            await public.recv(), await public.recv()
            await client.post("/control/trade", json={"pair": "XBTUSD", "price": "29999"})
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(public.recv(), 2)
            assert json.loads(await asyncio.wait_for(public.recv(), 5)) == {"channel": "heartbeat"}

    served(story)


def test_time_moves_only_when_told_and_not_backwards() -> None:
    async def story(exchange: Running, client: httpx.AsyncClient) -> None:
        before = (await client.get("/0/public/Time")).json()["result"]["unixtime"]
        await asyncio.sleep(0.3)
        assert (await client.get("/0/public/Time")).json()["result"]["unixtime"] == before
        assert (await client.post("/control/advance", json={"seconds": 3600})).json()["now"] == "2026-03-02T13:00:00.000000Z"
        assert (await client.post("/control/advance", json={"to": "2026-03-02T12:30:00Z"})).status_code == 400
        assert (await client.post("/control/nonsense")).status_code == 404
        assert (await client.post("/control/advance", content=b"{")).status_code == 400

    served(story)


def test_time_passes_by_itself_at_a_speed() -> None:
    async def story(exchange: Running, client: httpx.AsyncClient) -> None:
        before = exchange.desk.exchange.now_ns
        await asyncio.sleep(0.5)
        passed_s = ((await client.get("/control/time")).json()["now_ns"] - before) / 1e9
        assert passed_s > 400
        assert (await client.post("/control/advance", json={"seconds": 1})).status_code == 400

    served(story, speed=1000)


def test_an_exchange_in_a_thread_serves_callers_without_a_loop() -> None:
    with hosted(still_tape(), RULES) as exchange:
        told = exchange.addresses()
        with connect(told["ws"]) as stream:
            stream.recv()
            stream.send(json.dumps({"method": "subscribe", "params": {"channel": "trade", "symbol": ["BTC/USD"]}}))
            stream.recv()
            exchange.advance_to(exchange.do(lambda desk: desk.exchange.now_ns) + 300 * 10**9)
            stream.send(json.dumps({"method": "ping", "req_id": 1}))
            heard = [json.loads(stream.recv(timeout=5))]
            while heard[-1].get("method") != "pong":
                heard.append(json.loads(stream.recv(timeout=5)))
        assert sum(each.get("channel") == "trade" for each in heard) == 4
        assert httpx.get(f"{told['rest']}/0/public/Time").json()["result"]["unixtime"] == 1772453100
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{told['rest']}/0/public/Time")


def test_small_answers_are_not_held_back_by_the_sockets() -> None:
    """Once each took 45 ms: the kernel waited for more to send, and the other side with its acknowledgement."""

    async def story(exchange: Running, client: httpx.AsyncClient) -> None:
        trips = []
        async with websockets.connect(exchange.ws) as public:
            await public.recv()
            for number in range(20):
                begun = time.perf_counter()
                await public.send(json.dumps({"method": "subscribe", "params": {"channel": "status"}, "req_id": number}))
                await public.send(json.dumps({"method": "ping"}))
                while "pong" not in str(await public.recv()):
                    pass
                trips.append(time.perf_counter() - begun)
        assert sorted(trips)[5] < 0.03, trips

    served(story)


def test_a_taken_port_is_said_at_once() -> None:
    with hosted(still_tape(), RULES) as exchange:
        port = int(exchange.addresses()["rest"].rsplit(":", 1)[1])
        with pytest.raises(NotNow, match="did not open"), hosted(still_tape(), RULES, port=port):
            pass
