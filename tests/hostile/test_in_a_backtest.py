"""A backtest shares memory with its strategy: whatever the strategy does there, it learns nothing and ends as a fault."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from shell.backtest.driver import run_backtest
from shell.backtest.result import BacktestResult, BacktestSettings
from shell.backtest.run import MemoryJournal
from shell.config import HostConfig
from shell.errors import StrategyFault
from shell.host.lane import available
from shell.host.port import StrategySource
from shell.host.supervisor import HostedStrategy
from shell.market.history import History
from shell.market.synthetic import synthetic_market
from shell.money import QuoteAmount
from tests.hostile.catalogue import FOLDER
from tests.hostile.walled import config
from tests.shell.scripted import FREE, START, WIDE

pytestmark = pytest.mark.skipif(not available(), reason="this machine has no memory that is shared with a strategy")

SYMBOLS = ["BTC/USD", "ETH/USD"]
CALL_SECONDS = 0.6
# A strategy that fails now and then is started again each time; each fault costs a start and at most a deadline.
SHORT = timedelta(hours=2)
ENDS_SECONDS = 100.0


@pytest.fixture(scope="module")
def history() -> History:
    return synthetic_market(11, SYMBOLS, START, 2)


def chosen(name: str, seed: int = 0) -> StrategySource:
    text = (FOLDER / "in_a_backtest.py").read_text(encoding="utf-8")
    return StrategySource(code=text.replace("SEED = 0", f"SEED = {seed}").replace("CHOSEN = scribble", f"CHOSEN = {name}"))


def backtest(
    source: StrategySource, history: History, journal: MemoryJournal | None = None, end: datetime | None = None,
    call_seconds: float = CALL_SECONDS,
) -> BacktestResult | StrategyFault:
    """The result, or the fault for which the strategy was given up. Anything else is not caught."""
    host_config: HostConfig = config(call_seconds).model_copy(update={"max_consecutive_faults": 2})
    settings = BacktestSettings(cash=QuoteAmount(10_000), paper=FREE, risk=WIDE, zone=ZoneInfo("UTC"), host=host_config)
    host = HostedStrategy(source, host_config, check_policy=False)
    try:
        return run_backtest(source, history, settings=settings, host=host, journal=journal, end=end)
    except StrategyFault as fault:
        return fault
    finally:
        assert host.pid is None


def test_the_shared_memory_holds_no_price_of_the_future(history: History) -> None:
    journal = MemoryJournal()
    # On a busy machine a search of all the memory takes longer than the others' calls may.
    result = backtest(chosen("look_ahead"), history, journal, call_seconds=10)
    assert isinstance(result, BacktestResult)
    # Volumes, because prices repeat; with six decimals each belongs to one bar.
    volumes = [history.m5[symbol]["volume"].to_numpy() for symbol in SYMBOLS]
    seen = 0
    for answer in journal.answers:
        at = round((answer.decided_at - START).total_seconds() / 300)
        told = {float(text) for text in re.findall(r"\d+\.\d+(?:e-?\d+)?", answer.reasoning)}
        earlier, later = ({float(volume) for column in volumes for volume in part(column, at)} for part in (_before, _after))
        assert not told & (later - earlier)
        seen += len(told & earlier)
    assert seen > 20, "it did not find the memory at all: nothing is shown by it"


def _before(column: np.ndarray, at: int) -> np.ndarray:
    return column[:at]


def _after(column: np.ndarray, at: int) -> np.ndarray:
    return column[at:]


def test_what_is_shown_cannot_be_written(history: History) -> None:
    journal = MemoryJournal()
    assert isinstance(backtest(chosen("write_the_tape"), history, journal), BacktestResult)
    assert journal.answers == []


@pytest.mark.parametrize(
    ("name", "seed"), [("scribble", 1), ("scribble", 2), ("server_of_its_own", 3), ("signs_without_end", 4)]
)
def test_a_garbled_conversation_ends_in_time_and_as_a_fault_or_not_at_all(name: str, seed: int, history: History) -> None:
    began = time.monotonic()
    result = backtest(chosen(name, seed), history, end=START + SHORT)
    assert time.monotonic() - began < ENDS_SECONDS
    if isinstance(result, BacktestResult):
        assert np.isfinite(result.curve.values).all()
    else:
        assert str(result).isprintable()
