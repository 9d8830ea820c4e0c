from dataclasses import replace
from datetime import timedelta

from shell.answers import Promotion
from tasks.notify import send_headline
from tasks.report import headline, render_night, write_report
from tests.tasks.memory_shell import NOW, MemoryShell, conforming
from tests.tasks.records import night_record, outcome, settlement
from tests.tasks.sources import rule


def test_every_check_is_shown_with_value_and_threshold() -> None:
    text = render_night(night_record())
    assert "| minimum\\_trades | no | 4 | 10 | 4 of 10 |" in text
    assert "| drawdown | yes | 0.0625 | 0.25 | 6.25 % \\| fine |" in text
    assert "| Return | 1.23 % |" in text


def test_a_quiet_night_reads_calmly() -> None:
    text = render_night(night_record(outcomes=(), aggregated={}))
    assert "## Candidates" not in text
    assert "1 candidate may be sought" in text
    assert "Next: v001 stays active." in text, "nobody looked for anything, so nothing goes on"
    assert "the search goes on from what these looks showed" in render_night(night_record())
    assert text == render_night(night_record(outcomes=(), aggregated={}))


def test_markup_of_a_stranger_is_shown_not_rendered() -> None:
    text = render_night(night_record(outcomes=(outcome(hypothesis="<script>x</script> [a](b) | c", checks=()),)))
    assert "<script>" not in text
    assert "[a]" not in text.replace("\\[a\\]", "")


def test_what_became_of_paper_trials_is_said() -> None:
    until = NOW + timedelta(days=5)
    promotion = Promotion(candidate_id="c0001", version="v002", previous="v001", hash="h", at=NOW)
    lines = {
        "v002 is active in place of v001": settlement(promotion=promotion),
        "was not promoted: overtaken": settlement(refusal="overtaken"),
        "goes on until 2024-03-16": settlement(
            conformance=conforming("t0001", passed=False, extended_until=until, reasons=("two fills",))
        ),
        "failed. differs": settlement(conformance=conforming("t0001", passed=False, reasons=("differs",))),
    }
    for expected, each in lines.items():
        assert expected in render_night(night_record(settlements=(each,)))
    assert headline(night_record(settlements=(settlement(promotion=promotion),))).startswith(
        "Night of 2024-03-11: v002 is active now"
    )


def test_a_night_on_which_no_model_could_be_asked_is_a_warning_once_a_night() -> None:
    shell = MemoryShell(rule())
    decided = replace(night_record().decision, unheard="anthropic answered 401")
    send_headline(shell, night_record(decision=decided))
    kinds = [(kind, severity) for kind, severity, _ in shell.messages]
    assert kinds == [("night", "info"), ("models", "warning")]
    assert "anthropic answered 401" in shell.messages[1][2]


def test_report_decision_and_message_are_stored() -> None:
    shell = MemoryShell(rule())
    record = night_record()
    report = write_report(shell, record)
    send_headline(shell, record)
    assert shell.reports == {"night-2024-03-11.md": report.markdown}
    assert shell.nights["2024-03-11"]["candidates"][0]["id"] == "c0003"
    assert shell.messages == [("night", "info", headline(record))]
