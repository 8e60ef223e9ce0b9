"""The model that reads also answers: one prefill, and tokens go out as they are written."""

from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from time import perf_counter
from typing import Any, NamedTuple

from litestar import Response

from promptfix.pipeline import Input, Speaker, joined
from promptfix.records import Answer, Piece, Prompt, Score
from promptfix.rewriting import MAX_NOTE
from promptfix.service import replies, sse
from promptfix.service.failures import Unknown
from promptfix.service.reading import Reader, Seen, check_length
from promptfix.service.replies import Choice, Envelope, Json
from promptfix.service.requests import Asked, check_answers
from promptfix.service.settings import ServiceSettings
from promptfix.service.watch import Watch
from promptfix.service.work import Work, work
from promptfix.service.worker import Worker

RAW = "raw text has no user's turn, and nothing else is looked at; send a chat"


class Written(NamedTuple):
    """A piece of one of the answers; with `echo`, the first is the prompt."""

    answer: int
    """Which of them."""
    piece: Piece
    scores: Sequence[Score] = ()


@dataclass(frozen=True)
class _Job:
    asked: Asked
    work: Work
    seen: Seen | None
    inputs: tuple[Input, ...]
    tokens: int
    """Of all inputs together."""
    envelope: Envelope
    started: float = field(default_factory=perf_counter)
    only: frozenset[int] | None = None
    """Which of the answers to write; None is all."""
    written: Sequence[Written] | None = None
    """All of it, where answers had to be judged before anything was said."""

    def choice(self, some: Sequence[Written], offset: int = 0) -> Choice:
        """Pieces of one answer as a choice, or as a part of one."""
        scores = [score for written in some for score in written.scores]
        wanted = self.work.sampling.logprobs is not None
        text = "".join(written.piece.text for written in some)
        finish = some[-1].piece.finish
        return Choice(some[0].answer, text, finish, scores if wanted else None, offset)

    def usage(self, written: Sequence[Written]) -> Json:
        """How many tokens were read and written."""
        noted = self.seen.annotation_tokens if self.seen else 0
        wrote = sum(some[-1].piece.tokens for some in _by_answer(written))
        return replies.usage(self.tokens, wrote, noted, self.asked.kind)


class Local:
    """Answers with the loaded model, as many requests at a time as it takes together."""

    def __init__(
        self, reader: Reader, speaker: Speaker, settings: ServiceSettings, watch: Watch, name: str
    ) -> None:
        """Answer with this model, which is called `name`."""
        self._reader, self._speaker, self._settings = reader, speaker, settings
        self._watch, self._name = watch, name
        self._worker = Worker("promptfix-write", speaker.places)

    async def answer(self, asked: Asked, stack: AsyncExitStack) -> Response[Any]:
        """Answer a request. What `stack` holds is given back when the response is sent."""
        todo = work(asked, self._settings.max_tokens)
        check_answers(len(todo.inputs), todo.n, self._settings.max_n)
        seen = await self._look(asked, todo.inputs[0])
        inputs = todo.inputs if seen is None else (_in_force(todo.inputs[0], seen),)
        noted = seen.annotation_tokens if seen else 0
        tokens = await self._worker.run(lambda: sum(self._count(one, noted) for one in inputs))
        envelope = Envelope.new(asked.kind, seen.trace.id if seen else asked.id, self._name)
        job = _Job(asked, todo, seen, inputs, tokens, envelope)
        return self._streamed(job, stack) if todo.stream else await self._whole(job)

    async def models(self, headers: Mapping[str, str]) -> Response[Any]:  # noqa: ARG002
        """List the model: there is one."""
        return Response({"object": "list", "data": [replies.model_card(self._name)]})

    async def model(self, name: str, headers: Mapping[str, str]) -> Response[Any]:  # noqa: ARG002
        """Describe the model. Raises Unknown if it is called otherwise."""
        if name != self._name:
            message = f"there is no model of this name; {self._name} is loaded"
            raise Unknown(message, param="model", code="model_not_found")
        return Response(replies.model_card(self._name))

    async def close(self) -> None:
        """Stop answering."""
        self._worker.close()

    async def _look(self, asked: Asked, prompt: Input) -> Seen | None:
        """Look at a turn; raw text is not looked at."""
        if not isinstance(prompt, Prompt):
            return None
        mode = self._reader.mode(asked.wishes.mode, prompt.text, None)
        return self._watch.seen(asked, await self._reader.look(prompt, asked.wishes, mode))

    def _count(self, one: Input, noted: int) -> int:
        """Count a prompt's tokens; those of our own note are not held against whoever asked."""
        most = self._settings.max_prompt_tokens or self._speaker.context
        return check_length(self._speaker, one, min(most + noted, self._speaker.context - 1))

    async def _judged(self, job: _Job) -> _Job:
        """Write answers that are held against a note before anything is said of them.

        What is told of the request goes by the first of them.
        """
        seen = job.seen
        if seen is None or not self._reader.pipeline.checks(seen.trace):
            return job
        pipeline, trace = self._reader.pipeline, seen.trace
        answers = _by_answer([some async for some in self._written(job)])
        todo: Sequence[int] = range(len(answers))
        while todo := [n for n in todo if pipeline.strays(trace, _said(answers[n], job.tokens))]:
            trace = pipeline.astray(trace, _said(answers[todo[0]], job.tokens))
            turned = seen._replace(trace=trace)
            if 0 in todo:
                job = await self._turned(job, turned)
            inputs = tuple(_in_force(one, turned) for one in job.work.inputs)
            again = self._written(replace(job, inputs=inputs, only=frozenset(todo)))
            for n, one in zip(todo, _by_answer([some async for some in again]), strict=True):
                answers[n] = one
        return replace(job, written=[some for one in answers for some in one])

    async def _turned(self, job: _Job, seen: Seen) -> _Job:
        """What is told of a request whose prompt has its notes in other words now, or none."""
        asked = job.work.inputs[0]
        bare = await self._worker.run(lambda: self._count(asked, 0))
        tokens = await self._worker.run(lambda: self._count(_in_force(asked, seen), MAX_NOTE))
        return replace(job, seen=seen._replace(annotation_tokens=tokens - bare), tokens=tokens)

    async def _written(self, job: _Job) -> AsyncGenerator[Written]:
        """Hand on what is written as it comes, or what has been."""
        if job.written is not None:
            for some in job.written:
                yield some
            return
        async with aclosing(self._worker.stream(partial(self._write, job))) as pieces:
            async for some in pieces:
                yield some

    async def _whole(self, job: _Job) -> Response[Any]:
        job = await self._judged(job)
        written = [some async for some in self._written(job)]
        seen = self._answered(job, written)
        choices = [job.choice(some) for some in _by_answer(written)]
        told = seen.summary(job.asked.wishes) if seen else replies.unread(RAW)
        content = job.envelope.whole(choices, job.usage(written), promptfix=told)
        return Response(content, headers=seen.headers if seen else replies.headers(None))

    def _streamed(self, job: _Job, stack: AsyncExitStack) -> Response[Any]:
        chunks = sse.ended(self._chunks(job), self._watch.broken)
        kept = sse.kept_alive(chunks, self._settings.keep_alive_seconds)
        headers = sse.HEADERS | (job.seen.headers if job.seen else replies.headers(None))
        close = stack.pop_all().aclose
        return sse.Streamed(kept, close, headers=headers, media_type=sse.MEDIA_TYPE)

    async def _chunks(self, job: _Job) -> AsyncGenerator[bytes]:
        nothing: Json = {"usage": None} if job.work.usage else {}
        written: list[Written] = []
        spelt = Counter[int]()  # characters of each answer
        try:
            job = await self._judged(job)
            for opening in _openings(job):
                yield sse.frame(opening | nothing)
            async with aclosing(self._written(job)) as pieces:
                async for some in pieces:
                    written.append(some)
                    if some.piece.text or some.scores or some.piece.finish:
                        part = job.choice([some], spelt[some.answer])
                        yield sse.frame(job.envelope.chunk([part]) | nothing)
                    spelt[some.answer] += sum(len(score.text) for score in some.scores)
            if job.work.usage:
                yield sse.frame(job.envelope.chunk([]) | {"usage": job.usage(written)})
            yield sse.DONE
        finally:
            self._answered(job, written)

    def _write(self, job: _Job) -> Iterator[Written]:
        """Write all answers, one after the other. Runs in the worker's thread."""
        todo, prefill = job.work, job.seen.prefill if job.seen else None
        for index in range(len(job.inputs) * todo.n):
            if job.only is not None and index not in job.only:
                continue
            one = job.inputs[index // todo.n]
            if todo.echo:
                yield self._echo(index, one, todo)
            if todo.writes:
                for piece in self._speaker.stream(one, prefill, todo.seeded(index % todo.n)):
                    yield Written(index, piece, (piece.score,) if piece.score else ())
            elif not todo.echo:
                yield Written(index, Piece(text="", tokens=0, finish="length"))

    def _echo(self, index: int, one: Input, todo: Work) -> Written:
        """The prompt, as the first piece of its answer."""
        spelt = map(self._speaker.spell, self._speaker.encode(one))
        text = one if isinstance(one, str) else "".join(spelt)
        top = todo.sampling.logprobs
        scores = () if top is None else self._speaker.score(one, top)
        finish = None if todo.writes else "length"
        return Written(index, Piece(text=text, tokens=0, finish=finish), scores)

    def _answered(self, job: _Job, written: Sequence[Written]) -> Seen | None:
        """Tell the watch what was answered first of all; returns what was seen, with it."""
        first: Answer | None = None
        if written:
            pieces = [some.piece for some in written if not some.answer]
            first = joined(pieces, prompt_tokens=job.tokens)
        return self._watch.answered(job.asked, job.seen, first, perf_counter() - job.started)


def _in_force(asked: Input, seen: Seen) -> Input:
    """The prompt that goes to the model."""
    if not isinstance(asked, Prompt):
        return asked
    return asked.model_copy(update={"text": seen.trace.in_force.text})


def _said(written: Sequence[Written], tokens: int) -> Answer:
    """An answer, put together."""
    return joined([some.piece for some in written], prompt_tokens=tokens)


def _by_answer(written: Sequence[Written]) -> list[list[Written]]:
    return [list(some) for _, some in groupby(written, lambda one: one.answer)]


def _openings(job: _Job) -> Iterator[Json]:
    """What opens each choice of a chat; the first also says what promptfix did."""
    if job.asked.kind != "chat/completions" or job.seen is None:
        return
    for index in range(job.work.n):
        told = {} if index else {"promptfix": job.seen.summary(job.asked.wishes)}
        yield job.envelope.chunk([Choice(index, "", None)], first=True) | told
