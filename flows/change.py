"""What a candidate changes, as an artifact of its run: the difference of its files to those of the active strategy."""

from __future__ import annotations

from difflib import unified_diff

from prefect.artifacts import acreate_markdown_artifact

from shell.host.port import StrategySource
from tasks.context import client
from tasks.wording import cell

# A person reads it in a browser; the whole code is in the trading database (`brain strategy diff`).
LINES_MAX = 400


async def show_change(candidate_id: str) -> None:
    """Keep the difference under the candidate's name."""
    active, proposal = client().active_strategy(), client().candidate(candidate_id).proposal
    text = change_text(active.source, proposal.source, active.version, candidate_id)
    about = f"{candidate_id}, proposed by {cell(proposal.provider)}: {cell(proposal.hypothesis)}"
    await acreate_markdown_artifact(
        f"{about}\n\n{text}", key=f"change-{candidate_id}", description=f"{candidate_id} beside {active.version}"
    )


def change_text(before: StrategySource, after: StrategySource, was: str, becomes: str) -> str:
    """Both versions' files as one difference in a block of markdown that nothing inside can end."""
    files = {"strategy.py": (before.code, after.code)}
    for name in sorted({*before.skills, *after.skills}):
        files[f"skills/{name}.py"] = (before.skills.get(name, ""), after.skills.get(name, ""))
    lines = [
        line.rstrip("\n") for name, (old, new) in files.items()
        for line in unified_diff(old.splitlines(), new.splitlines(), f"{was}/{name}", f"{becomes}/{name}", lineterm="")
    ]
    if not lines:
        return f"The same code as {was}."
    if len(lines) > LINES_MAX:
        lines = [*lines[:LINES_MAX], f"... and {len(lines) - LINES_MAX} more lines"]
    fence = "`" * (3 + max(_run_of_ticks(line) for line in lines))
    return "\n".join([f"{fence}diff", *lines, fence])


def _run_of_ticks(line: str) -> int:
    """The longest run of backticks in a line."""
    longest = run = 0
    for each in line:
        run = run + 1 if each == "`" else 0
        longest = max(longest, run)
    return longest
