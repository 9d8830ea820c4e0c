"""`brain certificate`: why a version was promoted, in one file that anybody can check without this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deployments.cli.homes import HomeOption, home_of, read_store
from deployments.cli.output import FAILED, JsonFlag, answer, aside, command, console_for, table

VERIFY = "verify"


@command
def certificate(
    version: Annotated[str, typer.Argument(help="A promoted version (v002) to certify, or the word verify.")],
    file: Annotated[Path | None, typer.Argument(help="With verify: the certificate to check.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write it; default: VERSION.certificate.json.")] = None,
    home: HomeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Write the certificate of a promotion: code, data hashes, ledger and every gate's inputs and verdicts.

    `brain certificate verify FILE` recomputes one offline and names the first thing that does not hold.
    """
    from shell.errors import UsageError

    if version == VERIFY:
        if file is None or out is not None:
            raise UsageError("write: brain certificate verify FILE")
        _verify(file, as_json)
        return
    if file is not None:
        raise UsageError(f"{file} is one argument too many: brain certificate {version} --out {file} writes it there")
    _write(version, out, home, as_json)


def _write(version: str, out: Path | None, home: Path | None, as_json: bool) -> None:
    from shell.errors import BadInput
    from shell.promotion.certificate import certificate_of, certificate_text
    from shell.promotion.certificate_check import verify_certificate

    with read_store(home_of(home)) as store:
        made = certificate_of(store, version)
    text = certificate_text(made)
    place = out if out is not None else Path(f"{version}.certificate.json")
    try:
        place.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{place} cannot be written: {error.strerror}") from None
    found = verify_certificate(text)
    facts = {
        "version": version, "candidate": made["candidate"]["candidate"], "file": str(place), "head": made["ledger"]["head"],
        "trials": made["trials"]["scored"], "checks": made["gate"]["checks"], "holds": found.holds, "failure": found.failure,
        "bytes": len(text.encode()),
    }
    if as_json:
        answer(facts)
        return
    console = console_for(as_json)
    rows = [
        [check["name"], "passed" if check["passed"] else "FAILED", check["sentence"]] for check in made["gate"]["checks"]
    ]
    console.print(table(f"{version}, from {facts['candidate']}", ["check", "", "what"], rows))
    console.print(f"{facts['trials']} trials counted; ledger head {facts['head']}", soft_wrap=True)
    console.print(f"Written to {place} ({facts['bytes']:,} bytes).", soft_wrap=True)
    if not found.holds:
        aside.print(f"It does not hold: {found.failure}", markup=False, soft_wrap=True)


def _verify(file: Path, as_json: bool) -> None:
    from shell.errors import BadInput
    from shell.promotion.certificate_check import verify_certificate

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} cannot be read: {error}") from None
    found = verify_certificate(text)
    facts = {
        "file": str(file), "version": found.version, "candidate": found.candidate_id, "holds": found.holds,
        "failure": found.failure, "held": list(found.held),
    }
    if as_json:
        answer(facts)
    else:
        console = console_for(as_json)
        for name in found.held:
            console.print(f"[green]holds[/]  {name}")
        if found.failure:
            console.print(f"BROKEN {found.failure}", markup=False, soft_wrap=True)
        else:
            console.print(f"{found.version} was promoted from {found.candidate_id}, and everything says so.")
    if not found.holds:
        raise typer.Exit(FAILED)
