"""One line for a feature: what it seems to stand for, from the words on which it is strongest.

The words come from generated problems and from the lexicon, never from a data set, so that no
sentence of one is quoted.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import torch

from promptfix.chat import encode
from promptfix.microscope import Microscope
from promptfix.network import Network
from promptfix.records import Place, Prompt
from promptfix.sae import Sae

TOP = 40
"""Occurrences that a reading is made from."""
LONGEST = 390
"""Characters of a reading."""
Heights: TypeAlias = dict[tuple[int, Place], list[tuple[float, str, str]]]
"""(feature, place) -> (activation, the word there, the whole text) of every occurrence."""
_WORD = re.compile(r"[A-Za-z']+")


def read_features(
    network: Network, sae: Sae, places: Sequence[tuple[int, Place]], texts: Sequence[str]
) -> Mapping[int, str]:
    """Feature -> its reading; a feature that fires on none of the texts says so."""
    microscope = Microscope(network, sae, lens="")
    prompts = [Prompt(text=t) for t in texts]
    features = sorted({f for f, _ in places})
    heights: Heights = defaultdict(list)
    for index, residual in microscope.residuals(prompts, 64):
        found = sae.encode(residual)[:, features]
        _collect(network, prompts[index], found, features, heights)
    lines: dict[int, list[str]] = defaultdict(list)
    for feature, at in dict.fromkeys(places):
        lines[feature].append(_line(heights[feature, at], at, texts))
    return {feature: " / ".join(lines[feature])[:LONGEST] for feature in features}


def _collect(
    network: Network,
    prompt: Prompt,
    found: torch.Tensor,
    features: Sequence[int],
    heights: Heights,
) -> None:
    """Add what `found` [positions, features] holds above 0 to `heights`."""
    tokens = [t for t in encode(network.tokenizer, prompt).tokens if t.kind != "template"]
    for row, column in found.nonzero().tolist():
        token = tokens[row]
        place: Place = "readout" if token.kind == "readout" else "user"
        word = _word(prompt.text, token.span.start, token.span.end) if token.span else ""
        heights[features[column], place].append((float(found[row, column]), word, prompt.text))


def _word(text: str, start: int, end: int) -> str:
    """The whole word around a token."""
    while start > 0 and text[start].isalnum() and text[start - 1].isalnum():
        start -= 1
    while end < len(text) and text[end - 1].isalnum() and text[end].isalnum():
        end += 1
    return " ".join(text[start:end].split())


def _line(seen: list[tuple[float, str, str]], place: Place, texts: Sequence[str]) -> str:
    if not seen:
        return f"{place}: silent on the generated texts"
    top = sorted(seen, reverse=True)[:TOP]
    if place == "user":
        words = [w for w, _ in Counter(w for _, w, _ in top if w).most_common(5)]
        if not words:
            return "on the space between words"
        return "on the words " + ", ".join(f'"{w}"' for w in words)
    words = _typical([text for *_, text in top], texts)
    if not words:
        return "at the read-out, after texts that share no word"
    return "at the read-out, after texts with " + ", ".join(f'"{w}"' for w in words)


def _typical(some: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Words that occur in more of `some` than in `texts` at large."""
    here, overall = _document_counts(some), _document_counts(texts)
    often = {w: n / len(some) for w, n in here.items() if n >= max(2, len(some) // 5)}
    rated = {w: share * share / ((overall[w] + 1) / len(texts)) for w, share in often.items()}
    return sorted(rated, key=lambda w: (-rated[w], w))[:5]


def _document_counts(texts: Sequence[str]) -> Counter[str]:
    """In how many texts each word occurs."""
    return Counter(word for text in texts for word in set(_WORD.findall(text.lower())))
