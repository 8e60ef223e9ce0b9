"""The servers of bench_gateway: promptfix and its peers, each in front of a server that answers."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2

from eval.common import ROOT
from eval.load import KEY

Running = contextlib.AbstractContextManager["Server"]


class Server(NamedTuple):
    """A running server."""

    name: str
    port: int
    process: subprocess.Popen[bytes]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url: str, process: subprocess.Popen[bytes], patience: float = 240.0) -> None:
    """Poll until the address answers 200. Raises RuntimeError if the server ends or is slow."""
    end = time.monotonic() + patience
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(httpx2.HTTPError):
            if httpx2.get(url).is_success:
                return
        time.sleep(0.5)
    raise RuntimeError(f"{url} does not answer; runs/gateways/ has what its server said")


@contextlib.contextmanager
def running(name: str, port: int, command: list[str], ready: str, **env: str) -> Iterator[Server]:
    """Run a server until the block ends; what it says goes to runs/gateways/."""
    log = ROOT / "runs" / "gateways" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - fixed commands
            command, stdout=out, stderr=out, env=os.environ | env, cwd=ROOT
        )
    try:
        wait_for(f"http://127.0.0.1:{port}{ready}", process)
        yield Server(name, port, process)
    finally:
        process.terminate()
        process.wait(20)


def upstream(first: float = 0.0, every: float = 0.0) -> Running:
    """The server that answers."""
    port = free_port()
    command = [sys.executable, "-m", "eval.fake_upstream", "--port", str(port)]
    command += ["--first-ms", str(first), "--every-ms", str(every)]
    return running("upstream", port, command, "/v1/models")


def promptfix(target: int, mode: str) -> Running:
    """Our own, in front of the server at a port."""
    port = free_port()
    command = [sys.executable, "-m", "promptfix.cli", "serve", "--port", str(port)]
    env = {
        "PROMPTFIX_SERVICE_UPSTREAM": f"http://127.0.0.1:{target}/v1",
        "PROMPTFIX_SERVICE_MODE": mode,
    }
    return running(f"promptfix-{mode}", port, command, "/readyz", **env)


def litellm(target: int, folder: Path) -> Running:
    """LiteLLM's proxy in front of the server at a port, as its documentation sets it up."""
    port = free_port()
    params = {"model": "openai/fake", "api_key": "key", "api_base": f"http://127.0.0.1:{target}/v1"}
    models = [{"model_name": "fake", "litellm_params": params}]
    config = folder / "litellm.yaml"  # JSON is YAML
    config.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": KEY}}))
    command = [peer("litellm", "litellm"), "--config", str(config), "--host", "127.0.0.1"]
    env = {
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    return running("litellm", port, [*command, "--port", str(port)], "/health/liveliness", **env)


def optillm(target: int) -> Running:
    """Optillm in front of the server at a port, with the approach that does nothing."""
    port = free_port()
    command = [peer("optillm", "optillm"), "--approach", "none", "--host", "127.0.0.1"]
    command += ["--base-url", f"http://127.0.0.1:{target}/v1", "--port", str(port)]
    return running("optillm", port, command, "/health", OPENAI_API_KEY="key")


def peer(environment: str, program: str) -> str:
    """The program of a peer. Exits with a sentence where it is not installed."""
    path = ROOT / ".envs" / environment / "bin" / program
    if not path.exists():
        sys.exit(f"{path} is missing; run `make peers`")
    return str(path)
