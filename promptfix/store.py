"""Traces in a SQLite file. One thread owns the file; who hands over a trace never waits for it.

A trace is kept once the future that `put` returned is done, or once reading gave it back: then
neither a killed process nor a power failure loses it. Reading comes after all that was handed
over before it. If the disk fails or falls behind, traces are lost and counted; nobody is told off.

Texts (prompts, notes, answers) are kept only if that is asked for.
"""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import connect
from threading import Event, Lock, Thread
from typing import Any, NamedTuple, TypeAlias, TypeVar

from sqlalchemy import (
    URL,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Float,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    func,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool, StaticPool

from promptfix.errors import SettingsError
from promptfix.records import Trace

T = TypeVar("T")
Json: TypeAlias = dict[str, Any]
PENDING = 10_000
"""Traces that may wait for the disk; further ones are lost."""
PRUNE_EVERY = 500
"""Traces after which it is time to look for what is too old or too much. So it is after a tenth of
the bytes that may be kept, and after a hundredth of the days, or an hour."""
PAUSE = 0.005
"""Seconds in which more traces may come before those that wait are written, all at once."""
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",
    "PRAGMA busy_timeout = 5000",
)
_TEXTS: Any = {
    "prompt": True,
    "failure": True,
    "answer": {"text"},
    "strayed": {"text"},
    "original_answer": {"text"},
    "repair": {"original": True, "repaired": True, "edits": {"__all__": {"text"}}},
}
"""What of a trace says what somebody wrote, or may do so."""

_META = MetaData()
TRACES = Table(
    "traces",
    _META,
    Column("id", String, primary_key=True),
    Column("created", Float, nullable=False, index=True),
    Column("path", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("model", String, nullable=False),
    Column("action", String, nullable=False),
    Column("correct", Boolean),
    Column("expected", String),
    Column("trace", String, nullable=False),
)


def _upsert() -> Any:
    made = insert(TRACES)
    new = {name: made.excluded[name] for name in ("action", "trace")}
    return made.on_conflict_do_update(index_elements=[TRACES.c.id], set_=new)


_UPSERT = _upsert()  # making it takes longer than running it
_UPDATE = update(TRACES).where(TRACES.c.id == bindparam("name"))


class Labelled(NamedTuple):
    """A prompt that somebody said the truth about."""

    id: str
    prompt: str
    """As it came, without notes."""
    answer: str
    correct: bool
    expected: str | None
    """What the right answer would have been."""


@dataclass(frozen=True)
class Retention:
    """How long and how much is kept. What is forgotten makes room in the file."""

    days: float = 30.0
    size: int = 200_000_000
    """Bytes."""

    @property
    def pause(self) -> float:
        """Seconds between two looks at what is too old."""
        return min(3600.0, 864 * self.days)


class Store:
    """Keeps traces in a file. Every method but `close` returns at once, with a future."""

    def __init__(
        self, path: Path, retention: Retention | None = None, *, content: bool = False
    ) -> None:
        """Open the file or make it. Raises SettingsError."""
        self.lost = 0
        """How many traces could not be kept."""
        self._retention, self._content = retention or Retention(), content
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="promptfix-store")
        self._lock = Lock()
        self._pending: list[Json] = []
        self._flushing: Future[None] | None = None
        self._since = self._written = 0
        self._closed = Event()
        try:
            self._engine = self._thread.submit(_open, path).result()
        except (SQLAlchemyError, OSError) as error:
            reason = getattr(error, "orig", None) or error
            raise SettingsError(
                f"traces cannot be kept in {path} ({reason}); name another file, or none"
            ) from error
        Thread(target=self._age, name="promptfix-age", daemon=True).start()

    def put(
        self, trace: Trace, *, path: str = "", request_id: str = "", model: str = ""
    ) -> Future[None]:
        """Keep a trace, in place of an earlier one of the same id."""
        new = {"created": time.time(), "path": path, "request_id": request_id, "model": model[:200]}
        return self._hand_over(new | _changing(trace))

    def update(self, trace: Trace) -> Future[None]:
        """Keep what has become of a trace, unless it was forgotten meanwhile."""
        return self._hand_over(_changing(trace))

    def _hand_over(self, row: Json) -> Future[None]:
        with self._lock:
            if len(self._pending) >= PENDING:
                self.lost += 1
                return _failed()
            self._pending.append(row)
            if self._flushing is None:
                try:
                    self._flushing = self._thread.submit(self._flush)
                except RuntimeError:  # closed
                    return _failed()
            return self._flushing

    def get(self, name: str) -> Future[Json | None]:
        """One trace, as JSON."""

        def look(connection: Connection) -> Json | None:
            asked = select(TRACES).where(TRACES.c.id == name)
            row = connection.execute(asked).mappings().first()
            return None if row is None else dict(row) | {"trace": json.loads(row["trace"])}

        return self._do(look)

    def list(
        self, limit: int, before: str | None = None, action: str | None = None
    ) -> Future[list[Json]]:
        """The newest traces in short, `before` (an id) and older ones only."""
        columns = [column for column in TRACES.c if column.name != "trace"]
        asked = select(*columns).order_by(TRACES.c.created.desc(), TRACES.c.id).limit(limit)
        if action is not None:
            asked = asked.where(TRACES.c.action == action)
        if before is not None:
            since = select(TRACES.c.created).where(TRACES.c.id == before).scalar_subquery()
            asked = asked.where(TRACES.c.created < since)
        return self._do(lambda connection: [dict(r) for r in connection.execute(asked).mappings()])

    def delete(self, name: str) -> Future[bool]:
        """Forget a trace; False if there is none."""
        return self._thread.submit(self._forget, TRACES.c.id == name)

    def feedback(self, name: str, *, correct: bool, expected: str | None = None) -> Future[bool]:
        """Note whether the answer of a trace was right; False if there is no such trace."""
        told = update(TRACES).where(TRACES.c.id == name).values(correct=correct, expected=expected)
        return self._do(lambda connection: connection.execute(told).rowcount > 0)

    def close(self) -> None:
        """Keep what was handed over, and close the file."""
        self._closed.set()
        self._thread.submit(self._engine.dispose)
        self._thread.shutdown(wait=True)

    def _do(self, work: Callable[[Connection], T]) -> Future[T]:
        def go() -> T:
            with self._engine.begin() as connection:
                return work(connection)

        return self._thread.submit(go)

    def _flush(self) -> None:
        """Write all that waits, in one transaction, but for rows that cannot be written."""
        time.sleep(PAUSE)
        waiting: dict[str, Json] = {}
        with self._lock:
            for row in self._pending:
                waiting[row["id"]] = waiting.get(row["id"], {}) | row  # of one trace the last
            self._pending, self._flushing = [], None
        rows = [row for row in map(self._row, waiting.values()) if row]
        wrong = len(waiting) - len(rows)
        self.lost += wrong
        new = [row for row in rows if "created" in row]
        changed = [{"name": row.pop("id"), **row} for row in rows if "created" not in row]
        try:
            with self._engine.begin() as connection:
                for statement, some in ((_UPSERT, new), (_UPDATE, changed)):
                    if some:
                        connection.execute(statement, some)
        except Exception:
            self.lost += len(rows)
            raise
        self._since += len(rows)
        self._written += sum(len(row["trace"]) for row in rows)
        if self._since >= PRUNE_EVERY or self._written >= self._retention.size / 10:
            self._look_again()
        if wrong:  # whoever waits for one of these cannot be told apart
            raise ValueError(f"{wrong} traces cannot be written")

    def _row(self, row: Json) -> Json | None:
        """The row as it is written; None if there is text in it that is none: half a character."""
        try:
            made = row | {"trace": kept(row["trace"], content=self._content)}
            "".join(value for value in made.values() if isinstance(value, str)).encode()
        except ValueError:
            return None
        return made

    def _age(self) -> None:
        """Look for what has become too old, also where nothing new comes."""
        while True:
            self._look_again()
            if self._closed.wait(self._retention.pause):
                return

    def _look_again(self) -> None:
        with suppress(RuntimeError):  # closed meanwhile
            self._thread.submit(self._prune)

    def _prune(self) -> None:
        """Forget what is too old, and the oldest of what is too much."""
        if self._closed.is_set():
            return
        self._since = self._written = 0
        self._forget(TRACES.c.created < time.time() - 86_400 * self._retention.days)
        while _size(self._engine) > self._retention.size:
            with self._engine.begin() as connection:
                count = connection.execute(select(func.count()).select_from(TRACES)).scalar_one()
            some = select(TRACES.c.id).order_by(TRACES.c.created).limit(count // 10 + 1)
            if not self._forget(TRACES.c.id.in_(some)):
                return

    def _forget(self, which: ColumnElement[bool]) -> bool:
        """Delete traces, from SQLite's log of writes too; False if there are none."""
        with self._engine.begin() as connection:
            gone = connection.execute(delete(TRACES).where(which)).rowcount > 0
        if gone:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone


def kept(trace: Trace, *, content: bool) -> str:
    """A trace as it is kept: JSON, without the texts unless `content` says so."""
    return trace.model_dump_json(exclude=None if content else _TEXTS)


def labelled(path: Path) -> list[Labelled]:
    """The traces of a file that have feedback and texts. Raises SettingsError."""
    if not path.is_file():
        raise SettingsError(f"{path} is no file; name the one that `promptfix serve` keeps")
    # Whose file it is will only show: nothing may be written into it.
    uri = f"{path.absolute().as_uri()}?mode=ro"
    engine = create_engine("sqlite://", creator=lambda: connect(uri, uri=True), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            rows = connection.execute(select(TRACES).where(TRACES.c.correct.is_not(None))).all()
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", None) or error
        raise SettingsError(f"{path} holds no traces of promptfix ({reason})") from error
    told = ((row, json.loads(row.trace)) for row in rows)
    return [
        Labelled(
            row.id, trace["prompt"]["text"], trace["answer"]["text"], row.correct, row.expected
        )
        for row, trace in told
        if "prompt" in trace and trace.get("answer")
    ]


def _open(path: Path) -> Engine:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite's own would be for all to read
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=StaticPool,
        connect_args={"check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
        for pragma in _PRAGMAS:
            connection.execute(pragma)

    _META.create_all(engine)
    return engine


def _changing(trace: Trace) -> Json:
    return {"id": trace.id, "action": trace.action, "trace": trace}


def _size(engine: Engine) -> int:
    """How many bytes of the file are in use."""
    with engine.connect() as connection:
        pages, free, size = (
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("page_count", "freelist_count", "page_size")
        )
    return (pages - free) * size


def _failed() -> Future[None]:
    future: Future[None] = Future()
    future.set_exception(OSError("the trace was not kept"))
    return future
