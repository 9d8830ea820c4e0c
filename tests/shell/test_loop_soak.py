"""A week of the loop, slot after slot with prices between them: memory stays flat and nothing is lost."""

from __future__ import annotations

import gc
import os
import random
from datetime import timedelta
from pathlib import Path

import pytest

from shell.contract import Action, OrderType, Signal
from shell.main_book import MAIN_BOOK
from tests.shell.live_kit import BTC, ETH, START, STEP, live_shell
from tests.shell.scripted import ScriptedHost
from tests.thorough import THOROUGH

# Some ten minutes on a machine that is busy with other things.
pytestmark = [*THOROUGH, pytest.mark.timeout(1500)]
DAY = 288
WEEK = 7 * DAY
SECOND = timedelta(seconds=1)


class Trader(ScriptedHost):
    """Buys every sixth hour and closes three hours later; remembers nothing, so that only the shell can grow."""

    def analyze(self, request):  # type: ignore[no-untyped-def]
        self.scans += 1
        if self.scans % 72 == 1:
            return [Signal(symbol=BTC, action=Action.BUY, size_pct=0.05, order_type=OrderType.MARKET, stop_loss=50.0)]
        return [Signal(symbol=BTC, action=Action.CLOSE)] if self.scans % 72 == 37 else []


def resident() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_week_leaves_memory_flat_and_scans_every_slot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    chance, sizes = random.Random(seed), []
    with live_shell(tmp_path, monkeypatch, Trader()) as scene:
        loop = scene.loop()
        loop.turn(START)
        for number in range(WEEK):
            begin = START + number * STEP
            for second in (20, 160):
                scene.price(BTC, 100 + chance.random(), begin + second * SECOND)
                scene.price(ETH, 100 + chance.random(), begin + second * SECOND)
                loop.turn(begin + second * SECOND)
            if number % 50 == 7:
                # The feed is cut, and the bars come after their slot.
                loop.turn(begin + STEP + 9 * SECOND)
                scene.bars(number, 100.0)
            else:
                scene.bars(number, 100.0)
                loop.turn(begin + STEP + 2 * SECOND)
            if (number + 1) % DAY == 0:
                gc.collect()
                sizes.append(resident())
                # Scripted strategies keep no more than a day.
                scene.host.requests.clear()
        assert loop.counts.done == WEEK
        assert (loop.counts.missed, loop.errors.count) == (0, 0)
        assert scene.store.books.check(MAIN_BOOK) == []
        assert scene.shell.engine.ledger.trades_closed == WEEK // 72
    print(f"seed {seed}; resident memory at each midnight in MB: {[round(size / 2**20, 1) for size in sizes]}")
    # The first two days fill what is bounded; after that a day costs its own bars, some 30 kB, and no more.
    assert sizes[-1] - sizes[1] < 8 * 2**20
