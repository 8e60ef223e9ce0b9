"""Bind the address, then serve. Everything is loaded before the first connection is taken."""

import socket
import sys

import uvicorn

from promptfix.errors import SettingsError
from promptfix.pipeline import Pipeline
from promptfix.service import logs
from promptfix.service.app import create_app
from promptfix.service.settings import ServiceSettings


def serve(pipeline: Pipeline, settings: ServiceSettings) -> None:
    """Serve until interrupted. Raises SettingsError if the address cannot be had."""
    listening = bind(settings)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"promptfix listens on http://{shown}:{port}/v1", file=sys.stderr, flush=True)
    logs.configure()
    config = uvicorn.Config(
        create_app(pipeline, settings),
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    uvicorn.Server(config).run(sockets=[listening])


def bind(settings: ServiceSettings) -> socket.socket:
    """Take the address. Raises SettingsError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise SettingsError(
            f"{settings.host}:{settings.port} cannot be listened on "
            f"({error.strerror or error}); choose another --host or --port"
        ) from error
