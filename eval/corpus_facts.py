"""What is in mini's corpus, and what is not? `python -m eval.corpus_facts`.

Draws documents from the training mixture, counts the glossary's words, and holds the text against every test file by
number-masked 6-grams. Writes eval/results/corpus_facts.json; MODEL_CARD.md quotes it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
from collections import Counter

from eval.common import ROOT, RESULTS, data_folder
from eval.mini_abilities import SETS, items_of
from promptfix.mini import leaks
from promptfix.mini.corpus.mix import Mixture
from promptfix.mini.recipe import FULL

WORD = re.compile(r"[a-z]+(?:-[a-z]+)?")


def main() -> None:
    """Count, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    options = parser.parse_args()
    data = data_folder()
    kinds, counts, known = Counter[str](), Counter[str](), set[tuple[str, ...]]()
    words = 0
    for document in itertools.islice(Mixture(data).stream(FULL.model.seed), options.documents):
        text = f"{document.prompt or ''} {document.reply}".lower()
        found = WORD.findall(text)
        words += len(found)
        counts.update(found)
        kinds["text" if document.prompt is None else "metaphor" if "literal" in document.reply or "metaphorical" in document.reply else "math"] += 1
        if document.prompt is not None:
            known |= leaks.ngrams(document.prompt)
    units = json.loads((ROOT / "annotations/tables/units.json").read_text())
    senses = json.loads((ROOT / "annotations/tables/senses.json").read_text())
    overlaps = {}
    for name in SETS:
        items = items_of(name, data)
        overlaps[name] = {"items": len(items), "overlapping": sum(leaks.overlap(i.text, known) >= leaks.SHARE for i in items)}
    result = {
        "documents": options.documents, "words": words, "kinds": dict(kinds), "n_gram": leaks.N, "share": leaks.SHARE, "overlap": overlaps,
        "unit_words_per_million": {w: round(1e6 * (counts[w] + sum(counts[f] for f in e.get("forms", []))) / words, 1) for w, e in sorted(units.items()) if " " not in w},
        "senses": {"entries": len(senses), "never_in_sample": sum(counts[w] == 0 for w in senses)},
        "command": f"python -m eval.corpus_facts --documents {options.documents}",
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "corpus_facts.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({k: result[k] for k in ("words", "kinds", "overlap", "senses")}, indent=1))
    print({w: n for w, n in result["unit_words_per_million"].items() if w in ("dozen", "gross", "score", "fortnight", "decade", "pair", "week", "ream", "trio", "quartet")})


if __name__ == "__main__":
    main()
