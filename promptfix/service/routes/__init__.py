"""The addresses, by what they are about. Each handler reads, asks the service and answers."""

from litestar import Router

from promptfix.service.keys import keyed
from promptfix.service.routes import (
    answers,
    detectors,
    health,
    litellm,
    models,
    prompts,
    traces,
)

ROUTES = [
    Router(
        "/v1",
        route_handlers=[
            *answers.ROUTES,
            *models.ROUTES,
            *prompts.ROUTES,
            *traces.ROUTES,
            *detectors.ROUTES,
        ],
        guards=[keyed],
    ),
    Router("/beta", route_handlers=litellm.ROUTES, guards=[keyed]),
    *health.ROUTES,
]
