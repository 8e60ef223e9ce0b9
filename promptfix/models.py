"""Answer a prompt with the model that is loaded here."""

from collections.abc import Callable, Sequence
from time import monotonic

from promptfix.chat import encode_ids
from promptfix.decoding import Written, write, write_many
from promptfix.errors import ModelError, PromptfixError
from promptfix.network import Network, Prefill
from promptfix.records import GREEDY, Answer, Prompt, Sampling


class LocalModel:
    """Answers with a network in this process. Safe to use from several threads."""

    def __init__(self, network: Network, timeout: float | None = None) -> None:
        """Use a network; an answer may take `timeout` seconds, or any time."""
        self.network = network
        self.timeout = timeout

    def answer(self, prompt: Prompt, prefill: object = None, sampling: Sampling = GREEDY) -> Answer:
        """Answer a prompt, reading only what a prefill does not hold of it.

        Raises PromptTooLong, PromptError, ModelTimeout, or ModelError for all else.
        """
        deadline = None if self.timeout is None else monotonic() + self.timeout
        before = prefill if isinstance(prefill, Prefill) else None
        try:
            ids = encode_ids(self.network.tokenizer, prompt)
            read = self.network.read(ids, before)
            return _answer(ids, write(read, sampling, deadline))
        except PromptfixError:
            raise
        except Exception as error:
            raise _broken(error) from error

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
        try:
            asked = [encode_ids(self.network.tokenizer, prompt) for prompt in prompts]
            self.network.check_length(max(map(len, asked), default=0))
            for index, written in write_many(self.network, asked, sampling, batch):
                answers[index] = _answer(asked[index], written)
                progress(1)
        except PromptfixError:
            raise
        except Exception as error:
            raise _broken(error) from error
        return [answers[index] for index in range(len(prompts))]


def _answer(prompt: Sequence[int], written: Written) -> Answer:
    return Answer(
        text=written.text,
        finish_reason=written.finish,
        prompt_tokens=len(prompt),
        completion_tokens=len(written.ids),
    )


def _broken(error: Exception) -> ModelError:
    # Whatever breaks in a foreign model is one thing to the caller: there is no answer.
    reason = f"{type(error).__name__}: {error}"
    return ModelError(f"the model could not answer ({reason}); try another prompt or model")
