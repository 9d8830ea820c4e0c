"""One night's looks at the search segment, spent so that the few full ones go where they are worth most.

Successive halving (Jamieson and Talwalkar 2016) in two rungs: many draws on the newest part of the window, the better ones
on the whole of it, and beside each of those one neighbour on the part, because a setting that stands alone on a peak is luck.
All of it inside the search segment. A budget too small for two rungs is spent on full looks.

As long as the sampler only draws at random, what it draws does not depend on any score, so these looks are made side by side;
from then on each waits for the one before. Either way the same looks in the same order.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import optuna

from shell.host.port import StrategySource
from shell.trials.candidate import source_hash
from tasks.ai.archive import Archive, Elite, mutant, neighbour
from tasks.ai.genes import Gene, Genes, distribution
from tasks.ai.provider import WHOLE, ProposalContext, SearchScore

STARTUP_TRIALS = 8
ASKS_PER_LOOK = 10
# The part of the window that a first look covers, the newest days.
SHORT = 0.25
# Full looks below which there is nothing to halve.
HALVING_FROM = 4
# Every so many draws, one is a child of an archived elite.
CHILD_EVERY = 3
# What a finalist loses of the fall from its own value to its neighbour's.
STABILITY_WEIGHT = 0.5


class Family(Protocol):
    """One kind of change. `key` names what evaluations of it compare with one another."""

    name: str
    key: str
    # Whether every source it emits is of our own making, not somebody's with other numbers in it.
    ours: bool

    def ask(self, trial: optuna.Trial) -> Genes: ...

    def starts(self) -> Sequence[Genes]:
        """Where to look before the sampler chooses."""

    def genes(self) -> Mapping[str, Gene]: ...

    def emit(self, genes: Genes) -> StrategySource:
        """The same text for the same rule, however its genes were written: equal rules have equal hashes."""

    def hypothesis(self, genes: Genes) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One look, tonight's or remembered. `share` is the part of the window it covered."""

    genes: Genes
    source: StrategySource
    hash: str
    score: SearchScore
    share: float = WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How a night's full looks are spent: `short` draws on a part of the window, `full` of them on the whole, and
    `neighbours` of those on the part again. Costs no more than the full looks it is made of."""

    short: int
    full: int
    neighbours: int

    @classmethod
    def of(cls, looks: int) -> Budget:
        if looks < HALVING_FROM:
            return cls(short=0, full=looks, neighbours=0)
        full = looks // 2
        return cls(short=int((looks - full - full * SHORT) / SHORT), full=full, neighbours=full)

    @property
    def cost(self) -> float:
        """In full looks."""
        return self.full + SHORT * (self.short + self.neighbours)


class Hunt:
    """One night's looks."""

    def __init__(self, context: ProposalContext, family: Family, remembered: Sequence[Evaluation]) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=context.seed, n_startup_trials=STARTUP_TRIALS)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._context = context
        self._family = family
        self._genes = family.genes()
        self._chance = random.Random(context.seed)
        self._budget = Budget.of(context.evaluations_max)
        self._share = SHORT if self._budget.short else WHOLE
        self._baseline: SearchScore | None = None
        # Where looks of sources of our own share processes, and whether they do: see `made`.
        self._look_many, self._sharing = context.look_many, False
        self._tonight: list[Evaluation] = []
        self._asked: list[tuple[optuna.Trial, Evaluation]] = []
        self._drawn = 0
        self._seen = {evaluation.hash: evaluation.score.value for evaluation in remembered}
        # What the sampler has been told, scores of repeated draws included.
        self._told = 0
        for evaluation in remembered:
            self._teach(evaluation)
        self._archive = Archive.of(_elite(each) for each in remembered if each.share == WHOLE)
        known = {*self._seen, context.active.hash}
        new = [start for start in family.starts() if source_hash(family.emit(start)) not in known]
        # At most half of the draws, so that every night looks somewhere nobody has written about.
        for start in new[: self._wanted // 2]:
            self._study.enqueue_trial(dict(start))

    @property
    def _wanted(self) -> int:
        return self._budget.short or self._budget.full

    def made(self) -> tuple[SearchScore, list[Evaluation]]:
        """The active strategy's score on the whole window, and every look at something else in the order made."""
        if self._context.ours is None or not self._family.ours:
            return self._made()
        with self._context.ours() as look_many:
            self._look_many, self._sharing = look_many, True
            try:
                return self._made()
            finally:
                self._look_many, self._sharing = self._context.look_many, False

    def _made(self) -> tuple[SearchScore, list[Evaluation]]:
        for _ in range(self._wanted * ASKS_PER_LOOK):
            if len(self._tonight) + len(self._asked) >= self._wanted:
                break
            if self._told + len(self._asked) >= STARTUP_TRIALS:
                self._look()
            self._ask()
        self._look()
        if self._budget.short:
            self._halve()
        if self._baseline is None:
            self._look_beside_own([])
        assert self._baseline is not None
        return self._baseline, self._tonight

    def _look_beside_own(self, sources: Sequence[StrategySource]) -> Sequence[SearchScore]:
        """Scores on the whole window; the active strategy's before them, which becomes the baseline. Whoever wrote that one,
        it is in no process that looks of ours share."""
        beside = () if self._sharing else sources
        self._baseline, *scores = self._context.look_many([self._context.active.source, *beside], WHOLE)
        return self._look_many(sources, WHOLE) if self._sharing and sources else scores

    def _ask(self) -> None:
        self._drawn += 1
        parent = self._archive.parent(self._chance) if self._drawn % CHILD_EVERY == 0 else None
        if parent is not None:
            self._study.enqueue_trial(dict(mutant(parent.genes, self._genes, self._chance)))
        trial = self._study.ask()
        drawn = self._evaluation(self._family.ask(trial), self._share)
        if drawn.hash in {other.hash for _, other in self._asked}:
            self._look()
        if drawn.hash in self._seen:
            self._tell(trial, self._seen[drawn.hash])
        elif drawn.hash == self._context.active.hash:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            self._asked.append((trial, drawn))

    def _look(self) -> None:
        """Look at all that was asked for and tell the sampler. Full looks begin with the active strategy's own."""
        asked, self._asked = self._asked, []
        sources = [drawn.source for _, drawn in asked]
        if self._share == WHOLE and self._baseline is None and asked:
            scores = self._look_beside_own(sources)
        else:
            scores = self._look_many(sources, self._share) if asked else []
        for (trial, drawn), score in zip(asked, scores, strict=True):
            self._tell(trial, score.value)
            self._keep(replace(drawn, score=score))

    def _halve(self) -> None:
        """The better draws on the whole window, beside the active strategy; then the neighbour of each on the part."""
        drawn = sorted(self._tonight, key=lambda each: (-each.score.value, each.hash))[: self._budget.full]
        scores = self._look_beside_own([each.source for each in drawn])
        beside = [self._evaluation(neighbour(each.genes, self._genes, self._chance), SHORT) for each in drawn]
        # One whose genes have nowhere to go is its own neighbour, and the active strategy's source may be one as well.
        falls = self._look_many([each.source for each in beside], SHORT)
        for first, score, other, fallen in zip(drawn, scores, beside, falls, strict=True):
            fall = max(0.0, first.score.value - fallen.value)
            final = replace(first, share=WHOLE, score=replace(score, value=score.value - STABILITY_WEIGHT * fall))
            self._keep(final)
            self._teach(final)
            if other.hash not in self._seen:
                self._keep(replace(other, score=fallen))

    def _evaluation(self, genes: Genes, share: float) -> Evaluation:
        source = self._family.emit(genes)
        nothing = SearchScore(value=0.0, daily_sharpe=0.0, total_return_pct=0.0, trades=0)
        return Evaluation(genes=genes, source=source, hash=source_hash(source), score=nothing, share=share)

    def _keep(self, evaluation: Evaluation) -> None:
        self._seen[evaluation.hash] = evaluation.score.value
        self._tonight.append(evaluation)
        if evaluation.share == WHOLE:
            self._archive.add(_elite(evaluation))

    def _tell(self, trial: optuna.Trial, value: float) -> None:
        self._study.tell(trial, value)
        self._told += 1

    def _teach(self, evaluation: Evaluation) -> None:
        """Tell the sampler of a look it did not ask for."""
        self._told += 1
        self._study.add_trial(
            optuna.trial.create_trial(
                params=dict(evaluation.genes), value=evaluation.score.value,
                distributions={name: distribution(self._genes[name]) for name in evaluation.genes},
            )
        )


def _elite(evaluation: Evaluation) -> Elite:
    return Elite(genes=evaluation.genes, identity=evaluation.hash, score=evaluation.score)
