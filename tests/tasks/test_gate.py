"""Scoring and judging with real backtests of a short synthetic market."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shell.backtest.biases.probe import CHECKS
from shell.backtest.neighbourhood import one_step_neighbours
from shell.backtest.result import BacktestSettings
from shell.backtest.undeclared import undeclared_numbers
from shell.config import GateConfig, Settings
from shell.errors import BadInput, NotNow
from shell.gate.checks import ALL_CHECKS
from shell.gate.probing import neighbours
from shell.gate.runs import stressed
from shell.gate.verdict import recheck
from shell.host.port import StrategySource
from shell.market.history import data_hash
from shell.trials.candidate import Candidate, Stage, StageResult, Verdict
from shell.trials.count import distinct_scores
from shell.trials.scoring import untrue_figures
from tasks.backtest import backtest_candidate
from tasks.client import SegmentName
from tasks.gate import gate_candidate, gate_inputs, on_these_days
from tasks.gate_runs import look_into_vault, probe_biases, run_neighbours
from tasks.generate import Generation
from tasks.night import Work, WorkItem
from tasks.runs import RunSummary, run_all, uncertified
from tests.shell.gate.test_verdict import GOOD
from tests.tasks.memory_shell import NOW, START, MemoryShell, small_settings
from tests.tasks.sources import proposal, rule
from tests.thorough import thorough

DAYS = 32
LENIENT = GateConfig(
    min_trades=1, min_days=2, min_deflated_sharpe=1e-9, max_drawdown_pct=1.0, cost_stress=1.0, pbo_blocks=4
)


def shell_with(gate: GateConfig = LENIENT, **orchestrator: object) -> MemoryShell:
    settings = small_settings(history_days_min=20, search_days_max=5, **orchestrator)
    return MemoryShell(
        rule(slow=150, fast=20), settings=Settings(orchestrator=settings.orchestrator, gate=gate),
        last=START + timedelta(days=DAYS),
    )


def scored(shell: MemoryShell, **changes: object) -> Candidate:
    """A candidate that has been through the sandbox's stage (made up) and the backtest (real)."""
    candidate_id = shell.register_candidate(proposal(rule(**changes)), NOW).candidate_id
    shell.record_stage(
        candidate_id,
        StageResult(
            stage=Stage.SANDBOX, passed=True, reasons=(), inputs={"verdict": "passed", "answers_hash": "abc"}
        ), NOW,
    )
    backtest_candidate(shell, candidate_id, NOW)
    return shell.candidate(candidate_id)


def test_a_backtest_is_a_counted_trial_and_scores_the_incumbent_and_buy_and_hold_beside_it() -> None:
    shell = shell_with()
    candidate = scored(shell)
    [score] = shell.trial_scores
    stage = candidate.stages[-1]
    assert (score.candidate_id, score.segment, score.source_hash) == ("c0001", "selection", candidate.source_hash)
    assert len(score.daily_returns) == stage.inputs["figures"]["days"] > 5
    assert score.sharpe == stage.inputs["figures"]["daily_sharpe"]
    assert stage.inputs["incumbent"]["name"] == "v001"
    assert stage.inputs["buy_and_hold"]["daily_sharpe"] != 0
    assert "seconds" not in str(stage.inputs)


def test_a_spent_budget_refuses_before_anything_is_run() -> None:
    shell = shell_with()
    shell.trials_spent = 99
    candidate = scored(shell)
    assert candidate.verdict is Verdict.REFUSED
    assert candidate.reasons[0].startswith("the search budget is spent")
    assert shell.trial_scores == []


def test_a_strategy_that_breaks_is_refused_with_its_line() -> None:
    shell = shell_with()
    broken = rule().code.replace("        signals = []", "        signals = [1 / (len(markets) - len(markets))]")
    candidate_id = shell.register_candidate(proposal(type(rule())(code=broken)), NOW).candidate_id
    result = backtest_candidate(shell, candidate_id, NOW)
    assert not result.passed
    assert "ZeroDivisionError" in result.reasons[0]
    assert shell.ledger[candidate_id].verdict is Verdict.REFUSED
    assert shell.trial_scores == []


def test_a_refused_candidate_never_opens_the_vault_and_says_how_far_it_was() -> None:
    shell = shell_with(GateConfig())
    candidate = scored(shell)
    result = gate_candidate(shell, candidate.candidate_id, NOW)
    assert not result.passed
    assert shell.vault_looks == []
    assert result.inputs["first_failure"] == "minimum_trades"
    assert len(result.inputs["checks"]) == len(ALL_CHECKS)
    assert shell.ledger[candidate.candidate_id].verdict is Verdict.REFUSED


def test_the_stored_verdict_can_be_computed_again() -> None:
    shell = shell_with(GateConfig())
    candidate = scored(shell)
    result = gate_candidate(shell, candidate.candidate_id, NOW)
    stored = shell.candidate(candidate.candidate_id).stages[-1].inputs
    again = recheck(stored)
    assert again.passed == result.passed
    assert [check.as_dict() for check in again.checks] == list(stored["checks"])


def test_a_vault_look_is_spent_once() -> None:
    shell = shell_with()
    candidate = shell.register_candidate(proposal(rule()), NOW)
    first = look_into_vault(shell, candidate, NOW).vault
    second = look_into_vault(shell, candidate, NOW).vault
    assert first is not None and second is not None
    assert first.refusal == "" and first.days >= 4
    assert "has had its look" in second.refusal
    assert shell.vault_looks == ["c0001"]


def test_the_same_source_on_the_same_candles_is_one_trial() -> None:
    shell = shell_with()
    scored(shell)
    [score] = shell.trial_scores
    shell.ledger.clear()
    scored(shell)
    assert len(distinct_scores([score, *shell.trial_scores])) == 1
    scored(shell, fast=12)
    assert len(distinct_scores(shell.trial_scores)) == 2


def test_generating_logs_every_look_and_keeps_the_search_with_the_candidate() -> None:
    shell = shell_with(search_evaluations=2)
    made = Generation(shell, WorkItem(work=Work.SEARCH, ordinal=0), NOW, seed=3).generate()
    assert sum(shell.searches) == made.looks == 3
    assert shell.trial_scores == []
    again = shell_with(search_evaluations=2)
    assert Generation(again, WorkItem(work=Work.SEARCH, ordinal=0), NOW, seed=3).generate() == made
    assert again.ledger == shell.ledger
    if made.candidate_id is None:
        pytest.skip("this seed found nothing better than the active strategy")
    stage = shell.candidate(made.candidate_id).stages[0]
    assert stage.stage is Stage.GENERATE
    assert len(stage.inputs["evaluations"]) == 2


def test_a_submitted_file_is_taken_as_it_is() -> None:
    shell = shell_with()
    mine = proposal(rule(fast=28))
    shell.waiting.append(mine)
    made = Generation(shell, WorkItem(work=Work.SUBMISSION, ordinal=0), NOW, seed=3).generate()
    assert shell.candidate(str(made.candidate_id)).proposal == mine
    assert shell.searches == []
    assert shell.waiting == []


def test_the_incumbent_and_buy_and_hold_are_kept_day_by_day_beside_the_candidate() -> None:
    shell = shell_with()
    candidate = scored(shell)
    inputs = gate_inputs(candidate, shell.trial_scores, shell.candidates())
    days = inputs.run.days
    assert len(inputs.daily_returns) == len(inputs.incumbent.daily_returns) == len(inputs.buy_and_hold.daily_returns) == days
    assert inputs.daily_returns == shell.trial_scores[0].daily_returns
    for rival in (inputs.incumbent, inputs.buy_and_hold):
        assert untrue_figures(rival.daily_returns, rival.daily_sharpe, rival.total_return_pct) == ""
    [score] = shell.trial_scores
    assert untrue_figures(score.daily_returns, score.sharpe, score.total_return_pct) == ""
    assert inputs.other_trials == ()


def test_trials_on_other_days_are_not_counted_and_those_on_other_candles_have_no_column() -> None:
    shell = shell_with()
    candidate = scored(shell)
    [own] = shell.trial_scores
    unknown = replace(own, candidate_id="c0900", source_hash="another", data_hash="other candles")
    rescored = replace(own, candidate_id="c0901", source_hash="a third", daily_returns=tuple(reversed(own.daily_returns)))
    inputs = gate_inputs(candidate, [own, unknown, rescored], shell.candidates())
    assert len(inputs.trial_sharpes) == 3
    assert inputs.other_trials == (rescored.daily_returns,)
    segment = candidate.stages[-1].inputs["segment"]
    later = {"start": segment["end"], "end": (NOW + timedelta(days=400)).isoformat()}
    assert on_these_days([own, unknown], segment, shell.candidates()) == [own, unknown]
    assert on_these_days([own, unknown], later, shell.candidates()) == [unknown]


def test_a_score_the_ledger_does_not_hold_and_a_backtest_of_an_earlier_version_are_refused() -> None:
    shell = shell_with()
    candidate = scored(shell)
    with pytest.raises(NotNow, match="does not hold its score"):
        gate_inputs(candidate, [])
    old = dict(candidate.stages[-1].inputs)
    old["incumbent"] = {name: value for name, value in old["incumbent"].items() if name != "daily_returns"}
    stages = (*candidate.stages[:-1], replace(candidate.stages[-1], inputs=old))
    with pytest.raises(BadInput, match="daily_returns"):
        gate_inputs(replace(candidate, stages=stages), shell.trial_scores)


@thorough
def test_dear_runs_are_made_in_order_and_stored_and_none_is_a_trial() -> None:
    """Every cheap check open, so that the probes run; what they say of so short a market decides how far it goes."""
    shell = shell_with()
    candidate = scored(shell)
    probed = probe_biases(shell, candidate, NOW)
    assert probed.biases is not None
    assert [finding.check for finding in probed.biases] == list(CHECKS)
    beside = run_neighbours(shell, candidate, NOW).neighbours
    assert beside is not None
    assert [dict(each.values) for each in beside] == [dict(each.values) for each in one_step_neighbours(candidate.proposal.source)]
    assert all(each.daily_sharpe is not None for each in beside)
    assert len(shell.trial_scores) == 1
    assert shell.vault_looks == []


def test_a_segment_that_has_moved_since_the_score_is_probed_no_further() -> None:
    shell = shell_with()
    candidate = scored(shell)
    other = dict(candidate.stages[-1].inputs)
    other["segment"] = {**other["segment"], "data_hash": "of another quarter"}
    moved = replace(candidate, stages=(*candidate.stages[:-1], replace(candidate.stages[-1], inputs=other)))
    biases, beside = probe_biases(shell, moved, NOW).biases, run_neighbours(shell, moved, NOW).neighbours
    assert biases is not None and beside is not None
    assert [(each.verdict, "another one than it was scored on" in each.sentence) for each in biases] == [("unknown", True)]
    assert {each.daily_sharpe for each in beside} == {None}


def test_a_strategy_without_numbers_has_no_neighbours_and_one_that_hides_its_own_is_told_by_their_count() -> None:
    shell = shell_with()
    bare = shell.register_candidate(proposal(StrategySource(code="class Strategy:\n    pass\n")), NOW)
    assert run_neighbours(shell, bare, NOW).neighbours == ()
    hidden = StrategySource(code=rule().code.replace("PARAMETERS", "NUMBERS"))
    assert len(undeclared_numbers(hidden)) > GateConfig().undeclared_numbers_max >= len(undeclared_numbers(rule()))


# Buys by one digit of the price, which one depends on FITTED: nothing but luck, hung on a number that no parameter declares.
FITTED = '''
from shell.contract import Action, Signal


class Strategy:
    scan_interval_minutes = 60

    def initialize(self, risk_limits, symbols):
        pass

    def analyze(self, markets, portfolio, timestamp):
        held = {position.symbol for position in portfolio.positions}
        signals = []
        for symbol, data in markets.items():
            wanted = int(data.current_price * FITTED) % 2 == 0
            if wanted and symbol not in held:
                signals.append(Signal(symbol, Action.BUY, 0.1, stop_loss=data.current_price / 2))
            elif not wanted and symbol in held:
                signals.append(Signal(symbol, Action.CLOSE))
        return signals

    def on_fill(self, symbol, action, qty, price, intent):
        pass

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return {}

    def load_state(self, state):
        pass
'''
FITS = 16


@thorough
def test_a_number_in_the_code_that_was_fitted_is_refused_by_what_stands_beside_it() -> None:
    """Of sixteen numbers the luckiest, as a search that declares nothing would hand it in."""
    shell = shell_with()
    sources = [StrategySource(code=FITTED.replace("FITTED", f"{0.0301 + 0.0007 * at:.4f}")) for at in range(FITS)]
    with uncertified():
        history = shell.history(SegmentName.SELECTION, "c0001", NOW)
        segment = shell.segments(NOW)[SegmentName.SELECTION]
        runs = run_all(
            sources, history, start=segment.start, end=segment.end, settings=costless(shell.backtest_settings()),
            data=data_hash(history),
        )
        ratios = [run.figures.daily_sharpe for run in runs if isinstance(run, RunSummary)]
        assert len(ratios) == FITS
        chosen = shell.register_candidate(proposal(sources[ratios.index(max(ratios))]), NOW)
        shell.backtest_settings = lambda: costless(MemoryShell.backtest_settings(shell))  # type: ignore[method-assign]
        beside = run_neighbours(shell, chosen, NOW).neighbours
    assert beside is not None
    # The fitted number, and the size of a trade, which changes little.
    assert [next(iter(each.values)).partition(",")[0] for each in beside] == ["line 15", "line 15", "line 17", "line 17"]
    verdict = neighbours(
        replace(GOOD, run=replace(GOOD.run, daily_sharpe=max(ratios)), neighbours=beside), GateConfig()
    )
    assert max(ratios) > 0.2, ratios
    assert not verdict.passed
    assert "stands or falls with one number" in verdict.sentence and "(line 15, column" in verdict.sentence


def costless(settings: BacktestSettings) -> BacktestSettings:
    """So that a rule of luck shows luck alone, and not what its trades cost."""
    return stressed(settings, 0.0)


def test_a_strategy_that_breaks_under_the_probes_is_not_clean() -> None:
    shell = shell_with()
    broken = rule().code.replace("        signals = []", "        signals = [1 / (len(markets) - len(markets))]")
    candidate = shell.register_candidate(proposal(type(rule())(code=broken)), NOW)
    biases = probe_biases(shell, candidate, NOW).biases
    assert biases is not None
    assert [finding.check for finding in biases] == ["plain_run"]
    assert "ZeroDivisionError" in biases[0].sentence
