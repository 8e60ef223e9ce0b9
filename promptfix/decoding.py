"""Write an answer token by token, from where the model has read to.

transformers' `generate` does the same in general; for a small model its bookkeeping costs as much
as the model, and this loop is what an answer from a prefill needs of it.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from itertools import chain
from typing import TypeAlias

import torch
from torch import Tensor

from promptfix.caches import Cache, flexible, fork, stack, take
from promptfix.network import Network, Prefill, in_batches
from promptfix.records import Likely, Piece, Sampling, Score
from promptfix.spelling import Spelling

Choose: TypeAlias = Callable[[Tensor], int]
"""Logits [vocabulary] -> the token to write."""
_SPARE = 5
"""One in so many rows of a batch may be done before it is taken out."""


class Writer:
    """Writes one answer: takes what the model predicts, and gives the piece that follows."""

    def __init__(self, network: Network, sampling: Sampling, prompt_tokens: int) -> None:
        """Begin an answer to a prompt of so many tokens."""
        self.token = 0
        """The last token that was written, for the model to go on from."""
        self._network, self._sampling = network, sampling
        self._room = min(sampling.max_tokens, network.context - prompt_tokens)
        self._choose, self._spelling = _chooser(sampling), Spelling(network.decode, sampling.stop)
        self._written = 0

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is taken each time."""
        return self._sampling.temperature == 0

    def add(self, logits: Tensor, token: int | None = None) -> Piece:
        """Choose the next token by its logits [vocabulary], unless it is given, and spell it.

        The token that ends an answer is not counted; its score is told.
        """
        self.token = token = self._choose(logits) if token is None else token
        network, sampling, spelling = self._network, self._sampling, self._spelling
        told = None if sampling.logprobs is None else score(network, logits, token, sampling)
        if token in network.stops:
            return Piece(text=spelling.rest(), tokens=self._written, score=told, finish="stop")
        self._written += 1
        text = spelling.add(token)
        if spelling.stopped or self._written >= self._room:
            finish = "stop" if spelling.stopped else "length"
            rest = text + spelling.rest()
            return Piece(text=rest, tokens=self._written, score=told, finish=finish)
        return Piece(text=text, tokens=self._written, score=told)


@torch.inference_mode()
def write(prefill: Prefill, sampling: Sampling) -> Iterator[Piece]:
    """Write on from a prefill, which stays as it is: a piece for each token, as it comes."""
    network, logits = prefill.network, prefill.logits
    cache = fork(prefill.cache, len(prefill.ids))
    writer = Writer(network, sampling, len(prefill.ids))
    while not (piece := writer.add(logits)).finish:
        yield piece
        logits = network.forward(network.tensor([[writer.token]]), cache)[0]
    yield piece


def score(network: Network, logits: Tensor, token: int, sampling: Sampling) -> Score:
    """Say how likely a token was, by the logits [vocabulary] at its place."""
    likely = logits.float().log_softmax(-1)
    best = likely.topk(min(sampling.logprobs or 0, len(likely)))
    top = [
        Likely(text=network.spell(other), logprob=logprob)
        for other, logprob in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
    return Score(text=network.spell(token), logprob=float(likely[token]), top=tuple(top))


def write_many(
    network: Network, prompts: Sequence[Sequence[int]], sampling: Sampling, batch: int = 32
) -> Iterator[tuple[int, list[Piece]]]:
    """Write on from many prompts (token ids), the likeliest token each time.

    Yields the index of a prompt and the pieces of its answer, as soon as its batch is done: prompts
    of like length share one. What prompts of a batch begin with together is read once.
    """

    def run(some: list[int]) -> list[list[Piece]]:
        return _write_batch(network, [prompts[index] for index in some], sampling)

    order = [0] * len(prompts)
    families = sorted(_families(prompts), key=lambda some: max(len(prompts[n]) for n in some))
    for place, index in enumerate(chain.from_iterable(families)):
        order[index] = place
    yield from in_batches([len(prompt) for prompt in prompts], batch, run, order)


def _families(prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Indices of prompts: those together of which each has half in common with the first."""
    families: list[list[int]] = []
    for index in sorted(range(len(prompts)), key=lambda n: tuple(prompts[n])):
        mine = prompts[index]
        if families and 2 * _common(prompts[families[-1][0]], mine) >= len(mine):
            families[-1].append(index)
        else:
            families.append([index])
    return families


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Count the tokens that two prompts begin with together."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


class _Batch:
    """Prompts that the model reads and answers together, those that are done taken out."""

    def __init__(self, network: Network, prompts: Sequence[Sequence[int]]) -> None:
        self.rows = list(range(len(prompts)))
        """The prompts that are in it."""
        self._network = network
        self._cache = network.new_cache()
        self._flexible = flexible(self._cache)
        starts = [0] * len(prompts)
        if self._flexible and len(prompts) > 1:
            self._cache, starts = _begin(network, prompts)
        rest = [prompt[start:] for prompt, start in zip(prompts, starts, strict=True)]
        self._ids, mask = _filled_up(network, rest)
        # What was read stands before it on the left, so that all answers begin in one column.
        seen = [[*[0] * (max(starts) - start), *[1] * start] for start in starts]
        self._mask = torch.cat([network.tensor(seen), mask], dim=-1) if max(starts) else mask
        self._places = _places(self._mask)[:, max(starts) :]

    def predict(self) -> Tensor:
        """Run the model: what comes next in each row, as logits [rows, vocabulary]."""
        return self._network.forward(
            self._ids, self._cache, attention_mask=self._mask, position_ids=self._places
        )

    def go_on(self, tokens: list[int], done: Container[int]) -> None:
        """Append the tokens, and take out the rows of prompts that are done."""
        keep = [place for place, row in enumerate(self.rows) if row not in done]
        # To take rows out copies all others: a few that are done run along.
        if not self._flexible or _SPARE * len(keep) > len(self.rows) * (_SPARE - 1):
            keep = list(range(len(self.rows)))
        elif len(keep) < len(self.rows):
            self.rows = [self.rows[place] for place in keep]
            self._cache = take(self._cache, keep, self._mask.shape[1], roomy=True)
        self._ids = self._network.tensor([[tokens[place]] for place in keep])
        # A row that is done and runs along may pass the last place that the model knows.
        self._places = (self._places[keep, -1:] + 1).clamp(max=self._network.context - 1)
        more = self._mask.new_ones(len(keep), 1)
        self._mask = torch.cat([self._mask[keep], more], dim=-1)


def _begin(network: Network, prompts: Sequence[Sequence[int]]) -> tuple[Cache, list[int]]:
    """Read what prompts have in common with others, once.

    Gives a cache with a row for each, and how many tokens of it are there. All have as many left
    as the one with most, since nothing may stand between two tokens.
    """
    families = _families(prompts)
    heads: list[Sequence[int]] = []
    known = [0] * len(prompts)
    for some in families:
        first, last = prompts[some[0]], prompts[some[-1]]
        # In their order, what the first and the last begin with all others do.
        head = first[: min(_common(first, last), *(len(prompts[n]) - 1 for n in some))]
        heads.append(head)
        for n in some:
            known[n] = len(head)
    ids, mask = _filled_up(network, heads)
    read = network.new_cache()
    network.forward(ids, read, attention_mask=mask, position_ids=_places(mask))
    left = max(len(prompt) - had for prompt, had in zip(prompts, known, strict=True))
    starts = [max(0, len(prompt) - left) for prompt in prompts]
    begun: dict[int, Cache] = {}
    for row, some in enumerate(families):
        begun |= dict.fromkeys(some, take(read, [row], len(heads[row])))
    return stack([begun[n] for n in range(len(prompts))], starts, roomy=True), starts


def _filled_up(network: Network, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Token ids of rows, filled up on the left, and 1 where there is one: [rows, longest] each."""
    pairs = [(max(map(len, rows)) - len(row), row) for row in rows]
    ids = network.tensor([[*[0] * gap, *row] for gap, row in pairs])
    return ids, network.tensor([[*[0] * gap, *[1] * len(row)] for gap, row in pairs])


def _places(mask: Tensor) -> Tensor:
    """The place of each token in its prompt: [rows, longest]."""
    return (mask.cumsum(-1) - 1).clamp(min=0)


@torch.inference_mode()
def _write_batch(
    network: Network, prompts: Sequence[Sequence[int]], sampling: Sampling
) -> list[list[Piece]]:
    writers = [Writer(network, sampling, len(prompt)) for prompt in prompts]
    pieces: list[list[Piece]] = [[] for _ in prompts]
    done: set[int] = set()
    batch = _Batch(network, prompts)
    while True:
        logits = batch.predict()
        tokens: list[int] = logits.argmax(-1).tolist()
        for row, ahead, token in zip(batch.rows, logits, tokens, strict=True):
            if row not in done:
                pieces[row].append(writers[row].add(ahead, token))
        done = {row for row, written in enumerate(pieces) if written[-1].finish}
        if len(done) == len(prompts):
            return pieces
        batch.go_on(tokens, done)


def _chooser(sampling: Sampling) -> Choose:
    if sampling.temperature == 0:
        return lambda logits: int(logits.argmax())
    # Its own generator: the global one is shared by all threads.
    chance = torch.Generator()
    if sampling.seed is None:
        chance.seed()
    else:
        chance.manual_seed(sampling.seed)

    def choose(logits: Tensor) -> int:
        likely = (logits.float().cpu() / sampling.temperature).softmax(-1)
        return int(_nucleus(likely, sampling.top_p).multinomial(1, generator=chance))

    return choose


def _nucleus(likely: Tensor, top_p: float) -> Tensor:
    """Keep the fewest likeliest tokens that make up top_p together."""
    ordered, order = likely.sort(descending=True)
    beyond = ordered.cumsum(-1) - ordered >= top_p
    return torch.zeros_like(likely).scatter_(-1, order, ordered.masked_fill(beyond, 0.0))
