"""Every check of the gate can fail alone; nothing but arithmetic decides; storage gives the same verdict again."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.config import GateConfig
from shell.errors import BadInput
from shell.gate.checks import ALL_CHECKS, trial_variance
from shell.gate.inputs import GateInputs, Rival, RunFigures, VaultLook, from_stored, to_stored
from shell.gate.verdict import judge, recheck, worth_a_vault_look

CONFIG = GateConfig()
RUN = RunFigures(
    total_return_pct=0.08, max_drawdown_pct=0.05, trades=25, days=84, daily_sharpe=0.35, skew=0.2, kurtosis=3.5
)
GOOD = GateInputs(
    deterministic=True, answers_hash="abc", run=RUN, stressed_return_pct=0.03, trial_sharpes=(0.35, 0.25, 0.3),
    incumbent=Rival(name="v001", total_return_pct=0.01, daily_sharpe=0.05),
    buy_and_hold=Rival(name="buying and holding", total_return_pct=0.02, daily_sharpe=0.04),
    vault=VaultLook(total_return_pct=0.02, max_drawdown_pct=0.03, trades=6, days=36),
)


def run_with(**changes: Any) -> GateInputs:
    return replace(GOOD, run=replace(RUN, **changes))


ALONE = {
    "determinism": replace(GOOD, deterministic=False),
    "minimum_trades": run_with(trades=9),
    "minimum_days": (GOOD, GateConfig(min_days=85)),
    "positive_return": run_with(total_return_pct=0.0),
    "stressed_return": replace(GOOD, stressed_return_pct=-0.001),
    "drawdown": run_with(max_drawdown_pct=0.2501),
    "deflated_sharpe": replace(GOOD, trial_sharpes=tuple(0.35 if n == 0 else -0.3 + 0.02 * n for n in range(30))),
    "beats_incumbent": replace(GOOD, incumbent=replace(GOOD.incumbent, daily_sharpe=0.35)),
    "beats_buy_and_hold": replace(
        GOOD, buy_and_hold=Rival(name="buying and holding", total_return_pct=0.09, daily_sharpe=0.36)
    ),
    "vault": replace(GOOD, vault=replace(GOOD.vault, total_return_pct=0.0)),
}


def test_a_candidate_that_meets_everything_passes() -> None:
    verdict = judge(GOOD, CONFIG)
    assert verdict.passed
    assert verdict.first_failure is None
    assert verdict.reasons == ("all 10 checks of the gate passed",)


def test_every_check_has_a_case_that_fails_it_alone() -> None:
    assert set(ALONE) == {check.__name__ for check in ALL_CHECKS}


@pytest.mark.parametrize("name", ALONE)
def test_a_check_can_fail_alone(name: str) -> None:
    case = ALONE[name]
    inputs, config = case if isinstance(case, tuple) else (case, CONFIG)
    verdict = judge(inputs, config)
    assert not verdict.passed
    assert verdict.first_failure == name
    assert [check.name for check in verdict.checks if not check.passed] == [name]
    assert verdict.reasons[0].startswith(f"{name}: ")


def test_the_rest_is_computed_after_the_first_failure() -> None:
    verdict = judge(replace(run_with(trades=3), stressed_return_pct=None, vault=None), CONFIG)
    assert [check.name for check in verdict.checks] == [check.__name__ for check in ALL_CHECKS]
    assert verdict.first_failure == "minimum_trades"
    assert "7 too few" in verdict.reasons[0]
    assert "not looked at" in verdict.reasons[-1]


@pytest.mark.parametrize("name", [name for name in ALONE if name != "vault"])
def test_the_vault_stays_shut_unless_all_else_passes(name: str) -> None:
    case = ALONE[name]
    inputs, config = case if isinstance(case, tuple) else (case, CONFIG)
    assert worth_a_vault_look(replace(GOOD, vault=None), CONFIG)
    assert not worth_a_vault_look(replace(inputs, vault=None), config)


def test_a_vault_with_a_deep_fall_or_a_spent_look_refuses() -> None:
    deep = replace(GOOD, vault=replace(GOOD.vault, max_drawdown_pct=0.3))
    spent = replace(GOOD, vault=replace(GOOD.vault, refusal="spent"))
    assert judge(deep, CONFIG).first_failure == "vault"
    assert judge(spent, CONFIG).reasons == ("vault: spent",)


def test_buy_and_hold_is_beaten_by_return_or_by_sharpe() -> None:
    by_sharpe = replace(GOOD, buy_and_hold=Rival(name="hold", total_return_pct=0.5, daily_sharpe=0.34))
    by_return = replace(GOOD, buy_and_hold=Rival(name="hold", total_return_pct=0.079, daily_sharpe=0.5))
    assert judge(by_sharpe, CONFIG).passed
    assert judge(by_return, CONFIG).passed


def test_more_trials_deflate_more_even_when_they_are_alike() -> None:
    few = judge(replace(GOOD, trial_sharpes=(0.35, 0.35)), CONFIG)
    many = judge(replace(GOOD, trial_sharpes=(0.35,) * 40), CONFIG)
    value = {check.name: check.value for check in few.checks}["deflated_sharpe"]
    deflated = {check.name: check.value for check in many.checks}["deflated_sharpe"]
    assert value is not None and deflated is not None
    assert deflated < value
    assert trial_variance(replace(GOOD, trial_sharpes=(0.35,) * 40)) == pytest.approx(1 / 83)


def test_moments_no_distribution_has_are_a_failure_not_a_pass() -> None:
    verdict = judge(run_with(skew=float("nan")), CONFIG)
    assert verdict.first_failure == "deflated_sharpe"


finite = st.floats(-2, 2, allow_nan=False)


@given(
    sharpe=st.floats(-1, 1), trades=st.integers(0, 50), gained=finite, stress=st.none() | finite,
    sharpes=st.lists(st.floats(-1, 1), max_size=40), vault=st.none() | st.just(GOOD.vault),
)
def test_storage_gives_the_same_verdict_again(
    sharpe: float, trades: int, gained: float, stress: float | None, sharpes: list[float], vault: VaultLook | None
) -> None:
    inputs = replace(
        run_with(daily_sharpe=sharpe, trades=trades, total_return_pct=gained), stressed_return_pct=stress,
        trial_sharpes=tuple(sharpes), vault=vault,
    )
    stored = json.loads(json.dumps(to_stored(inputs, CONFIG)))
    assert from_stored(stored) == (inputs, CONFIG)
    assert recheck({**stored, "checks": []}) == judge(inputs, CONFIG)


def test_a_verdict_cannot_be_bought_by_changing_a_stored_check() -> None:
    stored = to_stored(run_with(trades=1), CONFIG)
    stored["checks"] = [check.as_dict() for check in judge(GOOD, CONFIG).checks]
    assert not recheck(stored).passed


@pytest.mark.parametrize("damage", [{"run": {}}, {"surplus": 1}, {"trial_sharpes": None}])
def test_stored_inputs_of_another_shape_are_refused(damage: dict[str, Any]) -> None:
    stored = to_stored(GOOD, CONFIG)
    stored["inputs"].update(damage)
    with pytest.raises(BadInput, match="stored gate inputs"):
        recheck(stored)
