"""`brain simulate-kraken` as a process: one line of addresses, a living exchange, a clean end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import polars as pl
import pytest

from shell.market.synthetic import synthetic_market
from tests.shell.exchange.simulator.kit import START

COMMAND = [sys.executable, "-m", "deployments.cli.main", "simulate-kraken"]


def started(project: Path, *options: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
    process = subprocess.Popen(
        [*COMMAND, *options], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return process, json.loads(line)


def test_it_serves_until_told_to_stop_and_ends_well(project: Path) -> None:
    process, told = started(project, "--key", "mine", "--secret", "c2VjcmV0", "--balance", "USD=500")
    try:
        assert set(told) == {"rest", "ws", "ws_auth", "key", "secret"}
        assert (told["key"], told["secret"]) == ("mine", "c2VjcmV0")
        pairs = httpx.get(f"{told['rest']}/0/public/AssetPairs", timeout=20).json()["result"]
        assert set(pairs) == {"XXBTZUSD", "XETHZUSD"}
    finally:
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=30)
    assert (process.returncode, rest) == (0, "")
    assert "A local Kraken is open" in errors


def test_it_replays_a_folder_to_the_last_digit(project: Path, tmp_path: Path) -> None:
    history = synthetic_market(4, ["ETH/USD"], START, 10)
    history.m5["ETH/USD"].write_parquet(tmp_path / "ETH-USD_5m.parquet")
    process, told = started(project, "--data", str(tmp_path), "--lockstep", "--json")
    try:
        client = httpx.Client(base_url=told["rest"], timeout=20)
        client.post("/control/advance", json={"seconds": 86_400})
        rows = client.get("/0/public/OHLC", params={"pair": "ETHUSD", "interval": 5}).json()["result"]["XETHZUSD"][-289:-1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    frame = history.m5["ETH/USD"].filter(pl.col("timestamp").dt.epoch("s").is_in([row[0] for row in rows]))
    assert frame.height == len(rows) == 288
    for name, at in (("open", 1), ("high", 2), ("low", 3), ("close", 4), ("volume", 6)):
        assert [float(row[at]) for row in rows] == pytest.approx(frame[name].to_list(), abs=1e-9)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--tier", "gold"), "is no tier"), (("--balance", "much"), "write USD=10000"), (("--start", "soon"), "not a date"),
        (("--data", "nowhere"), "does not exist"), (("--secret", "%"), "base64"), (("--symbols", "BTC"), "not a symbol"),
        (("--speed", "-1"), "speed"), (("--prints", "2"), "4 to 3000"),
    ],
)
def test_wrong_options_are_refused_with_a_sentence(options: tuple[str, ...], told: str, project: Path) -> None:
    done = subprocess.run([*COMMAND, *options], cwd=project, capture_output=True, text=True, timeout=60)
    assert done.returncode in (1, 2)
    assert told in done.stderr and "Traceback" not in done.stderr
