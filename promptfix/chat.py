"""A prompt as the model sees it: the chat template's tokens with the user's words among them.

This is the one place that knows which token carries which of the user's characters. It works on
any fast Hugging Face tokenizer, with a chat template or without, and runs no network.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from jinja2 import TemplateError

from promptfix.errors import MicroscopeError, PromptError
from promptfix.records import Kind, Prompt, Span, Token

Tokenizer: TypeAlias = Any
"""A `transformers.PreTrainedTokenizerFast`; named here so that transformers is not imported."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A prompt in the model's own form, up to where its answer begins."""

    ids: tuple[int, ...]
    tokens: tuple[Token, ...]
    """One for each id."""

    @property
    def looked_at(self) -> list[int]:
        """The positions where features count: the user's tokens and the read-out."""
        return [token.position for token in self.tokens if token.kind != "template"]


@dataclass(frozen=True, slots=True)
class _Rendering:
    text: str
    start: int
    """Where in `text` the user's words begin."""
    words: Span
    """Which of the user's characters they are: a template may strip white space."""


def check_template(tokenizer: Tokenizer) -> None:
    """Write a plain prompt. Raises MicroscopeError if the model's chat template cannot do that."""
    try:
        ids = encode_ids(tokenizer, Prompt(text="words"))
    except Exception as error:
        # A template is a program of somebody else's and may fail in any way.
        raise MicroscopeError(
            f"the model's chat template fails on a plain prompt ({type(error).__name__}: {error}); "
            "restore the chat_template that came with the model, or remove it"
        ) from error
    if not ids:
        raise MicroscopeError("the tokenizer makes no tokens of a prompt; restore its files")


def encode_ids(tokenizer: Tokenizer, prompt: Prompt) -> tuple[int, ...]:
    """Tokenise a prompt as `encode` does, without asking which token is whose.

    Raises PromptError if the template takes no system text.
    """
    return tuple(_tokenise(tokenizer, _write(tokenizer, prompt, prompt.text))["input_ids"])


def encode(tokenizer: Tokenizer, prompt: Prompt) -> Chat:
    """Render a prompt with the chat template and tokenise it.

    Every token that holds a character of the user's is a user token, even where it holds some of
    the template too. Special tokens never are, also where the user wrote one, and neither is the
    last token: it is the read-out.

    Raises PromptError if the template takes no system text, and MicroscopeError if it does not
    hand on the user's words as they are.
    """
    rendering = _render(tokenizer, prompt)
    encoded = _tokenise(tokenizer, rendering.text)
    ids: list[int] = encoded["input_ids"]
    offsets: list[tuple[int, int]] = encoded["offset_mapping"]
    special = frozenset(tokenizer.all_special_ids)
    tokens = [
        _token(position, rendering, *offset, special=token in special)
        for position, (token, offset) in enumerate(zip(ids, offsets, strict=True))
    ]
    last = tokens[-1]
    tokens[-1] = Token(position=last.position, text=last.text, kind="readout")
    return Chat(tuple(ids), tuple(tokens))


def _token(position: int, rendering: _Rendering, start: int, end: int, *, special: bool) -> Token:
    text = rendering.text[start:end]
    shift = rendering.words.start - rendering.start
    first = max(start + shift, rendering.words.start)
    after = min(end + shift, rendering.words.end)
    kind: Kind = "template" if special or after <= first else "user"
    span = Span(start=first, end=after) if kind == "user" else None
    return Token(position=position, text=text, span=span, kind=kind)


def _tokenise(tokenizer: Tokenizer, text: str) -> Mapping[str, Any]:
    # A template writes its own BOS; without a template the tokenizer has to add it.
    special = not tokenizer.chat_template
    return tokenizer(text, add_special_tokens=special, return_offsets_mapping=True)


def _render(tokenizer: Tokenizer, prompt: Prompt) -> _Rendering:
    # The words may occur in the system text or the template as well. A mark that occurs in
    # neither is rendered in their place: what is around it is the template's, the rest is theirs.
    mark = _mark(prompt)
    before, *rest = _write(tokenizer, prompt, mark).split(mark)
    text = _write(tokenizer, prompt, prompt.text)
    if len(rest) != 1 or not (text.startswith(before) and text.endswith(rest[0])):
        raise MicroscopeError(
            "the chat template does not write the user's words once and as they are, so they "
            "cannot be found again; give the model a template that does"
        )
    words = text[len(before) : len(text) - len(rest[0])]
    return _Rendering(text, len(before), _find(words, prompt.text))


def _write(tokenizer: Tokenizer, prompt: Prompt, words: str) -> str:
    """Write a prompt in the model's form, with these words for the user's."""
    earlier = [{"role": turn.role, "content": turn.text} for turn in prompt.history]
    messages = [*earlier, {"role": "user", "content": words}]
    if prompt.system is not None:
        messages.insert(0, {"role": "system", "content": prompt.system})
    if not tokenizer.chat_template:
        return "\n\n".join(filter(None, (message["content"] for message in messages)))
    try:
        return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except TemplateError as error:
        raise PromptError(
            f"the model's chat template refuses this prompt ({error}); many models take no "
            "system text, or only turns of user and assistant by turns: leave it out"
        ) from error


def _mark(prompt: Prompt) -> str:
    mark = "<words>"
    said = [prompt.system or "", *(turn.text for turn in prompt.history), prompt.text]
    while mark in "\n".join(said):
        mark = f"<{mark}>"
    return mark


def _find(words: str, text: str) -> Span:
    """Find the words that the template wrote in what the user wrote."""
    if words not in text or words.strip() != text.strip():
        raise MicroscopeError(
            "the chat template changes the user's words, so what is seen in the model cannot be "
            "traced to them; give the model a template that does not"
        )
    start = text.index(words)
    return Span(start=start, end=start + len(words))
