"""Try to break a detector: does it see words only, or only one wording?

After 2601.05679. A rule's top tokens, bigrams and trigrams are put into neutral prompts; if that
makes it fire, the words drive it and not what is made of them. Prompts that it fires on are
reworded; if it stops, it saw the wording. What the numbers are worth is decided in evidence.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Literal, TypeAlias

import numpy as np

from promptfix.chat import encode
from promptfix.measures import Injection, Paraphrase
from promptfix.microscope import Microscope
from promptfix.mining.paraphrase import paraphrases
from promptfix.mining.scoring import BATCH
from promptfix.mining.selection import Choice, Floats
from promptfix.records import Prompt

Strategy: TypeAlias = Literal["prepend", "append", "intersperse", "replace"]
Grams: TypeAlias = Literal[1, 2, 3]

STRATEGIES: tuple[Strategy, ...] = ("prepend", "append", "intersperse", "replace")
INJECTED: dict[Grams, int] = {1: 3, 2: 2, 3: 1}
"""Length of a gram -> how many are put in: three to four tokens."""
KEPT: dict[Grams, int] = {1: 10, 2: 20, 3: 10}
SEEN: dict[Grams, int] = {1: 2, 2: 3, 3: 2}
"""How often a gram has to occur to count."""


def top_grams(
    microscope: Microscope, choice: Choice, texts: Sequence[str]
) -> dict[Grams, list[str]]:
    """The tokens, bigrams and trigrams on which the rule's features are strongest in the mean.

    A gram is as strong as its tokens together. Read-out columns count where their features fire
    on words, which is where an injection can reach them.
    """
    weights = _weights(choice, len(microscope.encoder.features))
    features = list(weights)
    factors = np.array([weights[f] for f in features])
    heights: dict[Grams, dict[str, list[float]]] = {n: defaultdict(list) for n in KEPT}
    prompts = [Prompt(text=text) for text in texts]
    for index, residual in microscope.residuals(prompts, BATCH):
        chat = encode(microscope.network.tokenizer, prompts[index])
        spans = [token.span for token in chat.tokens if token.kind == "user" and token.span]
        found = microscope.encoder.encode(residual[: len(spans)])[:, features].numpy()
        strength = found @ factors
        for n, seen in heights.items():
            for first in range(len(spans) - n + 1):
                words = texts[index][spans[first].start : spans[first + n - 1].end].strip()
                seen[words].append(float(strength[first : first + n].sum()))
    return {n: _strongest(seen, SEEN[n], KEPT[n]) for n, seen in heights.items()}


def injections(
    scorer: Callable[[Sequence[str]], Floats],
    threshold: float,
    grams: dict[Grams, list[str]],
    neutral: Sequence[str],
    seed: int,
) -> tuple[Injection, ...]:
    """Put grams into neutral prompts in four ways, and see how the scores move."""
    before = scorer(neutral)
    made: list[Injection] = []
    for n, some in grams.items():
        for strategy in STRATEGIES if some else ():
            rng = Random(f"{seed} {n} {strategy}")
            texts = [inject(text, some, INJECTED[n], strategy, rng) for text in neutral]
            after = scorer(texts)
            effect, p_value = shift(after, before)
            made.append(
                Injection(
                    grams=n,
                    strategy=strategy,
                    prompts=len(texts),
                    fired=int((after >= threshold).sum()),
                    effect=round(effect, 4),
                    p_value=float(f"{p_value:.3g}"),
                )
            )
    return tuple(made)


def inject(text: str, grams: Sequence[str], count: int, strategy: Strategy, rng: Random) -> str:
    """Put `count` grams into a text."""
    chosen = [rng.choice(grams) for _ in range(count)]
    words = text.split(" ")
    if strategy == "prepend":
        return " ".join([*chosen, text])
    if strategy == "append":
        return " ".join([text, *chosen])
    for gram in chosen:
        at = rng.randrange(len(words))
        words[at : at + (strategy == "replace")] = [gram]
    return " ".join(words)


def shift(after: Floats, before: Floats) -> tuple[float, float]:
    """How far scores have moved up: Cohen's d, and the p value of Welch's t test."""
    from scipy.stats import ttest_ind

    spread = float(np.sqrt((after.var(ddof=1) + before.var(ddof=1)) / 2))
    moved = float(after.mean() - before.mean())
    if spread < 1e-12:
        return (0.0, 1.0) if moved < 1e-12 else (99.0, 0.0)
    test: Any = ttest_ind(after, before, equal_var=False, alternative="greater")
    return moved / spread, float(test.pvalue)


def reworded(
    scorer: Callable[[Sequence[str]], Floats], threshold: float, firing: Sequence[str], seed: int
) -> Paraphrase:
    """Reword prompts that a rule fires on, and see on how many it still does."""
    texts = [new for text in firing for new in paraphrases(text, seed)]
    kept = int((scorer(texts) >= threshold).sum()) if texts else 0
    return Paraphrase(prompts=len(texts), kept=kept)


def _weights(choice: Choice, d_sae: int) -> dict[int, float]:
    weights: dict[int, float] = {}
    for column, factor in zip(choice.columns, choice.factors, strict=True):
        weights[column % d_sae] = max(factor, weights.get(column % d_sae, 0.0))
    return weights


def _strongest(heights: dict[str, list[float]], least: int, count: int) -> list[str]:
    means = {w: float(np.mean(h)) for w, h in heights.items() if len(h) >= least and w}
    ranked = sorted((w for w in means if means[w] > 0), key=lambda w: (-means[w], w))
    return ranked[:count]
