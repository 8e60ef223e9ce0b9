"""Key-value caches: to branch one, to put several into one batch, and to take them out again.

In a batch all rows end in the same column; shorter ones are filled up on the left, and a mask says
where. Every token stays beside the one before it, so that sliding windows see what they should.
"""

import copy
from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

Cache: TypeAlias = Any
"""A `transformers.DynamicCache`."""

_SHAREABLE = (DynamicLayer, DynamicSlidingWindowLayer)
"""Layers of a cache that grow by making new tensors and can be cropped exactly."""


def fork(cache: Cache, keep: int) -> Cache:
    """Copy the first tokens of a cache, without copying tensors where the cache allows it."""
    branch = copy.copy(cache)
    branch.layers = [
        copy.copy(layer) if type(layer) in _SHAREABLE else copy.deepcopy(layer)
        for layer in cache.layers
    ]
    surplus = cache.get_seq_length() - keep
    if surplus:
        branch.crop(-surplus)
    return branch


def flexible(cache: Cache) -> bool:
    """Say whether tokens and rows can be taken out of a cache: not where it is a running state."""
    # A sliding layer forgets what has left its window once it has been cropped.
    length = cache.get_seq_length()
    return all(
        type(layer) in _SHAREABLE and (not layer.is_initialized or layer.keys.shape[-2] == length)
        for layer in cache.layers
    )


def stack(caches: Sequence[Cache], lengths: Sequence[int]) -> Cache:
    """Put the first so many tokens of caches into one batch, a row each or several.

    All have to be flexible. Tensors are copied. Without any token the result is empty.
    """
    longest, merged = max(lengths), DynamicCache()
    if not longest:
        return merged
    depth = max(len(cache.layers) for cache in caches)
    like = next(cache for cache, length in zip(caches, lengths, strict=True) if length)
    for number in range(depth):
        empty = like.layers[number].keys[:1, :, :0], like.layers[number].values[:1, :, :0]
        pairs = [
            (cache.layers[number].keys, cache.layers[number].values) if length else empty
            for cache, length in zip(caches, lengths, strict=True)
        ]
        keys, values = (
            torch.cat([_filled(one, n, longest) for one, n in zip(side, lengths, strict=True)])
            for side in zip(*pairs, strict=True)
        )
        merged.update(keys, values, number)
    return merged


def take(cache: Cache, rows: Sequence[int], length: int) -> Cache:
    """Take rows out of a batch, with the last so many columns. Tensors are copied."""
    taken = DynamicCache()
    for number, layer in enumerate(cache.layers):
        index = torch.tensor(rows, device=layer.keys.device)
        keys, values = (side[index, :, -length:].clone() for side in (layer.keys, layer.values))
        taken.update(keys, values, number)
    return taken


def mask_of(lengths: Sequence[int], like: Tensor) -> Tensor | None:
    """1 where rows of a batch have a token, [rows, longest]; None if they do everywhere."""
    longest = max(lengths)
    if min(lengths) == longest:
        return None
    columns = torch.arange(longest, device=like.device)
    gaps = torch.tensor([longest - length for length in lengths], device=like.device)
    return (columns >= gaps[:, None]).long()


def _filled(side: Tensor, length: int, longest: int) -> Tensor:
    """[rows, heads, tokens, d] -> the first `length` tokens, filled up on the left."""
    return pad(side[:, :, :length], (0, 0, longest - length, 0))
