"""In a real browser: no sideways scrolling of the page on a phone, and the page's own script runs under its policy."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from shell.report.data import ReportData
from shell.report.html import render_html
from tests.shell.report.sample import empty_report_data, hostile_report_data, sample_report_data

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTHS = (390, 768, 1280)
PROBE = """<!doctype html><meta charset="utf-8"><body><script>
let waiting = {count};
const done = (frame) => {{
  const page = frame.contentDocument;
  page.querySelectorAll("details").forEach((one) => {{ one.open = true; }});
  const canvas = page.querySelector(".canvas");
  if (canvas) canvas.dispatchEvent(new KeyboardEvent("keydown", {{ key: "ArrowRight" }}));
  const line = document.createElement("p");
  const readout = page.querySelector(".readout");
  const needed = page.documentElement.scrollWidth;
  line.textContent = `probe ${{frame.width}} ${{needed}} [${{readout ? readout.textContent : ""}}]`;
  document.body.append(line);
}};
</script>{frames}</body>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the phone layout was not looked at")
@pytest.mark.parametrize(
    "data", [sample_report_data(), empty_report_data(), hostile_report_data()], ids=["sample", "empty", "hostile"]
)
def test_the_page_never_scrolls_sideways(data: ReportData, tmp_path: Path) -> None:
    # Frames of srcdoc share the parent's origin, so that their layout may be measured.
    page = html.escape(render_html(data), quote=True)
    frames = "".join(
        f'<iframe width="{width}" height="800" onload="done(this)" srcdoc="{page}"></iframe>' for width in WIDTHS
    )
    probe = tmp_path / "probe.html"
    probe.write_text(PROBE.format(count=len(WIDTHS), frames=frames), encoding="utf-8")
    assert CHROMIUM is not None
    shown = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,900", "--virtual-time-budget=5000",
            "--dump-dom", probe.as_uri(),
        ],
        capture_output=True, text=True, timeout=90, check=True,
    ).stdout
    found = re.findall(r"<p>probe (\d+) (\d+) \[(.*?)\]</p>", shown)
    assert sorted(int(width) for width, _, _ in found) == sorted(WIDTHS)
    for width, needed, readout in found:
        assert int(needed) <= int(width), f"at {width} px the page is {needed} px wide"
        assert "UTC" in readout or re.match(r"20\d\d-", readout), "the page's script did not run"
