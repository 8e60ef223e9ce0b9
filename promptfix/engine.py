"""Read and answer many prompts at once: one thread runs the model, on a padded batch at a time.

Each round reads a chunk of the prompts that wait and writes one token of each answer, so that
nobody waits for another's long prompt or long answer. Who comes first goes first; who needs more
rounds goes to the back. Whoever leaves frees a place before the next round. What comes out is what
would come out alone.
"""

import threading
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass, field
from queue import SimpleQueue
from time import monotonic

import torch
from torch import Tensor

from promptfix.caches import Cache, empty, flexible, mask_of, stack, take
from promptfix.decoding import Writer
from promptfix.errors import PromptfixWarning
from promptfix.hooks import Tap
from promptfix.network import Network, Prefill, out_of_memory
from promptfix.records import Piece, Sampling

CHUNK = 256
"""How many tokens of a prompt are read in one round."""
HOLD = 0.05
"""Seconds for which pieces of an answer are held back, so that no thread is woken for each."""
_TOKENS = 4096
"""How many tokens are read in one round, of all prompts together."""


@dataclass(eq=False)
class _Read:
    """A prompt that is being read."""

    ids: tuple[int, ...]
    before: Prefill | None
    tap: Tap | None
    kept: int
    """How many of the tokens `before` has."""
    done: "Future[Prefill]" = field(default_factory=Future)

    @property
    def upto(self) -> int:
        """Where the next round's chunk ends."""
        return min(len(self.ids), self.kept + CHUNK)

    def fail(self, error: Exception) -> None:
        """Tell the one who waits."""
        self.done.set_exception(error)


@dataclass(eq=False)
class _Write:
    """An answer that is being written."""

    prefill: Prefill
    writer: Writer
    pieces: "SimpleQueue[list[Piece] | Exception]" = field(default_factory=SimpleQueue)
    over: bool = False
    """Whether it is at its end, or nobody waits for it any more."""
    _held: list[Piece] = field(default_factory=list[Piece])
    _told: float = 0.0
    """When pieces were last handed on."""

    def add(self, logits: Tensor, token: int | None = None) -> None:
        """Write the next piece, and hand it on unless others were handed on just now."""
        if self.over:
            return
        try:
            piece = self.writer.add(logits, token)
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is waited for
            self.fail(error)
            return
        self.over = piece.finish is not None
        self._held.append(piece)
        now = monotonic()
        if self.over or now - self._told > HOLD:
            self.pieces.put(self._held)
            self._held, self._told = [], now

    def fail(self, error: Exception) -> None:
        """Tell the one who waits."""
        self.over = True
        self.pieces.put(self._held)
        self.pieces.put(error)


class Engine:
    """Reads and writes for callers in any thread, who wait for their own results only."""

    def __init__(self, network: Network, places: int = 16) -> None:
        """Serve a network that `can_batch`; `places` prompts or answers share a round."""
        self.network, self.places = network, places
        self._arrived: SimpleQueue[_Read | _Write] = SimpleQueue()
        self._reads: deque[_Read] = deque()
        self._waiting: deque[_Write] = deque()
        self._rows = _Rows(network)
        threading.Thread(target=self._run, name="promptfix-engine", daemon=True).start()

    def read(
        self, ids: Sequence[int], before: Prefill | None = None, tap: Tap | None = None
    ) -> Prefill:
        """Read a prompt, as `Network.read` does."""
        self.network.check_length(len(ids))
        kept = self.network.shared(ids, before, tap)
        if before is not None and kept == len(ids) == len(before.ids):
            return before
        kept = min(kept, len(ids) - 1)
        job = _Read(tuple(ids), before if kept else None, tap, kept)
        self._arrived.put(job)
        return job.done.result()

    def write(self, prefill: Prefill, sampling: Sampling) -> Iterator[Piece]:
        """Write on from a prefill of this network, as `decoding.write` does.

        Who stops asking gives up the place.
        """
        if not flexible(prefill.cache):
            prefill = self.read(prefill.ids, tap=prefill.tap)
        job = _Write(prefill, Writer(self.network, sampling, len(prefill.ids)))
        self._arrived.put(job)
        try:
            while True:
                pieces = job.pieces.get()
                if isinstance(pieces, Exception):
                    raise pieces
                yield from pieces
                if pieces and pieces[-1].finish:
                    return
        finally:
            job.over = True

    @torch.inference_mode()
    def _run(self) -> None:
        while True:
            self._gather()
            if self._reads:
                self._read_a_chunk()
            self._admit()
            self._rows.step()

    def _gather(self) -> None:
        """Take in what has arrived, waiting for it if there is nothing else to do."""
        idle = not (self._reads or self._waiting or self._rows.writes)
        arrived = [self._arrived.get()] if idle else []
        # Only this thread takes, so what is there stays there.
        arrived += [self._arrived.get() for _ in range(self._arrived.qsize())]
        for job in arrived:
            if isinstance(job, _Read):
                self._reads.append(job)
            else:
                self._waiting.append(job)

    def _read_a_chunk(self) -> None:
        """Read on in the prompts that are first, those with chunks of like length together."""
        first = self._reads[0]
        longest = max(2 * (first.upto - first.kept), 16)
        alike = [
            job for job in self._reads if job.tap is first.tap and job.upto - job.kept <= longest
        ]
        some = alike[: max(1, min(self.places, _TOKENS // longest))]
        try:
            prefills = _read_together(self.network, some)
        except Exception as error:  # noqa: BLE001 - it is raised where the prompt is waited for
            self._could_not_read(some, error)
            return
        for job, prefill in zip(some, prefills, strict=True):
            self._reads.remove(job)
            if job.upto == len(job.ids):
                job.done.set_result(prefill)
            else:
                job.before, job.kept = prefill, job.upto
                self._reads.append(job)

    def _could_not_read(self, some: Sequence[_Read], error: Exception) -> None:
        if out_of_memory(error) and len(some) > 1:
            self.places = len(some) // 2
            message = f"memory ran out: going on with {self.places} prompts at a time"
            warnings.warn(PromptfixWarning(message), stacklevel=2)
            return
        for job in some:
            self._reads.remove(job)
            job.fail(error)

    def _admit(self) -> None:
        free = self.places - len(self._rows.writes)
        new = [self._waiting.popleft() for _ in range(min(free, len(self._waiting)))]
        try:
            self._rows.join(new)
        except Exception as error:  # noqa: BLE001 - it is raised where the answers are waited for
            for write in new:
                write.fail(error)


class _Rows:
    """The answers that are being written, a row each, and their common cache."""

    def __init__(self, network: Network) -> None:
        self.writes: list[_Write] = []
        self._network = network
        self._cache: Cache = empty(roomy=True)
        self._lengths: list[int] = []
        """Tokens of each row in the cache."""

    def join(self, new: Sequence[_Write]) -> None:
        """Add answers, which write their first token by what their prefill predicts."""
        for write in new:
            write.add(write.prefill.logits)
        alive = [write for write in new if not write.over]
        if not alive:
            return
        caches = [write.prefill.cache for write in alive]
        lengths = [len(write.prefill.ids) for write in alive]
        if self.writes:
            caches, columns = [self._cache, stack(caches, lengths)], max(lengths)
            self._cache = stack(caches, [max(self._lengths), columns], roomy=True)
        else:
            self._cache = stack(caches, lengths, roomy=True)
        self.writes += alive
        self._lengths += lengths

    def step(self) -> None:
        """Write one token of every answer, and let those go that are over."""
        try:
            self._drop()
            if not self.writes:
                return
            logits = self._predict()
            likeliest = logits.argmax(-1).tolist()
        except Exception as error:  # noqa: BLE001 - it is raised where the answers are waited for
            for write in self.writes:
                write.fail(error)
            self._drop()
            return
        for write, row, token in zip(self.writes, logits, likeliest, strict=True):
            write.add(row, token if write.writer.greedy else None)

    def _predict(self) -> Tensor:
        network = self._network
        ids = network.tensor([[write.writer.token] for write in self.writes])
        places = network.tensor([[length] for length in self._lengths])
        self._lengths = [length + 1 for length in self._lengths]
        mask = mask_of(self._lengths, ids)
        more = {} if mask is None else {"attention_mask": mask}
        return network.forward(ids, self._cache, position_ids=places, **more)

    def _drop(self) -> None:
        keep = [row for row, write in enumerate(self.writes) if not write.over]
        if len(keep) == len(self.writes):
            return
        cache, self.writes = self._cache, [self.writes[row] for row in keep]
        self._lengths = [self._lengths[row] for row in keep]
        self._cache = empty(roomy=True)
        if keep:
            self._cache = take(cache, keep, max(self._lengths), roomy=True)


def can_batch(network: Network) -> bool:
    """Say whether a model's cache can be cut and padded: not where it is a running state."""
    return flexible(network.new_cache())


def _read_together(network: Network, jobs: Sequence[_Read]) -> list[Prefill]:
    """Read a chunk of each prompt.

    All rows are as long as the longest chunk: of shorter ones some tokens that were read before
    are read again, since nothing may stand between two tokens.
    """
    longest = max(job.upto - job.kept for job in jobs)
    starts = [max(0, job.upto - longest) for job in jobs]
    before = [job.before.cache if job.before else empty() for job in jobs]
    cache = stack(before, starts)
    rows = [job.ids[start : job.upto] for job, start in zip(jobs, starts, strict=True)]
    ids = network.tensor([[*[0] * (longest - len(row)), *row] for row in rows])
    mask = mask_of([job.upto for job in jobs], ids)
    more = {} if mask is None else {"attention_mask": mask, "position_ids": _places(mask, longest)}
    tap = jobs[0].tap
    with tap.listening() if tap else nullcontext([]) as heard:
        logits = network.forward(ids, cache, **more)
    return [
        _prefill(network, job, take(cache, [row], job.upto), logits[row], start, heard, row)
        for row, (job, start) in enumerate(zip(jobs, starts, strict=True))
    ]


def _places(mask: Tensor, longest: int) -> Tensor:
    """The place of each new token in its prompt, by the mask of all: [rows, longest]."""
    return (mask.cumsum(-1) - 1).clamp(min=0)[:, -longest:]


def _prefill(
    network: Network,
    job: _Read,
    cache: Cache,
    logits: Tensor,
    start: int,
    heard: Sequence[Tensor],
    row: int,
) -> Prefill:
    residual = heard[0][row, start - job.upto :] if heard else None
    if residual is not None and start and job.before and job.before.residual is not None:
        residual = torch.cat([job.before.residual[:start], residual])
    return Prefill(network, job.ids[: job.upto], cache, logits, job.tap, residual)
