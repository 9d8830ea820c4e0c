"""The transport over a real socket: what is asked again, what never is, and what is known afterwards."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from shell.errors import BrainError
from shell.exchange.kraken import http_wire as module
from shell.exchange.kraken.addresses import WS_AUTH_URL, WS_URL, Addresses
from shell.exchange.kraken.errors import (
    KeyRefused,
    KrakenRefused,
    KrakenUnavailable,
    KrakenUnknown,
    MalformedAnswer,
    NonceRefused,
    NotSent,
    RateLimited,
)
from shell.exchange.kraken.limiter import Limiter
from shell.exchange.kraken.limits import LIMITS, Verification
from shell.exchange.kraken.nonce import NonceSource
from shell.exchange.kraken.rest import READ_ATTEMPTS, RestClient
from shell.exchange.kraken.signing import Credentials, sign
from shell.secrets import Secret
from tests.shell.exchange.kraken.stand_in import Answer, Asked, StandIn, Told, errors, result, serving
from tests.shell.exchange.kraken.times import HandClock, HandPace

T = TypeVar("T")
SECRET = Secret("c2VjcmV0LXNlY3JldA==")
CREDENTIALS = Credentials(key=Secret("canary-key"), secret=SECRET)
HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"
Talk = Callable[[RestClient, StandIn], Awaitable[T]]


def client(url: str, folder: Path, pace: HandPace, **options: Any) -> RestClient:
    clock = HandClock()
    return RestClient(
        Addresses(rest=url, ws=WS_URL, ws_auth=WS_AUTH_URL),
        clock=clock,
        pace=pace,
        limiter=Limiter(LIMITS[Verification.PRO], pace),
        credentials=CREDENTIALS,
        nonces=NonceSource(folder / "nonce", clock),
        chance=random.Random(7),
        **options,
    )


def talk(folder: Path, answer: Answer, what: Talk[T], pace: HandPace | None = None, **options: Any) -> T:
    async def run() -> T:
        async with serving(answer) as here, client(here.url, folder, pace or HandPace(), **options) as rest:
            return await what(rest, here)

    return asyncio.run(run())


def failing(folder: Path, answer: Answer, *, write: bool, **options: Any) -> tuple[BrainError, list[Asked]]:
    """The error of one call and what arrived."""

    async def ask(rest: RestClient, here: StandIn) -> tuple[BrainError, list[Asked]]:
        with pytest.raises(BrainError) as caught:
            await (rest.write("AddOrder", {"pair": "XBTUSD"}) if write else rest.read("OpenOrders"))
        return caught.value, here.asked

    return talk(folder, answer, ask, **options)


def test_a_question_is_signed_over_exactly_what_was_sent(tmp_path: Path) -> None:
    async def ask(rest: RestClient, here: StandIn) -> tuple[Any, Asked]:
        got = await rest.read("OpenOrders", {"trades": True, "cl_ord_id": "a b&c"})
        return got, here.asked[0]

    got, asked = talk(tmp_path, lambda _: result({"open": {}}), ask)
    assert got == {"open": {}} and asked.method == "POST" and asked.path == "/0/private/OpenOrders"
    assert asked.fields == {"trades": "true", "cl_ord_id": "a b&c"}
    assert asked.headers["api-key"] == "canary-key" and "trading-brain" in asked.headers["user-agent"]
    assert asked.headers["api-sign"] == sign("/0/private/OpenOrders", asked.nonce, asked.body, SECRET)


def test_json_bodies_are_signed_as_they_are_sent(tmp_path: Path) -> None:
    async def ask(rest: RestClient, here: StandIn) -> Asked:
        await rest.write("CancelOrderBatch", {"orders": ["O1", "O2"]}, as_json=True)
        return here.asked[0]

    asked = talk(tmp_path, lambda _: result({"count": 2}), ask)
    body = json.loads(asked.body)
    assert body["orders"] == ["O1", "O2"]
    assert asked.headers["api-sign"] == sign("/0/private/CancelOrderBatch", int(body["nonce"]), asked.body, SECRET)


@pytest.mark.parametrize(
    "failure",
    [
        Told(HTML, 502), Told(HTML, 520), Told(b"", 504), Told(b"", 302), Told(HTML, 200), Told(b"{}", 200),
        Told(b'{"error":[]}'), Told(b'{"error":[],"result":null}'), Told(b'{"error":["x'), Told(how="reset"), Told(how="cut"),
        errors("EService:Unavailable"), errors("EService:Busy"), errors("EGeneral:Internal error"),
    ],
    ids=lambda told: f"{told.status} {told.how} {told.body[:24]!r}",
)  # fmt: skip
def test_a_doubtful_answer(tmp_path: Path, failure: Told) -> None:
    """A question is asked again until it is answered; an order is sent once and is unknown."""
    answers = iter([failure, failure])

    async def ask(rest: RestClient, here: StandIn) -> tuple[Any, int]:
        return await rest.read("OpenOrders"), len(here.asked)

    assert talk(tmp_path, lambda _: next(answers, result({"open": 1})), ask) == ({"open": 1}, 3)
    error, asked = failing(tmp_path, lambda _: failure, write=True)
    assert type(error) is KrakenUnknown and len(asked) == 1
    error, asked = failing(tmp_path, lambda _: failure, write=False)
    assert isinstance(error, KrakenUnavailable | MalformedAnswer) and len(asked) == READ_ATTEMPTS


def test_an_answer_that_never_comes_is_unknown_in_time(tmp_path: Path) -> None:
    error, asked = failing(tmp_path, lambda _: Told(how="hang"), write=True, write_seconds=0.2)
    assert type(error) is KrakenUnknown and "no answer in time" in str(error) and len(asked) == 1


def test_a_trickle_does_not_outlast_the_deadline(tmp_path: Path) -> None:
    error, _ = failing(tmp_path, lambda _: Told(after_seconds=0.3), write=True, write_seconds=0.1)
    assert type(error) is KrakenUnknown


def test_a_connection_that_never_came_about_is_a_clear_no(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"

        async def send() -> tuple[BrainError, BrainError]:
            async with client(url, tmp_path, HandPace()) as rest:
                with pytest.raises(NotSent, match="nothing was sent") as wrote:
                    await rest.write("AddOrder", {})
                with pytest.raises(KrakenUnavailable) as asked:
                    await rest.public("Time")
                return wrote.value, asked.value

        wrote, _ = asyncio.run(send())
    assert "canary" not in str(wrote)


@pytest.mark.parametrize("answer", [errors("EOrder:Insufficient funds"), errors("EGeneral:Invalid arguments:oflags")])
def test_a_refusal_is_final_for_both(tmp_path: Path, answer: Told) -> None:
    for write in (False, True):
        error, asked = failing(tmp_path, lambda _: answer, write=write)
        assert type(error) is KrakenRefused and len(asked) == 1


@pytest.mark.parametrize("code", ["EAPI:Invalid key", "EGeneral:Temporary lockout", "EGeneral:Permission denied"])
def test_a_key_that_is_refused_is_not_tried_again(tmp_path: Path, code: str) -> None:
    for write in (False, True):
        error, asked = failing(tmp_path, lambda _: errors(code), write=write)
        assert type(error) is KeyRefused and len(asked) == 1 and "canary" not in str(error)


@pytest.mark.parametrize("limited", [Told(b"slow down", 429), errors("EAPI:Rate limit exceeded")], ids=["429", "string"])
def test_a_rate_limit_makes_a_question_wait_and_an_order_fail(tmp_path: Path, limited: Told) -> None:
    pace, answers = HandPace(), iter([limited])

    async def ask(rest: RestClient, here: StandIn) -> int:
        await rest.read("OpenOrders")
        return len(here.asked)

    assert talk(tmp_path, lambda _: next(answers, result({"open": {}})), ask, pace) == 2
    assert sum(pace.slept) >= 10
    error, asked = failing(tmp_path, lambda _: limited, write=True)
    assert type(error) is RateLimited and len(asked) == 1


def test_a_refused_nonce_is_tried_once_more_with_a_larger_one_by_a_question_alone(tmp_path: Path) -> None:
    answers = iter([errors("EAPI:Invalid nonce")])

    async def ask(rest: RestClient, here: StandIn) -> list[int]:
        await rest.read("OpenOrders")
        return [asked.nonce for asked in here.asked]

    first, second = talk(tmp_path, lambda _: next(answers, result({"open": {}})), ask)
    assert second > first
    error, asked = failing(tmp_path, lambda _: errors("EAPI:Invalid nonce"), write=True)
    assert type(error) is NonceRefused and len(asked) == 1


def test_nonces_refused_again_and_again_mean_another_program(tmp_path: Path) -> None:
    async def ask(rest: RestClient, here: StandIn) -> BrainError:
        with pytest.raises(NonceRefused):
            await rest.read("OpenOrders")
        with pytest.raises(KeyRefused, match="another program uses this API key") as caught:
            await rest.write("AddOrder", {})
        return caught.value

    talk(tmp_path, lambda _: errors("EAPI:Invalid nonce"), ask)


def test_private_requests_arrive_in_the_order_of_their_nonces_and_orders_go_first(tmp_path: Path) -> None:
    async def ask(rest: RestClient, here: StandIn) -> list[Asked]:
        questions = [asyncio.create_task(rest.read(f"Question{at}")) for at in range(4)]
        await asyncio.sleep(0.02)
        await asyncio.gather(*questions, rest.write("AddOrder", {}))
        return here.asked

    asked = talk(tmp_path, lambda _: Told(b'{"error":[],"result":{"a":1}}', after_seconds=0.05), ask)
    nonces = [each.nonce for each in asked]
    assert nonces == sorted(nonces) and len(set(nonces)) == 5
    assert [each.endpoint for each in asked].index("AddOrder") == 1, "behind the one on its way, before all that wait"


def test_a_caller_that_gives_up_does_not_block_the_next(tmp_path: Path) -> None:
    async def ask(rest: RestClient, here: StandIn) -> Any:
        slow = asyncio.create_task(rest.read("Slow"))
        waiting = asyncio.create_task(rest.read("Waiting"))
        await asyncio.sleep(0.05)
        slow.cancel()
        waiting.cancel()
        return await rest.read("Next")

    answers = {"Slow": Told(how="hang")}
    assert talk(tmp_path, lambda asked: answers.get(asked.endpoint, result({"a": 1})), ask) == {"a": 1}


def test_an_order_that_does_not_get_its_turn_in_time_is_not_sent(tmp_path: Path) -> None:
    async def ask(rest: RestClient, here: StandIn) -> Any:
        slow = asyncio.create_task(rest.read("Slow"))
        await asyncio.sleep(0.05)
        with pytest.raises(NotSent, match="nothing was sent"):
            await rest.write("AddOrder", {})
        slow.cancel()
        assert await rest.write("CancelAll", {}) == {"a": 1}
        return [asked.endpoint for asked in here.asked]

    answers = {"Slow": Told(how="hang")}
    arrived = talk(tmp_path, lambda asked: answers.get(asked.endpoint, result({"a": 1})), ask, turn_seconds=0.2)
    assert arrived == ["Slow", "CancelAll"]


def test_warnings_are_no_errors(tmp_path: Path) -> None:
    async def ask(rest: RestClient, here: StandIn) -> Any:
        return await rest.read("OpenOrders")

    assert talk(tmp_path, lambda _: Told(b'{"error":["WGeneral:Danger"],"result":{"a":1}}'), ask) == {"a": 1}


def test_an_answer_without_end_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_BYTES_MAX", 1000)
    error, _ = failing(tmp_path, lambda _: result({"a": "x" * 5000}), write=False)
    assert type(error) is KrakenUnavailable


def test_without_a_key_only_the_public_side_works(tmp_path: Path) -> None:
    async def run() -> Any:
        async with serving(lambda _: result({"unixtime": 1})) as here:
            pace = HandPace()
            limiter = Limiter(LIMITS[Verification.STARTER], pace)
            async with RestClient(Addresses(rest=here.url), clock=HandClock(), pace=pace, limiter=limiter) as rest:
                with pytest.raises(KeyRefused, match="KRAKEN_API_KEY"):
                    await rest.read("BalanceEx")
                assert not rest.has_key
                return await rest.public("Time")

    assert asyncio.run(run()) == {"unixtime": 1}
