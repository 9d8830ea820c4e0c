"""The index gathered from the ledger: it is derived every time, so it cannot differ from what it tells of."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from shell.answers import Promotion
from shell.host.port import StrategySource
from shell.index.entry import IndexEntry
from shell.money import NO_MONEY
from shell.portfolio.ledger import TradeClosed
from shell.report.candidate_rows import figures_of
from shell.report.data import Value
from shell.store.store import Store
from shell.store.strategies import StoredVersion
from shell.syntax import parse_source
from shell.trials.candidate import Candidate
from shell.truth.figure import values_of
from shell.truth.trades import trade_figures

INDICATORS = "shell.indicators"
_PAPER = ("scans", "signals_paper", "signals_backtest", "signals_equal", "fills_paper", "fills_backtest", "fills_equal")
_LIVE = ("trades", "pnl", "win_rate", "expectancy", "profit_factor")


def index_of(store: Store, book: str = "main") -> list[IndexEntry]:
    """Every version in its order, then every candidate that never became one."""
    with store.reading():
        candidates = {each.candidate_id: each for each in store.candidates.list()}
        promotions: dict[str, Promotion] = {each.version: each for each in store.promotions.list() if each.candidate_id}
        versions = store.strategies.list()
        trades = store.history.trades(book)
        papers = {
            trial.candidate_id: store.paper.result(trial.trial_id) or {} for trial in store.paper.list()
        }
    entries, promoted = [], set()
    for version in versions:
        promotion = promotions.get(version.version)
        origin = candidates.get(promotion.candidate_id) if promotion else None
        if origin is not None:
            promoted.add(origin.candidate_id)
        entries.append(_version_entry(version, origin, papers, trades))
    entries += [
        _candidate_entry(candidate, papers) for name, candidate in candidates.items() if name not in promoted
    ]
    return entries


def tags_of(source: StrategySource) -> list[str]:
    """What a program uses: indicators, kinds of orders, intents, skills. Empty for one that does not parse."""
    found: set[str] = {f"skill:{name}" for name in source.skills}
    try:
        trees = [parse_source(text) for text in (source.code, *source.skills.values())]
    except SyntaxError:
        return sorted(found)
    for tree in trees:
        for node in ast.walk(tree):
            match node:
                case ast.ImportFrom(module=module, names=names) if module == INDICATORS:
                    found |= {alias.name for alias in names}
                case ast.Attribute(value=ast.Name(id="OrderType"), attr=kind):
                    found.add(f"order:{kind.lower()}")
                case ast.Attribute(value=ast.Name(id="Intent"), attr=kind):
                    found.add(f"intent:{kind.lower()}")
                case _:
                    continue
    return sorted(found)


def _version_entry(
    version: StoredVersion, origin: Candidate | None, papers: Mapping[str, Mapping[str, object]],
    trades: Sequence[TradeClosed],
) -> IndexEntry:
    own = [trade for trade in trades if trade.version == version.version]
    figures = dict(_candidate_figures(origin, papers)) if origin else {}
    if own:
        told = values_of(trade_figures(own))
        fees = sum((trade.fees for trade in own), start=NO_MONEY).value
        figures["live"] = {**{name: told[name] for name in _LIVE}, "fees": fees}
    change = origin.change_class.value if origin and origin.change_class else ""
    provider = origin.proposal.provider if origin else ""
    tags = sorted({*tags_of(version.source), *filter(None, (change, provider, version.state))})
    return IndexEntry(
        name=version.version, candidate_id=origin.candidate_id if origin else "", parent=version.parent,
        hypothesis=version.hypothesis, provider=provider, change_class=change, verdict=version.state,
        stage=origin.stage.value if origin else "", hash=version.hash, at=version.promoted_at,
        reasons=tuple(origin.reasons) if origin else (), tags=tags, figures=figures, code=version.source.code,
    )


def _candidate_entry(candidate: Candidate, papers: Mapping[str, Mapping[str, object]]) -> IndexEntry:
    change = candidate.change_class.value if candidate.change_class else ""
    proposal = candidate.proposal
    return IndexEntry(
        name=candidate.candidate_id, candidate_id=candidate.candidate_id, parent=proposal.parent_version,
        hypothesis=proposal.hypothesis, provider=proposal.provider, change_class=change,
        verdict=candidate.verdict.value, stage=candidate.stage.value, hash=candidate.source_hash, at=candidate.proposed_at,
        reasons=tuple(candidate.reasons),
        tags=sorted({*tags_of(proposal.source), *filter(None, (change, proposal.provider, candidate.verdict.value))}),
        figures=_candidate_figures(candidate, papers), code=proposal.source.code,
    )


def _candidate_figures(
    candidate: Candidate, papers: Mapping[str, Mapping[str, object]]
) -> dict[str, Mapping[str, Value]]:
    found: dict[str, Mapping[str, Value]] = {}
    backtest = figures_of(candidate)
    if backtest:
        found["backtest"] = backtest
    paper = papers.get(candidate.candidate_id, {})
    told = {name: value for name in _PAPER if isinstance(value := paper.get(name), int)}
    if told:
        found["paper"] = told
    return found
