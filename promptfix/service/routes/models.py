"""GET /v1/models and /v1/models/{id}."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from promptfix.service.routes.named import AnyRequest
from promptfix.service.spec import ERRORS, FOUND
from promptfix.service.state import Service


@get("/models", responses=FOUND | ERRORS)
async def models(request: AnyRequest, service: NamedDependency[Service]) -> Response[Any]:
    """List the models that answer: the loaded one, or the upstream's."""
    return await service.backend.models(dict(request.headers))


@get("/models/{name:path}", responses=FOUND | ERRORS)
async def model(
    name: FromPath[str], request: AnyRequest, service: NamedDependency[Service]
) -> Response[Any]:
    """Describe a model. Names may have slashes."""
    return await service.backend.model(name.removeprefix("/"), dict(request.headers))


ROUTES = [models, model]
