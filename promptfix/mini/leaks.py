"""Does training text overlap with test items? Number-masked 6-grams.

An item leaks if at least half of its 6-grams occur in what is compared with it. Such items are
dropped from the test sets by the evaluation scripts, and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

N = 6
SHARE = 0.5
_WORD = re.compile(r"\d+|[a-z]+(?:'[a-z]+)?")


def ngrams(text: str) -> set[tuple[str, ...]]:
    """The 6-grams of a text in lower case, numbers replaced by `#`; a shorter text is one gram."""
    tokens = ["#" if word[0].isdigit() else word for word in _WORD.findall(text.lower())]
    return {tuple(tokens[i : i + N]) for i in range(max(1, len(tokens) - N + 1))}


def overlap(text: str, known: set[tuple[str, ...]]) -> float:
    """The share of the text's 6-grams that are in `known`."""
    grams = ngrams(text)
    return len(grams & known) / len(grams)


def union(texts: Iterable[str]) -> set[tuple[str, ...]]:
    """All 6-grams of many texts."""
    known: set[tuple[str, ...]] = set()
    for text in texts:
        known |= ngrams(text)
    return known
