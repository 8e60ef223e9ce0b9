"""Answers for all arms: each prompt is asked once, whichever arms send it, and kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt
import torch

from eval.arms import Repairs, Sent, texts_of
from promptfix.chat import encode_ids
from promptfix.following import strays
from promptfix.library import Library
from promptfix.mining.outcomes import AnswerCache
from promptfix.models import LocalModel
from promptfix.network import Network
from promptfix.records import ANSWER_TOKENS, Answer, Prompt, Sampling
from promptfix.rewriting import reworded
from promptfix.tasks import Item, correct, final

TEMPERATURE = 0.7


@dataclass(frozen=True)
class Sampler:
    """Answers each prompt with a sample of its own seed."""

    model: LocalModel
    seed: int

    def answer_many(
        self,
        prompts: Sequence[Prompt],
        *,
        max_tokens: int,
        batch: int,
        progress: Callable[[int], object],
    ) -> list[Answer]:
        """Answer in the order of the prompts."""
        del batch
        made: list[Answer] = []
        for prompt in prompts:
            seed = crc32(f"{self.seed} {prompt.text}".encode())
            sampling = Sampling(max_tokens=max_tokens, temperature=TEMPERATURE, seed=seed)
            made.append(self.model.answer(prompt, sampling=sampling))
            progress(1)
        return made


@dataclass(frozen=True)
class Said:
    """An arm's answers."""

    texts: list[str]
    right: npt.NDArray[np.bool_]
    tokens: int
    """Prompt and answer tokens, all passes together."""
    withdrawn: int = 0
    """Repaired prompts whose answers strayed from their notes and were not taken."""

    @property
    def silent(self) -> int:
        """Answers that never say `Answer:`, counted as wrong."""
        return sum(final(text) is None for text in self.texts)


class Asker:
    """Asks one network."""

    def __init__(self, network: Network, file: Path) -> None:
        """Keep answers in a file, which mining may share, and samples in files beside it."""
        self.network = network
        self._file = file
        self._greedy = AnswerCache(LocalModel(network), file, ANSWER_TOKENS)

    def greedy(self, items: Sequence[Item], sent: Sent) -> Said:
        """What the model says to what an arm sends."""
        prompts = [text or item.prompt for text, item in zip(sent, items, strict=True)]
        texts = self._greedy.answers(prompts)
        return Said(texts, scored(texts, items), self.tokens(prompts, texts))

    def repaired(self, items: Sequence[Item], repairs: Repairs, library: Library) -> Said:
        """What the pipeline says to repaired prompts.

        Where an answer strays, the one to the notes in other words; where that does, the plain one.
        """
        said = self.greedy(items, texts_of(repairs))
        texts, tokens = list(said.texts), said.tokens
        tried, withdrawn = dict(enumerate(repairs)), 0
        while rows := [n for n, r in tried.items() if r and strays(r, texts[n], library)]:
            tried = {n: reworded(r, library) for n in rows if (r := tried[n])}
            again = self.greedy([items[n] for n in rows], texts_of(tried[n] for n in rows))
            for row, text in zip(rows, again.texts, strict=True):
                texts[row] = text
            tokens += again.tokens
            withdrawn += sum(tried[n] is None for n in rows)
        return Said(texts, scored(texts, items), tokens, withdrawn)

    def answered(self, items: Sequence[Item], texts: list[str]) -> Said:
        """Answers to the plain prompts that were had in some other way."""
        tokens = self.tokens([item.prompt for item in items], texts)
        return Said(texts, scored(texts, items), tokens)

    def sampled(self, items: Sequence[Item], seed: int) -> list[str]:
        """One sample for each item."""
        file = self._file.with_name(f"samples-{seed}-{self._file.name}")
        cache = AnswerCache(Sampler(LocalModel(self.network), seed), file, ANSWER_TOKENS)
        return cache.answers([item.prompt for item in items])

    def tokens(self, prompts: Sequence[str], texts: Sequence[str]) -> int:
        """How many tokens were read and written."""
        tokenizer = self.network.tokenizer
        read = sum(len(encode_ids(tokenizer, Prompt(text=p))) for p in prompts)
        return read + sum(len(tokenizer(t, add_special_tokens=False)["input_ids"]) for t in texts)

    @torch.inference_mode()
    def likelihood(
        self, prompts: Sequence[str], texts: Sequence[str]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Mean log-probability of each answer's tokens, and mean entropy (nats) on the way."""
        tokenizer = self.network.tokenizer
        heads = [list(encode_ids(tokenizer, Prompt(text=p))) for p in prompts]
        tails = [
            [*tokenizer(t, add_special_tokens=False)["input_ids"], min(self.network.stops)]
            for t in texts
        ]
        logs, entropies = np.zeros(len(texts)), np.zeros(len(texts))
        lengths = [len(h) + len(t) for h, t in zip(heads, tails, strict=True)]
        order = sorted(range(len(texts)), key=lengths.__getitem__)
        for first in range(0, len(order), 32):
            some = order[first : first + 32]
            longest = max(lengths[i] for i in some)
            rows = [heads[i] + tails[i] for i in some]
            ids = self.network.tensor([row + [0] * (longest - len(row)) for row in rows])
            found = self.network.model(input_ids=ids, use_cache=False).logits.float()
            for row, i in enumerate(some):
                steps = slice(len(heads[i]) - 1, lengths[i] - 1)
                log = found[row, steps].log_softmax(-1)
                target = ids[row, len(heads[i]) : lengths[i], None]
                logs[i] = float(log.gather(1, target).mean())
                entropies[i] = float(-(log.exp() * log).sum(-1).mean())
        return logs, entropies


def scored(texts: Sequence[str], items: Sequence[Item]) -> npt.NDArray[np.bool_]:
    """Which answers are right."""
    right = [correct(text, item.gold) for text, item in zip(texts, items, strict=True)]
    return np.array(right, dtype=np.bool_)
