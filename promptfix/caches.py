"""Key-value caches: to branch one, to put several into one batch, and to take them out again.

In a batch all rows end in the same column; shorter ones are filled up on the left, and a mask says
where. Every token stays beside the one before it, so that sliding windows see what they should.
"""

import copy
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import cache_utils
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

Cache: TypeAlias = Any
"""A `transformers.DynamicCache`."""

_ROOM = 64
"""How many tokens a batch can grow by before its tensors are copied."""


class _Roomy(DynamicLayer):
    """A layer with room behind its tokens, so that one more does not copy all of them.

    Not for sharing: who forks it writes into the same room.
    """

    _room: tuple[Tensor, Tensor]

    def update(
        self, key_states: Tensor, value_states: Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append tokens, [rows, heads, tokens, d] each, and return all."""
        had = self.get_seq_length()
        count = had + key_states.shape[-2]
        if not had or count > self._room[0].shape[-2]:
            self._make_room(key_states, value_states, had, count + _ROOM)
        for room, states in zip(self._room, (key_states, value_states), strict=True):
            room[:, :, had:count] = states
        self.keys, self.values = (room[:, :, :count] for room in self._room)
        return self.keys, self.values

    def _make_room(self, keys: Tensor, values: Tensor, had: int, tokens: int) -> None:
        if not self.is_initialized:
            self.lazy_initialization(keys, values)
        room = [like.new_empty((*like.shape[:2], tokens, like.shape[3])) for like in (keys, values)]
        if had:
            for side, states in zip(room, (self.keys, self.values), strict=True):
                side[:, :, :had] = cast("Tensor", states)
        self._room = room[0], room[1]


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


def empty(*, roomy: bool = False) -> Cache:
    """Make an empty cache; a roomy one is for appending token by token, and never forked."""
    return cache_utils.Cache(layer_class_to_replicate=_Roomy if roomy else DynamicLayer)


def stack(caches: Sequence[Cache], lengths: Sequence[int], *, roomy: bool = False) -> Cache:
    """Put the first so many tokens of caches into one batch, a row each or several.

    All have to be flexible. Tensors are copied. Without any token the result is empty.
    """
    longest, merged = max(lengths), empty(roomy=roomy)
    if not longest:
        return merged
    depth = max(len(cache.layers) for cache in caches)
    like = next(cache for cache, length in zip(caches, lengths, strict=True) if length)
    for number in range(depth):
        none = like.layers[number].keys[:1, :, :0], like.layers[number].values[:1, :, :0]
        pairs = [
            (cache.layers[number].keys, cache.layers[number].values) if length else none
            for cache, length in zip(caches, lengths, strict=True)
        ]
        keys, values = (
            torch.cat([_filled(one, n, longest) for one, n in zip(side, lengths, strict=True)])
            for side in zip(*pairs, strict=True)
        )
        merged.update(keys, values, number)
    return merged


def take(cache: Cache, rows: Sequence[int], length: int, *, roomy: bool = False) -> Cache:
    """Take rows out of a batch, with the last so many columns. Tensors are copied."""
    taken = empty(roomy=roomy)
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
