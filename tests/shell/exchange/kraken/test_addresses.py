"""Where Kraken is: the environment before the settings before Kraken itself, and no key in the clear."""

from __future__ import annotations

import random

import pytest

from shell.config import KrakenConfig
from shell.errors import BadInput
from shell.exchange.kraken.addresses import REST_URL, WS_AUTH_URL, Addresses, addresses_of
from shell.exchange.kraken.pace import backoff


def test_the_environment_wins_over_the_settings_over_krakens_own() -> None:
    config = KrakenConfig(rest_url="https://set.example/", ws_url="wss://set.example/v2")
    found = addresses_of(config, {"KRAKEN_REST_URL": "http://127.0.0.1:8080/", "KRAKEN_WS_URL": " "})
    assert found == Addresses(rest="http://127.0.0.1:8080", ws="wss://set.example/v2", ws_auth=WS_AUTH_URL)
    assert found.local and not addresses_of(KrakenConfig(), {}).local and Addresses().rest == REST_URL


@pytest.mark.parametrize(
    "address",
    ["http://api.kraken.com", "http://127.0.0.1.evil.example", "ftp://localhost", "https://", "https://user:pw@host", "", "//host"],
)
def test_an_address_that_would_show_a_key_is_refused(address: str) -> None:
    with pytest.raises(BadInput):
        Addresses(rest=address)
    with pytest.raises(BadInput):
        Addresses(ws="ws://api.kraken.com/v2")


def test_pauses_double_up_to_the_most_with_chance_in_them() -> None:
    chance = random.Random(7)
    pauses = [backoff(attempt, first=1, most=30, chance=chance) for attempt in range(1, 200)]
    assert all(min(30, 2 ** min(at, 10)) / 2 <= pause <= min(30, 2 ** min(at, 10)) for at, pause in enumerate(pauses))
    assert len(set(pauses)) > 150
