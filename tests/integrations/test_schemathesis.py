"""Schemathesis makes up requests from the OpenAPI document, sensible and not."""

import re
import subprocess

from eval.gateways import peer

LEAST = 1000


def test_no_request_breaks_the_service(service, offline, tmp_path):
    """At least a thousand cases, and no 5xx."""
    command = [peer("schemathesis", "schemathesis"), "run", f"{service}/schema/openapi.json"]
    options = "--checks not_a_server_error --max-examples 60 --generation-deterministic"
    done = subprocess.run(  # noqa: S603 - an environment of our own
        [*command, *options.split()],
        env=offline,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    told = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert done.returncode == 0, done.stdout[-6000:]
    assert told is not None, done.stdout[-3000:]
    assert int(told[1]) >= LEAST
    assert told[1] == told[2]
