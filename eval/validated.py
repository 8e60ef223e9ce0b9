"""Do features mean on unseen texts what they seemed to mean? For eval/sae_quality.py.

A feature's *reading* is fixed on texts of one source: contexts in which it fires strongly. A
context is the token, the one before it, and those among the eight before that; a reading weighs
them by how much commoner they are where the feature fires (naive Bayes) and holds where the sum is
highest: at `LOOSE` times the share of positions at which the feature fired when the reading was
fixed, no more, since a reading that always holds would be worth nothing. On texts of other sources
the feature's *precision* is the share of its firings, at the same threshold, at which the reading
holds. It is validated at `PRECISE`. Since the token alone can carry a reading, the same is measured
with readings that do not see the token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor

from promptfix.chat import encode
from promptfix.microscope import Microscope
from promptfix.records import Prompt
from promptfix.sae import Sae

Floats = npt.NDArray[np.float64]

WINDOW = 8
LOOSE = 4
PRECISE = 0.7
THRESHOLD = 0.5
"""Of the highest activation that a feature has where its reading is fixed (2601.05679)."""
SEEN = 5
"""Firings that a feature needs on both halves to be judged."""
PRIOR = 2.0
"""Firings' worth of belief that a feature has nothing to do with a word."""
CHUNK = 256


@dataclass(frozen=True)
class Half:
    """Positions of some texts."""

    residuals: Tensor
    """[positions, d]."""
    contexts: Any
    """Sparse [positions, 3 * vocabulary]: the token, the one before, the window before."""


def half(microscope: Microscope, texts: Sequence[str], vocabulary: int) -> Half:
    """Let the model read texts; the positions are those of the user's tokens."""
    prompts = [Prompt(text=text) for text in texts]
    parts: list[Tensor] = []
    rows: list[int] = []
    columns: list[int] = []
    count = 0
    for index, residual in microscope.residuals(prompts, 64):
        chat = encode(microscope.network.tokenizer, prompts[index])
        user = [token.position for token in chat.tokens if token.kind == "user"]
        for position in user:
            before = [chat.ids[p] for p in range(max(0, position - 1 - WINDOW), position)]
            items = {chat.ids[position], *(vocabulary + i for i in before[-1:])}
            items |= {2 * vocabulary + i for i in before[:-1]}
            rows += [count] * len(items)
            columns += items
            count += 1
        parts.append(residual[: len(user)].cpu())
    shape = count, 3 * vocabulary
    ones = np.ones(len(rows), dtype=np.float32)
    return Half(torch.cat(parts), sparse.csr_matrix((ones, (rows, columns)), shape=shape))


def firings(sae: Sae, residuals: Tensor) -> Any:
    """Sparse [positions, features]: the activations, by columns."""
    parts = [sparse.csr_matrix(sae.encode(some).numpy()) for some in residuals.split(4096)]
    return sparse.vstack(parts).tocsc()


def precisions(on: tuple[Any, Any], fixed: Half, unseen: Half, *, token: bool) -> Floats:
    """[features judged]: the precision of each on unseen texts. `token`: readings may see it.

    `on`: the firings on both halves.
    """
    a, b = fixed.contexts, unseen.contexts
    if not token:
        size = a.shape[1] // 3
        a, b = a[:, size:], b[:, size:]
    common = (np.asarray(a.sum(0)).ravel() + 1) / (a.shape[0] + 2)
    found: list[Floats] = []
    for first in range(0, on[0].shape[1], CHUNK):
        here, there = (one[:, first : first + CHUNK].toarray() for one in on)
        top = np.maximum(THRESHOLD * here.max(0), 1e-9)
        fires, later = here >= top, there >= top
        judged = (fires.sum(0) >= SEEN) & (later.sum(0) >= SEEN)
        found.append(_precise(a, b, fires[:, judged], later[:, judged], common))
    return np.concatenate(found)


def _precise(a: Any, b: Any, on: Any, later: Any, common: Floats) -> Floats:
    """Readings of these features on contexts a, and how often they hold where they fire on b."""
    if not on.shape[1]:
        return np.zeros(0)
    fired = on.sum(0)
    share = (np.asarray(a.T @ on.astype(np.float32)) + PRIOR * common[:, None]) / (fired + PRIOR)
    weights = np.log(share / common[:, None]).astype(np.float32)
    new = np.asarray(b @ weights)
    covered = np.clip(np.round(LOOSE * fired * len(new) / len(on)), 1, len(new) - 1).astype(int)
    cut = np.array([_largest(*pair) for pair in zip(new.T, covered.tolist(), strict=True)])
    return ((new > cut) & later).sum(0) / later.sum(0)


def _largest(values: Floats, place: int) -> float:
    """The value at a place, counted from the largest as 0."""
    index = len(values) - 1 - place
    return float(np.partition(values, index)[index])


def validated(saes: Mapping[str, Sae], fixed: Half, unseen: Half) -> dict[str, Any]:
    """The share of validated features for each SAE, and its lead over the random ones.

    `saes`: `own`, and the random ones that it is held against.
    """
    result: dict[str, Any] = {"precision_asked": PRECISE, "loose": LOOSE, "window": WINDOW}
    pairs = {
        key: (firings(sae, fixed.residuals), firings(sae, unseen.residuals))
        for key, sae in saes.items()
    }
    for name, token in (("", True), ("_without_the_token", False)):
        found = {key: precisions(on, fixed, unseen, token=token) for key, on in pairs.items()}
        for key, values in found.items():
            called = "share" if key == "own" else f"share_{key}"
            result[called + name] = float((values >= PRECISE).mean()) if len(values) else None
            result[f"n_{key}{name}"] = len(values)
            # Those that fire too seldom to be judged count as not validated here.
            live = int(((on := pairs[key])[0].getnnz(0) + on[1].getnnz(0) > 0).sum())
            of_live = called.replace("share", "share_of_live") + name
            result[of_live] = float((values >= PRECISE).sum() / live) if live else None
            result[f"n_live_{key}"] = live
            if key != "own":
                result[f"lead_over_{key}{name}_ci95"] = _lead(found["own"], values)
    return result


def _lead(own: Floats, other: Floats, draws: int = 2000) -> tuple[float, float] | None:
    """95 % interval of the difference between two shares, by drawing features again."""
    if not len(own) or not len(other):
        return None
    rng = np.random.default_rng(0)
    shares = [
        rng.binomial(len(values), (values >= PRECISE).mean(), draws) / len(values)
        for values in (own, other)
    ]
    low, high = np.quantile(shares[0] - shares[1], [0.025, 0.975])
    return float(low), float(high)
