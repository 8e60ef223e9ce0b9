"""Features of prompts in the columns that rules are chosen from, and the scores of a rule."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from promptfix.chat import encode
from promptfix.detection import WORD
from promptfix.microscope import Microscope
from promptfix.mining.selection import Choice, Floats, Values
from promptfix.records import Prompt, Span

BATCH = 64


def features(microscope: Microscope, texts: Sequence[str]) -> Values:
    """[texts, 2 * features]: peaks on the user's tokens, then values at the read-out."""
    peaks = microscope.read_many([Prompt(text=text) for text in texts], batch=BATCH)
    return np.concatenate([peaks.user.numpy(), peaks.readout.numpy()], axis=1)


def on_words(microscope: Microscope, texts: Sequence[str], spans: Sequence[Span | None]) -> Values:
    """[texts, features]: peaks on the tokens of one word; 0 where there is no such word."""
    found = np.zeros((len(texts), len(microscope.encoder.features)), dtype=np.float32)
    where = [n for n, span in enumerate(spans) if span is not None]
    prompts = [Prompt(text=texts[n]) for n in where]
    for index, residual in microscope.residuals(prompts, BATCH):
        span = spans[where[index]]
        chat = encode(microscope.network.tokenizer, prompts[index])
        looked_at = [token.span for token in chat.tokens if token.kind != "template"]
        ends = [word.end() for word in WORD.finditer(prompts[index].text)]
        mine = np.array([bool(at and span and _within(at, span, ends)) for at in looked_at])
        values = microscope.encoder.encode(residual[mine]).numpy()
        found[where[index]] = values.max(0, initial=0.0)
    return found


def _within(token: Span, word: Span, ends: Sequence[int]) -> bool:
    """Whether detection counts a token to a word: see detection.py."""
    return word.start < token.end and bisect_right(ends, token.start) == bisect_right(
        ends, word.start
    )


class Scorer:
    """Gives texts the scores of a rule on the text as a whole, as detection would."""

    def __init__(self, microscope: Microscope, choice: Choice) -> None:
        """Use a microscope that holds all features of its SAE."""
        self._microscope, self._choice = microscope, choice
        self._d_sae = len(microscope.encoder.features)
        self.features: list[int] = sorted({column % self._d_sae for column in choice.columns})

    def columns(self, texts: Sequence[str]) -> Values:
        """[texts, columns of the rule]."""
        prompts = [Prompt(text=text) for text in texts]
        peaks = self._microscope.read_many(prompts, self.features, BATCH)
        both = peaks.user.numpy(), peaks.readout.numpy()
        parts = [
            both[column // self._d_sae][:, self.features.index(column % self._d_sae)]
            for column in self._choice.columns
        ]
        return np.stack(parts, axis=1)

    def peaks(self, texts: Sequence[str]) -> Values:
        """[texts, features]: how high each feature goes, wherever it is looked at."""
        prompts = [Prompt(text=text) for text in texts]
        peaks = self._microscope.read_many(prompts, self.features, BATCH)
        return np.maximum(peaks.user.numpy(), peaks.readout.numpy())

    def scores(self, columns: Values) -> Floats:
        """[texts]."""
        choice = self._choice
        products = columns.astype(np.float64) * np.array(choice.factors)
        return products.min(1) if choice.conflict else products.sum(1)

    def __call__(self, texts: Sequence[str]) -> Floats:
        """[texts]."""
        return self.scores(self.columns(texts))

    def after(self, before: Values, noted: Sequence[str]) -> Floats:
        """The scores of noted prompts: what the note's own words fire does not count.

        `before` [texts, columns] is what was read without the notes; only the read-out is new.
        """
        now = self.columns(noted)
        at_readout: npt.NDArray[np.bool_] = np.array(self._choice.columns) >= self._d_sae
        return self.scores(np.where(at_readout, now, before))

    @property
    def compares(self) -> bool:
        """Whether a note can change the score: whether the rule looks at the read-out."""
        return any(column >= self._d_sae for column in self._choice.columns)
