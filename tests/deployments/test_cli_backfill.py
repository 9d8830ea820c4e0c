"""`brain data backfill` from the command line, against a stand-in of Kraken on a real socket in another thread."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deployments.cli.main import app
from shell.clock import SystemClock
from tests.shell.exchange.kraken.payloads_of import ASSETS, PAIRS
from tests.shell.exchange.kraken.stand_in import Asked, Told, errors, serving

NOW = int(SystemClock().now().timestamp())


def answer(asked: Asked) -> Told:
    if asked.endpoint == "Assets":
        return told(ASSETS)
    if asked.endpoint == "AssetPairs":
        return told(PAIRS)
    if asked.endpoint == "OHLC":
        step = int(asked.fields["interval"]) * 60
        forming = NOW // step * step
        rows: list[Any] = [[forming - step * at, "10.0", "10.5", "9.5", "10.1", "10", "3", 5] for at in range(20, -1, -1)]
        return told({"XXBTZUSD": rows, "last": forming - step})
    if asked.endpoint == "Trades":
        return told({"XXBTZUSD": [], "last": asked.fields["since"]})
    return errors("EGeneral:Unknown method")


def told(value: Any) -> Told:
    return Told(json.dumps({"error": [], "result": value}, default=str).encode())


@pytest.fixture
def kraken(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    ready, ended, address = threading.Event(), threading.Event(), []

    async def serve() -> None:
        async with serving(answer) as here:
            address.append(here.url)
            ready.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait(10)
    monkeypatch.setenv("KRAKEN_REST_URL", address[0])
    yield address[0]
    ended.set()
    thread.join(10)


def brain(*words: str) -> tuple[int, dict[str, Any]]:
    outcome = CliRunner().invoke(app, [*words, "--json"])
    return outcome.exit_code, json.loads(outcome.stdout.strip().splitlines()[-1])


def test_bars_are_fetched_into_a_home_and_checked(kraken: str, tmp_path: Path) -> None:
    code, told = brain("data", "backfill", "--symbols", "btc-usd", "--days", "2", "--home", str(tmp_path / "home"))
    assert code == 0 and told["source"] == kraken and told["days"] == 2
    (symbol,) = told["symbols"]
    assert symbol["symbol"] == "BTC/USD" and symbol["added"]["5m"] == 20 and symbol["added"]["1d"] >= 19
    assert brain("data", "check", "--home", str(tmp_path / "home"))[0] == 0
    again = brain("data", "backfill", "--symbols", "BTC/USD", "--days", "2", "--home", str(tmp_path / "home"))[1]
    assert again["symbols"][0]["added"]["5m"] == 0


def test_a_symbol_that_kraken_does_not_trade_is_refused_before_anything_is_fetched(kraken: str, tmp_path: Path) -> None:
    code, told = brain("data", "backfill", "--symbols", "BTC/USD,NOPE/USD", "--home", str(tmp_path / "home"))
    assert code == 1 and "Kraken does not trade NOPE/USD" in told["error"]
