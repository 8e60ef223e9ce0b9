"""A language model with an SAE attached: let it read a prompt and say which features fire where.

The model reads once. What it remembers of that (the prefill) is handed on, so that answering
costs no second reading. Only the features that the encoder holds are computed, and only at the
user's tokens and the read-out.
"""

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from promptfix.chat import Chat, encode
from promptfix.engine import Engine
from promptfix.errors import LensError, MicroscopeError, PromptfixError
from promptfix.hooks import Tap
from promptfix.network import Network, Prefill, in_batches, out_of_memory
from promptfix.pipeline import Look
from promptfix.records import Activation, Prompt, Reading
from promptfix.saefile import SaeConfig
from promptfix.together import Together

_TOGETHER = 16
"""How many prompts that arrive together are read at once."""
_POSITIONS = 512
"""How many positions are looked at together: of a whole SAE, one takes as much as it is wide."""


class Encoder(Protocol):
    """A slice of an SAE, or all of it."""

    @property
    def config(self) -> SaeConfig:
        """What it is made for."""
        ...

    @property
    def features(self) -> tuple[int, ...]:
        """The features it holds."""
        ...

    def encode(self, x: Tensor) -> Tensor:
        """Encode activations [..., d_in] into features [..., n], in the order of `features`."""
        ...


class Peaks(NamedTuple):
    """How strongly features fired on prompts, each [prompts, features] in float32."""

    user: Tensor
    """At the user's token where the feature is strongest."""
    readout: Tensor


class Microscope:
    """Reads prompts through one lens. Safe to use from several threads."""

    def __init__(
        self, network: Network, encoder: Encoder, lens: str, engine: Engine | None = None
    ) -> None:
        """Attach an SAE to a model; with an engine on it, what comes at once is read at once.

        Raises LensError if the model has no place for the SAE or another width.
        """
        if encoder.config.d_in != network.width:
            raise LensError(
                f"the SAE reads activations that are {encoder.config.d_in} wide and the model's "
                f"are {network.width}; use the SAE that was trained on this model"
            )
        self.network = network
        self.encoder = encoder
        self._lens = lens
        self._tap = Tap(network.model, encoder.config.hook)
        self._read = engine.read if engine else network.read
        self._hear_together = Together(self._hear)

    @property
    def lens(self) -> str:
        """The id of the lens, as in detectors/lenses.json."""
        return self._lens

    def read(self, prompt: Prompt, prefill: object = None, *, keep: bool = True) -> Look:
        """Let the model read a prompt, and look at it.

        Only what follows the part that a prefill has in common with the prompt is computed; if
        nothing is to be kept, all of it, but no further than the SAE.
        Raises PromptTooLong, PromptError, or MicroscopeError for all that goes wrong.
        """
        before = prefill if isinstance(prefill, Prefill) else None
        try:
            chat = encode(self.network.tokenizer, prompt)
            if keep:
                now = self._read(chat.ids, before, self._tap)
                activations = self._look(chat, now.residual)
            else:
                now = None
                self.network.check_length(len(chat.ids))
                activations = self._look(chat, self._hear_together(chat.ids))
        except PromptfixError:
            raise
        except Exception as error:
            # Whatever breaks in a foreign model is one thing to the pipeline: it cannot look.
            remedy = (
                "shorten the prompt, or choose a smaller model or --dtype bfloat16"
                if out_of_memory(error)
                else "run promptfix check, and report this if the lens is in order"
            )
            raise MicroscopeError(
                f"the model could not be read ({type(error).__name__}: {error}); {remedy}"
            ) from error
        reading = Reading(
            lens=self.lens, prompt=prompt, tokens=chat.tokens, activations=activations
        )
        return Look(reading, now)

    def read_many(
        self, prompts: Sequence[Prompt], features: Sequence[int] | None = None, batch: int = 32
    ) -> Peaks:
        """Look at many prompts, and keep the peak of each feature, or of these only.

        The model runs on `batch` prompts of like length at once, up to the tap. Memory: the
        result, and the features of one prompt. Raises as `read` does.
        """
        chosen = range(len(self.encoder.features))
        columns = [*chosen] if features is None else [*map(self.encoder.features.index, features)]
        peaks = Peaks(*torch.zeros(2, len(prompts), len(columns)))
        for index, residual in self.residuals(prompts, batch):
            found = self.encoder.encode(residual)[:, columns]
            peaks.readout[index] = found[-1]
            if len(found) > 1:
                peaks.user[index] = found[:-1].amax(0)
        return peaks

    def residuals(self, prompts: Sequence[Prompt], batch: int = 32) -> Iterator[tuple[int, Tensor]]:
        """Yield what passes the tap for each prompt: its index, and [positions, d] in float32.

        The positions are the user's tokens and, last, the read-out. Prompts come by length, not
        in their order. Raises PromptTooLong if one does not fit the context.
        """
        chats = [encode(self.network.tokenizer, prompt) for prompt in prompts]
        lengths = [len(chat.ids) for chat in chats]
        self.network.check_length(max(lengths, default=0))

        def run(some: list[int]) -> Tensor:
            return self._run([chats[index].ids for index in some])

        for index, residual in in_batches(lengths, batch, run):
            yield index, residual[chats[index].looked_at].float()

    @torch.inference_mode()
    def _run(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Run token ids up to the tap: [batch, longest, d]."""
        # Filled up on the right: a causal model cannot see that, so that no mask is needed.
        longest = max(map(len, prompts))
        ids = self.network.tensor([[*ids, *[0] * (longest - len(ids))] for ids in prompts])
        with self._tap.listening(stop=True) as heard:
            self.network.model(input_ids=ids, use_cache=False)
        return heard[0]

    def _hear(self, prompts: Sequence[tuple[int, ...]]) -> Sequence[Tensor]:
        """Run token ids up to the tap: for each prompt [at least its tokens, d]."""
        lengths = [*map(len, prompts)]
        heard = in_batches(lengths, _TOGETHER, lambda some: self._run([prompts[i] for i in some]))
        return [residual for _, residual in sorted(heard, key=itemgetter(0))]

    @torch.inference_mode()
    def _look(self, chat: Chat, residual: Tensor | None) -> tuple[Activation, ...]:
        if residual is None:
            raise MicroscopeError("the model ran without passing the hook; check the lens's hook")
        positions = torch.tensor(chat.looked_at)
        return tuple(
            activation
            for some in positions.split(_POSITIONS)
            for activation in self._activations(some, residual[some])
        )

    def _activations(self, positions: Tensor, residual: Tensor) -> Iterator[Activation]:
        found = self.encoder.encode(residual).cpu()
        if not bool(found.isfinite().all()):
            raise MicroscopeError("the model's activations are no numbers; restore its weights")
        rows, columns = found.nonzero(as_tuple=True)
        features = torch.tensor(self.encoder.features, dtype=torch.long)[columns].tolist()
        values: list[float] = found[rows, columns].tolist()
        for feature, position, value in zip(
            features, positions[rows].tolist(), values, strict=True
        ):
            yield Activation(feature=feature, position=position, value=value)
