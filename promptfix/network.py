"""A language model from a Hugging Face folder: load it, let it read, let it go on.

Reading leaves a `Prefill`: the key-value cache and what the model predicts next. Whoever answers
goes on from there, and so does whoever reads a prompt that begins in the same way. A prefill is
never changed: its cache is forked (which copies no tensor) before the model appends to it.

Nothing here knows about SAEs, detectors or prompts.
"""

import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar, cast

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache
from transformers.utils import logging

from promptfix.caches import Cache, flexible, fork
from promptfix.chat import Tokenizer, check_template
from promptfix.errors import MicroscopeError, PromptfixWarning, PromptTooLong, brief
from promptfix.hooks import Tap
from promptfix.hub import model_folder

T = TypeVar("T")
Dtype: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True, eq=False, slots=True)
class Prefill:
    """What a model remembers of the tokens it has read."""

    network: "Network"
    ids: tuple[int, ...]
    cache: Cache
    logits: Tensor
    """[vocabulary]: what comes next."""
    tap: Tap | None
    residual: Tensor | None
    """[tokens, d]: what passed the tap; None without one."""


@dataclass(frozen=True, eq=False)
class Network:
    """A causal language model with its tokenizer. Safe to use from several threads."""

    model: Any
    """A `transformers.PreTrainedModel` in eval mode."""
    tokenizer: Tokenizer
    context: int
    """How many tokens it can take, prompt and answer together."""
    stops: frozenset[int]
    """The tokens that end an answer."""
    chunk: int = 1024
    """How many tokens are read at a time, so that a long prompt takes memory for its cache only."""
    _extra: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        # Without it a model computes logits for the whole prompt; most models know it.
        known = "logits_to_keep" in inspect.signature(self.model.forward).parameters
        object.__setattr__(self, "_extra", {"logits_to_keep": 1} if known else {})

    @property
    def width(self) -> int:
        """The width of the residual stream."""
        return self.model.config.get_text_config(decoder=True).hidden_size

    @property
    def vocabulary(self) -> int:
        """How many tokens the model knows."""
        return self.model.get_input_embeddings().num_embeddings

    @torch.inference_mode()
    def read(
        self, ids: Sequence[int], before: Prefill | None = None, tap: Tap | None = None
    ) -> Prefill:
        """Read a prompt, given as token ids, and hear what passes the tap.

        Of a prefill of the same network (and tap), the longest common beginning is kept and only
        the rest is computed. Raises PromptTooLong if no room is left for an answer.
        """
        self.check_length(len(ids))
        kept = self.shared(ids, before, tap)
        if before is not None and kept == len(ids) == len(before.ids):
            return before
        kept = min(kept, len(ids) - 1)  # the last token has to run, for what it predicts
        cache = fork(before.cache, kept) if before is not None and kept else self.new_cache()
        logits, residual = self._read_on(ids[kept:], cache, tap)
        if before is not None and before.residual is not None and residual is not None:
            residual = torch.cat([before.residual[:kept], residual])
        return Prefill(self, tuple(ids), cache, logits, tap, residual)

    def check_length(self, tokens: int) -> None:
        """Raise PromptTooLong if a prompt of so many tokens leaves no room for an answer."""
        if tokens >= self.context:
            raise PromptTooLong(
                f"the prompt is {tokens} tokens long with its template, and the model reads "
                f"fewer than {self.context}; shorten it"
            )

    def new_cache(self) -> Cache:
        """Make an empty cache that can be cropped later, also behind a sliding window."""
        cache = DynamicCache(config=self.model.config)
        cache.activate_past_recording()
        return cache

    def forward(self, ids: Tensor, cache: Cache, **inputs: Tensor) -> Tensor:
        """Append token ids [batch, tokens] to the cache and return logits [batch, vocabulary]."""
        return self.model(
            input_ids=ids, past_key_values=cache, use_cache=True, **self._extra, **inputs
        ).logits[:, -1]

    def tensor(self, ids: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
        """Put token ids where the model is."""
        return torch.tensor(ids, device=self.model.device)

    @torch.inference_mode()
    def predict(self, ids: Sequence[int]) -> Iterator[Tensor]:
        """Compute what comes next after each token: logits [vocabulary], one after the other."""
        self.check_length(len(ids))
        cache = self.new_cache()
        for first in range(0, len(ids), self.chunk):
            part = self.tensor([ids[first : first + self.chunk]])
            yield from self.model(input_ids=part, past_key_values=cache, use_cache=True).logits[0]

    def decode(self, ids: Sequence[int]) -> str:
        """Turn token ids into text, without special tokens."""
        # Not the tokenizer's own `decode`, whose bookkeeping takes longer than the decoding.
        return self.tokenizer.backend_tokenizer.decode(ids, skip_special_tokens=True)

    def spell(self, token: int) -> str:
        """Write one token as text; special tokens too, by their names."""
        return self.tokenizer.decode([token], clean_up_tokenization_spaces=False)

    def _read_on(
        self, ids: Sequence[int], cache: Cache, tap: Tap | None
    ) -> tuple[Tensor, Tensor | None]:
        heard: list[Tensor] = []
        logits = torch.empty(0)
        for first in range(0, len(ids), self.chunk):
            part = self.tensor([ids[first : first + self.chunk]])
            with tap.listening(heard) if tap else nullcontext():
                logits = self.forward(part, cache)[0]
        return logits, torch.cat(heard, dim=1)[0] if heard else None

    def shared(self, ids: Sequence[int], before: Prefill | None, tap: Tap | None) -> int:
        """Count the tokens of a prefill that need not be read again."""
        if before is None or before.network is not self or (tap and before.tap is not tap):
            return 0
        pairs = zip(ids, before.ids, strict=False)
        kept = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        # A recurrent state cannot be rolled back; such a model can only read on from the end.
        return kept if kept == len(before.ids) or flexible(before.cache) else 0


def load_network(folder: Path | str, device: str = "auto", dtype: Dtype = "auto") -> Network:
    """Load a model and its fast tokenizer from a folder or the local cache, never from the network.

    The device `auto` is a GPU if there is one. The type `auto` is float32 on a CPU, where that is
    faster, and that of the weights elsewhere. Weights that need no conversion stay mapped from
    their file. Raises MicroscopeError if anything is missing, damaged or no causal language model,
    and if there is no such device.
    """
    path = model_folder(folder)
    device = _device(device)
    if not (path / "config.json").is_file():
        raise MicroscopeError(
            f"{path} holds no config.json; give a folder with a Hugging Face model"
        )
    try:
        model = _load_model(path, device, dtype)
        tokenizer: Tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError, ImportError) as error:
        reason = brief(str(error))
        raise MicroscopeError(
            f"the model in {path} cannot be loaded ({reason}); restore its files: weights are read "
            "from safetensors only, and code that comes with a model is never run"
        ) from error
    _check_tokenizer(path, tokenizer, model)
    # Padding or cutting is done by nobody: both would be a state that threads share.
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return Network(model, tokenizer, _context(model), _stops(model, tokenizer))


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0][:100]
        raise MicroscopeError(
            f"there is no device {name!r} here ({reason}); take cpu, cuda or auto"
        ) from error
    return name


def _check_tokenizer(path: Path, tokenizer: Tokenizer, model: Any) -> None:
    if not tokenizer.is_fast:
        raise MicroscopeError(f"the tokenizer in {path} is not a fast one; add its tokenizer.json")
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise MicroscopeError(
            f"the tokenizer in {path} knows {len(tokenizer)} tokens and the model {rows}: it is "
            "another model's; restore the tokenizer files that came with the model"
        )
    check_template(tokenizer)


def in_batches(
    lengths: Sequence[int],
    batch: int,
    run: Callable[[list[int]], Iterable[T]],
    order: Sequence[int] | None = None,
) -> Iterator[tuple[int, T]]:
    """Run items of like length together: yield their indices and what came of them.

    `order` has a place for each item, if their lengths are not to decide who comes first. `run`
    takes the indices of at most `batch` items. Where memory runs out the batches become smaller,
    with a warning. Raises MicroscopeError if there is not enough for a single item.
    """
    left = sorted(range(len(lengths)), key=(order or lengths).__getitem__)
    while left:
        some = left[:batch]
        results = _unless_out_of_memory(run, some)
        if results is None and len(some) == 1:
            raise MicroscopeError(
                f"there is not enough memory for one prompt of {lengths[some[0]]} tokens; shorten "
                "it, or choose a smaller model or --dtype bfloat16"
            )
        if results is None:
            batch = len(some) // 2
            warnings.warn(
                PromptfixWarning(f"memory ran out: going on with {batch} prompts at a time"),
                stacklevel=2,
            )
            continue
        yield from zip(some, results, strict=True)
        left = left[len(some) :]


def _unless_out_of_memory(
    run: Callable[[list[int]], Iterable[T]], some: list[int]
) -> list[T] | None:
    try:
        return list(run(some))
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
    # Outside the handler, whose traceback holds on to the tensors.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def out_of_memory(error: BaseException) -> bool:
    """Say whether an exception means that memory ran out, on a GPU or elsewhere."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "t allocate memory" in str(error)
    )


def _load_model(path: Path, device: str, dtype: Dtype) -> Any:
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        loaded = AutoModelForCausalLM.from_pretrained(
            path,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype="float32" if (dtype, device) == ("auto", "cpu") else dtype,
            output_loading_info=True,
        )
    finally:
        if bars:
            logging.enable_progress_bar()
    model, info = cast("tuple[Any, dict[str, Any]]", loaded)
    # transformers fills what is missing with random numbers and only warns.
    if wrong := [*info["missing_keys"], *info["mismatched_keys"], *info["error_msgs"]]:
        raise ValueError(f"its weights do not fit its config.json, first of all {wrong[0]}")
    return model.to(device).eval()


def _context(model: Any) -> int:
    config = model.config.get_text_config(decoder=True)
    return getattr(config, "max_position_embeddings", None) or 1 << 20


def _stops(model: Any, tokenizer: Tokenizer) -> frozenset[int]:
    configured = model.generation_config.eos_token_id
    several: list[int | None] = configured if isinstance(configured, list) else [configured]
    return frozenset(token for token in [*several, tokenizer.eos_token_id] if token is not None)
