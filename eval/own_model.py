"""Make a small GPT-2 that has something to misread: it stands in for a model of your own.

Nothing of promptfix is used here, only transformers and tokenizers. The model is trained for a few
minutes to subtract; it knows a dozen and a half dozen, and what other words stand for only
where a note says so. `python eval/own_model.py DIR` writes `model/`, a Hugging Face folder;
`texts.txt`, what an SAE is trained on; and `problems.jsonl`, labelled prompts for mining.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

NAMES = "Tom Ann Bob Eve Sam Kim Joe Amy".split()
THINGS = """
pens eggs nails cups books coins stamps shells pears plums rolls cakes cards balls dolls kites boats
trains hats shoes socks rings bells drums
""".split()
HAS, USES = ["has", "bought", "got"], ["uses", "loses", "sells"]
KNOWN = {"dozen": 12, "half dozen": 6}
UNKNOWN = {"gross": 144, "quire": 24, "brace": 2}
EXPLAINED = ["things", "animals", "sheets of paper"]
SYLLABLES = "ba bro co da fe gri ko lu me no pi qui ra sho ti ve wu ze".split()
ENDS = ["", "ck", "l", "m", "n", "r", "ss", "t"]
LARGEST, CONTEXT, STEPS, BATCH, RATE = 150, 1024, 2000, 64, 3e-3
"""With 1,500 steps at 2e-3 it still took 144 - 5 for 138 on some CPUs."""
END = "<|end|>"
TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"


def problem(chance: Random, amount: str, value: int) -> tuple[str, int]:
    """A problem about so many things, and its answer."""
    used = chance.randint(1, min(9, value - 1))
    name, has, uses = chance.choice(NAMES), chance.choice(HAS), chance.choice(USES)
    things = f"{amount} {chance.choice(THINGS)}"
    return f"{name} {has} {things} and {uses} {used} of them. How many are left?", value - used


def lesson(chance: Random) -> tuple[str, int, int]:
    """A problem to train on, what it begins with, and its answer."""
    word, value = chance.choice([*KNOWN.items()])
    kind = chance.random()
    if kind < 0.25:
        value = chance.randint(2, LARGEST)
        return (*problem(chance, str(value), value), value)
    if kind > 0.5:
        word = "".join(chance.choices(SYLLABLES, k=chance.randint(1, 2))) + chance.choice(ENDS)
        value = chance.randint(2, LARGEST)
    text, answer = problem(chance, f"a {word} of", value)
    if kind > 0.4:
        text += f"\n[Note: a {word} is {value} {chance.choice(EXPLAINED)}]"
    return text, answer, value


def write_out(chance: Random) -> tuple[str, str]:
    """A lesson in the form of the template, and the reply that the model is to write."""
    text, answer, value = lesson(chance)
    return f"{text}\n", f"{value} - {value - answer} = {answer}\nAnswer: {answer}{END}"


def batch(words: PreTrainedTokenizerFast, chance: Random) -> dict[str, torch.Tensor]:
    """Token ids [BATCH, tokens], and those of them that are learnt: the replies."""
    pairs = [[words(part)["input_ids"] for part in write_out(chance)] for _ in range(BATCH)]
    longest = max(len(head) + len(reply) for head, reply in pairs)
    ids = torch.zeros(BATCH, longest, dtype=torch.long)
    labels = torch.full_like(ids, -100)
    for row, (head, reply) in enumerate(pairs):
        ids[row, : len(head) + len(reply)] = torch.tensor(head + reply)
        labels[row, len(head) : len(head) + len(reply)] = torch.tensor(reply)
    return {"input_ids": ids, "labels": labels}


def make_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer in which each number is one token."""
    made = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(r"\d+| ?\p{L}+| ?[^\s\p{L}\d]+|\s"), "isolated")
    bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer, made.decoder = (
        pre_tokenizers.Sequence([split, bytewise]),
        decoders.ByteLevel(),
    )
    trainer = trainers.BpeTrainer(
        vocab_size=1000,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([*texts, *map(str, range(1, LARGEST + 1))], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=made, eos_token=END, pad_token=END)
    fast.chat_template = TEMPLATE
    return fast


def train(words: PreTrainedTokenizerFast, chance: Random) -> GPT2LMHeadModel:
    """Train the model on lessons that are new in every step."""
    shape = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT}
    quiet = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    ids = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), 0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(words), **shape, **quiet, **ids))
    adam = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
    for step in range(STEPS):
        loss = model(**batch(words, chance)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in adam.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 50, 1.5 * (1 - step / STEPS))
        adam.step()
        adam.zero_grad()
        if step % 100 == 99:
            print(f"step {step + 1} of {STEPS}: loss {loss.item():.3f}", flush=True)
    return model


def problems(chance: Random, count: int) -> Iterator[dict[str, str]]:
    """Problems with words that the model knows or does not."""
    words = [(f"a {word} of", value) for word, value in (KNOWN | UNKNOWN).items()]
    for _ in range(count):
        text, answer = problem(chance, *chance.choice(words))
        yield {"question": text, "answer": str(answer)}


def main(folder: Path) -> None:
    """Write model, texts and problems."""
    torch.set_num_threads(1)  # the same weights however many cores there are
    torch.manual_seed(0)
    chance = Random(0)
    words = make_tokenizer(["".join(write_out(chance)) for _ in range(4000)])
    model = train(words, chance)
    model.save_pretrained(folder / "model")
    words.save_pretrained(folder / "model")
    texts = [lesson(chance)[0] for _ in range(8000)]
    (folder / "texts.txt").write_text("\n\n".join(texts), encoding="utf-8")
    lines = [json.dumps(row) + "\n" for row in problems(chance, 1200)]
    (folder / "problems.jsonl").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
