import random

import pytest

from shell.backtest.parameters import declared_parameters
from shell.config import HostConfig, RiskConfig
from shell.host.policy import check_policy
from shell.host.sandbox import SandboxVerdict, run_sandbox
from shell.risk.limits import limits_view
from tasks.ai import grammar
from tasks.ai.genes import Genes
from tasks.review import review_source
from tests.tasks.sources import MAX_TRADE_PCT, rule


def drawn(rng: random.Random) -> Genes:
    genes: dict[str, int | float | str] = {choice.name: rng.choice(choice.options) for choice in grammar.structure()}
    for each in grammar.numbers(genes, MAX_TRADE_PCT):
        steps = round((each.high - each.low) / each.step)
        genes[each.name] = each.low + each.step * rng.randint(0, steps)
    return genes


def test_everything_the_grammar_can_say_follows_the_policy_and_passes_review(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(60):
        source = grammar.emit(drawn(rng), MAX_TRADE_PCT)
        assert check_policy(source) == [], source.code
        assert review_source(rule(fast=4, slow=160, stop_ranges=9.5), source, RiskConfig()).passed, source.code
        assert max(map(len, source.code.splitlines())) <= 120


@pytest.mark.parametrize("leave", list(grammar.EXITS))
@pytest.mark.parametrize("term", list(grammar.TERMS))
def test_each_term_and_exit_declares_just_what_it_reads(term: str, leave: str) -> None:
    genes: dict[str, int | float | str] = {
        "term_1": term, "term_2": "none", "term_3": term, "exit": leave, "order": "limit",
    }
    genes |= {each.name: each.low for each in grammar.numbers(genes, MAX_TRADE_PCT)}
    source = grammar.emit(genes, MAX_TRADE_PCT)
    declared = {each.name for each in declared_parameters(source.code)}
    assert declared == {each.name for each in grammar.numbers(genes, MAX_TRADE_PCT)}
    assert {name for name in declared if f'VALUE["{name}"]' not in source.code} == set()


def test_the_same_genes_give_the_same_bytes_and_the_order_of_terms_does_not_matter(seed: int) -> None:
    genes = {**drawn(random.Random(seed)), "term_1": "trend", "term_2": "volume", "term_3": "none"}
    genes |= {each.name: each.low for each in grammar.numbers(genes, MAX_TRADE_PCT)}
    turned = {**genes, "term_1": "volume", "term_2": "trend", "term_3": "trend"}
    assert grammar.emit(genes, MAX_TRADE_PCT) == grammar.emit(turned, MAX_TRADE_PCT)


@pytest.mark.slow
def test_a_rule_with_every_kind_of_state_passes_the_sandbox() -> None:
    source = rule(term_2="volume", volume_above=-0.5, exit="trail", trail_ranges=2.0, order="limit", discount_pct=0.0)
    report = run_sandbox(source, config=HostConfig(), limits=limits_view(RiskConfig()), seed=0)
    assert report.verdict is SandboxVerdict.PASSED, report.errors
