"""The vault by attack: every way by which a search, a report, a backtest or a paper trial could read it without a look."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from shell.config import OrchestratorConfig
from shell.errors import DataError, NotNow, Rejected, UsageError
from shell.host.port import StrategySource
from shell.market.archive import Archive
from shell.market.bars import Tier
from shell.market.history import History
from shell.market.seed import seed_home
from shell.market.synthetic import synthetic_market
from shell.store.candles import CandleStore
from shell.store.store import Store
from shell.trials.access import WARM_UP, HistoryAccess
from shell.trials.candidate import Proposal, Stage, StageResult, TrialScore, blind
from shell.trials.segments import SegmentName

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 80
NOW = START + timedelta(days=DAYS, hours=5)
CONFIG = OrchestratorConfig(history_days_min=30, target_annual_sharpe=2.6)


@pytest.fixture(scope="module")
def market() -> History:
    return synthetic_market(7, ["BTC/USD"], START, DAYS + 20, "plain")


@pytest.fixture
def store(tmp_path: Path, market: History) -> Iterator[Store]:
    with Store.open(tmp_path / "brain.db") as opened:
        seed_home(market, CandleStore(opened), Archive(tmp_path / "archive"), NOW)
        yield opened


@pytest.fixture
def access(store: Store, tmp_path: Path) -> HistoryAccess:
    return over(store, tmp_path)


def over(store: Store, folder: Path, config: OrchestratorConfig = CONFIG) -> HistoryAccess:
    return HistoryAccess(
        store, CandleStore(store), Archive(folder / "archive"), symbols=["BTC/USD"], config=config, source="test", real=False
    )


def candidate(store: Store, number: int = 1, at: datetime = NOW, code: str = "") -> str:
    proposal = Proposal(
        source=StrategySource(code=code or f"x = {number}\n"), parent_version="v001", hypothesis="h", provider="local",
        seed=number, parameters={"number": number},
    )
    return store.candidates.register(proposal, at).candidate_id


def scored(store: Store, access: HistoryAccess, number: int = 1, at: datetime = NOW) -> str:
    name = candidate(store, number, at)
    access.segment_history(SegmentName.SELECTION, name, at)
    store.candidates.record_score(
        TrialScore(
            candidate_id=name, segment="selection", scored_at=at, data_hash="d", source_hash=f"s{number}", sharpe=0.1,
            daily_returns=(0.1, 0.2), trades=1, total_return_pct=0.1,
        )
    )
    return name


def newest_close(history: History) -> datetime:
    """The moment at which the newest bar of any tier has closed."""
    spans = {"m5": timedelta(minutes=5), "h1": timedelta(hours=1), "d1": timedelta(days=1)}
    ends = [
        frame["timestamp"].max() + span
        for tier, span in spans.items() for frame in getattr(history, tier).values() if frame.height
    ]
    return max(ends).astimezone(UTC)


# -- segments stand still -------------------------------------------------------------------------------------------


def test_segments_are_recorded_once_a_quarter_in_the_chain(store: Store, access: HistoryAccess) -> None:
    parts = access.segments(NOW)
    assert access.segments(NOW + timedelta(days=5)) == parts
    (fact,) = store.events.rows(kind="segments")
    assert fact.payload["quarter"] == "2026Q1"
    assert fact.payload["vault_end"] == "2026-03-22T00:00:00Z"


def test_neither_more_history_nor_other_settings_move_them_within_the_quarter(
    store: Store, access: HistoryAccess, market: History, tmp_path: Path
) -> None:
    parts = access.segments(NOW)
    CandleStore(store).add("BTC/USD", Tier.M5, market.m5["BTC/USD"])
    other = over(store, tmp_path, OrchestratorConfig(history_days_min=30, search_pct="0.2", selection_pct="0.2"))
    assert other.segments(NOW + timedelta(days=3)) == parts


def test_a_quarter_that_passed_is_not_laid_out_again(store: Store, access: HistoryAccess) -> None:
    access.segments(NOW)
    with pytest.raises(NotNow, match="2025Q4 is over"):
        access.segments(datetime(2025, 12, 31, tzinfo=UTC))
    assert len(list(store.events.rows(kind="segments"))) == 1


def test_reading_them_beside_a_running_shell_records_nothing(store: Store, access: HistoryAccess) -> None:
    preview = access.preview(NOW)
    assert list(store.events.rows(kind="segments")) == []
    assert access.segments(NOW) == preview


def test_too_little_history_is_said_and_nothing_is_recorded(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="80 whole days .* needs 90"):
        over(store, tmp_path, OrchestratorConfig(history_days_min=90)).segments(NOW)
    assert store.looks.newest() is None


# -- what each window holds -----------------------------------------------------------------------------------------


def test_neither_search_nor_selection_holds_a_bar_that_closes_in_the_vault(store: Store, access: HistoryAccess) -> None:
    parts = access.segments(NOW)
    vault = parts[SegmentName.VAULT]
    name = candidate(store)
    search = access.segment_history(SegmentName.SEARCH, None, NOW)
    selection = access.segment_history(SegmentName.SELECTION, name, NOW)
    assert newest_close(search) <= parts[SegmentName.SELECTION].start
    assert newest_close(selection) <= vault.start
    assert newest_close(selection) == vault.start


def test_there_is_no_door_for_candidates_that_takes_two_dates(project: Path) -> None:
    """`lived_history` is the main book's own past, for parity; no task, flow or candidate reaches it."""
    public = {name for name in vars(HistoryAccess) if not name.startswith("_")}
    assert public == {
        "segments", "preview", "budget", "segment_history", "selection_scored", "trial_history", "seen_before",
        "lived_history",
    }
    callers = {
        path.relative_to(project).as_posix()
        for package in ("shell", "tasks", "flows", "deployments") for path in (project / package).rglob("*.py")
        if ".lived_history" in path.read_text(encoding="utf-8")
    }
    assert callers == {"shell/desk.py"}


@pytest.mark.parametrize("segment", [SegmentName.SELECTION, SegmentName.VAULT])
def test_neither_opens_for_nobody_or_for_an_invented_candidate(
    segment: SegmentName, store: Store, access: HistoryAccess
) -> None:
    with pytest.raises(UsageError, match="name it"):
        access.segment_history(segment, None, NOW)
    with pytest.raises(Rejected, match="no candidate c0099"):
        access.segment_history(segment, "c0099", NOW)
    assert store.looks.selection_looks() == []


# -- the one look ---------------------------------------------------------------------------------------------------


def test_the_vault_opens_once_for_a_scored_candidate_and_the_look_is_in_the_chain(
    store: Store, access: HistoryAccess
) -> None:
    name = scored(store, access)
    seen = access.segment_history(SegmentName.VAULT, name, NOW)
    assert newest_close(seen) == access.segments(NOW)[SegmentName.VAULT].end
    (look,) = store.events.rows(kind="vault_look")
    assert (look.payload["candidate"], look.payload["quarter"]) == (name, "2026Q1")
    for later in (NOW, NOW + timedelta(days=1), NOW + timedelta(days=40)):
        with pytest.raises(NotNow, match="has had its one look"):
            access.segment_history(SegmentName.VAULT, name, later)


def test_the_vault_stays_shut_before_a_score(store: Store, access: HistoryAccess) -> None:
    with pytest.raises(NotNow, match="has not been scored"):
        access.segment_history(SegmentName.VAULT, candidate(store), NOW)
    assert list(store.events.rows(kind="vault_look")) == []


def test_the_vault_stays_shut_for_one_that_has_ended(store: Store, access: HistoryAccess) -> None:
    name = scored(store, access)
    store.candidates.record_stage(name, StageResult(stage=Stage.GATE, passed=False, reasons=("no",), inputs={}), NOW)
    with pytest.raises(NotNow, match="has ended as refused"):
        access.segment_history(SegmentName.VAULT, name, NOW)


def test_the_same_source_under_another_name_gets_no_second_look(store: Store, access: HistoryAccess) -> None:
    first = scored(store, access)
    access.segment_history(SegmentName.VAULT, first, NOW)
    tomorrow = NOW + timedelta(days=1)
    twin = scored(store, access, 1, tomorrow)
    assert twin != first
    with pytest.raises(NotNow, match=f"{twin} is {first} again"):
        access.segment_history(SegmentName.VAULT, twin, tomorrow)


NEXT_QUARTER = datetime(2026, 4, 2, tzinfo=UTC)


def test_a_quarter_that_is_over_gives_no_budget_and_no_vault_to_what_came_after_it(
    store: Store, access: HistoryAccess, market: History, tmp_path: Path
) -> None:
    """A moment of the past is a caller's to name, and the old vault is the new selection."""
    access.segments(NOW)
    seed_home(market, CandleStore(store), Archive(tmp_path / "archive"), NEXT_QUARTER)
    late = scored(store, access, 1, NEXT_QUARTER)
    with pytest.raises(NotNow, match="2026Q1 is over"):
        access.segment_history(SegmentName.SELECTION, candidate(store, 2, NEXT_QUARTER), NOW)
    with pytest.raises(NotNow, match="scored after 2026Q1"):
        access.segment_history(SegmentName.VAULT, late, NOW)
    assert [look.quarter for look in store.looks.selection_looks()] == ["2026Q2"]
    assert list(store.events.rows(kind="vault_look")) == []
    access.segment_history(SegmentName.VAULT, late, NEXT_QUARTER)


def test_what_the_vault_showed_is_not_kept_in_memory(store: Store, access: HistoryAccess) -> None:
    access.segment_history(SegmentName.VAULT, scored(store, access), NOW)
    vault = access.segments(NOW)[SegmentName.VAULT]
    assert all(newest_close(kept) <= vault.start for kept in access._cache.values())


def test_a_paper_trial_reaches_into_the_vault_only_after_the_look(
    store: Store, access: HistoryAccess, market: History
) -> None:
    name = scored(store, access)
    with pytest.raises(NotNow, match="has not had its look at the vault"):
        access.trial_history(name, NOW, NOW + timedelta(days=1))
    access.segment_history(SegmentName.VAULT, name, NOW)
    seen = access.trial_history(name, NOW, NOW)
    assert seen.m5["BTC/USD"]["timestamp"].min() >= NOW - WARM_UP


def test_a_proposer_sees_nothing_that_was_measured_after_the_search(store: Store, access: HistoryAccess) -> None:
    name = scored(store, access)
    for stage in (Stage.GENERATE, Stage.REVIEW, Stage.SANDBOX, Stage.BACKTEST, Stage.GATE):
        result = StageResult(stage=stage, passed=True, reasons=(f"of {stage.value}",), inputs={"vault": stage.value})
        store.candidates.record_stage(name, result, NOW)
    seen = blind(store.candidates.get(name))
    assert [each.stage for each in seen.stages] == [Stage.GENERATE, Stage.REVIEW, Stage.SANDBOX]
    assert (seen.stage, seen.reasons) == (Stage.SANDBOX, ("of sandbox",))


# -- the budget -----------------------------------------------------------------------------------------------------


def test_the_budget_is_charged_before_the_look_and_ends_it(store: Store, access: HistoryAccess) -> None:
    allowed = access.budget(NOW).allowed
    assert allowed == 2
    for number in range(allowed):
        scored(store, access, number)
    assert access.budget(NOW).left == 0
    name = candidate(store, 77)
    with pytest.raises(NotNow, match="the search budget is spent: 2 of 2 trials of 2026Q1"):
        access.segment_history(SegmentName.SELECTION, name, NOW)
    assert len(store.looks.selection_looks("2026Q1")) == allowed


def test_the_same_candidate_again_costs_nothing_more(store: Store, access: HistoryAccess) -> None:
    name = scored(store, access)
    access.segment_history(SegmentName.SELECTION, name, NOW)
    assert access.budget(NOW).spent == 1


def test_a_spent_budget_lets_the_same_program_and_one_repair_go_on(store: Store, access: HistoryAccess) -> None:
    scored(store, access, 1)
    broken = candidate(store, 2)
    access.segment_history(SegmentName.SELECTION, broken, NOW)
    fault = StageResult(stage=Stage.BACKTEST, passed=False, reasons=("boom",), inputs={"fault": "boom"})
    store.candidates.record_stage(broken, fault, NOW)
    assert access.budget(NOW).left == 0
    refactored = candidate(store, 1, code="# the same\nx = 1\n")
    access.segment_history(SegmentName.SELECTION, refactored, NOW)
    repair = candidate(store, 2, code="x = 2.0\n")
    access.segment_history(SegmentName.SELECTION, repair, NOW)
    second = candidate(store, 2, code="x = 2.1\n")
    with pytest.raises(NotNow, match="budget is spent"):
        access.segment_history(SegmentName.SELECTION, second, NOW)
    looks = store.looks.selection_looks("2026Q1")
    assert [bool(look.free) for look in looks] == [False, False, True, True]
    assert looks[-1].repairs == broken


def test_code_that_was_caught_hands_its_trial_to_nobody(store: Store, access: HistoryAccess) -> None:
    scored(store, access, 1)
    caught = candidate(store, 2)
    access.segment_history(SegmentName.SELECTION, caught, NOW)
    fault = StageResult(stage=Stage.BACKTEST, passed=False, reasons=("boom",), inputs={"fault": "boom"})
    store.candidates.record_stage(caught, fault, NOW)
    store.strategies.quarantine(store.candidates.get(caught).source_hash, caught, "a socket", NOW)
    with pytest.raises(NotNow, match="budget is spent"):
        access.segment_history(SegmentName.SELECTION, candidate(store, 2, code="x = 2.0\n"), NOW)


def test_a_new_quarter_brings_a_new_budget_on_new_segments(
    store: Store, access: HistoryAccess, market: History
) -> None:
    for number in range(2):
        scored(store, access, number)
    later = START + timedelta(days=DAYS + 19)
    frame = market.m5["BTC/USD"].filter(pl.col("timestamp") < later)
    CandleStore(store).add("BTC/USD", Tier.M5, frame.filter(pl.col("timestamp") >= NOW))
    assert access.budget(later).spent == 0
    assert access.segments(later)[SegmentName.VAULT].end > access.segments(NOW)[SegmentName.VAULT].end


# -- by construction ------------------------------------------------------------------------------------------------

# Who may read stored bars over a window of their choosing, and why.
MAY_READ_WINDOWS = {
    "shell/trials/access.py": "the door itself",
    "deployments/opening.py": "the replayed market of a shell: what trading sees as it goes",
    "deployments/live_opening.py": "the past of a live market: what trading goes on from",
    "deployments/reporting.py": "the prices of the days the account itself traded",
}
MAY_OPEN_CANDLES = {
    *MAY_READ_WINDOWS, "shell/service.py", "deployments/standing.py", "deployments/segments.py", "deployments/cli/data.py",
    "deployments/cli/fetching.py", "deployments/checks.py", "deployments/simulated_source.py", "shell/bar_keeper.py",
    "deployments/night_replay/run.py",
    # What people look at: prices of what the account holds or held.
    "shell/book_figures.py", "shell/page/curves.py", "shell/telegram/books.py", "shell/telegram/pictures.py",
}


@cache
def imports_of(root: Path) -> tuple[tuple[str, str, str], ...]:
    """(file, module, name) of every `from module import name` of the product."""
    return tuple(
        (path.relative_to(root).as_posix(), node.module or "", each.name)
        for package in ("shell", "tasks", "flows", "deployments") for path in (root / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)
        for each in node.names
    )


def importers(root: Path, module: str, name: str) -> set[str]:
    return {path for path, imported, each in imports_of(root) if (imported, each) == (module, name)}


def test_only_listed_files_read_a_window_of_stored_bars(project: Path) -> None:
    assert importers(project, "shell.market.tiers", "full_history") == set(MAY_READ_WINDOWS)
    assert importers(project, "shell.store.candles", "CandleStore") <= MAY_OPEN_CANDLES
    assert importers(project, "shell.trials.access", "HistoryAccess") <= {
        "shell/service.py", "shell/promotion/trials.py", "deployments/segments.py",
        # A night lived again sees what it saw.
        "deployments/night_replay/run.py", "deployments/night_replay/shell.py",
        # What a candidate was shown, once more, for the shell's own runs of it.
        "shell/promotion/reruns.py",
    }


def test_no_task_or_flow_reaches_a_store_of_bars(project: Path) -> None:
    for module, name in (
        ("shell.market.archive", "Archive"), ("shell.store.candles", "CandleStore"), ("shell.store.store", "Store"),
        ("shell.service", "Shell"), ("shell.market.tiers", "full_history"),
    ):
        assert not {path for path in importers(project, module, name) if path.startswith(("tasks/", "flows/"))}, name
