"""Traces are kept, found, forgotten and labelled; nothing acknowledged is ever lost."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from promptfix import store as stores
from promptfix.errors import SettingsError
from promptfix.pipeline import Pipeline
from promptfix.records import Trace
from promptfix.store import Retention, Store, labelled
from promptfix.testing import FakeModel
from tests.serving import (
    CLIENT,
    GROSS,
    QUIET,
    ROOT,
    Model,
    chat,
    error,
    library_of,
    post,
    seeing,
    serving,
)


def made(text: str = GROSS) -> Trace:
    """A trace."""
    return Pipeline(seeing(), FakeModel(), library_of()).answer(text)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where traces are kept."""
    return tmp_path / "state" / "traces.sqlite"


@pytest.fixture
def url(file: Path) -> Iterator[str]:
    """A service that keeps traces."""
    with serving(Pipeline(seeing(), FakeModel(), library_of()), traces=file) as address:
        yield address


def test_a_trace_is_kept_without_texts(url: str, file: Path) -> None:
    """It is there as soon as the answer is; no prompt, note or answer is in the file."""
    name = post(url, chat(GROSS)).headers["x-promptfix-trace-id"]
    found = CLIENT.get(f"{url}/v1/promptfix/traces/{name}").json()
    assert (found["id"], found["action"], found["path"]) == (name, "repaired", "chat/completions")
    assert found["trace"]["findings"][0]["detector"] == "unit@1"
    assert found["trace"]["repair"]["edits"][0]["annotation"].startswith("unit-word-")
    assert found["trace"]["answer"]["completion_tokens"] > 0
    content = b"".join(path.read_bytes() for path in file.parent.iterdir())
    assert b"pencils" not in content
    assert b"gross" not in content
    assert not re.search(rb"(?<![\w.])144(?![\w.])", content)  # in an id or a time it is chance


def test_an_answer_that_was_not_taken_is_kept_without_its_text(file: Path) -> None:
    """Neither it nor the one given instead; that it was withdrawn is."""
    model = FakeModel(lambda text: "2 * 17 = 34" if "[Note:" in text else "so 5678 of them")
    with serving(Pipeline(seeing(), model, library_of()), traces=file) as url:
        headers = post(url, chat(GROSS)).headers
        name = headers["x-promptfix-trace-id"]
        found = CLIENT.get(f"{url}/v1/promptfix/traces/{name}").json()
    assert found["action"] == headers["x-promptfix-action"] == "withdrawn"
    assert found["trace"]["strayed"]["completion_tokens"] == 5
    content = b"".join(path.read_bytes() for path in file.parent.iterdir())
    assert b"5678" not in content
    assert b"2 * 17" not in content


def test_texts_are_kept_only_if_asked_for(file: Path) -> None:
    """Then the trace is the very trace."""
    pipeline = Pipeline(seeing(), FakeModel(), library_of())
    with serving(pipeline, traces=file, content=True) as url:
        body = post(url, chat(GROSS, promptfix={"trace": True})).json()["promptfix"]
        kept = CLIENT.get(f"{url}/v1/promptfix/traces/{body['trace_id']}").json()
    assert Trace.model_validate(kept["trace"]) == Trace.model_validate(body["trace"])


def test_traces_are_listed_and_forgotten(url: str) -> None:
    """The newest first, a page at a time, of one action if asked."""
    names = [
        post(url, chat(text)).headers["x-promptfix-trace-id"] for text in (GROSS, QUIET, QUIET)
    ]
    where = f"{url}/v1/promptfix/traces"

    def listed(**query: object) -> list[str]:
        return [row["id"] for row in CLIENT.get(where, params=query).json()["data"]]

    assert listed() == names[::-1]
    assert listed(limit=2) == names[:0:-1]
    assert CLIENT.get(where, params={"limit": 2}).json()["has_more"] is True
    assert listed(before=names[1]) == names[:1]
    assert listed(action="repaired") == names[:1]
    assert CLIENT.delete(f"{where}/{names[0]}").json()["deleted"] is True
    assert listed() == names[:0:-1]
    for response in (
        CLIENT.get(f"{where}/{names[0]}"),
        CLIENT.delete(f"{where}/{names[0]}"),
        CLIENT.post(f"{where}/{names[0]}/feedback", json={"correct": True}),
    ):
        assert (response.status_code, error(response)["code"]) == (404, "not_found")
    assert CLIENT.get(where, params={"limit": 0}).status_code == 400


def test_feedback_labels_a_trace(file: Path) -> None:
    """And survives the trace being written again; only traces with texts are of use."""
    pipeline = Pipeline(seeing(), FakeModel(), library_of())
    with serving(pipeline, traces=file, content=True) as url:
        name = post(url, chat(GROSS)).headers["x-promptfix-trace-id"]
        told = {"correct": False, "expected": "288"}
        where = f"{url}/v1/promptfix/traces/{name}"
        assert CLIENT.post(f"{where}/feedback", json=told).json()["correct"] is False
        assert CLIENT.get(where).json()["expected"] == "288"
        assert CLIENT.post(f"{where}/feedback", json={"correct": "no"}).status_code == 400
        post(url, chat(QUIET))
    (label,) = labelled(file)
    assert (label.prompt, label.correct, label.expected) == (GROSS, False, "288")
    assert label.answer.startswith("heard: ")


def test_without_a_store_there_are_no_traces() -> None:
    """The addresses say how to have them; the header says that nothing was kept."""
    with serving(Pipeline(seeing(), FakeModel(), library_of())) as url:
        assert "--traces" in error(CLIENT.get(f"{url}/v1/promptfix/traces"))["message"]
        assert post(url, chat(QUIET)).headers["x-promptfix-trace-stored"] == "false"


def test_the_header_says_what_is_on_disk(file: Path) -> None:
    """`stored` is said where the disk is quicker than the answer, and then others find it there."""
    model = Model(say=lambda _: "yes")
    with serving(Pipeline(seeing(), model, library_of()), traces=file) as url:
        other, told = sqlite3.connect(file), []
        for number in range(30):
            model.wait = partial(time.sleep, 20 * stores.PAUSE if number < 5 else 0)
            headers = post(url, chat(QUIET)).headers
            told.append(headers["x-promptfix-trace-stored"])
            if told[-1] == "true":
                asked = "select 1 from traces where id = ?"
                assert other.execute(asked, [headers["x-promptfix-trace-id"]]).fetchone()
        other.close()
    assert told[:5] == ["true"] * 5


def test_old_traces_are_forgotten(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By age, and by size the oldest first; the file does not grow much beyond."""
    monkeypatch.setattr(stores, "PRUNE_EVERY", 20)
    store = Store(file, Retention(days=1, size=200_000), content=True)
    old, new = made(), made()
    store.put(old).result()
    with sqlite3.connect(file) as other:
        other.execute("update traces set created = created - 90000")
    store.put(new).result()
    store._thread.submit(store._prune).result()
    assert store.get(old.id).result() is None
    assert store.get(new.id).result() is not None
    many = [made(f"{QUIET} {number} {'x' * 1000}") for number in range(300)]
    for trace in many:
        store.put(trace).result()
    store._thread.submit(store._prune).result()
    assert store.get(many[0].id).result() is None
    assert store.get(many[-1].id).result() is not None
    store.close()
    assert file.stat().st_size < 400_000


def test_what_is_too_old_goes_without_anything_new(file: Path) -> None:
    """Nobody has to ask for an answer, or for a trace."""
    store = Store(file, Retention(days=0.5 / 86_400))
    old = made()
    store.put(old).result()
    assert store.get(old.id).result() is not None
    time.sleep(1)
    assert store.get(old.id).result() is None
    store.close()


def test_large_traces_are_forgotten_as_they_come(file: Path) -> None:
    """However few they are, the file does not grow much beyond what may be kept."""
    store, largest = Store(file, Retention(size=200_000), content=True), 0
    for number in range(40):
        store.put(made(f"{number} {'x' * 20_000}")).result()
        store.get("").result()  # after what is forgotten
        largest = max(largest, sum(path.stat().st_size for path in file.parent.iterdir()))
    assert largest < 600_000
    store.close()


def test_traces_are_for_their_owner_only(file: Path) -> None:
    """The file, what SQLite puts beside it, and the folder that was made for them."""
    store = Store(file)
    store.put(made()).result()
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in file.parent.iterdir()} == {0o600}
    store.close()


def test_what_is_forgotten_is_gone_from_the_disk(file: Path) -> None:
    """Not only from the table: no file holds a word of it, while the store is open."""
    store, trace = Store(file, content=True), made("Secretword gross?")
    store.put(trace).result()
    store.put(made(QUIET)).result()
    store.update(trace).result()
    assert store.delete(trace.id).result()
    assert b"Secretword" not in b"".join(path.read_bytes() for path in file.parent.iterdir())
    store.close()


def test_a_trace_that_is_forgotten_does_not_come_back(file: Path) -> None:
    """Also if that is done while it is answered: what is told of it then has no place any more."""
    model, go = Model(), threading.Event()
    model.wait = lambda: go.wait(10)
    with serving(Pipeline(seeing(), model, library_of()), traces=file) as url:
        where = f"{url}/v1/chat/completions"
        with CLIENT.stream("POST", where, json=chat(QUIET, stream=True)) as response:
            trace = f"{url}/v1/promptfix/traces/{response.headers['x-promptfix-trace-id']}"
            assert CLIENT.delete(trace).is_success
            go.set()
            response.read()
        assert CLIENT.get(trace).status_code == 404


def test_what_cannot_be_written_takes_no_others_along(file: Path) -> None:
    """A name that is no text is lost with its trace, and counted; all else of a batch is kept."""
    store, (bad, *good) = Store(file), [made() for _ in range(4)]
    tickets = [store.put(good[0]), store.put(bad, model="\ud800"), *map(store.put, good[1:])]
    assert all(store.get(trace.id).result() for trace in good)
    assert store.get(bad.id).result() is None
    assert store.lost == 1
    assert isinstance(tickets[1].exception(), ValueError)
    store.close()


def test_a_failing_disk_fails_no_request(url: str, file: Path) -> None:
    """What cannot be kept is lost and counted, and answers come as ever."""
    with sqlite3.connect(file) as other:
        other.execute("drop table traces")
    assert post(url, chat(GROSS)).is_success
    assert post(url, chat(GROSS)).is_success
    time.sleep(0.2)
    figures = CLIENT.get(f"{url}/metrics").text
    assert float(re.search(r"^promptfix_traces_lost (\S+)", figures, re.MULTILINE)[1]) >= 2


def test_a_full_queue_loses_traces_at_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Handing one over never waits for the disk."""
    monkeypatch.setattr(stores, "PENDING", 3)
    store, go = Store(file), threading.Event()
    store._thread.submit(go.wait)
    tickets = [store.put(made()) for _ in range(5)]
    assert store.lost == 2
    assert [bool(ticket.done() and ticket.exception()) for ticket in tickets[3:]] == [True, True]
    go.set()
    store.close()
    assert tickets[0].result() is None


def test_a_file_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    """What cannot be opened is said, with what to do."""
    wrong = tmp_path / "notes.txt"
    wrong.write_text("no database " * 100)
    for path in (wrong, tmp_path):
        with pytest.raises(SettingsError, match="name another file"):
            Store(path)
    with pytest.raises(SettingsError):
        labelled(tmp_path / "nowhere")


def test_what_is_anothers_is_left_as_it_is(tmp_path: Path) -> None:
    """A database without traces is refused, and not a byte of it changed."""
    other = tmp_path / "other's 100%.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    connection.close()
    before = other.read_bytes()
    with pytest.raises(SettingsError, match="holds no traces"):
        labelled(other)
    assert other.read_bytes() == before
    assert list(tmp_path.iterdir()) == [other]


SERVE = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from promptfix.pipeline import Pipeline
from promptfix.service.serving import serve
from promptfix.service.settings import ServiceSettings
from promptfix.testing import FakeModel
from tests.serving import library_of, seeing
settings = ServiceSettings.read(port=0, traces=Path(sys.argv[1]))
serve(Pipeline(seeing(), FakeModel(), library_of()), settings)
"""


def test_a_killed_service_loses_nothing_that_was_acknowledged(file: Path, tmp_path: Path) -> None:
    """Kill -9 amid writes; then all that was said to be stored, or was read back, is there."""
    log = tmp_path / "log"
    with (
        log.open("w") as err,
        subprocess.Popen([sys.executable, "-c", SERVE, str(file)], stderr=err) as process,  # noqa: S603
    ):
        deadline = time.monotonic() + 60
        while "/v1" not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        url = log.read_text().split()[3].removesuffix("/v1")
        known: set[str] = set()
        ended = threading.Event()
        askers = [threading.Thread(target=_ask_on, args=(url, known, ended)) for _ in range(4)]
        for asker in askers:
            asker.start()
        time.sleep(1.5)
        os.kill(process.pid, signal.SIGKILL)
        ended.set()
        for asker in askers:
            asker.join()
    assert len(known) > 20
    store = Store(file)
    assert [name for name in known if store.get(name).result() is None] == []
    store.close()
    with sqlite3.connect(file) as other:
        assert other.execute("pragma integrity_check").fetchone() == ("ok",)


def _ask_on(url: str, known: set[str], ended: threading.Event) -> None:
    """Ask until the service is gone, and remember what it acknowledged."""
    while not ended.is_set():
        try:
            headers = post(url, chat(GROSS)).headers
            name = headers["x-promptfix-trace-id"]
            if headers["x-promptfix-trace-stored"] == "true":
                known.add(name)
            found = CLIENT.get(f"{url}/v1/promptfix/traces/{name}")
            if found.is_success and json.loads(found.content)["id"] == name:
                known.add(name)
        except OSError:
            return
        except Exception as error:  # noqa: BLE001 - the service is killed while it answers
            assert "httpx2" in type(error).__module__
            return
