"""Prompts are files: every name in them is filled, nothing filled in is read again, and they stay within their size."""

from __future__ import annotations

from pathlib import Path

import pytest

import tasks.ai.prompts as prompts
from tasks.ai.author import contract_text, indicators_text
from tasks.ai.dialogue import Unusable
from tasks.ai.replies import CODES, DECISIONS, METRICS

# What fills them, by prompt: the code that asks is held to the same names by `filled` itself.
NAMES = {
    "analyse": {"metrics", "ground_truth", "predictions", "market", "strategy", "document", "index", "candidates", "constraints"},
    "generate": {
        "contract", "indicators", "modules", "plan", "strategy", "skills", "search_result", "market", "candidates", "constraints",
    },
    "revise": {"contract", "modules", "hypothesis", "strategy", "skills", "findings"},
    "review": {"active", "proposed", "constraints", "codes"},
    "repair": {"fault"},
}


@pytest.mark.parametrize("name", prompts.PROMPTS)
def test_a_prompt_has_two_parts_and_all_its_names(name: str) -> None:
    assert prompts.names(name) == NAMES[name]
    filled = prompts.filled(name, dict.fromkeys(NAMES[name], "FILLED"))
    assert filled.system
    assert filled.user
    assert "{{" not in filled.system + filled.user
    assert len(filled.system) < 8_000, "the rules themselves stay short"
    with pytest.raises(ValueError, match="missing"):
        prompts.filled(name, {})
    with pytest.raises(ValueError, match="not used"):
        prompts.filled(name, {**dict.fromkeys(NAMES[name], ""), "other": ""})


def test_what_is_filled_in_is_never_filled_again() -> None:
    filled = prompts.filled("repair", {"fault": "{{fault}} {{secret}}"})
    assert "{{fault}} {{secret}}" in filled.user


def test_a_prompt_beyond_its_size_is_not_sent() -> None:
    with pytest.raises(Unusable, match="at most 160000"):
        prompts.filled("repair", {"fault": "x" * 160_000})


def test_every_file_is_a_prompt_and_a_name_of_a_models_is_none() -> None:
    files = {path.stem for path in Path(prompts.__file__).parent.glob("*.md")}
    assert files == set(prompts.PROMPTS)
    with pytest.raises(KeyError):
        prompts.template("../../../config/settings")


def test_prompts_name_what_the_readers_of_replies_know() -> None:
    asked = prompts.template("analyse")
    assert all(f'"{decision}"' in asked for decision in DECISIONS)
    assert all(code in prompts.template("review") for code in CODES)
    assert "total_return_pct" in METRICS
    assert "class Signal" in contract_text()
    assert indicators_text().count("\n") > 10
    assert len(contract_text()) + len(indicators_text()) < 20_000
