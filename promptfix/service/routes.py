"""What each address does. Everything that runs the model goes through the worker."""

import hashlib
import secrets
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody

from promptfix.pipeline import Pipeline
from promptfix.records import Mode, Prompt, Trace
from promptfix.service import logs, wire
from promptfix.service.failures import Refused, Unknown
from promptfix.service.settings import ServiceSettings
from promptfix.service.worker import Worker

AnyRequest = Request[Any, Any, Any]
MODES: tuple[Mode, ...] = ("off", "detect", "repair")
STARTED = 1_763_700_000
"""OpenAI's clients want to know when a model was created; any fixed moment does."""


@post("/chat/completions", status_code=200)
async def chat(
    data: JSONBody[wire.ChatRequest],
    request: AnyRequest,
    worker: NamedDependency[Worker],
    settings: NamedDependency[ServiceSettings],
) -> Response[wire.Json]:
    """Repair the user's turn where the model would misread it, and answer."""
    prompt, sampling = data.prompt(), data.sampling(settings.max_tokens)
    wishes = data.promptfix or wire.Wishes()
    mode = _mode(request, wishes.mode, settings)
    trace = await worker.run(lambda pipe: pipe.answer(prompt, mode=mode, sampling=sampling))
    logs.served(request.url.path, trace)
    model = model_name(worker.pipeline)
    content = wire.completion(trace, model=model, whole=wishes.trace)
    return Response(content, headers=wire.headers(trace))


@post("/repair", status_code=200)
async def repair(
    data: JSONBody[wire.RepairRequest],
    request: AnyRequest,
    worker: NamedDependency[Worker],
    settings: NamedDependency[ServiceSettings],
) -> Response[Trace]:
    """Diagnose a prompt and rewrite it, without an answer; the whole trace comes back."""
    prompt = Prompt(text=data.prompt, system=data.system)
    mode = _mode(request, data.mode, settings)
    trace = await worker.run(lambda pipe: pipe.repair(prompt, mode=mode))
    logs.served(request.url.path, trace)
    return Response(trace, headers=wire.headers(trace))


@get("/models", sync_to_thread=False)
def models(worker: NamedDependency[Worker]) -> wire.Json:
    """List the model: there is one."""
    return {"object": "list", "data": [wire.model_card(model_name(worker.pipeline), STARTED)]}


@get("/models/{name:path}", sync_to_thread=False)
def model(name: FromPath[str], worker: NamedDependency[Worker]) -> wire.Json:
    """Describe the model. Names may have slashes."""
    known = model_name(worker.pipeline)
    if name.lstrip("/") != known:
        message = f"there is no model of this name; {known} is loaded"
        raise Unknown(message, param="model", code="model_not_found")
    return wire.model_card(known, STARTED)


@get("/healthz", sync_to_thread=False)
def healthz() -> dict[str, str]:
    """Say that the process is alive."""
    return {"status": "alive"}


@get("/readyz", sync_to_thread=False)
def readyz(worker: NamedDependency[Worker]) -> dict[str, str]:
    """Say what is loaded: the model is, before the first connection is taken."""
    pipeline = worker.pipeline
    return {
        "status": "ready",
        "model": model_name(pipeline),
        "lens": pipeline.microscope.lens,
        "library": pipeline.library.digest,
    }


def keyed(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Let in who holds a key, or anybody if none is set. All keys are compared, in one time."""
    settings: ServiceSettings = connection.app.state.settings
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    digest = hashlib.sha256(key.strip().encode()).hexdigest()
    known = [secrets.compare_digest(digest, other) for other in settings.keys]
    if settings.keys and not (scheme.lower() == "bearer" and any(known)):
        raise NotAuthorizedException(
            "the API key is missing or wrong; send it as `Authorization: Bearer KEY`",
            headers={"www-authenticate": "Bearer"},
        )


def model_name(pipeline: Pipeline) -> str:
    """Name the loaded model, as the lens does."""
    lens = pipeline.library.lenses.get(pipeline.microscope.lens)
    return lens.model if lens else pipeline.microscope.lens


def _mode(request: AnyRequest, wished: Mode | None, settings: ServiceSettings) -> Mode:
    """How far to go: as the body says, else the header, else the settings."""
    header = request.headers.get("x-promptfix-mode")
    if wished is None and header is not None:
        wished = next((mode for mode in MODES if mode == header.strip().lower()), None)
        if wished is None:
            message = f"x-promptfix-mode is one of {', '.join(MODES)}"
            raise Refused(message, param="x-promptfix-mode")
    return wished or settings.mode


API = Router("/v1", route_handlers=[chat, repair, models, model], guards=[keyed])
"""What a key is needed for."""
OPEN = [healthz, readyz]
"""What anybody may ask: nothing about the configuration or the requests."""
