"""Answer a prompt with the model that is loaded here."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager

from promptfix.chat import encode_ids
from promptfix.decoding import score, write, write_many
from promptfix.engine import Engine
from promptfix.errors import ModelError, PromptError, PromptfixError
from promptfix.network import Network, Prefill
from promptfix.pipeline import Input, joined
from promptfix.records import GREEDY, Answer, Piece, Prompt, Sampling, Score, check_text


class LocalModel:
    """Answers with a network in this process. Safe to use from several threads."""

    def __init__(self, network: Network, engine: Engine | None = None) -> None:
        """Use a network; with an engine on it, what is asked at once is answered at once."""
        self.network = network
        self._read = engine.read if engine else network.read
        self._write = engine.write if engine else write
        self.places = engine.places if engine else 1
        """How many prompts are read and answered together."""

    @property
    def context(self) -> int:
        """How many tokens the model can take, prompt and answer together."""
        return self.network.context

    def answer(self, prompt: Prompt, prefill: object = None, sampling: Sampling = GREEDY) -> Answer:
        """Answer a prompt, reading only what a prefill does not hold of it.

        Raises PromptTooLong, PromptError, or ModelError for all else.
        """
        pieces = list(self.stream(prompt, prefill, sampling))
        return joined(pieces, prompt_tokens=len(self.encode(prompt)))

    def stream(
        self, prompt: Input, prefill: object = None, sampling: Sampling = GREEDY
    ) -> Iterator[Piece]:
        """Answer token by token. Raises as `answer` does, when it comes to it."""
        before = prefill if isinstance(prefill, Prefill) else None
        with _one_error():
            read = self._read(self.encode(prompt), before)
            yield from self._write(read, sampling)

    def encode(self, prompt: Input) -> tuple[int, ...]:
        """Turn a prompt into token ids: a turn with its template, raw text as it stands.

        Raises PromptError for what would break the model, and with it all others in its batch.
        """
        if isinstance(prompt, Prompt):
            return encode_ids(self.network.tokenizer, prompt)
        if isinstance(prompt, str):
            check_text(prompt)
            return tuple(self.network.tokenizer(prompt)["input_ids"])
        known = range(self.network.vocabulary)
        if (other := next((token for token in prompt if token not in known), None)) is not None:
            raise PromptError(
                f"the prompt has the token {other}, and the model knows those from 0 to "
                f"{known[-1]}; take ids of its own tokenizer"
            )
        return prompt

    def spell(self, token: int) -> str:
        """Write one token as text."""
        return self.network.spell(token)

    def score(self, prompt: Input, top: int = 0) -> list[Score]:
        """Say of each token of a prompt how likely it was after those before it."""
        sampling = Sampling(logprobs=top)
        with _one_error():
            first, *rest = self.encode(prompt)
            predicted = self.network.predict([first, *rest])
            pairs = zip(rest, predicted, strict=False)
            scores = [score(self.network, logits, token, sampling) for token, logits in pairs]
            return [Score(text=self.network.spell(first), logprob=None), *scores]

    def answer_many(
        self,
        prompts: Sequence[Prompt],
        *,
        max_tokens: int = GREEDY.max_tokens,
        stop: tuple[str, ...] = (),
        batch: int = 32,
        progress: Callable[[int], object] = lambda _: None,
    ) -> list[Answer]:
        """Answer many prompts greedily, `batch` at a time; each as if it had been asked alone.

        `progress` is called with the number of answers that have become ready. Raises as
        `answer` does, before anything is answered if a prompt is too long.
        """
        sampling = Sampling(max_tokens=max_tokens, stop=stop)
        answers: dict[int, Answer] = {}
        with _one_error():
            asked = [encode_ids(self.network.tokenizer, prompt) for prompt in prompts]
            self.network.check_length(max(map(len, asked), default=0))
            for index, pieces in write_many(self.network, asked, sampling, batch):
                answers[index] = joined(pieces, len(asked[index]))
                progress(1)
        return [answers[index] for index in range(len(prompts))]


@contextmanager
def _one_error() -> Generator[None]:
    """Whatever breaks in a foreign model is one thing to the caller: there is no answer."""
    try:
        yield
    except PromptfixError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        message = f"the model could not answer ({reason}); try another prompt or model"
        raise ModelError(message) from error
