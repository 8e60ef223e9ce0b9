"""/healthz, /readyz and /metrics."""

from litestar import Response, get
from litestar.di import NamedDependency
from prometheus_client import CONTENT_TYPE_LATEST

from promptfix.service.keys import keyed, operated
from promptfix.service.state import Service


@get("/healthz", sync_to_thread=False)
def healthz() -> dict[str, str]:
    """Say that the process is alive."""
    return {"status": "alive"}


@get("/readyz", sync_to_thread=False)
def readyz(service: NamedDependency[Service]) -> dict[str, str]:
    """Say what is loaded: the model is, before the first connection is taken."""
    pipeline = service.pipeline
    return {
        "status": "ready",
        "model": service.model,
        "lens": pipeline.microscope.lens,
        "library": pipeline.library.digest,
    }


@get("/metrics", sync_to_thread=False, guards=[keyed, operated])
def metrics(service: NamedDependency[Service]) -> Response[bytes]:
    """Figures for Prometheus."""
    return Response(service.watch.figures.text(), media_type=CONTENT_TYPE_LATEST)


ROUTES = [healthz, readyz, metrics]
