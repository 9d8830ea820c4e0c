"""`brain night export`: the trial ledger copied to Vertex experiments, promoted versions to its model registry."""

from __future__ import annotations

from dataclasses import asdict

from deployments.cli.homes import HomeOption, home_of, read_store
from deployments.cli.output import JsonFlag, answer, command, console_for


@command
def export(home: HomeOption = None, as_json: JsonFlag = False) -> None:
    """Copy the trial ledger to Vertex experiments, and register promoted versions; [ai.vertex] export must not be "off".

    With "nightly" each night does it, too. Safe to repeat: what is there as it stands is left alone. Needs the extra `vertex`
    and Google's credentials.
    """
    from deployments.opening import settings_for
    from shell.trials.segments import SegmentName
    from tasks.ai.connect import access_from
    from tasks.ai.vertex_export import champions_of, runs_of
    from tasks.ai.vertex_export import export as send

    place = home_of(home)
    config = settings_for(place).ai.vertex
    with read_store(place) as store:
        runs = runs_of(store.candidates.list(), store.candidates.scores(SegmentName.SELECTION.value))
        champions = champions_of(store.strategies.index(), store.promotions.list(), config.experiment)
    console = console_for(as_json)
    with console.status(f"{len(runs)} trials to {config.experiment}"):
        done = send(runs, champions, config, access_from())
    if as_json:
        answer(asdict(done))
        return
    console.print(done.sentence, highlight=False)
