"""The control API as an application: routes, their types, and errors as statuses. Knows nothing of sockets.

Bodies are read strictly (a number in quotation marks is no number). Whatever changes something is asked once and never again
from here; the desk's writes are idempotent by their own keys, so a caller may repeat one whose outcome it does not know.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.json_schema import models_json_schema
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from shell.answers import PaperTrial, Promotion, Status
from shell.backtest.history_file import history_file
from shell.calls import Calls
from shell.clock import monotonic, parse_moment
from shell.control.methods import Method, methods
from shell.control.questions import (
    Decided,
    Halts,
    SlotState,
    decided,
    halts,
    missed,
    register,
    require_reached,
    require_sane,
    slot_state,
)
from shell.control.wire import STATUS, Refusal, encode, json_form, refusal_of
from shell.desk import Desk
from shell.errors import BadInput, BrainError, NotNow
from shell.log import get_logger
from shell.market.history import History
from shell.risk.halts import HaltKind

POLL_SECONDS = 0.25
WAIT_SECONDS_MAX = 600.0
REACH_SECONDS_MAX = 150.0
BODY_BYTES_MAX = 4_000_000
CHUNK_BYTES = 1 << 20
SLOT_FORM = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:00)?(Z|[+]00:00)$"
REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Refusal} for _, status in STATUS}

SlotPath = Annotated[str, Path(pattern=SLOT_FORM, description="A scan slot in UTC, such as 2026-11-22T14:35Z.")]
WaitQuery = Annotated[
    float, Query(ge=0, le=WAIT_SECONDS_MAX, description="How many seconds to wait for the scan, 0: do not wait.")
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Reason(_Body):
    """Why; it is recorded."""

    reason: str


class By(_Body):
    """Who asks; it is recorded."""

    by: str


class Lift(_Body):
    """Which halt to lift, and who does."""

    kind: HaltKind
    by: str


class CandidateName(_Body):
    candidate_id: str


class Word(_Body):
    """About which candidate, and whose word it is, as it is recorded."""

    candidate_id: str
    by: str


class Health(BaseModel):
    """That the control API answers; whether the trading thread does, `/status` tells."""

    serving: bool = True
    pid: int


def create_app(calls: Calls) -> FastAPI:
    """The application over one shell's questions."""
    app = FastAPI(
        title="Trading Brain control API", version="1", docs_url=None, redoc_url=None,
        description="What flows and people ask of a running shell. One desk, one question at a time, between two steps.",
    )
    bodies: list[type[BaseModel]] = [Reason, By, Lift, CandidateName, Word, *(each.arguments for each in methods().values())]
    _handle_errors(app)
    _add_slots(app, calls)
    _add_controls(app, calls)
    for method in methods().values():
        _add_method(app, calls, method)
    app.openapi = lambda: _described(app, bodies)  # type: ignore[method-assign]
    return app


# -- routes -----------------------------------------------------------------------------------------------------------


def _add_slots(app: FastAPI, calls: Calls) -> None:
    @app.post("/slots/{slot}", tags=["slots"], response_model=SlotState, responses=REFUSALS)
    def register_slot(slot: SlotPath) -> Response:
        """Register a slot: its scan will be reported on by whoever asked. The shell scans it either way (D1)."""
        at = _slot(slot)
        return _json(SlotState, calls.ask(lambda desk: register(desk, at)))

    @app.get(
        "/slots/{slot}", tags=["slots"], response_model=SlotState,
        responses={**REFUSALS, 202: {"model": SlotState, "description": "Not scanned yet"}, 404: {"model": Refusal}},
    )
    def read_slot(slot: SlotPath, wait: WaitQuery = 0.0) -> Response:
        """What became of a slot: 200 with the stored scan, 202 while it is still to come, 404 if it was never scanned."""
        at, deadline = _slot(slot), monotonic() + wait
        while True:
            state = calls.ask(lambda desk: slot_state(desk, at))
            if state.state != "waiting" or monotonic() >= deadline:
                break
            time.sleep(min(POLL_SECONDS, max(deadline - monotonic(), 0.0)))
        if state.state == "missed":
            return JSONResponse(refusal_of(missed(state))[1].model_dump(), status_code=404)
        return _json(SlotState, state, status=200 if state.outcome is not None else 202)


def _add_controls(app: FastAPI, calls: Calls) -> None:
    @app.get("/health", tags=["state"], response_model=Health)
    def health() -> Response:
        """Answered without the trading thread."""
        return _json(Health, Health(pid=os.getpid()))

    @app.get("/status", tags=["state"], response_model=Status, responses=REFUSALS)
    def status() -> Response:
        """The shell's own account of itself."""
        return _json(Status, calls.ask(lambda desk: desk.status(), seconds=5.0))

    @app.get("/trials", tags=["state"], response_model=tuple[PaperTrial, ...], responses=REFUSALS)
    def trials() -> Response:
        """The paper trials that run."""
        return _json(tuple[PaperTrial, ...], calls.ask(lambda desk: tuple(desk.paper_trials())))

    def pause(desk: Desk, given: By) -> Halts:
        """No opening order leaves until somebody resumes; stops and exits go on."""
        desk.by_hand.pause(given.by, desk.shell.now)
        return halts(desk)

    def kill(desk: Desk, given: Reason) -> Halts:
        """The kill switch: no opening order leaves until a person lifts it; resting entries are cancelled."""
        desk.by_hand.kill(given.reason, desk.shell.now)
        return halts(desk)

    def resume(desk: Desk, given: Lift) -> Halts:
        """Lift one halt; what tripped it is measured afresh from now."""
        desk.by_hand.resume(given.kind, given.by, desk.shell.now)
        return halts(desk)

    def rollback(desk: Desk, given: Reason) -> Promotion:
        """Go back to the version before the active one."""
        return desk.rollback(given.reason, desk.shell.now)

    def promote(desk: Desk, given: CandidateName) -> Promotion:
        """Promote a candidate whose stored verdict, computed again, passes."""
        return desk.promote(given.candidate_id, desk.shell.now)

    def abort(desk: Desk, given: CandidateName) -> None:
        """Undo a promotion that was prepared and not committed; nothing to do otherwise."""
        desk.abort_promotion(given.candidate_id, desk.shell.now)

    def approve(desk: Desk, given: Word) -> Decided:
        """A person's yes: this candidate may be promoted once it has passed everything."""
        return decided(desk, given.candidate_id, True, given.by)

    def reject(desk: Desk, given: Word) -> Decided:
        """A person's no: this candidate is not promoted."""
        return decided(desk, given.candidate_id, False, given.by)

    _post(app, calls, "/pause", "control", By, Halts, pause)
    _post(app, calls, "/kill", "control", Reason, Halts, kill)
    _post(app, calls, "/resume", "control", Lift, Halts, resume)
    _post(app, calls, "/rollback", "control", Reason, Promotion, rollback, seconds=120.0)
    _post(app, calls, "/approve", "control", Word, Decided, approve)
    _post(app, calls, "/reject", "control", Word, Decided, reject)
    _post(app, calls, "/promote", "control", CandidateName, Promotion, promote, seconds=120.0)
    _post(app, calls, "/abort", "control", CandidateName, type(None), abort, seconds=120.0)


def _add_method(app: FastAPI, calls: Calls, method: Method) -> None:
    """POST /desk/NAME with the arguments as an object."""

    def question(desk: Desk, given: BaseModel) -> Any:
        return getattr(desk, method.name)(**{name: getattr(given, name) for name in type(given).model_fields})

    question.__doc__ = method.summary
    _post(app, calls, f"/desk/{method.name}", "desk", method.arguments, method.answer, question, seconds=method.seconds)


def _post(
    app: FastAPI, calls: Calls, path: str, tag: str, model: type[BaseModel], answer: Any,
    question: Callable[[Desk, Any], Any], *, seconds: float = 30.0,
) -> None:
    """A route whose body is a `model`, whose answer is what `question` gives on the trading thread."""
    streams = answer is History

    async def route(request: Request) -> Response:
        given = await _given(request, model)
        found = await run_in_threadpool(_asked, calls, given, question, seconds)
        return await run_in_threadpool(_stream, found) if streams else _json(answer, found)

    body = {"required": True, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}}
    binary = {"schema": {"type": "string", "format": "binary"}}
    candles: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": binary}}}
    app.post(
        path, tags=[tag], summary=path.rsplit("/", 1)[1].replace("_", " ").capitalize(),
        description=question.__doc__ or "", operation_id=path.strip("/").replace("/", "_"), openapi_extra={"requestBody": body},
        response_model=None if streams else json_form(answer), response_class=StreamingResponse if streams else JSONResponse,
        responses={**REFUSALS, **(candles if streams else {}), 413: {"model": Refusal}},
    )(route)


# -- inside -----------------------------------------------------------------------------------------------------------


async def _given(request: Request, model: type[BaseModel]) -> BaseModel:
    """The body, strictly. Raises BadInput with every mistake in it."""
    text = bytearray()
    async for chunk in request.stream():
        text += chunk
        if len(text) > BODY_BYTES_MAX:
            raise HTTPException(413, f"a body has at most {BODY_BYTES_MAX:,} bytes")
    try:
        given = model.model_validate_json(bytes(text), strict=True)
    except ValidationError as error:
        mistakes = (f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in error.errors(include_url=False))
        raise BadInput("; ".join(mistakes)) from None
    for name in type(given).model_fields:
        require_sane(getattr(given, name))
    return given


def _asked(calls: Calls, given: BaseModel, question: Callable[[Desk, Any], Any], seconds: float) -> Any:
    """Put the question, once the shell has reached the moment it is for."""
    now = getattr(given, "now", None)
    if isinstance(now, datetime):
        deadline = monotonic() + REACH_SECONDS_MAX
        while not calls.ask(lambda desk: require_reached(desk, now)):
            if monotonic() >= deadline:
                raise NotNow(f"the shell has not come to {now:%Y-%m-%d %H:%M:%S} UTC: is its clock standing?")
            time.sleep(POLL_SECONDS)
    return calls.ask(lambda desk: question(desk, given), seconds=seconds)


def _slot(text: str) -> datetime:
    try:
        slot = parse_moment(text)
    except ValueError as error:
        raise BadInput(str(error)) from None
    require_sane(slot)
    return slot


def _json(kind: Any, value: Any, *, status: int = 200) -> Response:
    return Response(encode(kind, value), status_code=status, media_type="application/json")


def _stream(history: History) -> Response:
    """Candles in the layout of `shell.backtest.history_file`: megabytes, which JSON would make tens of."""
    file = history_file(history)
    descriptor = os.dup(file.__enter__())
    file.__exit__(None, None, None)
    return StreamingResponse(
        _chunks(descriptor), media_type="application/octet-stream",
        headers={"content-length": str(os.fstat(descriptor).st_size)},
    )


def _chunks(descriptor: int) -> Iterator[bytes]:
    offset = 0
    try:
        while chunk := os.pread(descriptor, CHUNK_BYTES, offset):
            offset += len(chunk)
            yield chunk
    finally:
        os.close(descriptor)


def _handle_errors(app: FastAPI) -> None:
    def refuse(_: Request, error: Exception) -> Response:
        status, refusal = refusal_of(error if isinstance(error, BrainError) else BrainError(str(error)))
        return JSONResponse(refusal.model_dump(), status_code=status)

    def misread(_: Request, error: Exception) -> Response:
        faults = error.errors() if isinstance(error, RequestValidationError) else []
        told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in faults)
        return JSONResponse(Refusal(kind="BadInput", message=told or "cannot be read").model_dump(), status_code=422)

    def missing(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        told = error.detail if isinstance(error, HTTPException) else "not found"
        headers = error.headers if isinstance(error, HTTPException) else None
        return JSONResponse(Refusal(kind="Rejected", message=told).model_dump(), status_code=status, headers=headers)

    def broken(request: Request, error: Exception) -> Response:
        # A defect of ours: its text stays in the log, since it may quote anything.
        get_logger().error("the control API failed", path=request.url.path, error=repr(error))
        told = f"a defect of the shell: {type(error).__name__}; its log has more"
        return JSONResponse(Refusal(kind="BrainError", message=told).model_dump(), status_code=500)

    app.add_exception_handler(BrainError, refuse)
    app.add_exception_handler(RequestValidationError, misread)
    app.add_exception_handler(HTTPException, missing)
    app.add_exception_handler(Exception, broken)


def _described(app: FastAPI, bodies: list[type[BaseModel]]) -> dict[str, Any]:
    """The OpenAPI description, with the bodies that are read by hand."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        _, defined = models_json_schema(
            [(body, "validation") for body in bodies], ref_template="#/components/schemas/{model}"
        )
        schema["components"]["schemas"] = {**defined["$defs"], **schema["components"]["schemas"]}
        app.openapi_schema = schema
    return app.openapi_schema
