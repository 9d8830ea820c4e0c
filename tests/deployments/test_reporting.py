"""The report of a home as its store is: with more in it than what the home traded."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from deployments.reporting import write_stored_report
from shell.market.bars import Tier
from shell.market.synthetic import synthetic_market
from tests.shell.telegram.kit import buy, opened_home, step


def test_candles_of_another_year_and_coin_do_not_keep_a_report_from_being_written(tmp_path: Path) -> None:
    with opened_home(tmp_path / "home") as opened:
        long_ago = opened.shell.now - timedelta(days=400)
        opened.candles.add("DOGE/USD", Tier.M5, synthetic_market(3, ("DOGE/USD",), long_ago, 1).m5["DOGE/USD"])
        buy(opened)
        step(opened)
        opened.shell.step(opened.shell.now + timedelta(minutes=5), origin="fallback")
        opened.shell.keep_bars()
        page = write_stored_report(opened.home).read_text(encoding="utf-8")
    assert "BTC/USD" in page and "DOGE" not in page
