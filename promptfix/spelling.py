"""Text from tokens as they come: only what no later token can change."""

from collections.abc import Callable, Sequence


class Spelling:
    """Spells the tokens of one answer, and notices where it has to stop.

    Characters of several tokens come when they are complete. What may be the beginning of a stop
    text is held back until it is clear; a stop text and what follows it never come.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], stop: Sequence[str] = ()) -> None:
        """Use a tokenizer's `decode`; `stop` holds the texts that end the answer."""
        self.stopped = False
        """Whether a stop text has come."""
        self._decode, self._stop = decode, stop
        self._ids: list[int] = []
        """The tokens of the last step and, from `_spelt` on, those that are not spelt yet.

        The former are there for what they do to the latter: a space before a word, say.
        """
        self._spelt = 0
        self._held = ""

    def add(self, token: int) -> str:
        """Take a token, and return the text that is settled by it."""
        self._ids.append(token)
        text = self._fresh()
        if text.endswith("\N{REPLACEMENT CHARACTER}"):
            return ""  # the bytes of a character that is not complete
        self._ids, self._spelt = self._ids[self._spelt :], len(self._ids) - self._spelt
        return self._until_stop(text)

    def rest(self) -> str:
        """Return what was held back, when no more tokens come."""
        text = "" if self.stopped else self._until_stop(self._fresh())
        text += "" if self.stopped else self._held
        self._ids, self._spelt, self._held = [], 0, ""
        return text

    def _fresh(self) -> str:
        before = self._decode(self._ids[: self._spelt])
        return self._decode(self._ids)[len(before) :]

    def _until_stop(self, text: str) -> str:
        text = self._held + text
        if cuts := [text.index(mark) for mark in self._stop if mark in text]:
            self.stopped, self._held = True, ""
            return text[: min(cuts)]
        kept = max((_overlap(text, mark) for mark in self._stop), default=0)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept]


def _overlap(text: str, mark: str) -> int:
    """Count the last characters of a text that are the first of a mark."""
    longest = min(len(text), len(mark) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(mark[:n])), 0)
