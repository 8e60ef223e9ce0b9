"""Other people's programs, each in an environment of its own, against a real `promptfix serve`."""

import os
import sys

import httpx2
import pytest

from eval.gateways import free_port, running

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}
"""Whoever wants to leave this machine finds nobody."""


def pytest_collection_modifyitems(items):
    """All tests of this folder are integration tests."""
    for item in items:
        if "integrations" in item.path.parts:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def offline():
    """The environment of a program that may talk to this machine only."""
    return os.environ | OFFLINE


@pytest.fixture(scope="session")
def service():
    """The address of `promptfix serve` with the embedded model, which answers in a few words."""
    port = free_port()
    command = [sys.executable, "-m", "promptfix.cli", "serve", "--port", str(port)]
    env = OFFLINE | {"PROMPTFIX_SERVICE_MAX_TOKENS": "32"}
    with running("service", port, command, "/readyz", **env):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def actions(service):
    """Count the service's requests by what came of them."""

    def count():
        lines = httpx2.get(f"{service}/metrics").text.splitlines()
        return {
            line.split('action="')[1].split('"')[0]: float(line.split()[-1])
            for line in lines
            if line.startswith("promptfix_requests_total{") and "chat/completions" in line
        }

    return count
