"""How far the service goes with a request, who says so, and who may."""

import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptfix.cli import run
from promptfix.errors import SettingsError
from promptfix.pipeline import Pipeline, Policy
from promptfix.service.app import create_app
from promptfix.service.modes import choose, share
from promptfix.service.settings import ServiceSettings
from promptfix.settings import Settings, as_toml
from promptfix.testing import FakeModel
from tests.readme import ROOT, block
from tests.serving import CLIENT, GROSS, QUIET, chat, error, library_of, post, seeing, serving


def pipeline(**policy: object) -> Pipeline:
    """Fakes."""
    return Pipeline(seeing(), FakeModel(), library_of(), Policy(**policy))


def action(url: str, **more: object) -> str:
    """What comes of a prompt that is misread."""
    return post(url, chat(GROSS), **more).headers["x-promptfix-action"]


@given(st.text())
def test_the_canary_decides_by_the_text(text: str) -> None:
    """The same text falls on the same side, and more of a share never takes one out again."""
    modes = [
        choose(None, ServiceSettings(canary=percent, traces=None), text)
        for percent in (0, 30, 60, 100)
    ]
    assert modes == sorted(modes)
    assert (modes[0], modes[-1]) == ("detect", "repair")
    assert 0 <= share(text) < 1


def test_a_canary_share_is_that_share() -> None:
    """Of a thousand prompts about as many as it says; a request's own wish goes before it."""
    settings = ServiceSettings(canary=20, traces=None)
    modes = [choose(None, settings, f"prompt {number}") for number in range(1000)]
    assert 160 <= modes.count("repair") <= 240
    assert choose("off", settings, "prompt") == "off"


def test_overriding_can_be_forbidden() -> None:
    """Another mode is a 403; the one in force may be named."""
    with serving(pipeline(), mode="detect", allow_override=False) as url:
        assert action(url, headers={"x-promptfix-mode": "detect"}) == "detected"
        refused = post(url, chat(GROSS), headers={"x-promptfix-mode": "off"})
        assert (refused.status_code, error(refused)["param"]) == (403, "mode")


def test_a_request_may_want_fewer_notes() -> None:
    """None at all, say; never more than the service allows."""
    with serving(pipeline(max_annotations=1)) as url:

        def notes(most: int) -> int:
            told = post(url, chat(GROSS, promptfix={"max_annotations": most})).json()["promptfix"]
            return len(told["annotations"])

        assert (notes(0), notes(1), notes(9)) == (0, 1, 1)


def test_single_detectors_are_switched_while_serving() -> None:
    """One that misbehaves in production is off at once, and can be on again."""
    with serving(pipeline()) as url:
        where = f"{url}/v1/promptfix/detectors"
        assert CLIENT.get(where).json()["data"][0]["enabled"] is True
        assert CLIENT.patch(f"{where}/unit", json={"enabled": False}).json()["enabled"] is False
        assert action(url) == "none"
        assert CLIENT.get(where).json()["data"][0]["enabled"] is False
        CLIENT.patch(f"{where}/unit", json={"enabled": True})
        assert action(url) == "repaired"
        assert CLIENT.patch(f"{where}/other", json={"enabled": False}).status_code == 404


def test_operators_are_others_than_those_who_ask() -> None:
    """A key for asking neither sees traces and figures nor switches detectors."""
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("app", "boss")}
    chosen = {"keys": {digests["app"]}, "operators": {digests["boss"]}}
    with serving(pipeline(), **chosen) as url:

        def status(key: str, path: str) -> int:
            headers = {"authorization": f"Bearer {key}"}
            return CLIENT.get(f"{url}{path}", headers=headers).status_code

        for path in ("/metrics", "/v1/promptfix/traces"):
            assert (status("no", path), status("app", path)) == (401, 403)
        assert status("boss", "/metrics") == status("boss", "/v1/models") == 200


def test_requests_are_named() -> None:
    """By the caller's id if it is a plain one, in every response, also to what is not there."""
    with serving(pipeline()) as url:
        for path in ("/v1/nothing", "/healthz", "/v1/chat/completions"):
            given = {"x-request-id": "from-me.1"}
            assert CLIENT.get(url + path, headers=given).headers["x-request-id"] == "from-me.1"
        minted = CLIENT.get(f"{url}/healthz", headers={"x-request-id": b"a b\xe9"}).headers
        assert len(minted["x-request-id"]) == 32
        assert post(url, chat(QUIET)).headers.get_list("x-request-id", split_commas=True)[1:] == []


def test_figures() -> None:
    """Requests, findings, tokens, steps, failures and the queue are counted."""
    with serving(pipeline()) as url:
        post(url, chat(GROSS))
        post(url, chat(QUIET))
        post(url, {"prompt": "x"}, path="completions")
        post(url, chat(7))
        said = CLIENT.get(f"{url}/metrics").text
    for line in (
        'promptfix_requests_total{action="repaired",path="chat/completions"} 1.0',
        'promptfix_requests_total{action="none",path="chat/completions"} 1.0',
        'promptfix_requests_total{action="skipped",path="completions"} 1.0',
        'promptfix_findings_total{detector="unit@1"} 1.0',
        'promptfix_failures_total{kind="Refused"} 1.0',
        'promptfix_step_seconds_count{step="read"} 2.0',
        "promptfix_waiting 0.0",
        "promptfix_running 0.0",
    ):
        assert line in said
    assert 'promptfix_tokens_total{use="annotation"}' in said


def test_one_file_the_environment_and_flags(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is stronger than the one before, and what is printed can be read again."""
    file = tmp_path / "promptfix.toml"
    file.write_text(
        'disabled = ["a"]\n[service]\nport = 1\nwaiting = 2\nmode = "off"\ncontent = true\n'
    )
    monkeypatch.setenv("PROMPTFIX_SERVICE_PORT", "3")
    monkeypatch.setenv("PROMPTFIX_SERVICE_MODE", "detect")
    monkeypatch.setenv("PROMPTFIX_SERVICE_UPSTREAM_KEY", "a secret")
    arguments = ["serve", "--config", str(file), "--mode", "repair", "--traces", "none"]
    assert run([*arguments, "--print-config"]) == 0
    printed = capsys.readouterr().out
    assert "a secret" not in printed
    again = tmp_path / "again.toml"
    again.write_text(printed)
    for name in ("PORT", "MODE", "UPSTREAM_KEY"):
        monkeypatch.delenv(f"PROMPTFIX_SERVICE_{name}")
    service = ServiceSettings.read(again)
    assert service.traces is None
    assert (service.port, service.waiting, service.mode) == (3, 2, "repair")
    assert service.content is True
    assert Settings.read(again).disabled == {"a"}
    assert as_toml(Settings.read(again)) in printed


def test_the_readmes_settings_are_settings(tmp_path: Path) -> None:
    """The example can be served as it stands."""
    file = tmp_path / "promptfix.toml"
    file.write_text(block("toml", "[service]"))
    service, settings = ServiceSettings.read(file, traces=None), Settings.read(file)
    assert service.reading_seconds == 1
    create_app(pipeline(disabled=settings.disabled), service)


def test_the_readmes_addresses_are_there() -> None:
    """Every address of its table is one of the document's."""
    table = (ROOT / "README.md").read_text("utf-8").partition("| address |")[2].partition("\n\n")[0]
    with serving(pipeline()) as url:
        known = set(CLIENT.get(f"{url}/schema/openapi.json").json()["paths"])
    named = set(re.findall(r"(?:GET|POST) (/[\w/.]+)", table)) - {"/schema/openapi.json"}
    assert len(named) > 6
    assert named <= known


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[service]\nprt = 1\n", "service.prt"),
        ("service = 1\n", "is a table"),
        ("[servce]\nport = 1\n", "servce"),
        ("[service]\nport = 70000\n", "port"),
        ('[service]\nmode = "off"\ncanary = 5.0\n', "canary"),
        ('[service]\noperators = ["' + "0" * 64 + '"]\n', "operators"),
        ('[service]\nupstream = "ftp://x"\n', "upstream"),
    ],
)
def test_a_wrong_setting_is_an_error(tmp_path: Path, content: str, message: str) -> None:
    """A misspelt or impossible one is never silently without effect."""
    file = tmp_path / "promptfix.toml"
    file.write_text(content)
    with pytest.raises(SettingsError, match=message):
        Settings.read(file)
        ServiceSettings.read(file)
