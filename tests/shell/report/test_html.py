"""The page: complete, self-contained, safe with hostile text, calm when nothing happened."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from shell.report import figures
from shell.report.data import ReportData
from shell.report.html import TRADES_MAX, render_html
from tests.shell.report.sample import empty_report_data, hostile_report_data, sample_report_data

ALL = [sample_report_data, empty_report_data, hostile_report_data]
VOID = {"meta", "br", "img", "link", "input", "hr"}


class _Page(HTMLParser):
    """Reads a page strictly: open tags must be closed in order; keeps tags, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.mark.parametrize("make", ALL)
def test_every_page_is_well_formed_and_the_same_bytes_again(make: Callable[[], ReportData]) -> None:
    page = render_html(make())
    assert page == render_html(make())
    page.encode("utf-8")
    assert len(page.encode()) < 3_000_000
    parsed = _Page(page)
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {attributes["href"] for tag, attributes in parsed.tags if tag in ("a", "use")}
    assert targets <= {f"#{each}" for each in ids}


@pytest.mark.parametrize("make", ALL)
def test_nothing_is_fetched_and_only_the_pages_own_script_may_run(make: Callable[[], ReportData]) -> None:
    page = render_html(make())
    parsed = _Page(page)
    for _, attributes in parsed.tags:
        for name in ("src", "href", "action", "data", "poster", "srcset", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
        assert not any(name.startswith("on") for name in attributes)
    style = page.split("<style>")[1].split("</style>")[0]
    assert "@import" not in style
    assert set(re.findall(r"url\(([^)]*)\)", style)) <= {"#hatch"}
    assert not re.search(r"https?://|//[a-z]", style)
    assert {tag for tag, _ in parsed.tags}.isdisjoint({"img", "link", "iframe", "object", "embed", "base", "form"})
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    assert len(scripts) == 1
    policy = next(
        attributes["content"] or "" for tag, attributes in parsed.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_hostile_text_is_shown_and_never_becomes_markup() -> None:
    page = render_html(hostile_report_data())
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "{{ 7*7 }}" in page
    assert "49" not in _Page(page).text.replace("more characters", "")[:400]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", page)
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;" in page
    assert "more characters)" in page
    blocks = re.findall(r'<script type="application/json">(.*?)</script>', page, flags=re.DOTALL)
    assert blocks
    assert not any("<" in block for block in blocks)


def test_every_number_of_the_data_is_in_the_page() -> None:
    data = sample_report_data()
    text = _Page(render_html(data)).text
    expected = [
        figures.money(data.starting_value), figures.money(data.final_value), figures.money(data.fees_total),
        data.event_log_hash, "4,032", "107", "93", "92",
    ]
    expected += [figures.figure(name, value) for name, value in data.metrics.items()]
    for trade in data.trades:
        expected += [
            figures.moment(trade.opened), figures.moment(trade.closed), figures.price(trade.entry),
            figures.price(trade.exit), figures.quantity(trade.qty), figures.money(trade.pnl, sign=True),
            figures.percent(trade.pnl_pct, sign=True), figures.money(trade.fees),
        ]
    for candidate in data.candidates:
        expected += [candidate.candidate_id, *candidate.reasons, *re.split(r"\s+", candidate.hypothesis)]
        expected += [figures.figure(name, value) for name, value in candidate.figures.items()]
        for check in candidate.checks:
            expected += [
                figures.label(check.name), figures.figure(check.name, check.value),
                figures.figure(check.name, check.threshold), check.sentence,
            ]
    for night in data.nights:
        expected += [night.night, night.decision, *night.reasons]
    for refusal in data.refusals:
        expected += [refusal.code, str(refusal.count), refusal.sentence]
    for halt in data.halts:
        expected += [halt.kind, halt.sentence, figures.moment(halt.raised_at), halt.lifted_by]
    for gap in data.gaps:
        expected += [gap.symbol, figures.moment(gap.begins), figures.moment(gap.ends), str(gap.bars)]
    expected += [*data.notes, *data.quality]
    expected += [figures.money(amount) for amount in data.fees_by_symbol.values()]
    expected += [text for section in data.settings.values() for pair in section.items() for text in pair]
    expected += [figures.figure("", value) for value in data.statistics.values()]
    missing = [each for each in expected if re.sub(r"\s+", " ", each) not in text]
    assert missing == []


def test_an_invented_market_is_named_before_anything_else() -> None:
    text = _Page(render_html(sample_report_data())).text
    assert text.index("edge planted on purpose") < text.index("Rehearsal of 14 days", text.index("edge planted"))
    assert "No figure below says anything about a real market" in text
    plain = _Page(render_html(replace(sample_report_data(), planted_edge=False))).text
    assert "its prices were generated" in plain
    assert "planted" not in plain.split("Nights")[0].split("Key figures")[0].replace("planted-edge market, seed 7", "")


def test_a_real_market_carries_no_such_warning_and_no_promise_is_made() -> None:
    text = _Page(render_html(empty_report_data())).text
    assert "Invented" not in text
    assert "no promise" in text


def test_a_quiet_period_says_so_calmly() -> None:
    text = _Page(render_html(empty_report_data())).text
    for sentence in (
        "No trade was completed", "no change", "No candidate was examined. That is a normal outcome.",
        "The active strategy did not change.", "No signal was refused.", "No halt was raised.",
        "The strategy never failed.", "No hole was found",
    ):
        assert sentence in text


def test_a_period_without_a_single_mark_or_bar_renders() -> None:
    data = replace(empty_report_data(), equity=(), prices={}, nights=(), starting_value=Decimal(0))
    text = _Page(render_html(data)).text
    assert "nothing to draw" in text
    assert "No prices were recorded" in text
    assert "No night fell into this period" in text


def test_a_partial_run_says_so() -> None:
    text = _Page(render_html(replace(sample_report_data(), partial=True))).text
    assert "This report is partial" in text


def test_drawn_lines_are_whole_however_many_points_they_have() -> None:
    page = render_html(sample_report_data())
    paths = re.findall(r'class="line (equity|hold|price|drawdown)" d="([^"]*)"', page)
    assert len(paths) == 6
    for _, path in paths:
        assert re.fullmatch(r"(?:[ML]-?[\d.]+ -?[\d.]+)+", path)
        last = re.split("[ML]", path)[-1]
        assert float(last.split()[0]) > 990


def test_a_price_line_is_broken_at_a_hole_in_the_data() -> None:
    page = render_html(sample_report_data())
    breaks = [path.count("M") for path in re.findall(r'class="line price" d="([^"]*)"', page)]
    assert breaks == [2, 1, 1]


def test_only_the_newest_trades_are_listed_and_the_page_says_how_many_are_not() -> None:
    data = sample_report_data()
    many = tuple(
        replace(data.trades[0], closed=data.trades[0].closed + timedelta(minutes=5 * index))
        for index in range(TRADES_MAX + 250)
    )
    text = _Page(render_html(replace(data, trades=many))).text
    assert "the oldest 250 are not listed" in text
    assert figures.moment(many[-1].closed) in text


def test_a_long_life_stays_within_the_size_one_can_mail() -> None:
    data = sample_report_data()
    data = replace(data, trades=data.trades * 100, candidates=data.candidates * 30, nights=data.nights * 25)
    assert len(render_html(data).encode()) < 3_000_000


def test_the_evidence_clock_is_a_table_that_says_never_where_no_wait_is_long_enough() -> None:
    data = sample_report_data()
    page = _Page(render_html(data))
    assert all(row.sentence in page.text for row in data.evidence)
    assert "219" in page.text
    assert " never " in page.text
    assert data.trials in page.text
    assert "one case of twelve" in page.text
    assert "Evidence clock" not in _Page(render_html(empty_report_data())).text
