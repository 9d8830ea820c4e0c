"""The local search against a made-up objective: what it looks at, what it proposes, what it remembers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shell.backtest.parameters import declared_parameters
from shell.config import RiskConfig
from shell.host.port import StrategySource
from shell.trials.candidate import Candidate, Stage, StageResult, Verdict, source_hash
from tasks.ai import grammar
from tasks.ai.hunt import SHORT
from tasks.ai.local import LocalProvider, charged_returns, choose_family, recall
from tasks.ai.provider import WHOLE, ProposalContext, Proposed, SearchScore
from tasks.client import ActiveStrategy
from tests.tasks.memory_shell import NOW, START
from tests.tasks.sources import rule

ACTIVE = ActiveStrategy(version="v001", hash=source_hash(rule()), source=rule(), since=START)
TWEAK_NIGHT, GRAMMAR_NIGHT = "2024-01-02", "2024-01-01"


class Bench:
    """Scores a source by its stop: the wider the better. Keeps every look."""

    def __init__(self, trades: int = 5) -> None:
        self.looks: list[StrategySource] = []
        self.together: list[int] = []
        self.shares: list[float] = []
        self.trades = trades

    def __call__(self, source: StrategySource) -> SearchScore:
        self.looks.append(source)
        stop = {each.name: each.value for each in declared_parameters(source.code)}["stop_ranges"]
        return SearchScore(value=float(stop), daily_sharpe=0.1, total_return_pct=0.01, trades=self.trades)

    def many(self, sources: Sequence[StrategySource], share: float) -> list[SearchScore]:
        self.together.append(len(sources))
        self.shares += [share] * len(sources)
        return [self(source) for source in sources]

    def at(self, share: float) -> list[StrategySource]:
        """What was looked at on that share of the window."""
        return [source for source, covered in zip(self.looks, self.shares, strict=True) if covered == share]


def context(bench: Bench, **changes: object) -> ProposalContext:
    base = ProposalContext(
        night=TWEAK_NIGHT, ordinal=0, seed=11, active=ACTIVE, candidates=(), tried=frozenset({ACTIVE.hash}),
        evaluations_max=6, risk=RiskConfig(), window="w1", look=bench,
        look_many=bench.many,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def as_candidate(proposed: Proposed) -> Candidate:
    assert proposed.proposal is not None
    stage = StageResult(
        stage=Stage.GENERATE, passed=True, reasons=(), inputs={"evaluations": list(proposed.evaluations)}
    )
    return Candidate(
        candidate_id="c0001", proposed_at=NOW, proposal=proposed.proposal, change_class=None, stage=Stage.GENERATE,
        source_hash=source_hash(proposed.proposal.source), verdict=Verdict.PENDING, reasons=(), stages=(stage,),
    )


def test_nights_take_turns_and_a_strategy_without_parameters_is_never_tweaked() -> None:
    assert choose_family(context(Bench())).name == "tweak"
    assert choose_family(context(Bench(), night=GRAMMAR_NIGHT)).name == "grammar"
    assert choose_family(context(Bench(), ordinal=1)).name == "grammar"
    bare = replace(ACTIVE, source=StrategySource(code="x = 1\n"))
    assert choose_family(context(Bench(), active=bare)).name == "grammar"


def test_the_same_seed_proposes_the_same_bytes_and_another_seed_looks_elsewhere() -> None:
    first, second, other = Bench(), Bench(), Bench()
    assert LocalProvider().propose(context(first)) == LocalProvider().propose(context(second))
    assert first.looks == second.looks
    LocalProvider().propose(context(other, seed=12))
    assert other.looks != first.looks


def test_the_best_full_look_is_proposed_and_looks_stay_within_the_budget() -> None:
    for night in (TWEAK_NIGHT, GRAMMAR_NIGHT):
        bench = Bench()
        proposed = LocalProvider().propose(context(bench, night=night))
        full, short = bench.at(WHOLE), bench.at(SHORT)
        # The active strategy and three finalists in full; nine draws and three neighbours on a quarter.
        assert (len(full), len(short)) == (1 + 3, 9 + 3)
        assert full[0] == ACTIVE.source
        assert len(full) - 1 + SHORT * len(short) <= 6
        assert proposed.proposal is not None
        assert source_hash(proposed.proposal.source) in {source_hash(source) for source in full[1:]}
        assert Bench()(proposed.proposal.source).value > 6.0
        assert proposed.proposal.hypothesis
        assert sum(each["share"] == WHOLE for each in proposed.evaluations) == 3


def test_a_budget_too_small_to_halve_is_spent_on_full_looks() -> None:
    bench = Bench()
    proposed = LocalProvider().propose(context(bench, evaluations_max=3))
    assert (bench.shares, bench.looks[0]) == ([WHOLE] * 4, ACTIVE.source)
    assert proposed.proposal is not None
    assert Bench()(proposed.proposal.source).value == max(Bench()(source).value for source in bench.looks[1:])


def test_a_tweak_changes_nothing_but_declared_values() -> None:
    proposal = LocalProvider().propose(context(Bench())).proposal
    assert proposal is not None
    before, after = ACTIVE.source.code.splitlines(), proposal.source.code.splitlines()
    differing = [old for old, new in zip(before, after, strict=True) if old != new]
    assert differing
    assert all(line.startswith('    "') and "(" in line for line in differing)
    assert "stop_ranges 6 -> " in proposal.hypothesis


def test_nothing_better_than_the_active_strategy_means_no_proposal() -> None:
    class Worse(Bench):
        def __call__(self, source: StrategySource) -> SearchScore:
            score = super().__call__(source)
            return score if source == ACTIVE.source else replace(score, value=-1.0)

    proposed = LocalProvider().propose(context(Worse()))
    assert proposed.proposal is None
    assert "no selection trial was spent" in proposed.reason


def test_a_rule_that_never_trades_is_not_proposed() -> None:
    assert LocalProvider().propose(context(Bench(trades=0))).proposal is None


def test_what_was_tried_is_not_proposed_again_and_revisions_go_down_the_list() -> None:
    provider = LocalProvider()
    night = context(Bench(), evaluations_max=15)
    first = provider.propose(night).proposal
    assert first is not None
    second = provider.revise(night, first, ["no"]).proposal
    assert second is not None
    assert Bench()(second.source).value <= Bench()(first.source).value
    again = LocalProvider().propose(
        replace(night, tried=frozenset({ACTIVE.hash, source_hash(first.source)}))
    ).proposal
    assert again is not None
    assert again.source == second.source


def test_later_nights_remember_looks_of_the_same_window_only() -> None:
    for night in (TWEAK_NIGHT, GRAMMAR_NIGHT):
        before = Bench()
        earlier = as_candidate(LocalProvider().propose(context(before, night=night)))
        now = context(Bench(), night=night, candidates=(earlier,))
        remembered = recall(now, choose_family(now))
        looked = {source_hash(source) for source in before.looks} - {ACTIVE.hash}
        assert {each.hash for each in remembered} == looked
        assert sum(each.share == WHOLE for each in remembered) == 3
        moved = replace(now, window="w2")
        assert recall(moved, choose_family(moved)) == []
        bench = Bench()
        LocalProvider().propose(replace(now, look=bench, look_many=bench.many))
        drawn = bench.looks[: -1 - 3 - 3]
        assert drawn and not {source_hash(source) for source in drawn} & looked


def test_known_rules_come_first_half_of_the_draws_a_night_and_each_once() -> None:
    known = [source_hash(grammar.emit(genes, 0.1)) for genes in grammar.textbook(0.1)]
    assert known[0] == ACTIVE.hash  # the active one is known already and takes no look
    candidates: list[Candidate] = []
    drawn = []
    for seed in (11, 12, 13):
        bench = Bench()
        night = context(bench, night=GRAMMAR_NIGHT, seed=seed, evaluations_max=3, candidates=tuple(candidates))
        candidates.append(as_candidate(LocalProvider().propose(night)))
        assert len(bench.looks) == 1 + 3
        drawn.append([known.index(each) for each in map(source_hash, bench.looks[1:]) if each in known])
    assert drawn == [[1], [2], [3]]


def test_looks_are_made_together_while_the_sampler_draws_blindly_and_one_by_one_once_it_learns() -> None:
    bench = Bench()
    earlier = as_candidate(LocalProvider().propose(context(bench, evaluations_max=3)))
    assert bench.together == [1 + 3]
    # Three are remembered: five more blind draws make the sampler's eight, and the rest each wait for the one before.
    later = Bench()
    LocalProvider().propose(context(later, seed=12, candidates=(earlier,)))
    assert later.together == [5, 1, 1, 1, 1, 1 + 3, 3]


def behaving(bench: Bench, returns: dict[str, tuple[float, ...]], otherwise: tuple[float, ...]) -> ProposalContext:
    """A night in which sources behave as told by hash."""

    def many(sources: Sequence[StrategySource], share: float) -> list[SearchScore]:
        scores = bench.many(sources, share)
        return [
            replace(score, returns=returns.get(source_hash(source), otherwise))
            for source, score in zip(sources, scores, strict=True)
        ]

    return context(bench, look_many=many, evaluations_max=3)


UPS, DOWNS = (0.01, -0.02, 0.03, 0.0, 0.01, -0.01), (-0.01, 0.02, -0.01, 0.02, 0.0, 0.01)


def test_what_behaves_like_the_active_strategy_is_not_proposed() -> None:
    twice = tuple(2 * each for each in UPS)
    proposed = LocalProvider().propose(behaving(Bench(), {ACTIVE.hash: UPS}, twice))
    assert proposed.proposal is None
    assert "behave like the active strategy" in proposed.reason
    assert LocalProvider().propose(behaving(Bench(), {ACTIVE.hash: UPS}, DOWNS)).proposal is not None


def test_what_behaves_like_a_charged_trial_is_not_charged_again_in_the_same_window() -> None:
    first = LocalProvider().propose(behaving(Bench(), {ACTIVE.hash: UPS}, DOWNS))
    night = replace(behaving(Bench(), {ACTIVE.hash: UPS}, DOWNS), candidates=(as_candidate(first),), seed=12)
    assert list(charged_returns(night)) == [list(DOWNS)]
    again = LocalProvider().propose(night)
    assert again.proposal is None
    assert "a trial already charged" in again.reason
    assert LocalProvider().propose(replace(night, window="w2")).proposal is not None


def test_a_search_goes_on_from_what_it_remembers() -> None:
    """Many looks, one memory: the sampler moves towards the wide stops that scored well."""
    candidates: list[Candidate] = []
    values = []
    for number in range(6):
        bench = Bench()
        proposed = LocalProvider().propose(context(bench, seed=number, candidates=tuple(candidates)))
        values.append(sum(Bench()(source).value for source in bench.at(SHORT)) / len(bench.at(SHORT)))
        candidates.append(as_candidate(proposed))
    assert sum(values[-2:]) > sum(values[:2])
