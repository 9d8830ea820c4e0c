"""The provider that needs no key and no network: a seeded optuna search over real backtests of the search segment.

Nights take turns: a tweak moves the numbers the active strategy declares, a new rule comes from the grammar. Each look
is a whole backtest and is logged. What earlier nights saw of the same window is told to the sampler first, so that
later nights go on from there. Same seed and inputs: same looks, same proposal, to the byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

import optuna

from shell.backtest.parameters import Parameter, declared_parameters, with_values
from shell.host.port import StrategySource
from shell.trials.candidate import Proposal, Stage, source_hash
from tasks.ai import grammar
from tasks.ai.genes import Gene, Genes, allows, distribution, suggest
from tasks.ai.provider import ProposalContext, Proposed, SearchScore
from tasks.night import stage_inputs

STARTUP_TRIALS = 8
ASKS_PER_LOOK = 10
TWEAK, GRAMMAR = "tweak", "grammar"


class Family(Protocol):
    """One kind of change. `key` names what evaluations of it compare with one another."""

    name: str
    key: str

    def ask(self, trial: optuna.Trial) -> Genes: ...

    def starts(self) -> Sequence[Genes]:
        """Where to look before the sampler chooses."""

    def genes(self) -> Mapping[str, Gene]: ...

    def emit(self, genes: Genes) -> StrategySource: ...

    def hypothesis(self, genes: Genes) -> str: ...


class Tweak:
    """Other values for the parameters that the active strategy declares."""

    name = TWEAK

    def __init__(self, context: ProposalContext, parameters: Sequence[Parameter]) -> None:
        self._active = context.active
        self._parameters = tuple(parameters)
        self.key = f"{TWEAK} {context.active.hash} {context.window}"

    def ask(self, trial: optuna.Trial) -> Genes:
        return {parameter.name: suggest(trial, parameter) for parameter in self._parameters}

    def starts(self) -> Sequence[Genes]:
        return ()

    def genes(self) -> Mapping[str, Gene]:
        return {parameter.name: parameter for parameter in self._parameters}

    def emit(self, genes: Genes) -> StrategySource:
        source = self._active.source
        values = {name: value for name, value in genes.items() if not isinstance(value, str)}
        return StrategySource(code=with_values(source.code, values), skills=source.skills, origin=source.origin)

    def hypothesis(self, genes: Genes) -> str:
        changes = [
            f"{parameter.name} {parameter.value:g} -> {float(genes[parameter.name]):g}"
            for parameter in self._parameters if genes[parameter.name] != parameter.value
        ]
        return f"{self._active.version} works better with {', '.join(changes)}"


class Grammar:
    """A new rule."""

    name = GRAMMAR

    def __init__(self, context: ProposalContext) -> None:
        self._max_trade_pct = float(context.risk.max_trade_pct)
        self.key = f"{GRAMMAR} {context.window}"

    def ask(self, trial: optuna.Trial) -> Genes:
        chosen = {choice.name: suggest(trial, choice) for choice in grammar.structure()}
        for parameter in grammar.numbers(chosen, self._max_trade_pct):
            chosen[parameter.name] = suggest(trial, parameter)
        return chosen

    def starts(self) -> Sequence[Genes]:
        return grammar.textbook(self._max_trade_pct)

    def genes(self) -> Mapping[str, Gene]:
        return grammar.every_gene(self._max_trade_pct)

    def emit(self, genes: Genes) -> StrategySource:
        return grammar.emit(genes, self._max_trade_pct)

    def hypothesis(self, genes: Genes) -> str:
        return grammar.hypothesis(genes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One look, tonight's or remembered."""

    genes: Genes
    source: StrategySource
    hash: str
    score: SearchScore


class LocalProvider:
    """See the module. Holds the evaluations of its last search, so that a revision can fall back on the next best."""

    name = "local"

    def __init__(self) -> None:
        self._ranked: list[Evaluation] = []
        self._family: Family | None = None
        self._kept: tuple[Mapping[str, Any], ...] = ()

    def propose(self, context: ProposalContext) -> Proposed:
        self._family = family = choose_family(context)
        remembered = recall(context, family)
        baseline, tonight = _Search(context, family, remembered).made()
        self._kept = tuple(_stored(family, evaluation) for evaluation in tonight)
        better = {
            evaluation.hash: evaluation for evaluation in (*remembered, *tonight)
            if evaluation.hash not in context.tried and evaluation.score.trades > 0
            and evaluation.score.value > baseline.value
        }
        # Sorted by hash before by value, so that equal values do not leave the choice to the order of looks.
        self._ranked = sorted(
            sorted(better.values(), key=lambda evaluation: evaluation.hash),
            key=lambda evaluation: evaluation.score.value, reverse=True,
        )
        best = max((evaluation.score.value for evaluation in tonight), default=None)
        if not self._ranked:
            found = "no new variant could be made" if best is None else f"the best scored {best:.3f}"
            return Proposed(
                proposal=None, evaluations=self._kept,
                reason=(
                    f"none of {len(tonight)} {family.name} looks at the search segment was better than the active "
                    f"strategy's {baseline.value:.3f}: {found}; no selection trial was spent"
                ),
            )
        return self._next(context)

    def revise(self, context: ProposalContext, refused: Proposal, findings: Sequence[str]) -> Proposed:
        return self._next(context)

    def _next(self, context: ProposalContext) -> Proposed:
        if not self._ranked or self._family is None:
            return Proposed(proposal=None, reason="the search has no further variant to offer", evaluations=self._kept)
        chosen = self._ranked.pop(0)
        proposal = Proposal(
            source=chosen.source, parent_version=context.active.version,
            hypothesis=self._family.hypothesis(chosen.genes), provider=self.name, seed=context.seed,
            parameters={"family": self._family.name, **chosen.genes}, searched=len(self._kept),
        )
        return Proposed(
            proposal=proposal, evaluations=self._kept,
            reason=f"the best untried of this search: {chosen.score.value:.3f} on the search segment",
        )


def choose_family(context: ProposalContext) -> Family:
    """Odd nights tweak, even nights look for a new rule; a strategy without parameters cannot be tweaked."""
    parameters = declared_parameters(context.active.source.code)
    turn = date.fromisoformat(context.night).toordinal() + context.ordinal
    return Tweak(context, parameters) if parameters and turn % 2 else Grammar(context)


def recall(context: ProposalContext, family: Family) -> list[Evaluation]:
    """What earlier candidates' searches saw of the same window, as far as today's genes can still express it."""
    genes = family.genes()
    found: dict[str, Evaluation] = {}
    for candidate in context.candidates:
        inputs = stage_inputs(candidate, Stage.GENERATE) or {}
        for stored in inputs.get("evaluations", ()):
            chosen = dict(stored["genes"])
            known = all(name in genes and allows(genes[name], value) for name, value in chosen.items())
            if stored["key"] != family.key or not known:
                continue
            source = family.emit(chosen)
            identity = source_hash(source)
            score = SearchScore(**stored["score"])
            found.setdefault(identity, Evaluation(genes=chosen, source=source, hash=identity, score=score))
    return list(found.values())


class _Search:
    """One night's looks. As long as the sampler only draws at random, what it draws does not depend on any score, so these
    looks are made side by side; from then on each waits for the one before. Either way the same looks in the same order.
    """

    def __init__(self, context: ProposalContext, family: Family, remembered: Sequence[Evaluation]) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=context.seed, n_startup_trials=STARTUP_TRIALS)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._context = context
        self._family = family
        self._baseline: SearchScore | None = None
        self._tonight: list[Evaluation] = []
        self._asked: list[tuple[optuna.Trial, Genes, StrategySource, str]] = []
        self._seen = {evaluation.hash: evaluation.score.value for evaluation in remembered}
        # What the sampler has been told, scores of repeated draws included.
        self._told = len(remembered)
        genes = family.genes()
        for evaluation in remembered:
            self._study.add_trial(
                optuna.trial.create_trial(
                    params=dict(evaluation.genes), value=evaluation.score.value,
                    distributions={name: distribution(genes[name]) for name in evaluation.genes},
                )
            )
        known = {*self._seen, context.active.hash}
        new = [start for start in family.starts() if source_hash(family.emit(start)) not in known]
        # At most half of the looks, so that every night looks somewhere nobody has written about.
        for start in new[: context.evaluations_max // 2]:
            self._study.enqueue_trial(dict(start))

    def made(self) -> tuple[SearchScore, list[Evaluation]]:
        """The active strategy's score, and every look at something else."""
        wanted = self._context.evaluations_max
        for _ in range(wanted * ASKS_PER_LOOK):
            if len(self._tonight) + len(self._asked) >= wanted:
                break
            if self._told + len(self._asked) >= STARTUP_TRIALS:
                self._look()
            self._ask()
        self._look()
        assert self._baseline is not None, "the first looks hold the active strategy's"
        return self._baseline, self._tonight

    def _ask(self) -> None:
        trial = self._study.ask()
        chosen = self._family.ask(trial)
        source = self._family.emit(chosen)
        identity = source_hash(source)
        if identity in {other for *_, other in self._asked}:
            self._look()
        if identity in self._seen:
            self._tell(trial, self._seen[identity])
        elif identity == self._context.active.hash:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            self._asked.append((trial, chosen, source, identity))

    def _look(self) -> None:
        """Look at all that was asked for, the active strategy before the first of them, and tell the sampler."""
        own = [] if self._baseline else [self._context.active.source]
        sources = [*own, *(source for _, _, source, _ in self._asked)]
        scores = list(self._context.look_many(sources)) if sources else []
        if own:
            self._baseline = scores.pop(0)
        asked, self._asked = self._asked, []
        for (trial, chosen, source, identity), score in zip(asked, scores, strict=True):
            self._tell(trial, score.value)
            self._seen[identity] = score.value
            self._tonight.append(Evaluation(genes=chosen, source=source, hash=identity, score=score))

    def _tell(self, trial: optuna.Trial, value: float) -> None:
        self._study.tell(trial, value)
        self._told += 1


def _stored(family: Family, evaluation: Evaluation) -> Mapping[str, Any]:
    score = evaluation.score
    return {
        "key": family.key,
        "genes": dict(evaluation.genes),
        "score": {
            "value": score.value, "daily_sharpe": score.daily_sharpe, "total_return_pct": score.total_return_pct,
            "trades": score.trades, "fault": score.fault,
        },
    }
