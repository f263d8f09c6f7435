"""Language models on b12x's kernels: load an HF folder, run it, make text.

    model = load_model("models/kjv-moe-nvfp4")                    # CPU tensors: the simulated card
    tokenizer = TextTokenizer(folder, model.config.vocab_size)
    for token in generate_ids(model, tokenizer.encode("In the beginning"), max_new_tokens=32): ...

Needs torch, safetensors and tokenizers (`pip install b12x[model]`).
"""

from b12x.model.config import ModelConfig, ModelError, read_config
from b12x.model.evaluate import bits_per_byte
from b12x.model.generate import generate_ids
from b12x.model.quantize import quantize_folder
from b12x.model.qwen3_moe import KVCache, Qwen3Moe, load_model
from b12x.model.tokenizer import TextStream, TextTokenizer

__all__ = [
    "KVCache",
    "ModelConfig",
    "ModelError",
    "Qwen3Moe",
    "TextStream",
    "TextTokenizer",
    "bits_per_byte",
    "generate_ids",
    "load_model",
    "quantize_folder",
    "read_config",
]
