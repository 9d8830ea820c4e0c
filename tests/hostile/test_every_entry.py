"""The walls stand before the first line of a strategy runs, and whichever of its methods is called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from shell.backtest.fast import run_fast
from shell.backtest.result import BacktestSettings
from shell.contract import Action, Intent
from shell.errors import StrategyFault
from shell.host.port import ClosedNotice, FillNotice, StrategySource
from shell.host.supervisor import HostedStrategy
from shell.market.synthetic import synthetic_market
from shell.money import QuoteAmount
from tests.hostile.catalogue import FOLDER
from tests.shell.host.sources import LIMITS, QUICK, SYMBOLS, scan, windows
from tests.shell.scripted import FREE, START, WIDE

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the walls are those of Linux")

ENTRIES = {
    "analyze", "attribute", "class", "constructor", "get_state", "import", "initialize", "interval", "length", "load_state",
    "name", "new", "on_fill", "on_position_closed", "skill",
}  # fmt: skip
SKILL = "import os\ntry:\n    os.mkdir('FOLDER/skill')\nexcept OSError:\n    pass\n"
# What a careless host would do, in a process of its own.
CARELESS = """
import sys, types
from pathlib import Path
skills = types.ModuleType("strategy")
sys.modules["strategy"] = sys.modules["strategy.skills"] = sys.modules["strategy.skills.reaching"] = skills
skills.skills, skills.reaching = skills, skills
exec(Path(sys.argv[1]).read_text(), space := {"__name__": "strategy"})
exec(sys.argv[2], vars(skills))
made = space["Strategy"]()
made.initialize(None, [])
made.load_state({})
made.scan_interval_minutes
made.on_fill(*[None] * 5)
made.on_position_closed(*[None] * 3)
len(made.analyze(None, None, None))
made.get_state()
"""


@pytest.fixture
def prize(tmp_path: Path) -> Path:
    """A folder that anybody may write to."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    folder = tmp_path / "prize"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def text(prize: Path) -> str:
    return (FOLDER / "every_entry.py").read_text(encoding="utf-8").replace("FOLDER", str(prize))


def test_no_entry_is_earlier_than_the_walls(prize: Path) -> None:
    source = StrategySource(code=text(prize), skills={"reaching": SKILL.replace("FOLDER", str(prize))})
    with HostedStrategy(source, QUICK, check_policy=False) as host:
        host.start(symbols=SYMBOLS, limits=LIMITS, windows=windows(), state={"a": 1})
        notices = [FillNotice("BTC/USD", Action.BUY, 0.5, 100.0, Intent.DAY), ClosedNotice("ETH/USD", -2.0, -0.01)]
        assert host.analyze(scan(notices=notices)) == []
        tried = set(host.get_state()["tried"])
    assert tried >= ENTRIES - {"skill"}
    assert list(prize.iterdir()) == []


@pytest.mark.parametrize("line", ["os.fork()", "__import__('_socket').socket()", "os.kill(os.getppid(), 0)"])
def test_the_fast_backtests_process_has_the_same_walls(prize: Path, line: str) -> None:
    history = synthetic_market(3, ["BTC/USD"], START, 1)
    settings = BacktestSettings(cash=QuoteAmount(10_000), paper=FREE, risk=WIDE, zone=ZoneInfo("UTC"))
    source = StrategySource(code=text(prize), skills={"reaching": SKILL.replace("FOLDER", str(prize))})
    if line == "os.fork()":
        assert not run_fast(source, history, settings=settings, check_policy=False).certified
        assert list(prize.iterdir()) == []
    attempt = source.code.replace('reach("analyze")', line)
    with pytest.raises(StrategyFault) as caught:
        run_fast(StrategySource(code=attempt, skills=source.skills), history, settings=settings, check_policy=False)
    assert caught.value.kind == "attempt"
    assert list(prize.iterdir()) == []


def test_every_entry_would_get_out_without_them(prize: Path, tmp_path: Path) -> None:
    file = tmp_path / "strategy.py"
    file.write_text(text(prize), encoding="utf-8")
    subprocess.run([sys.executable, "-c", CARELESS, str(file), SKILL.replace("FOLDER", str(prize))], check=True)
    assert {path.name for path in prize.iterdir()} == ENTRIES
