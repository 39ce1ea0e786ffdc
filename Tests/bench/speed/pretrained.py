"""usage: pretrained.py make|make-sharded|load FOLDER: models as transformers keeps them.

`make` makes one of MiniLM's shape, `make-sharded` one of 2 GiB in six files. Runs with the Python of `.venv-programs`. `load` prints how long `from_pretrained` took and a number
that depends on every weight.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizer

WORD_COUNT = 30522


def make(folder: Path, *, layers: int = 6, words: int = WORD_COUNT) -> None:
    """Random weights under the names and in the shapes of all-MiniLM-L6-v2."""
    torch.manual_seed(6)
    config = BertConfig(
        vocab_size=words, hidden_size=384, num_hidden_layers=layers, num_attention_heads=12,
        intermediate_size=1536, max_position_embeddings=512,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    save_words(folder, words)


def make_sharded(folder: Path) -> None:
    """The same kind of model with 0.5 billion weights, in files of at most 400 MB."""
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=WORD_COUNT, hidden_size=1024, num_hidden_layers=40, num_attention_heads=16,
        intermediate_size=4096,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder, max_shard_size="400MB")
    save_words(folder, WORD_COUNT)


def save_words(folder: Path, count: int) -> None:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = special + [f"word{number}" for number in range(count - len(special))]
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in vocabulary))
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)


def load(folder: Path) -> dict[str, float]:
    began = time.monotonic()
    tokenizer = BertTokenizer.from_pretrained(folder, local_files_only=True)
    model = BertModel.from_pretrained(folder, local_files_only=True).eval()
    # Weights can be mapped, and are there only when somebody has looked at them.
    total = sum(float(weight.double().sum()) for weight in model.state_dict().values())
    seconds = time.monotonic() - began
    words = tokenizer("word1 word2 word3", return_tensors="pt")
    with torch.no_grad():
        total += float(model(**words).last_hidden_state.double().sum())
    return {"seconds": seconds, "total": total}


def main() -> None:
    folder = Path(sys.argv[2])
    if sys.argv[1] == "make":
        return make(folder)
    if sys.argv[1] == "make-sharded":
        return make_sharded(folder)
    # What Python imports when it is needed is not what is measured.
    with tempfile.TemporaryDirectory() as small:
        make(Path(small), layers=1, words=100)
        load(Path(small))
    print(json.dumps(load(folder)))


if __name__ == "__main__":
    main()
