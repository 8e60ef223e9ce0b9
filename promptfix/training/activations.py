"""An endless stream of shuffled residual-stream vectors, of one or several layers at once."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import Self

import torch
from torch import Tensor

from promptfix.hooks import Tap
from promptfix.network import Network, in_batches
from promptfix.training.documents import Document

_TOGETHER = 64
"""Documents that the model runs on at once."""
_READ = 512
"""Documents that are sorted by length, so that hardly anything is computed for padding."""


class Activations:
    """An endless iterator of batches: hook -> [batch, d_in] in float32, the same rows for all.

    They are where the model is. Memory: one buffer of so many positions, and what 64 documents
    take up to the deepest hook.
    """

    def __init__(
        self,
        network: Network,
        documents: Iterator[Document],
        hooks: Sequence[str],
        *,
        batch: int,
        buffer: int,
        seed: int = 0,
    ) -> None:
        """Take a network and endless documents; the hooks are in the order of the layers."""
        self.read = 0
        """How many documents have been read."""
        self._network, self._documents = network, documents
        self._taps = {hook: Tap(network.model, hook) for hook in hooks}
        self._batch, self._buffer = batch, buffer
        self._generator = torch.Generator().manual_seed(seed)
        empty = torch.empty(0, network.width, device=network.model.device)
        self._pool = dict.fromkeys(hooks, empty)

    def skip(self, documents: int) -> None:
        """Pass over documents that an earlier run has read."""
        next(islice(self._documents, documents, documents), None)
        self.read += documents

    def __iter__(self) -> Self:
        """Go on."""
        return self

    def __next__(self) -> Mapping[str, Tensor]:
        """Hand out the next batch."""
        if self._held() < max(self._buffer // 2, self._batch):
            self._refill()
        batch = {hook: rows[: self._batch] for hook, rows in self._pool.items()}
        self._pool = {hook: rows[self._batch :] for hook, rows in self._pool.items()}
        return batch

    def _held(self) -> int:
        return len(next(iter(self._pool.values())))

    def _refill(self) -> None:
        parts, held = [self._pool], self._held()
        while held < max(self._buffer, self._batch):
            some = list(islice(self._documents, _READ))
            self.read += len(some)
            new = run(self._network, self._taps, some)
            parts += new
            held += sum(len(part[next(iter(self._taps))]) for part in new)
        order = torch.randperm(held, generator=self._generator).to(self._network.model.device)
        self._pool = {hook: torch.cat([p[hook] for p in parts])[order] for hook in self._taps}


def run(
    network: Network, taps: Mapping[str, Tap], documents: Sequence[Document]
) -> list[Mapping[str, Tensor]]:
    """Let the model read documents: for each, hook -> [looked at, d_in] in float32.

    The taps are in the order of the layers. Documents come by length, not in their order.
    """

    @torch.inference_mode()
    def together(some: list[int]) -> list[Mapping[str, Tensor]]:
        rows = [documents[index].ids for index in some]
        longest = max(map(len, rows))
        # Filled up on the right: a causal model cannot see that, so that no mask is needed.
        ids = network.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
        with ExitStack() as stack:
            deepest = list(taps)[-1]
            heard = {
                hook: stack.enter_context(tap.listening(stop=hook == deepest))
                for hook, tap in reversed(list(taps.items()))
            }
            network.model(input_ids=ids, use_cache=False)
        looked_at = [documents[index].looked_at for index in some]
        counts = [len(at) for at in looked_at]
        row = torch.arange(len(some)).repeat_interleave(torch.tensor(counts)).tolist()
        column = [position for at in looked_at for position in at]
        found = {hook: heard[hook][0][row, column].float().split(counts) for hook in taps}
        return [{hook: found[hook][n] for hook in taps} for n in range(len(some))]

    lengths = [len(document.ids) for document in documents]
    return [found for _, found in in_batches(lengths, _TOGETHER, together)]
