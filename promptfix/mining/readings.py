"""One line for a feature: what it seems to stand for, from the words on which it is strongest.

The words come from generated problems and from the lexicon, never from a data set, so that no sentence of one is quoted.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from promptfix.chat import encode
from promptfix.microscope import Microscope
from promptfix.network import Network
from promptfix.records import Place, Prompt
from promptfix.sae import Sae

TOP = 40
_WORD = re.compile(r"[A-Za-z']+")


def read_features(network: Network, sae: Sae, places: Sequence[tuple[int, Place]], texts: Sequence[str]) -> Mapping[int, str]:
    """Feature -> its reading; a feature that fires on none of the texts says so."""
    microscope = Microscope(network, sae, lens="")
    prompts = [Prompt(text=t) for t in texts]
    features = sorted({f for f, _ in places})
    heights: dict[tuple[int, Place], list[tuple[float, str, str]]] = defaultdict(list)
    for index, residual in microscope.residuals(prompts, 64):
        found = sae.encode(residual)[:, features]
        _collect(network, prompts[index], found, features, heights)
    return {f: " / ".join(_line(heights[f, at], at, texts) for g, at in dict.fromkeys(places) if g == f)[:390] for f in features}


def _collect(network: Network, prompt: Prompt, found: torch.Tensor, features: Sequence[int], heights: Any) -> None:
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
        return "on the words " + ", ".join(f'"{w}"' for w in words)
    return "at the read-out, after texts with " + ", ".join(f'"{w}"' for w in _typical([t for *_, t in top], texts))


def _typical(some: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Words that occur in more of `some` than in `texts` at large."""
    here = Counter(w for t in some for w in set(_WORD.findall(t.lower())))
    overall = Counter(w for t in texts for w in set(_WORD.findall(t.lower())))
    rated = {w: (n / len(some)) * (n / len(some)) / ((overall[w] + 1) / len(texts)) for w, n in here.items() if n >= max(2, len(some) // 5)}
    return sorted(rated, key=lambda w: (-rated[w], w))[:5]
