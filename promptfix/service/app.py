"""The application: routes, keys, limits and one error shape around a loaded pipeline."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.plugins.pydantic import PydanticPlugin

from promptfix.pipeline import Pipeline
from promptfix.service.failures import HANDLERS
from promptfix.service.routes import API, OPEN
from promptfix.service.settings import ServiceSettings
from promptfix.service.worker import Worker


def create_app(pipeline: Pipeline, settings: ServiceSettings | None = None) -> Litestar:
    """Put the service together around a pipeline, which belongs to it from now on.

    A prompt that is too long to be looked at goes on unread here, whatever the pipeline's own
    policy: who put the service in front of an app did not ask for new errors.
    """
    chosen = settings or ServiceSettings()
    policy = replace(pipeline.policy, on_too_long="pass-through")
    worker = Worker(replace(pipeline, policy=policy), chosen.waiting)

    @asynccontextmanager
    async def working(_app: Litestar) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            worker.close()

    return Litestar(
        route_handlers=[API, *OPEN],
        dependencies={
            "worker": Provide(lambda: worker, sync_to_thread=False),
            "settings": Provide(lambda: chosen, sync_to_thread=False),
        },
        exception_handlers=HANDLERS,
        request_max_body_size=chosen.max_body,
        lifespan=[working],
        state=State({"settings": chosen}),
        logging_config=None,
        plugins=[PydanticPlugin(validate_strict=True)],  # "0.5" and true are no numbers
        openapi_config=OpenAPIConfig(
            "promptfix", "1", path="/schema", render_plugins=[JsonRenderPlugin()]
        ),
    )
