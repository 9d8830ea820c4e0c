"""The provider that needs no key and no network: a seeded optuna search over real backtests of the search segment.

Nights take turns: a tweak moves the numbers the active strategy declares, a new rule comes from the grammar. Each look
is a backtest and is logged; how they are spent is `tasks.ai.hunt`. What earlier nights saw of the same window is told to the
sampler first, so that later nights go on from there. What behaves like the active strategy, or like a candidate that was
charged a trial before, is not proposed: the gate would only count it again. Same seed and inputs: same looks, same proposal,
to the byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

import optuna

from shell.backtest.parameters import Parameter, declared_parameters, with_values
from shell.host.port import StrategySource
from shell.trials.candidate import Proposal, Stage, source_hash
from tasks.ai import grammar
from tasks.ai.archive import SAME_BEHAVIOUR, alike
from tasks.ai.genes import Gene, Genes, allows, suggest
from tasks.ai.hunt import Evaluation, Family, Hunt
from tasks.ai.provider import WHOLE, Advice, ProposalContext, Proposed, ReviewCase, SearchScore
from tasks.ai.replies import Opinion
from tasks.ai.sections import Section
from tasks.night import stage_inputs

# Daily returns are kept to a millionth, which tells behaviours apart.
RETURN_DECIMALS = 6
TWEAK, GRAMMAR = "tweak", "grammar"


class Tweak:
    """Other values for the parameters that the active strategy declares."""

    name = TWEAK
    ours = False

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
    ours = True

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


class LocalProvider:
    """See the module. Holds the evaluations of its last search, so that a revision can fall back on the next best."""

    name = "local"

    def __init__(self) -> None:
        self._ranked: list[Evaluation] = []
        self._family: Family | None = None
        self._kept: tuple[Mapping[str, Any], ...] = ()
        self._known = 0

    def advise(self, briefing: Mapping[str, Section]) -> Advice:
        """The rule table decides alone."""
        return Advice()

    def review(self, case: ReviewCase) -> Opinion:
        """The rules read alone."""
        return Opinion()

    def propose(self, context: ProposalContext) -> Proposed:
        self._family = family = choose_family(context)
        remembered = recall(context, family)
        baseline, tonight = Hunt(context, family, remembered).made()
        self._kept = tuple(_stored(family, context.window, evaluation) for evaluation in tonight)
        full = [evaluation for evaluation in (*remembered, *tonight) if evaluation.share == WHOLE]
        better = {
            evaluation.hash: evaluation for evaluation in full
            if evaluation.hash not in context.tried and evaluation.score.trades > 0
            and evaluation.score.value > baseline.value
        }
        # Sorted by hash before by value, so that equal values do not leave the choice to the order of looks.
        ranked = sorted(
            sorted(better.values(), key=lambda evaluation: evaluation.hash),
            key=lambda evaluation: evaluation.score.value, reverse=True,
        )
        charged = [baseline.returns, *charged_returns(context)]
        self._ranked = [each for each in ranked if not any(alike(each.score.returns, known) for known in charged)]
        self._known = len(ranked) - len(self._ranked)
        if not self._ranked:
            return Proposed(proposal=None, evaluations=self._kept, reason=self._nothing(baseline, tonight))
        return self._next(context)

    def _nothing(self, baseline: SearchScore, tonight: Sequence[Evaluation]) -> str:
        assert self._family is not None, "a family was searched"
        if self._known:
            return (
                f"all {self._known} better looks behave like the active strategy or like a trial already charged "
                f"(daily returns correlated {SAME_BEHAVIOUR:g} or more): no selection trial was spent"
            )
        best = max((each.score.value for each in tonight if each.share == WHOLE), default=None)
        found = "no new variant could be made" if best is None else f"the best scored {best:.3f}"
        return (
            f"none of {len(tonight)} {self._family.name} looks at the search segment was better than the active "
            f"strategy's {baseline.value:.3f}: {found}; no selection trial was spent"
        )

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
            reason=(
                f"the best untried of this search: {chosen.score.value:.3f} on the search segment"
                + (f"; {self._known} better or like it behave as what was charged before" if self._known else "")
            ),
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
            score = SearchScore(**{**stored["score"], "returns": tuple(stored["score"].get("returns", ()))})
            evaluation = Evaluation(
                genes=chosen, source=source, hash=identity, score=score, share=stored.get("share", WHOLE)
            )
            # Of two looks at one rule the one that covered more is remembered.
            if identity not in found or found[identity].share < evaluation.share:
                found[identity] = evaluation
    return list(found.values())


def charged_returns(context: ProposalContext) -> list[Sequence[float]]:
    """How the candidates so far behaved on the same window, whichever family they came from: each was a trial charged, or
    will be."""
    found: list[Sequence[float]] = []
    for candidate in context.candidates:
        for stored in (stage_inputs(candidate, Stage.GENERATE) or {}).get("evaluations", ()):
            same = stored.get("hash") == candidate.source_hash and stored.get("window") == context.window
            if same and stored.get("share", WHOLE) == WHOLE:
                found.append(stored["score"].get("returns", ()))
    return found


def _stored(family: Family, window: str, evaluation: Evaluation) -> Mapping[str, Any]:
    values = asdict(evaluation.score)
    values["returns"] = [round(each, RETURN_DECIMALS) for each in evaluation.score.returns]
    return {
        "key": family.key, "window": window, "hash": evaluation.hash, "share": evaluation.share,
        "genes": dict(evaluation.genes), "score": values,
    }
