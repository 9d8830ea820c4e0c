"""Who touches a frame is told from the text; who does it all the same, in a process without polars, says nothing that counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shell.errors import StrategyFault
from shell.host import landlock
from shell.host.frames import FRAMES_WANTED, FramesWanted, touches_frames
from shell.host.isolation import isolation_is_complete
from shell.host.policy import require_policy
from shell.host.port import StrategySource
from shell.host.process import Spares
from shell.host.spawn import FRAMELESS_HOST, STRATEGY_HOST, Program
from shell.host.supervisor import HostedStrategy
from shell.host.syscalls import this_machine
from tests.shell.host.sources import LIMITS, QUICK, SYMBOLS, scan, strategy, windows


def frameless(body: str, skills: dict[str, str] | None = None) -> StrategySource:
    """`strategy` without its import of polars."""
    source = strategy(body, skills)
    return replace(source, code=source.code.replace("import polars as pl\n", ""))


PLAIN = frameless("for data in markets.values():\n    indicators.ema(data, '5m', 3), np.mean([1.0]), f'{data.current_price}'")


def threads_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


@pytest.mark.parametrize(
    "body",
    [
        "markets['BTC/USD'].candles_1h",
        "getattr(markets['BTC/USD'], 'candles_' '5m')",
        "getattr(markets['BTC/USD'], 'c\\u0061ndles_5m')",
        "markets['BTC/USD'].\uff43andles_5m",
        "match markets['BTC/USD']:\n    case object(candles_1d=frame):\n        self.frame = frame",
        "dict(candles_1d=1)",
        "import polars",
        "import polars.selectors as cs",
        "from polars import col",
        "from polars.exceptions import PolarsError",
        "if self.count < 0:\n    from strategy.skills import framed",
        "from strategy.skills.outer import anything",
        "import strategy.skills.framed",
        "def",
    ],
)
def test_what_names_polars_or_a_frame_is_given_polars(body: str) -> None:
    skills = {"framed": "import polars", "outer": "from strategy.skills.framed import anything"}
    assert touches_frames(frameless(body, skills))


@pytest.mark.parametrize(
    ("body", "skills"),
    [
        ("pass", {}),
        ("pass  # candles_5m of polars", {}),
        ("self.reasoning = 'two candles of polarstern'", {}),
        ("pass", {"framed": "import polars"}),
        ("from strategy.skills.plain import double", {"plain": "def double(x): return 2 * x", "framed": "import polars"}),
    ],
)
def test_what_names_neither_is_not(body: str, skills: dict[str, str]) -> None:
    assert not touches_frames(frameless(body, skills))


@pytest.mark.skipif(this_machine() is None, reason="needs Linux on x86-64 or aarch64")
@pytest.mark.skipif(not landlock.version(), reason="needs a kernel with Landlock")
def test_a_process_without_polars_stands_behind_the_same_walls_with_fewer_threads() -> None:
    with HostedStrategy(PLAIN, QUICK, frames=False) as bare, HostedStrategy(PLAIN, QUICK) as full:
        bare.prespawn()
        full.prespawn()
        for host in (bare, full):
            host.start(symbols=SYMBOLS, limits=LIMITS, windows=windows(), state=None)
            assert host.analyze(scan()) == []
        # The filter lists the descriptors by which threads of polars wake each other; where there are none it is shorter.
        assert bare.isolation.pop("filter_length") < full.isolation.pop("filter_length")
        assert bare.isolation == full.isolation
        assert isolation_is_complete(bare.isolation) == ""
        assert bare.pid is not None
        assert full.pid is not None
        # The main thread and the strategy's.
        assert threads_of(bare.pid) == 2 < threads_of(full.pid)


@pytest.mark.parametrize(
    "reaching",
    [
        "str(data)",
        "import copy; copy.deepcopy(data)",
        "import xml",
    ],
)
def test_whoever_reaches_a_frame_unforeseen_ends_the_process_whatever_it_catches(reaching: str) -> None:
    source = frameless(f"data = markets['BTC/USD']\ntry:\n    {reaching}\nexcept BaseException:\n    pass")
    assert not touches_frames(source)
    with HostedStrategy(source, QUICK, check_policy=False, frames=False) as host:
        host.start(symbols=SYMBOLS, limits=LIMITS, windows=windows(), state=None)
        with pytest.raises(FramesWanted):
            host.analyze(scan())


def test_where_there_is_polars_nobody_can_ask_for_it_by_dying() -> None:
    source = StrategySource(code=f"import os\nos._exit({FRAMES_WANTED})")
    with (
        HostedStrategy(source, QUICK, check_policy=False) as host,
        pytest.raises(StrategyFault, match="ended during start") as caught,
    ):
        host.start(symbols=SYMBOLS, limits=LIMITS, windows={}, state=None)
    assert caught.value.kind == "killed"


def test_the_ways_tried_here_pass_the_policy() -> None:
    for reaching in ("str(data)", "import copy; copy.deepcopy(data)"):
        require_policy(frameless(f"data = markets['BTC/USD']\n{reaching}"))


def test_a_spare_of_the_other_kind_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Stub] = []

    class Stub:
        def __init__(self, _seed: str, program: Program) -> None:
            self.program, self.dead = program, False
            made.append(self)

        def kill(self) -> None:
            self.dead = True

    monkeypatch.setattr("shell.host.process.ChildProcess", Stub)
    spares = Spares()
    with spares.kept():
        taken = [spares.take("0", program) for program in (FRAMELESS_HOST, FRAMELESS_HOST, STRATEGY_HOST, STRATEGY_HOST)]
    assert [child.program for child in taken] == [FRAMELESS_HOST, FRAMELESS_HOST, STRATEGY_HOST, STRATEGY_HOST]
    assert len(set(map(id, taken))) == 4
    assert not any(child.dead for child in taken)  # type: ignore[attr-defined]
    assert [each.dead for each in made if each not in taken] == [True, True]
