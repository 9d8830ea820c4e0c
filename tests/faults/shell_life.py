"""One life of the whole `brain shell` in live mode, on an exchange in another process; killed from there.

All of it is the product's own, from `run_shell` on: locks, probes, reconciliation, both sockets, loop, companions. Only the
strategy is a busy one that runs in this process, and the addresses and the key are the caller's.

    python -m tests.faults.shell_life HOME SPEED REST WS WS_AUTH KEY SECRET busy|calm
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from deployments import running
from deployments.live_opening import LiveSource
from deployments.opening import account_overrides, settings_for
from shell.clock import PacedClock, from_ms
from shell.contract import Action, Signal
from shell.exchange.kraken.addresses import Addresses
from shell.exchange.kraken.pace import FastPace
from shell.exchange.kraken.signing import Credentials
from shell.home import Home
from shell.host.port import ScanRequest
from shell.secrets import Secret
from tests.faults.busy_book import RISK, SYMBOLS, BusyStrategy


class CalmStrategy(BusyStrategy):
    """Sells what is held and buys nothing."""

    def analyze(self, request: ScanRequest) -> list[Signal]:
        return [Signal(position.symbol, Action.CLOSE) for position in request.portfolio.positions]


def main(folder: str, speed: str, rest: str, ws: str, ws_auth: str, key: str, secret: str, mood: str) -> None:
    home = Home.private(Path(folder)).create()
    host = CalmStrategy() if mood == "calm" else BusyStrategy()

    @contextmanager
    def source(*_given: object) -> Iterator[LiveSource]:
        told = httpx.get(f"{rest}/0/public/Time").json()["result"]["unixtime"]
        yield LiveSource(
            addresses=Addresses(rest=rest, ws=ws, ws_auth=ws_auth), clock=PacedClock(from_ms(told * 1000), float(speed)),
            pace=FastPace(float(speed)), name="test", real=False, credentials=Credentials(key=Secret(key), secret=Secret(secret)),
        )

    def settings(of: Home, *_more: object) -> Any:
        made = settings_for(of, account_overrides(SYMBOLS))
        return made.model_copy(update={"risk": RISK})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "_source", source)
        patch.setattr(running, "settings_for", settings)
        patch.setattr("shell.service.HostedStrategy", lambda *_args: host)
        patch.setattr("shell.service.isolation_gap", lambda *_args: "")
        facts = running.run_shell(
            home, simulated=True, speed=float(speed), seed=7, data=None, minutes=0, console=Console(stderr=True, quiet=True),
            live=True,
        )
    print(json.dumps(facts, default=str), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
