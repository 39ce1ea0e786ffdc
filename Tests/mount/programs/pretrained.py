"""usage: pretrained.py write|check FOLDER: a model of transformers, saved in shards and loaded."""

import sys
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM


def model() -> LlamaForCausalLM:
    torch.manual_seed(11)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=512, hidden_size=64, intermediate_size=128, num_hidden_layers=3,
            num_attention_heads=4, max_position_embeddings=64,
        )  # fmt: skip
    ).eval()


def write(folder: Path) -> None:
    model().save_pretrained(folder, max_shard_size="150KB")
    check(folder)


def check(folder: Path) -> None:
    shards = sorted(path.name for path in folder.glob("model-*-of-*.safetensors"))
    assert len(shards) > 2 and (folder / "model.safetensors.index.json").exists(), shards
    expected = model()
    loaded = LlamaForCausalLM.from_pretrained(folder, local_files_only=True).eval()
    weights = loaded.state_dict()
    for name, tensor in expected.state_dict().items():
        assert torch.equal(weights[name], tensor), name
    words = torch.arange(10).unsqueeze(0)
    with torch.no_grad():
        assert torch.equal(loaded(words).logits, expected(words).logits)


{"write": write, "check": check}[sys.argv[1]](Path(sys.argv[2]))
