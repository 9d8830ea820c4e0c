"""The index from a real ledger: gathered, searched, drawn as a tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shell.errors import BadInput
from shell.index.entry import IndexEntry
from shell.index.gather import index_of, tags_of
from shell.index.lineage import lineage, lines_of
from shell.index.search import search
from shell.store.store import Store
from shell.trials.candidate import ChangeClass, Stage, StageResult
from tests.tasks.sources import proposal, rule

AT = datetime(2024, 3, 2, 5, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "brain.db") as opened:
        opened.strategies.insert(version="v000", hash="0000", parent="", hypothesis="hold nothing", source=rule())
        opened.strategies.insert(version="v001", hash="aaaa", parent="v000", hypothesis="slow trends", source=rule(fast=12))
        opened.strategies.activate("v001", AT)
        candidate = opened.candidates.register(
            replace(proposal(rule(fast=4)), hypothesis="breakouts after calm weeks", provider="local"), AT
        )
        opened.candidates.classify(candidate.candidate_id, ChangeClass.TWEAK)
        figures = {"total_return_pct": 0.02, "trades": 12, "daily_sharpe": 0.05}
        for stage, passed, reason in (
            (Stage.BACKTEST, True, "scored"), (Stage.GATE, False, "deflated_sharpe: 0.41 of 0.95"),
        ):
            result = StageResult(stage=stage, passed=passed, reasons=(reason,), inputs={"figures": figures})
            opened.candidates.record_stage(candidate.candidate_id, result, AT)
        yield opened


def test_every_version_and_candidate_is_an_entry_with_its_figures_and_tags(store: Store) -> None:
    entries = {entry.name: entry for entry in index_of(store)}
    assert list(entries) == ["v000", "v001", "c0001"]
    tried = entries["c0001"]
    assert (tried.verdict, tried.stage, tried.change_class, tried.parent) == ("refused", "gate", "tweak", "v001")
    assert tried.figures["backtest"]["trades"] == 12
    assert {"ema", "atr", "order:market", "intent:swing", "local", "tweak", "refused"} <= set(tried.tags)
    assert entries["v001"].verdict == "active" and entries["v001"].figures == {}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("breakouts", ["c0001"]), ("calm week", ["c0001"]), ("deflated_sharpe", ["c0001"]), ("slow trend", ["v001"]),
        ("c0001", ["c0001"]), ("nothing", ["v000"]), ("absent", []), ('"; DROP TABLE entries --', []), ("NEAR AND", []),
        ("order:market tweak", ["c0001"]),
    ],
)
def test_words_are_found_and_never_taken_for_a_search_language(store: Store, query: str, names: list[str]) -> None:
    assert [entry.name for entry in search(index_of(store), query)] == names


def test_a_query_without_a_word_or_too_long_is_refused(store: Store) -> None:
    for query in ("", " ** ", "x" * 201):
        with pytest.raises(BadInput):
            search(index_of(store), query)


def test_the_lineage_is_a_tree_and_a_family_leaves_strangers_out(store: Store) -> None:
    entries = index_of(store)
    stranger = replace(entries[2], name="c0002", candidate_id="c0002", parent="v000")
    nodes = lineage([*entries, stranger])
    assert [(node.entry.name, node.depth, node.parent_row) for node in nodes] == [
        ("v000", 0, None), ("v001", 1, 0), ("c0001", 2, 1), ("c0002", 1, 0),
    ]
    lines = lines_of(nodes)
    assert lines[0].startswith("v000") and lines[1].startswith("├─ v001") and lines[2].startswith("│  └─ c0001")
    assert [node.entry.name for node in lineage([*entries, stranger], "c0001")] == ["v000", "v001", "c0001"]
    assert lineage(entries, "v999") == []


def test_a_circle_of_parents_ends() -> None:
    def entry(name: str, parent: str) -> IndexEntry:
        return IndexEntry(
            name=name, candidate_id="", parent=parent, hypothesis="", provider="", change_class="", verdict="", stage="",
            hash="", at=AT + timedelta(days=1),
        )

    assert [node.entry.name for node in lineage([entry("a", "a")])] == ["a"]
    assert len(lineage([entry("a", "b"), entry("b", "a")], "a")) <= 2


def test_what_does_not_parse_has_no_tags() -> None:
    assert tags_of(replace(rule(), code="def (")) == []
