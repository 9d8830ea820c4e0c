import pytest

from shell.config import RiskConfig
from shell.host.port import StrategySource
from shell.trials.candidate import ChangeClass, Stage, Verdict
from tasks.review import review_candidate, review_source
from tests.tasks.memory_shell import NOW, MemoryShell
from tests.tasks.sources import proposal, rule

RISK = RiskConfig()


def changed(old: str, new: str) -> StrategySource:
    source = rule(fast=10)
    assert old in source.code
    return StrategySource(code=source.code.replace(old, new))


def test_an_honest_rule_passes_and_is_classified() -> None:
    review = review_source(rule(), rule(fast=10), RISK)
    assert review.passed
    assert review.change is ChangeClass.TWEAK
    assert review.findings == ()


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("stop_loss=stop, ", "", "NO_STOP"),
        ("stop_loss=stop, ", "stop_loss=None, ", "NO_STOP"),
        ("BUY, size,", "BUY, 0.5,", "SIZE_ABOVE_LIMIT"),
        ("(0.02, 0.1, 0.01, 0.1)", "(0.02, 0.9, 0.01, 0.4)", ""),
        ('return {"asked": dict(self._asked), "entered": dict(self._entered), "peak": dict(self._peak)}', "return {}",
         "MISSING_STATE"),
        ("from typing import Any\n", "from typing import Any\nimport os\n", None),
        ("def _enters(", "def _enters((", None),
    ],
)
def test_what_matters_fails_the_stage(old: str, new: str, code: str | None) -> None:
    review = review_source(rule(), changed(old, new), RISK)
    mattering = {finding.code for finding in review.findings if finding.matters}
    if code == "":
        # The size is capped by the rule itself: min(VALUE["size_pct"], the limit) is no finding.
        assert mattering == set()
        return
    assert not review.passed
    assert (code in mattering) if code else mattering
    assert all(finding.line >= 1 for finding in review.findings)


def test_a_size_taken_from_a_declared_parameter_is_followed() -> None:
    source = changed("BUY, size,", 'BUY, VALUE["size_pct"],')
    assert review_source(rule(), source, RISK).passed
    loose = StrategySource(code=source.code.replace("(0.02, 0.1, 0.01, 0.1)", "(0.02, 0.9, 0.01, 0.4)"))
    assert [f.code for f in review_source(rule(), loose, RISK).findings] == ["SIZE_ABOVE_LIMIT"]


def test_an_unused_parameter_is_only_a_remark() -> None:
    source = changed("PARAMETERS = {\n", 'PARAMETERS = {\n    "idle": (1, 2, 1, 1),\n')
    review = review_source(rule(), source, RISK)
    assert review.passed
    assert [finding.code for finding in review.findings] == ["UNUSED_PARAMETER"]


def test_the_active_strategy_itself_is_no_change() -> None:
    again = StrategySource(code=rule().code + "\n# a remark\n")
    review = review_source(rule(), again, RISK)
    assert [finding.code for finding in review.findings] == ["NO_CHANGE"]
    assert not review.passed


def test_the_stage_is_stored_and_a_failed_one_ends_the_candidate() -> None:
    shell = MemoryShell(rule())
    good = shell.register_candidate(proposal(rule(fast=10)), NOW).candidate_id
    bad = shell.register_candidate(proposal(changed("stop_loss=stop, ", "")), NOW).candidate_id
    assert review_candidate(shell, good, NOW).passed
    assert not review_candidate(shell, bad, NOW).passed
    assert shell.ledger[good].change_class is ChangeClass.TWEAK
    assert (shell.ledger[good].stage, shell.ledger[good].verdict) == (Stage.REVIEW, Verdict.PENDING)
    assert shell.ledger[bad].verdict is Verdict.REFUSED
    assert "stop_loss" in shell.ledger[bad].reasons[0]
