"""`brain night`: what the nights decided, and running one again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from deployments.cli.homes import HomeOption, home_of, read_store
from deployments.cli.night_export import export
from deployments.cli.output import FAILED, JsonFlag, answer, command, console_for, table

WHY_CHARS_MAX = 110
app = typer.Typer(no_args_is_help=True, help="The nights and their decisions: list, replay, export.")
app.command("export")(export)


@app.command("list")
@command
def list_(home: HomeOption = None, as_json: JsonFlag = False) -> None:
    """Every night: what was decided, why, and whether it can be run again."""
    with read_store(home_of(home)) as store:
        nights, replayable = store.nights.list(), store.night_inputs.nights()
    if as_json:
        answer({
            "nights": [
                {"night": each.night, "at": each.at, "decision": dict(each.decision), "replayable": each.night in replayable}
                for each in nights
            ]
        })
        return
    rows = [
        [
            each.night, str(each.decision.get("decision", "")), "yes" if each.night in replayable else "no",
            _why(each.decision),
        ]
        for each in nights
    ]
    console_for(as_json).print(table("Nights", ["night", "decision", "replayable", "why"], rows))


def _why(decision: Mapping[str, Any]) -> str:
    """What came of the night's candidates, or why there were none, short enough for a line of a list."""
    made = [
        f"{each['id']} {each['verdict']} at {each['stage']}" if each["id"] else f"no candidate: {'; '.join(each['reasons'])}"
        for each in decision.get("candidates", ())
    ]
    text = "; ".join(made) or next(iter(decision.get("reasons", ())), "")
    return text if len(text) <= WHY_CHARS_MAX else f"{text[:WHY_CHARS_MAX]} ..."


@app.command("replay")
@command
def replay(
    night: Annotated[str, typer.Argument(help="A night by its New York date, such as 2026-03-14.")],
    provider: Annotated[str, typer.Option(help="Let another one decide and propose: local, anthropic, vertex.")] = "",
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Run a night again from its record, without a call to anybody, and compare bit for bit.

    With --provider the decisions of another one are shown beside those on record; one that is no local is asked, once, for
    money within the caps. Nothing else is written. Exits 1 when a night run again as it was made differs from its record.
    """
    from deployments.night_replay.run import replay_night
    from shell.errors import UsageError

    if provider not in ("", "local", "anthropic", "vertex"):
        raise UsageError(f"--provider {provider}: local, anthropic or vertex")
    console = console_for(as_json)
    place = home_of(home)
    with console.status(f"night of {night}") as status:
        facts = replay_night(place, night, provider, lambda doing: status.update(f"night of {night}: {doing}"))
    if as_json:
        answer(facts)
    else:
        for attempt in facts["attempts"]:
            why = "; ".join(attempt["reasons"])
            console.print(f"{night}, attempt {attempt['attempt']}: {attempt['decision']}: {why}", markup=False, soft_wrap=True)
            for life in attempt["candidates"]:
                reasons = "; ".join(life["reasons"])[:160]
                made = ", ".join(life["made"]) or "no candidate"
                console.print(f"  {made}: {life['verdict']} at {life['stage']}: {reasons}", markup=False, soft_wrap=True)
        for line in facts["differences"]:
            console.print(f"differs: {line}", markup=False, soft_wrap=True)
        if facts["identical"]:
            console.print("identical to the record: decision, candidates and every stage", markup=False)
        if facts["calls"]:
            told = f"{facts['provider']} was asked {facts['calls']} times for ${facts['usd']:.4f}"
            console.print(f"{told}; a question is paid once, however often this is repeated", markup=False)
        if not facts["same_program"]:
            console.print("the program has changed since that night; a difference may come from that", markup=False)
    if not facts["identical"] and facts["provider"] == facts["recorded_provider"]:
        raise typer.Exit(FAILED)
