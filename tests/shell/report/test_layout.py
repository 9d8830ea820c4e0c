"""In a real browser: no sideways scrolling of the page on a phone, and the page's own script runs under its policy."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from shell.report.html import render_html
from tests.shell.report.sample import empty_report_data, hostile_report_data, sample_report_data

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTHS = (390, 768, 1280)
PAGES = {"sample": sample_report_data, "empty": empty_report_data, "hostile": hostile_report_data}
PROBE = """<!doctype html><meta charset="utf-8"><body><script>
const done = (frame) => {
  const page = frame.contentDocument;
  page.querySelectorAll("details").forEach((one) => { one.open = true; });
  page.querySelector(".canvas").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
  const line = document.createElement("p");
  const readout = page.querySelector(".readout").textContent;
  line.textContent = `probe ${frame.name} ${frame.width} ${page.documentElement.scrollWidth} [${readout}]`;
  document.body.append(line);
};
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the phone layout was not looked at")
def test_no_page_scrolls_sideways_and_its_script_runs(tmp_path: Path) -> None:
    # Frames of srcdoc share the parent's origin, so that their layout may be measured; one browser looks at them all.
    frames = "".join(
        f'<iframe name="{name}" width="{width}" height="800" onload="done(this)" '
        f'srcdoc="{html.escape(render_html(make()), quote=True)}"></iframe>'
        for name, make in PAGES.items() for width in WIDTHS
    )
    probe = tmp_path / "probe.html"
    probe.write_text(f"{PROBE}{frames}</body>", encoding="utf-8")
    assert CHROMIUM is not None
    shown = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,900", "--virtual-time-budget=10000",
            "--dump-dom", probe.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout
    found = re.findall(r"<p>probe (\w+) (\d+) (\d+) \[(.*?)\]</p>", shown)
    assert {(name, int(width)) for name, width, _, _ in found} == {(name, width) for name in PAGES for width in WIDTHS}
    for name, width, needed, readout in found:
        assert int(needed) <= int(width), f"{name}: at {width} px the page is {needed} px wide"
        assert re.match(r"2025-03-01 \d\d:\d\d", readout), f"{name}: the page's script did not run"
