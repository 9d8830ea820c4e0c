"""The markdown form: the same facts, nothing taken for markup."""

from __future__ import annotations

import re

from shell.report import figures
from shell.report.markdown import render_markdown
from tests.shell.report.sample import empty_report_data, hostile_report_data, sample_report_data


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"\\(.)", r"\1", text))


def test_markdown_holds_figures_trades_nights_candidates_and_gates() -> None:
    data = sample_report_data()
    text = _plain(render_markdown(data))
    assert text.index("edge was planted") < text.index("## Key figures")
    expected = [figures.money(data.final_value), data.event_log_hash, "MAX_POSITIONS", "DAILY_LOSS", "84"]
    expected += [figures.money(trade.pnl, sign=True) for trade in data.trades]
    expected += [night.night for night in data.nights]
    expected += [figures.figure(name, value) for name, value in data.metrics.items()]
    expected += [check.sentence for candidate in data.candidates for check in candidate.checks]
    assert [each for each in expected if _plain(each) not in text] == []


def test_every_table_row_has_as_many_cells_as_its_head() -> None:
    for data in (sample_report_data(), empty_report_data(), hostile_report_data()):
        width = 0
        for line in render_markdown(data).splitlines():
            cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
            assert cells == width or not width or not cells
            width = cells


def test_hostile_text_is_no_markup_and_stays_on_its_line() -> None:
    text = render_markdown(hostile_report_data())
    assert not re.search(r"(?<!\\)<(?:script|img|/style)", text)
    assert not re.search(r"(?<!\\)\[link", text)
    assert not re.search(r"(?<!\\)`", text)
    assert "\n# heading" not in text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e\ud800]", text)


def test_an_empty_period_renders() -> None:
    text = render_markdown(empty_report_data())
    assert "No trade was completed" in text
    assert "No candidate was examined" in text


def test_the_evidence_clock_is_told_with_what_a_paper_trial_can_see() -> None:
    data = sample_report_data()
    text = _plain(render_markdown(data))
    assert "## Evidence clock" in text
    assert data.trials in text
    assert all(row.sentence in text for row in data.evidence)
    assert "one case of twelve" in text
    assert "Evidence clock" not in render_markdown(empty_report_data())
