"""What is in mini's corpus, and what is not? `python -m eval.corpus_facts`.

Draws documents from the training mixture, counts the glossary's words, and holds the text against
every test file by number-masked 6-grams. Writes eval/results/corpus_facts.json; MODEL_CARD.md
quotes it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eval.common import RESULTS, ROOT, data_folder
from eval.mini_abilities import SETS, items_of
from promptfix.mini import leaks
from promptfix.mini.corpus.mix import Document, Mixture
from promptfix.mini.recipe import FULL

WORD = re.compile(r"[a-z]+(?:-[a-z]+)?")


SHOWN = "dozen gross score fortnight decade pair week ream trio quartet".split()


@dataclass
class Counts:
    """What a sample of the corpus holds."""

    words: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    known: set[tuple[str, ...]] = field(default_factory=set)
    """The n-grams of its prompts."""


def count(documents: Iterable[Document]) -> Counts:
    """Count words and kinds."""
    counts = Counts()
    for document in documents:
        text = f"{document.prompt or ''} {document.reply}".lower()
        counts.words.update(WORD.findall(text))
        counts.kinds[kind(document)] += 1
        if document.prompt is not None:
            counts.known |= leaks.ngrams(document.prompt)
    return counts


def kind(document: Document) -> str:
    """`text`, `metaphor` or `math`."""
    if document.prompt is None:
        return "text"
    metaphor = "literal" in document.reply or "metaphorical" in document.reply
    return "metaphor" if metaphor else "math"


def overlaps(data: Path, known: set[tuple[str, ...]]) -> dict[str, dict[str, int]]:
    """Per test set, how many items overlap with the sample."""
    found: dict[str, dict[str, int]] = {}
    for name in SETS:
        items = items_of(name, data)
        leaked = sum(leaks.overlap(item.text, known) >= leaks.SHARE for item in items)
        found[name] = {"items": len(items), "overlapping": leaked}
    return found


def per_million(table: str, words: Counter[str]) -> dict[str, float]:
    """How often each single word of one of the library's tables occurs, in any of its forms."""
    units = json.loads((ROOT / f"annotations/tables/{table}.json").read_text())
    forms = {w: [w, *units[w].get("forms", [])] for w in sorted(units) if " " not in w}
    total = words.total()
    return {w: round(1e6 * sum(words[f] for f in fs) / total, 1) for w, fs in forms.items()}


def main() -> None:
    """Count, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    options = parser.parse_args()
    data = data_folder()
    stream = Mixture(data).stream(FULL.model.seed)
    counts = count(itertools.islice(stream, options.documents))
    senses = json.loads((ROOT / "annotations/tables/senses.json").read_text())
    unseen = sum(counts.words[word] == 0 for word in senses)
    units = per_million("units", counts.words)
    result: dict[str, Any] = {
        "documents": options.documents,
        "words": counts.words.total(),
        "kinds": dict(counts.kinds),
        "n_gram": leaks.N,
        "share": leaks.SHARE,
        "overlap": overlaps(data, counts.known),
        "unit_words_per_million": units,
        "multiples_per_million": per_million("multiples", counts.words),
        "parts_per_million": per_million("parts", counts.words),
        "senses": {"entries": len(senses), "never_in_sample": unseen},
        "command": f"python -m eval.corpus_facts --documents {options.documents}",
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "corpus_facts.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({k: result[k] for k in ("words", "kinds", "overlap", "senses")}, indent=1))
    print({word: units[word] for word in SHOWN if word in units})


if __name__ == "__main__":
    main()
