"""Probes of the account at start, on the simulated exchange: each failure alone, each with a sentence, and live mode refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from shell.errors import NotNow
from shell.exchange.kraken.private import PrivateApi
from shell.exchange.kraken.public import PublicApi
from shell.exchange.probes import Probe, ProbeFor, probe_account, refuse_live
from shell.exchange.simulator.auth import QUERY, TRADE, TRADING_RIGHTS, WITHDRAW
from shell.exchange.simulator.desk import Desk
from shell.exchange.simulator.system import SystemState
from shell.money import QuoteAmount
from tests.shell.exchange.bench import Source
from tests.shell.exchange.simulator.kit import Customer, desk

WANTED = ProbeFor(
    symbols=("BTC/USD", "ETH/USD"), quote="USD", cash=QuoteAmount(10_000), usual_order=QuoteAmount(500)
)


class ExchangeClock:
    """This machine's clock, so many seconds off the exchange's."""

    def __init__(self, exchange: Desk, seconds: float = 0.0) -> None:
        self.exchange = exchange
        self.seconds = seconds

    def now(self) -> datetime:
        return self.exchange.exchange.now + timedelta(seconds=self.seconds)


def probed(
    exchange: Desk, *, wanted: ProbeFor = WANTED, rights: frozenset[str] | None = None, seconds: float = 0.0, key: str = ""
) -> list[Probe]:
    customer = Customer(exchange)
    if rights is not None:
        exchange.keys.add("other", exchange.secret, rights=rights)
        customer.key = "other"
    if key:
        customer.key = key
    source = Source(exchange, customer)

    async def ask() -> list[Probe]:
        names = await PublicApi(source).names()
        return await probe_account(PublicApi(source), PrivateApi(source, names), ExchangeClock(exchange, seconds), wanted)

    return asyncio.run(ask())


def failed(probes: list[Probe]) -> list[str]:
    return [probe.name for probe in probes if not probe.ok]


def test_a_key_that_only_queries_and_trades_passes_every_probe_and_places_nothing() -> None:
    exchange = desk()
    probes = probed(exchange)
    assert failed(probes) == []
    assert exchange.exchange.venue.orders == {}
    assert len(refuse_live(probes)) == len(probes) == 9


def test_a_key_that_may_withdraw_is_refused() -> None:
    probes = probed(desk(), rights=TRADING_RIGHTS | {WITHDRAW})
    assert failed(probes) == ["withdrawal"]
    with pytest.raises(NotNow, match="live mode is refused: withdrawal: the key may withdraw funds"):
        refuse_live(probes)


@pytest.mark.parametrize(
    ("rights", "without"),
    [
        (frozenset({QUERY, TRADE}), ["stream"]),
        (frozenset({QUERY}), ["trading", "stream"]),
        (frozenset({TRADE}), ["key", "stream"]),
    ],
)
def test_a_key_without_a_right_that_trading_needs_is_refused(rights: frozenset[str], without: list[str]) -> None:
    assert failed(probed(desk(), rights=rights)) == without


def test_a_key_that_kraken_does_not_know_fails_everything_that_needs_one_but_the_withdrawal() -> None:
    assert failed(probed(desk(), key="nobody")) == ["key", "trading", "stream"]


@pytest.mark.parametrize(("seconds", "fails"), [(0.4, False), (-0.9, False), (2.5, True), (-2.5, True), (3600, True)])
def test_a_clock_more_than_a_second_off_is_refused(seconds: float, fails: bool) -> None:
    probes = probed(desk(), seconds=seconds)
    assert ("clock" in failed(probes)) is fails


def test_symbols_nobody_trades_or_of_another_currency_are_refused() -> None:
    assert failed(probed(desk(), wanted=_with(symbols=("BTC/USD", "NOPE/USD")))) == ["symbols", "sizes"]
    probes = probed(desk(), wanted=_with(quote="EUR", cash=QuoteAmount(0)))
    assert failed(probes) == ["symbols"]


def test_orders_below_the_minimum_and_cash_that_is_not_there_are_refused() -> None:
    probes = probed(desk(usd="9999"), wanted=_with(usual_order=QuoteAmount("0.3")))
    assert failed(probes) == ["sizes", "key"]
    assert "9999 USD" in next(probe.sentence for probe in probes if probe.name == "key")


@pytest.mark.parametrize(
    ("state", "fails"), [(SystemState.MAINTENANCE, True), (SystemState.POST_ONLY, False), (SystemState.CANCEL_ONLY, False)]
)
def test_only_an_exchange_where_nothing_can_be_managed_refuses_the_start(state: SystemState, fails: bool) -> None:
    exchange = desk()
    exchange.exchange.set_state(state)
    probes = probed(exchange)
    assert ("system" in failed(probes)) is fails
    assert "Kraken is in" in probes[0].sentence


@pytest.mark.parametrize(
    ("text", "fails"),
    [(lambda now: str(now + 10**9), False), (lambda now: str(now + 3 * 86_400 * 10**9), True), (lambda now: "lost", True)],
)
def test_a_nonce_file_that_cannot_be_right_is_refused(tmp_path: Path, text: Callable[[int], str], fails: bool) -> None:
    exchange = desk()
    file = tmp_path / "nonce"
    file.write_text(text(exchange.exchange.now_ns), encoding="ascii")
    probes = probed(exchange, wanted=_with(nonce_file=file))
    assert ("nonce" in failed(probes)) is fails


def _with(**changes: object) -> ProbeFor:
    return replace(WANTED, **changes)  # type: ignore[arg-type]
