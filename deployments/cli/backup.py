"""`brain backup` and `brain restore`: everything of a home that cannot be made again, to a folder and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli.homes import HomeOption, home_of
from deployments.cli.output import JsonFlag, answer, command, console_for

if TYPE_CHECKING:
    from deployments.backup.manifest import Manifest

TWICE = "Never start a restored copy while the original still trades: two programs would trade one account."


@command
def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder to write it to.")],
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Save a home to FOLDER, also while its shell runs: database, candle archive, strategy workspace and settings, no secret.

    Prefect's run history, logs and reports are left out: nothing of trading depends on them.
    """
    from deployments.backup.saving import save
    from shell.clock import SystemClock, monotonic

    begun = monotonic()
    manifest = save(home_of(home), folder, SystemClock().now())
    facts = {"folder": str(folder), **_facts(manifest), "seconds": round(monotonic() - begun, 3)}
    facts["bytes"] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if as_json:
        answer(facts)
        return
    console = console_for(as_json)
    console.print(
        f"[bold]saved[/] to {folder}: {facts['files']} files, {facts['bytes'] / 1e6:.1f} MB, {facts['rows']:,} rows of schema "
        f"{facts['schema_version']}, in {facts['seconds']:.1f} s", soft_wrap=True,
    )
    for problem in manifest.books_check:
        console.print(f"[yellow]the books do not agree with their own facts:[/] {problem}", soft_wrap=True)


@command
def restore(
    folder: Annotated[Path, typer.Argument(help="A folder that `brain backup` wrote.")],
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Bring a backup into an empty home, check it against what was saved, and bring its schema up to date.

    Settings and secrets are not touched. In live mode, a shell on a restored home reconciles with Kraken before anything else.
    """
    from deployments.backup.restoring import restore as bring_back
    from shell.clock import monotonic

    begun = monotonic()
    place = home_of(home, new=True)
    done = bring_back(folder, place)
    facts = {
        "home": str(place.root), **_facts(done.manifest), "upgraded_from": done.upgraded_from or None,
        "books_check": list(done.figures["books_check"]), "differing_settings": list(done.differing_settings),
        "moved_aside": str(done.moved_aside) if done.moved_aside else None, "seconds": round(monotonic() - begun, 3),
    }
    if as_json:
        answer(facts)
        return
    console = console_for(as_json)
    told = f"into {place.root} as of {done.manifest.made_at}: the books are what was saved"
    console.print(f"[bold]restored[/] {told}", soft_wrap=True)
    for name in done.differing_settings:
        console.print(f"config/{name} differs from {folder / 'config' / name}: settings are yours to copy", soft_wrap=True)
    if done.moved_aside:
        console.print(f"the workspace that was there is now {done.moved_aside}", soft_wrap=True)
    console.print(f"[yellow]{TWICE}[/]", soft_wrap=True)


def _facts(manifest: Manifest) -> dict[str, Any]:
    return {
        "made_at": manifest.made_at, "schema_version": manifest.schema_version, "files": len(manifest.files),
        "rows": sum(manifest.rows.values()), "books": {name: dict(book) for name, book in manifest.books.items()},
        "books_check": list(manifest.books_check), "source": manifest.source,
    }
