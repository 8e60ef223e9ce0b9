"""Problems that turn on a unit word, and all else that mining needs to be tried on them."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from promptfix.lens import identify
from promptfix.library import load as load_library
from promptfix.microscope import Microscope
from promptfix.mining.outcomes import annotate
from promptfix.mining.run import answers_file
from promptfix.mining.writing import CHECK_PROMPTS
from promptfix.network import load_network
from promptfix.records import Prompt
from promptfix.rewriting import OPEN
from promptfix.sae import Sae
from promptfix.tasks import load
from tests.tiny import save_model, save_sae

ROOT = Path(__file__).resolve().parent.parent
NAMES = "Tom Ann Bob Eve Sam Kim Joe Amy".split()
THINGS = """
pens eggs nails cups books coins stamps shells pears plums rolls cakes cards balls dolls kites boats
trains hats shoes socks rings bells drums
""".split()


def bench(folder):
    """Make a model, an SAE, data, a library without detectors, and a cache of answers."""
    save_model(folder / "model", max_position_embeddings=1024)
    fit(folder / "model", save_sae(folder / "sae", hook="model.layers.0"))
    (folder / "data.jsonl").write_text("\n".join(map(json.dumps, rows())))
    library(folder / "library")
    lay_answers(folder, max_tokens=4)
    return folder


def fit(model, sae):
    """Give a random SAE the decoder that fits the model best, since others are refused."""
    texts = [Prompt(text=row["question"]) for row in list(rows())[:60]]
    texts += [Prompt(text=text) for text in CHECK_PROMPTS]
    loaded = Sae.load(sae)
    microscope = Microscope(load_network(model), loaded, "fit")
    x = torch.cat([residual for _, residual in microscope.residuals(texts)])
    weights = load_file(sae / "sae_weights.safetensors")
    weights["W_dec"] = torch.linalg.lstsq(
        loaded.encode(x), x - weights["b_dec"]
    ).solution.contiguous()
    save_file(weights, sae / "sae_weights.safetensors")


def rows():
    """Unit words: a gross is misread without a note, a dozen with one; each in its own words."""
    for n in range(800):
        word, value = [("gross", 144), ("dozen", 12)][n % 2]
        name, thing = NAMES[n // 2 % 8], THINGS[n // 2 % 24]
        used = 1 + n % 7
        text = f"{name} has a {word} of {thing} and uses {used} of them. How many are left? {n}"
        yield {"id": f"x{n}", "question": text, "answer": str(value - used), "word": word}


def say(row, prompt):
    """What the model answers: a note mends a gross, and a needless one confuses a dozen."""
    known = (row["word"] == "dozen") != (OPEN in prompt)
    return f"Answer: {row['answer'] if known else '1'}"


def library(folder):
    """Make detectors/ without any, and annotations/ with the one for unit words."""
    (folder / "detectors").mkdir(parents=True)
    (folder / "annotations").mkdir()
    shutil.copytree(ROOT / "annotations/tables", folder / "annotations/tables")
    shutil.copy(ROOT / "annotations/unit-word-statement.json", folder / "annotations")
    kind = "detectors/unknown-unit-word"
    (folder / kind).mkdir()
    shutil.copy(ROOT / kind / "cases.jsonl", folder / kind)
    (folder / "detectors/lenses.json").write_text('{"lenses": {}}')


def lay_answers(folder, max_tokens):
    """Lay down right answers for the model where the word is known or a note stands."""
    known = load_library(folder / "library/detectors", folder / "library/annotations")
    (annotation,) = known.annotations
    lines = []
    for row, item in zip(rows(), load(folder / "data.jsonl"), strict=True):
        noted = annotate(item.prompt, annotation, known)
        for prompt in filter(None, [item.prompt, noted]):
            key = sha256(f"{max_tokens}\n{prompt}".encode()).hexdigest()[:24]
            lines.append(json.dumps([key, say(row, prompt)]) + "\n")
    (folder / "cache").mkdir()
    name = answers_file(identify(folder / "model", folder / "sae"), "auto")
    (folder / "cache" / name).write_text("".join(lines))
