"""Every check of the gate can fail alone; nothing but arithmetic decides; storage gives the same verdict again."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shell.backtest.biases.probe import CHECKS
from shell.backtest.overfitting import probability_of_backtest_overfitting
from shell.config import GateConfig
from shell.errors import BadInput
from shell.gate.checks import ALL_CHECKS, trial_variance
from shell.gate.inputs import (
    BiasFinding,
    GateInputs,
    Neighbour,
    Rival,
    RunFigures,
    VaultLook,
    from_stored,
    to_stored,
)
from shell.gate.luck import deflated_sharpe, effective_trials, pbo
from shell.gate.verdict import judge, recheck, worth_a_vault_look, worth_its_neighbours, worth_probing

CONFIG = GateConfig()
DAYS = 84
RUN = RunFigures(
    total_return_pct=0.08, max_drawdown_pct=0.05, trades=25, days=84, daily_sharpe=0.45, skew=0.2, kurtosis=3.5
)


def returns(sharpe: float, seed: int, days: int = DAYS) -> tuple[float, ...]:
    """Daily returns with exactly this Sharpe ratio, otherwise noise of 1 % a day."""
    noise = np.random.default_rng(seed).standard_normal(days)
    scaled = (noise - noise.mean()) / noise.std(ddof=1)
    return tuple(float(value) for value in (scaled + sharpe) * 0.01)


def rival(name: str, sharpe: float, seed: int, **changes: Any) -> Rival:
    values = {"total_return_pct": 0.02, "daily_sharpe": sharpe, "daily_returns": returns(sharpe, seed), **changes}
    return Rival(name=name, **values)


GOOD = GateInputs(
    deterministic=True, answers_hash="abc", run=RUN, stressed_return_pct=0.03, trial_sharpes=(0.45, 0.1, -0.05),
    daily_returns=returns(0.45, 1), other_trials=(returns(0.1, 2), returns(-0.05, 3)),
    incumbent=rival("v001", 0.0, 4), buy_and_hold=rival("buying and holding", 0.02, 5),
    biases=tuple(BiasFinding(check=check, verdict="clean", sentence="nothing found") for check in CHECKS),
    undeclared_numbers=3,
    neighbours=tuple(Neighbour(values={"fast": fast}, daily_sharpe=0.3) for fast in (11, 13)),
    vault=VaultLook(total_return_pct=0.02, max_drawdown_pct=0.03, trades=6, days=36),
)


def run_with(**changes: Any) -> GateInputs:
    return replace(GOOD, run=replace(RUN, **changes))


def specialists() -> tuple[tuple[float, ...], ...]:
    """Ten trials that were fitted to one stretch of the days each: there they earn a lot, elsewhere they lose."""
    found = []
    for number, stretch in enumerate(np.array_split(np.arange(DAYS), 10)):
        values = np.asarray(returns(-0.15, 50 + number))
        values[stretch] += 0.03
        found.append(tuple(float(value) for value in values))
    return tuple(found)


def findings(check: str, verdict: str, kept: float | None = None) -> tuple[BiasFinding, ...]:
    """Clean in everything but `check`."""
    assert GOOD.biases is not None
    other = BiasFinding(check=check, verdict=verdict, sentence="the planted one", kept=kept)
    return tuple(other if finding.check == check else finding for finding in GOOD.biases)


def beside(*sharpes: float | None) -> tuple[Neighbour, ...]:
    """One number to the left and right of its own value, then others of which only one side was run."""
    names = ("fast", "fast", *(f"other {at}" for at in range(len(sharpes))))
    return tuple(
        Neighbour(values={name: at}, daily_sharpe=sharpe) for at, (name, sharpe) in enumerate(zip(names, sharpes, strict=False))
    )


# A planted over-fit, or another fault, that only the check named here sees.
ALONE = {
    "determinism": replace(GOOD, deterministic=False),
    "biases": replace(GOOD, biases=findings("truncation", "biased")),
    "minimum_trades": run_with(trades=9),
    "minimum_days": (GOOD, GateConfig(min_days=85)),
    "positive_return": run_with(total_return_pct=0.0),
    "stressed_return": replace(GOOD, stressed_return_pct=-0.001),
    "drawdown": run_with(max_drawdown_pct=0.2501),
    # The best of thirty, of which twenty-nine were worth nothing.
    "deflated_sharpe": replace(GOOD, trial_sharpes=tuple(0.45 if n == 0 else -0.4 + 0.025 * n for n in range(30))),
    # A search that fitted the stretches one after another: whoever is best in one half is worthless in the other.
    "pbo": replace(GOOD, other_trials=specialists(), buy_and_hold=rival("buying and holding", -0.1, 5)),
    "beats_incumbent": replace(GOOD, incumbent=replace(GOOD.incumbent, daily_sharpe=0.45)),
    "beats_buy_and_hold": replace(
        GOOD, buy_and_hold=replace(GOOD.buy_and_hold, total_return_pct=0.09, daily_sharpe=0.46)
    ),
    # No better than what is there already, but for luck.
    "spa_incumbent": replace(GOOD, incumbent=rival("v001", 0.4, 6)),
    # A market that rose by itself.
    "spa_buy_and_hold": replace(GOOD, buy_and_hold=rival("buying and holding", 0.4, 7)),
    # A table of numbers that nobody declared.
    "undeclared": replace(GOOD, undeclared_numbers=13),
    # A peak on its own: a step to either side, and nothing is left.
    "neighbours": replace(GOOD, neighbours=beside(0.44, 0.43, 0.02, -0.1)),
    "vault": replace(GOOD, vault=replace(GOOD.vault, total_return_pct=0.0)),
}


def test_a_candidate_that_meets_everything_passes() -> None:
    verdict = judge(GOOD, CONFIG)
    assert verdict.passed
    assert verdict.first_failure is None
    assert verdict.reasons == ("all 16 checks of the gate passed",)


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


def test_the_rest_is_computed_after_the_first_failure_and_what_was_not_made_is_never_named_first() -> None:
    bare = replace(run_with(trades=3), stressed_return_pct=None, biases=None, neighbours=None, vault=None)
    verdict = judge(bare, CONFIG)
    assert [check.name for check in verdict.checks] == [check.__name__ for check in ALL_CHECKS]
    assert verdict.first_failure == "minimum_trades"
    assert [check.name for check in verdict.checks if check.skipped] == [
        "biases", "stressed_return", "neighbours", "vault"
    ]
    assert "7 too few" in verdict.reasons[0]
    assert "not looked at" in verdict.reasons[-1]


@pytest.mark.parametrize("missing", ["biases", "neighbours", "vault", "stressed_return_pct"])
def test_what_was_not_made_is_no_pass(missing: str) -> None:
    verdict = judge(replace(GOOD, **{missing: None}), CONFIG)
    assert not verdict.passed
    assert verdict.first_failure == missing.removesuffix("_pct")


@pytest.mark.parametrize("name", [name for name in ALONE if name != "vault"])
def test_dear_runs_wait_for_all_that_costs_less_and_the_vault_for_everything(name: str) -> None:
    case = ALONE[name]
    inputs, config = case if isinstance(case, tuple) else (case, CONFIG)
    assert worth_probing(GOOD, CONFIG) and worth_its_neighbours(GOOD, CONFIG)
    assert worth_a_vault_look(replace(GOOD, vault=None), CONFIG)
    assert not worth_a_vault_look(replace(inputs, vault=None), config)
    assert worth_its_neighbours(inputs, config) == (name == "neighbours")
    assert worth_probing(inputs, config) == (name in ("biases", "neighbours"))


def test_a_vault_with_a_deep_fall_or_a_spent_look_refuses() -> None:
    deep = replace(GOOD, vault=replace(GOOD.vault, max_drawdown_pct=0.3))
    spent = replace(GOOD, vault=replace(GOOD.vault, refusal="spent"))
    assert judge(deep, CONFIG).first_failure == "vault"
    assert judge(spent, CONFIG).reasons == ("vault: spent",)


def test_buy_and_hold_is_beaten_by_return_or_by_sharpe() -> None:
    hold = GOOD.buy_and_hold
    by_sharpe = replace(GOOD, buy_and_hold=replace(hold, total_return_pct=0.5, daily_sharpe=0.44))
    by_return = replace(GOOD, buy_and_hold=replace(hold, total_return_pct=0.079, daily_sharpe=0.5))
    assert judge(by_sharpe, CONFIG).passed
    assert judge(by_return, CONFIG).passed


def test_more_trials_deflate_more_even_when_they_are_alike() -> None:
    few = judge(replace(GOOD, trial_sharpes=(0.45, 0.45)), CONFIG)
    many = judge(replace(GOOD, trial_sharpes=(0.45,) * 40), CONFIG)
    value = {check.name: check.value for check in few.checks}["deflated_sharpe"]
    deflated = {check.name: check.value for check in many.checks}["deflated_sharpe"]
    assert value is not None and deflated is not None
    assert deflated < value
    assert trial_variance(replace(GOOD, trial_sharpes=(0.45,) * 40)) == pytest.approx(1 / 83)
    # One that is no number neither hides nor poisons the others.
    spread = replace(GOOD, trial_sharpes=(0.9, -0.9, 0.4))
    assert trial_variance(replace(spread, trial_sharpes=(*spread.trial_sharpes, math.nan))) == trial_variance(spread)


def test_moments_no_distribution_has_are_a_failure_not_a_pass() -> None:
    verdict = judge(run_with(skew=float("nan")), CONFIG)
    assert verdict.first_failure == "deflated_sharpe"


def failed_sentence(inputs: GateInputs, name: str, config: GateConfig = CONFIG) -> str:
    verdict = judge(inputs, config)
    assert verdict.first_failure == name
    return verdict.reasons[0]


@pytest.mark.parametrize("check", [check for check in CHECKS if check != "one_bar_lag"])
@pytest.mark.parametrize("found", ["unknown", "biased"])
def test_every_probe_must_be_clean_and_unknown_is_no_pass(check: str, found: str) -> None:
    sentence = failed_sentence(replace(GOOD, biases=findings(check, found, 1.0)), "biases")
    assert f"{check.replace('_', ' ')} is {found}: the planted one" in sentence


@pytest.mark.parametrize(
    ("found", "kept", "passes"),
    [("unknown", 0.25, True), ("unknown", 0.249, False), ("unknown", None, False), ("biased", 0.9, False)],
)
def test_too_few_trades_for_the_lags_test_are_judged_by_what_is_left_of_the_gain(
    found: str, kept: float | None, passes: bool
) -> None:
    assert judge(replace(GOOD, biases=findings("one_bar_lag", found, kept)), CONFIG).passed == passes


def test_a_probe_that_was_left_out_is_no_pass() -> None:
    assert GOOD.biases is not None
    assert "restart is missing" in failed_sentence(
        replace(GOOD, biases=tuple(finding for finding in GOOD.biases if finding.check != "restart")), "biases"
    )
    assert "is missing" in failed_sentence(replace(GOOD, biases=()), "biases")


@pytest.mark.parametrize(
    ("neighbours", "passes"),
    [((), True), (beside(0.225, 0.225, 0.225, 0.1, 0.1), True), (beside(0.225, 0.225, 0.1, 0.1), False),
     (beside(0.224, 0.3), False), (beside(None, 0.3), False), (beside(0.9), True)],
)
def test_enough_neighbours_must_keep_enough_and_a_strategy_without_parameters_says_so(
    neighbours: tuple[Neighbour, ...], passes: bool
) -> None:
    verdict = judge(replace(GOOD, neighbours=neighbours), CONFIG)
    assert verdict.passed == passes
    sentence = next(check.sentence for check in verdict.checks if check.name == "neighbours")
    assert neighbours or "no number in it that could be moved" in sentence


def test_a_number_that_is_lost_to_both_sides_refuses_however_many_others_stand() -> None:
    peak = (*beside(0.1, None), *(Neighbour(values={f"n{at}": 1}, daily_sharpe=0.44) for at in range(8)))
    sentence = failed_sentence(replace(GOOD, neighbours=peak), "neighbours")
    assert "8 of 10 settings" in sentence and "stands or falls with one number" in sentence and "(fast)" in sentence
    one_side = (*beside(0.1, 0.3), *peak[2:])
    assert judge(replace(GOOD, neighbours=one_side), CONFIG).passed


def test_numbers_that_change_nothing_have_no_vote() -> None:
    unread = tuple(Neighbour(values={f"unread {at}": 1}, daily_sharpe=RUN.daily_sharpe) for at in range(20))
    assert "0 of 1 settings" in failed_sentence(replace(GOOD, neighbours=(*unread, *beside(0.1))), "neighbours")
    assert judge(replace(GOOD, neighbours=unread), CONFIG).passed


@pytest.mark.parametrize(
    ("changes", "name", "said"),
    [
        ({"daily_returns": (0.001,) * DAYS}, "pbo", "constant"),
        ({"daily_returns": (float("nan"),) * DAYS}, "deflated_sharpe", "finite"),
        ({"other_trials": (returns(0.1, 2, DAYS - 1),)}, "deflated_sharpe", "83 and 84 days"),
        ({"incumbent": rival("v001", 0.0, 4, daily_returns=returns(0.0, 4, 80))}, "pbo", "80 and 84 days"),
        ({"daily_returns": (), "other_trials": ()}, "deflated_sharpe", "no daily returns"),
    ],
)
def test_a_statistic_without_an_answer_is_a_failed_check_with_the_sentence(
    changes: dict[str, Any], name: str, said: str
) -> None:
    assert said in failed_sentence(replace(GOOD, **changes), name)


def test_a_candidate_that_equals_the_incumbent_day_by_day_is_not_better() -> None:
    twin = replace(GOOD, incumbent=rival("v001", 0.0, 4, daily_returns=GOOD.daily_returns))
    assert "by a constant" in failed_sentence(twin, "spa_incumbent")


def test_an_idle_incumbent_is_compared_with_as_cash() -> None:
    idle = rival("v000", 0.0, 4, daily_returns=(0.0,) * DAYS)
    assert judge(replace(GOOD, incumbent=idle), CONFIG).passed


@pytest.mark.parametrize("rivals", [0, 1, 4])
def test_noise_gets_no_free_pass_from_the_overfitting_check_however_few_were_tried(rivals: int) -> None:
    """Among three columns of noise one in three would pass at 0.2; with placebos about one in seven does."""
    quick = GateConfig(pbo_blocks=8)
    passed = 0
    for seed in range(100, 900, 10):
        columns = [np.random.default_rng(seed + at).standard_normal(DAYS) / 100 for at in range(3 + rivals)]
        own, incumbent, hold, *others = (tuple(map(float, column)) for column in columns)
        noise = replace(
            GOOD, daily_returns=own, other_trials=tuple(others), incumbent=rival("v001", 0, 0, daily_returns=incumbent),
            buy_and_hold=rival("hold", 0, 0, daily_returns=hold),
        )
        passed += pbo(noise, quick).passed
    assert passed <= 0.25 * 80


def test_an_edge_shared_by_many_alike_is_not_taken_for_an_overfit_by_its_neighbours() -> None:
    """Why neighbours are no columns of the PBO: among equals it says one half."""
    own = np.asarray(returns(0.6, 1))
    alike = np.column_stack([own + np.asarray(returns(0.0, 90 + at)) / 4 for at in range(10)])
    assert probability_of_backtest_overfitting(alike, 10) > 0.3
    assert pbo(replace(GOOD, daily_returns=tuple(map(float, own)), other_trials=()), CONFIG).passed


def test_the_effective_number_of_trials_is_told_and_never_lowers_the_bar() -> None:
    twins = tuple(tuple(value + 1e-9 * at for value in GOOD.daily_returns) for at in range(1, 20))
    crowd = replace(GOOD, trial_sharpes=(0.45,) * 20, other_trials=twins)
    assert effective_trials(crowd) == pytest.approx(1.0)
    strangers = replace(crowd, other_trials=())
    assert effective_trials(strangers) == 20
    alike, apart = deflated_sharpe(crowd, CONFIG), deflated_sharpe(strangers, CONFIG)
    assert alike.value == apart.value
    assert "best of 20 trials, which amount to 1.0" in alike.sentence


finite = st.floats(-2, 2, allow_nan=False)


@settings(max_examples=25)
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
    assert json.loads(json.dumps(to_stored(*from_stored(stored)))) == stored
    assert recheck({**stored, "checks": []}) == judge(inputs, CONFIG)


def test_a_verdict_cannot_be_bought_by_changing_a_stored_check() -> None:
    stored = to_stored(run_with(trades=1), CONFIG)
    stored["checks"] = [check.as_dict() for check in judge(GOOD, CONFIG).checks]
    assert not recheck(stored).passed


@pytest.mark.parametrize(
    "damage", [{"run": {}}, {"surplus": 1}, {"trial_sharpes": None}, {"incumbent": 3}, {"biases": [{"check": "lag"}]}]
)
def test_stored_inputs_of_another_shape_are_refused(damage: dict[str, Any]) -> None:
    stored = to_stored(GOOD, CONFIG)
    stored["inputs"].update(damage)
    with pytest.raises(BadInput, match="stored gate inputs"):
        recheck(stored)


@pytest.mark.parametrize(("part", "name"), [("inputs", "biases"), ("inputs", "daily_returns"), ("thresholds", "pbo_blocks")])
def test_what_an_earlier_version_stored_says_so_instead_of_passing(part: str, name: str) -> None:
    stored = to_stored(GOOD, CONFIG)
    del stored[part][name]
    with pytest.raises(BadInput, match=f"stored gate {part} lack {name}: an earlier version"):
        recheck(stored)
