"""Two ways to spend the same looks: the product's search, and its control, which draws at random and remembers nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import optuna

from deployments.null_twin.month import BEGINS, Terms, month_market, month_seed
from deployments.opening import account_overrides, open_replay, settings_for
from shell.clock import next_night
from shell.desk import Desk
from shell.home import Home
from shell.host.port import StrategySource
from shell.market.history import data_hash
from shell.trials.candidate import Proposal, source_hash
from tasks.ai.genes import Genes
from tasks.ai.local import LocalProvider, choose_family
from tasks.ai.provider import WHOLE, ProposalContext, Proposed, Provider, SearchScore
from tasks.client import SegmentName
from tasks.generate import Generation
from tasks.night import Work, WorkItem
from tasks.runs import run, uncertified

SYMBOLS = ("BTC/USD", "ETH/USD")
ASKS_PER_LOOK = 10
# Nothing is promoted here, and each night's candidate is to be scored: the quarter's budget is as large as it can be.
UNBOUNDED = {"orchestrator.target_annual_sharpe": 10.0}


class RandomProvider:
    """Draws from the same families at random, looks at each draw in full and proposes the best that beats the active one."""

    name = "random"

    def propose(self, context: ProposalContext) -> Proposed:
        """As many distinct draws as the night has full looks."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        family = choose_family(context)
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=context.seed))
        drawn: dict[str, tuple[Genes, StrategySource]] = {}
        for _ in range(context.evaluations_max * ASKS_PER_LOOK):
            if len(drawn) == context.evaluations_max:
                break
            genes = family.ask(study.ask())
            source = family.emit(genes)
            if source_hash(source) not in context.tried:
                drawn.setdefault(source_hash(source), (genes, source))
        found = list(drawn.values())
        baseline, *scores = context.look_many([context.active.source, *(source for _, source in found)], WHOLE)
        best = max(range(len(scores)), key=lambda at: scores[at].value)
        if not (scores[best].value > baseline.value and scores[best].trades):
            return Proposed(proposal=None, reason="nothing better was drawn")
        genes, source = found[best]
        return Proposed(reason="the best draw", proposal=Proposal(
            source=source, parent_version=context.active.version, hypothesis=family.hypothesis(genes), provider=self.name,
            seed=context.seed, parameters={"family": family.name, **genes}, searched=len(found),
        ))

    def revise(self, context: ProposalContext, refused: Proposal, findings: Sequence[str]) -> Proposed:
        """There is no second best here."""
        return Proposed(proposal=None, reason="no further draw")


ARMS: dict[str, Callable[[], Provider]] = {"search": LocalProvider, "random": RandomProvider}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one arm made of one market: looks in units of the whole window (the active strategy's own left out), candidates
    that would have been charged a trial, and daily Sharpe ratios. `best_search` is the highest on the whole search window,
    `selection` what the same candidate shows on the selection segment, `selection_mean` the mean of all candidates there;
    None without a candidate."""

    looks: float
    trials: int
    best_search: float | None
    selection: float | None
    selection_mean: float | None


class _Counting:
    """Passes a night on to a provider and keeps what was looked at."""

    def __init__(self, provider: Provider) -> None:
        self.name = provider.name
        self._provider = provider
        self.looks = 0.0
        self.scores: dict[str, SearchScore] = {}

    def propose(self, context: ProposalContext) -> Proposed:
        def many(sources: Sequence[StrategySource], share: float) -> Sequence[SearchScore]:
            scores = context.look_many(sources, share)
            for source, score in zip(sources, scores, strict=True):
                identity = source_hash(source)
                if identity != context.active.hash:
                    self.looks += share
                if share == WHOLE:
                    self.scores[identity] = score
            return scores

        # By this way alone: what is looked at is counted here, and shares its processes anyway.
        return self._provider.propose(replace(context, look_many=many, ours=None))

    def revise(self, context: ProposalContext, refused: Proposal, findings: Sequence[str]) -> Proposed:
        return self._provider.revise(context, refused, findings)


def spend(arm: str, market: str, seed: int, nights: int) -> Spent:
    """Let `arm` search for `nights` nights on its own copy of one market, and score what it proposes on the selection
    segment. Nothing is judged and nothing promoted: the active strategy stays the one to beat."""
    settings = settings_for(Home.project(), {**account_overrides(SYMBOLS), **UNBOUNDED})
    terms = Terms(seed=seed, symbols=SYMBOLS, markets=(market,))
    _, history = month_market(terms, settings, None, 0)
    provider = _Counting(ARMS[arm]())
    found: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory(prefix="bench-search-") as folder, uncertified():
        opened = open_replay(Home.private(Path(folder) / "home"), settings, history, BEGINS, next_night(BEGINS).begins)
        try:
            opened.shell.start(BEGINS)
            desk, now = Desk(opened.shell), BEGINS
            for _ in range(nights):
                now = next_night(now).begins
                # The desk answers of no moment that has not come.
                opened.shell.reach(now)
                item = WorkItem(work=Work.SEARCH, ordinal=0)
                made = Generation(desk, item, now, month_seed(seed, 0, "search"), provider).generate()
                if made.candidate_id is None:
                    continue
                candidate = desk.candidate(made.candidate_id)
                segment = desk.segments(now)[SegmentName.SELECTION]
                bars = desk.history(SegmentName.SELECTION, candidate.candidate_id, now)
                figures = run(
                    candidate.proposal.source, bars, start=segment.start, end=segment.end,
                    settings=desk.backtest_settings(), data=data_hash(bars),
                ).figures
                found.append((provider.scores[candidate.source_hash].daily_sharpe, figures.daily_sharpe))
        finally:
            opened.close()
    best = max(found, default=None)
    return Spent(
        looks=provider.looks, trials=len(found), best_search=best[0] if best else None, selection=best[1] if best else None,
        selection_mean=fmean(each for _, each in found) if found else None,
    )
