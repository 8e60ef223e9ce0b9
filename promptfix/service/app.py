"""The application: routes, keys, limits and one error shape around a loaded pipeline."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.plugins.pydantic import PydanticPlugin
from litestar.types import Message, Scope

from promptfix.errors import SettingsError
from promptfix.pipeline import Pipeline, Speaker
from promptfix.service.failures import HANDLERS
from promptfix.service.limits import Gate
from promptfix.service.local import Local
from promptfix.service.reading import Reader
from promptfix.service.relaying import Relay
from promptfix.service.requests import request_id
from promptfix.service.routes import ROUTES
from promptfix.service.settings import ServiceSettings
from promptfix.service.state import Backend, Service
from promptfix.service.upstream import Upstream
from promptfix.service.watch import Figures, Watch
from promptfix.service.worker import Worker
from promptfix.store import Retention, Store


def create_app(pipeline: Pipeline, settings: ServiceSettings | None = None) -> Litestar:
    """Put the service together around a pipeline, which belongs to it from now on.

    A prompt that is too long to be looked at goes on unread here, whatever the pipeline's own
    policy: who put the service in front of an app did not ask for new errors.

    Raises SettingsError if the settings ask for what the pipeline cannot do.
    """
    chosen = settings or ServiceSettings()
    policy = replace(pipeline.policy, on_too_long="pass-through")
    service = _service(replace(pipeline, policy=policy), chosen)

    @asynccontextmanager
    async def working(_app: Litestar) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await service.close()

    return Litestar(
        route_handlers=ROUTES,
        dependencies={"service": Provide(lambda: service, sync_to_thread=False)},
        exception_handlers=HANDLERS,
        before_send=[_with_request_id],
        request_max_body_size=chosen.max_body,
        lifespan=[working],
        state=State({"service": service}),
        logging_config=None,
        plugins=[PydanticPlugin(validate_strict=True)],  # "0.5" and true are no numbers
        openapi_config=OpenAPIConfig(
            "promptfix", "1", path="/schema", render_plugins=[JsonRenderPlugin()]
        ),
    )


def _service(pipeline: Pipeline, settings: ServiceSettings) -> Service:
    speaker = pipeline.model
    if not isinstance(speaker, Speaker):
        raise SettingsError("the service needs a model in this process: one that can stream")
    _check_repairs(pipeline, settings)
    gate = Gate(settings.running if settings.upstream else speaker.places, settings.waiting)
    store = _store(settings)
    watch = Watch(settings, Figures(gate, store), store)
    reader = Reader(pipeline, speaker, settings)
    backend: Backend
    if settings.upstream:
        backend = Relay(reader, Upstream(settings), settings, watch)
    else:
        backend = Local(reader, speaker, settings, watch, pipeline.reads)
    spare = Worker("promptfix-spare")
    return Service(settings, pipeline, speaker, reader, backend, gate, watch, spare)


def _check_repairs(pipeline: Pipeline, settings: ServiceSettings) -> None:
    """Raise SettingsError if prompts are to be repaired for models nothing was measured on."""
    wanted = settings.mode == "repair" or settings.canary
    if settings.upstream and wanted and not pipeline.library.calibrated:
        raise SettingsError(
            "no detector was calibrated on an upstream's answers, so prompts for one may only be "
            "looked at; calibrate with `promptfix mine --answers-from`, or serve with mode detect"
        )


def _store(settings: ServiceSettings) -> Store | None:
    if settings.traces is None:
        return None
    retention = Retention(settings.traces_days, settings.traces_bytes)
    return Store(settings.traces, retention, content=settings.content)


async def _with_request_id(message: Message, scope: Scope) -> None:
    """Name the request in every response, those to requests for nothing included."""
    if message["type"] != "http.response.start":
        return
    name = scope.get("state", {}).get("request_id") or request_id(_headers(scope))
    message["headers"] = [*message.get("headers", []), (b"x-request-id", name.encode())]


def _headers(scope: Scope) -> dict[str, str]:
    given: Any = scope.get("headers", [])
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in given}
