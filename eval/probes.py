"""Rivals of the SAE gate: what else could say where a note repairs, and what it would say.

Each gives prompts scores after learning from mining's items: a dense probe on the same layer, a
text-only classifier, an SAE of random directions. Ridge logistic regressions, all alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from zlib import crc32

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from promptfix.microscope import Microscope
from promptfix.mining.search import Half, Search
from promptfix.mining.selection import folds_of
from promptfix.records import Prompt
from promptfix.sae import Sae
from promptfix.slots.words import quantities

Matrix = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

HASHED = 4096
"""Columns that words and pairs of words are hashed into."""
RIDGES = (1.0, 10.0, 100.0)


def dense(microscope: Microscope, texts: Sequence[str]) -> Matrix:
    """[texts, 2 * d]: the mean of the residual on the user's tokens, and that at the read-out."""
    found = np.zeros((len(texts), 2 * microscope.network.width), dtype=np.float32)
    for index, residual in microscope.residuals([Prompt(text=t) for t in texts], 64):
        pair = residual[:-1].mean(0), residual[-1]
        found[index] = torch.cat(pair).cpu().numpy()
    return found


def bag(texts: Sequence[str]) -> Matrix:
    """[texts, columns]: tf-idf of words and pairs of words, length and count of numbers."""
    counts = np.zeros((len(texts), HASHED), dtype=np.float32)
    extra = np.zeros((len(texts), 2), dtype=np.float32)
    for row, text in enumerate(texts):
        words = re.findall(r"[a-z']+|\d+", re.sub(r"\d+", "0", text.lower()))
        for gram in (*words, *map(" ".join, pairwise(words))):
            counts[row, crc32(gram.encode()) % HASHED] += 1
        extra[row] = len(words), len(quantities(text))
    seen = (counts > 0).sum(0)
    weighted = np.log1p(counts) * np.log(len(texts) / np.maximum(seen, 1))
    return np.concatenate([weighted, extra], axis=1)


def learnt(
    x: Matrix, y: Bools, new: Matrix, groups: Sequence[str], weights: Floats | None = None
) -> Floats:
    """Scores of `new` [rows, columns] by a logistic regression on x, y.

    The ridge is validated on whole `groups` [rows of x]: variants of one problem on both sides
    would ask for too little. `weights` [rows of x]: how much each counts.
    """
    w = np.ones(len(y)) if weights is None else weights
    scale = x.std(0) + 1e-6
    a, b = (x - x.mean(0)) / scale, (new - x.mean(0)) / scale
    if y.all() or not y.any():
        return np.zeros(len(new))
    held = folds_of(groups) == 0
    if held.all() or not held.any():
        held = np.arange(len(y)) % 5 == 0
    found = [_regress(a[~held], y[~held], w[~held], ridge) for ridge in RIDGES]
    scored = [_likelihood(fit, a[held], y[held], w[held]) for fit in found]
    fit = _regress(a, y, w, RIDGES[int(np.argmax(scored))])
    return b.astype(np.float64) @ fit[1:] + fit[0]


def _regress(x: Matrix, y: Bools, w: Floats, ridge: float) -> Floats:
    """[intercept, weights] by L-BFGS; float64."""
    design = torch.tensor(x, dtype=torch.float64)
    target = torch.tensor(y, dtype=torch.float64)
    share = torch.tensor(w, dtype=torch.float64)
    weights = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        logits = design @ weights[1:] + weights[0]
        wrong = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, target, weight=share, reduction="sum"
        )
        value = wrong + ridge * weights[1:].square().sum() / 2
        value.backward()
        return value

    optimiser.step(loss)
    return weights.detach().numpy()


def _likelihood(weights: Floats, x: Matrix, y: Bools, w: Floats) -> float:
    logits = x.astype(np.float64) @ weights[1:] + weights[0]
    return float((w * (np.where(y, logits, 0.0) - np.logaddexp(0.0, logits))).sum())


def random_sae(sae: Sae, residuals: Tensor, seed: int, *, turned: bool = False) -> Sae:
    """An SAE that learnt nothing of this model: each feature fires as often as in `sae`.

    Its directions are random, or (`turned`) those of `sae` under one random rotation, which keeps
    all angles between features. Encoder and decoder are the same unit vectors; a threshold for
    each sets its rate on `residuals` [positions, d].
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(sae.config.d_sae, sae.config.d_in, generator=generator)
    if turned:
        square = torch.randn(sae.config.d_in, sae.config.d_in, generator=generator)
        rows = sae.weights["W_dec"].cpu() @ torch.linalg.qr(square).Q
    rows = rows / rows.norm(dim=1, keepdim=True)
    rates = (sae.encode(residuals) > 0).float().mean(0).clamp(min=1 / len(residuals))
    middle = residuals.mean(0)
    pre = (residuals - middle) @ rows.T
    order = pre.sort(dim=0, descending=True).values
    at = (rates * len(residuals)).long().clamp(max=len(residuals) - 1)
    threshold = order[at, torch.arange(len(rates))].clamp(min=1e-6)
    weights: Mapping[str, Tensor] = {
        "W_enc": rows.T.contiguous(),
        "W_dec": rows,
        "b_dec": middle,
        "b_enc": torch.zeros(len(rates)),
        "threshold": threshold,
    }
    config = replace(
        sae.config, architecture="jumprelu", normalisation="none", subtract_b_dec=True, k=0
    )
    return Sae(config, weights)


def searched(half: Half, new: Matrix) -> Floats:
    """Scores of `new` by the rule that mining's own search finds in a half; 0 if it finds none."""
    choice = Search(half).best()
    return choice.scores(new) if choice else np.zeros(len(new))
