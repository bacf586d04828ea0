#!/usr/bin/env python3
"""The oracle of GGUF: what the package gguf, llama.cpp's own, reads and writes. Needs gguf, numpy, safetensors.

usage: scripts/oracle_gguf.py     writes tests/golden/gguf

blocks.safetensors has for each quantized type T `T.blocks` (bytes, one block a row) and `T.values` (what they are, in float32): random
blocks, and some whose scales are 0, subnormal, the largest, infinite or NaN. NAME.gguf are models of tests/golden/words as llama.cpp's
converter would write them: the same tensors under its names, queries and keys of LLaMA with their rows in its order. mixed.gguf has matrices
of several types; mixed/ is the same as a Hugging Face folder, what gguf's own functions widened in float32."""
import json
import os
import shutil

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter, RopeScalingType, dequantize, quants
from safetensors import safe_open
from safetensors.numpy import save_file

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
WORDS, GOLDEN = os.path.join(ROOT, "tests", "golden", "words"), os.path.join(ROOT, "tests", "golden", "gguf")

# Bytes of a block, and where its binary16 scales stand.
QUANTIZED = {"Q8_0": (34, [0]), "Q4_0": (18, [0]), "Q4_1": (20, [0, 2]), "Q5_0": (22, [0]), "Q5_1": (24, [0, 2]),
             "Q4_K": (144, [0, 2]), "Q5_K": (176, [0, 2]), "Q6_K": (210, [208])}
SCALES = [0.0, -0.0, 6e-8, -6e-8, 65504.0, -65504.0, np.inf, -np.inf, np.nan]


def random_blocks(rng, size, places):
    blocks = rng.integers(0, 256, (24, size), dtype=np.uint8)
    for i, block in enumerate(blocks):
        for at in places:
            scale = rng.choice(SCALES) if i % 3 == 2 else rng.normal() * 10.0 ** rng.integers(-4, 3)
            block[at:at + 2] = np.frombuffer(np.float16(scale).tobytes(), np.uint8)
    blocks[0, 2:-2], blocks[1, 2:-2] = 0, 255
    return blocks


def write_blocks():
    rng, out = np.random.default_rng(15), {}
    with np.errstate(all="ignore"):
        for name, (size, places) in QUANTIZED.items():
            blocks = random_blocks(rng, size, places)
            out[name + ".blocks"], out[name + ".values"] = blocks, dequantize(blocks, Type[name])
    save_file(out, os.path.join(GOLDEN, "blocks.safetensors"))


def permuted(rows, heads):
    """The converter's order: the two channels that turn together side by side."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def restored(a, name, arch, c):
    for part, n in (("attn_q.", c.get("num_attention_heads")), ("attn_k.", c.get("num_key_value_heads"))):
        if arch == "llama" and part in name:
            pairs = a.reshape(n, a.shape[0] // n // 2, 2, *a.shape[1:])
            return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(a.shape))
    return np.ascontiguousarray(a, dtype=np.float32)


LLAMA = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
         "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
         "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
GPT2 = {"ln_1": "attn_norm", "ln_2": "ffn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up",
        "mlp.c_proj": "ffn_down"}
BERT = {"attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
        "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm", "intermediate.dense": "ffn_up",
        "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm"}
WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output", "transformer.wte": "token_embd",
         "transformer.wpe": "position_embd", "transformer.ln_f": "output_norm", "embeddings.word_embeddings": "token_embd",
         "embeddings.position_embeddings": "position_embd", "embeddings.token_type_embeddings": "token_types",
         "embeddings.LayerNorm": "token_embd_norm"}


def name_of(name):
    if name.startswith(("layers.", "embed_tokens.", "norm.")):
        name = "model." + name  # what has no head
    path, _, last = name.rpartition(".")
    if path in WHOLE:
        return "%s.%s" % (WHOLE[path], last)
    for begin, parts in (("model.layers.", LLAMA), ("transformer.h.", GPT2), ("encoder.layer.", BERT)):
        if path.startswith(begin):
            block, _, part = path[len(begin):].partition(".")
            return "blk.%s.%s.%s" % (block, parts[part], last)
    return None  # the pooler, masks


def metadata(w, arch, c):
    heads = c.get("num_attention_heads", c.get("n_head"))
    w.add_block_count(c.get("num_hidden_layers", c.get("n_layer")))
    w.add_context_length(c.get("max_position_embeddings", c.get("n_positions")))
    w.add_embedding_length(c.get("hidden_size", c.get("n_embd")))
    w.add_feed_forward_length(c.get("intermediate_size") or c.get("n_inner") or 4 * c["n_embd"])
    w.add_head_count(heads)
    w.add_file_type(0)
    w.add_tokenizer_model("gpt2")
    w.add_token_list(["<%d>" % i for i in range(c["vocab_size"])])
    w.add_token_types([1] * c["vocab_size"])
    if arch in ("llama", "qwen2", "qwen3"):
        w.add_vocab_size(c["vocab_size"])
        w.add_head_count_kv(c["num_key_value_heads"])
        w.add_layer_norm_rms_eps(c["rms_norm_eps"])
        w.add_rope_freq_base(c["rope_parameters"]["rope_theta"])
        if c["rope_parameters"]["rope_type"] == "linear":
            w.add_rope_scaling_type(RopeScalingType.LINEAR)
            w.add_rope_scaling_factor(c["rope_parameters"]["factor"])
        dim = c.get("head_dim") or c["hidden_size"] // heads
        w.add_rope_dimension_count(dim)
        w.add_key_length(dim)
        w.add_value_length(dim)
    else:
        w.add_layer_norm_eps(c.get("layer_norm_eps", c.get("layer_norm_epsilon")))
    if arch == "bert":
        w.add_causal_attention(False)
        w.add_token_type_count(c["type_vocab_size"])


def convert(folder, arch, out, types=()):
    """types: element types that matrices take in turn, float32 otherwise."""
    with open(os.path.join(WORDS, folder, "config.json")) as f:
        c = json.load(f)
    w = GGUFWriter(os.path.join(GOLDEN, out + ".gguf"), arch)
    metadata(w, arch, c)
    turn, widened = 0, {}
    with safe_open(os.path.join(WORDS, folder, "model.safetensors"), "np") as f:
        for name in sorted(f.keys()):
            to, a = name_of(name), np.ascontiguousarray(f.get_tensor(name), dtype=np.float32)
            if to is None:
                continue
            for part, n in (("attn_q.", c.get("num_attention_heads")), ("attn_k.", c.get("num_key_value_heads"))):
                if arch == "llama" and part in to:
                    a = permuted(a, n)
            if arch == "gpt2" and a.ndim == 2 and to.startswith("blk."):
                a = a.T  # Conv1D
            a, kind = np.ascontiguousarray(a), Type.F32
            if types and a.ndim == 2:
                kind = Type[types[turn % len(types)]]
                turn += 1
                a = quants.quantize(a, kind) if a.shape[1] % 32 == 0 else a
                a = a.view(np.uint8) if a.dtype != np.float32 else a
            kind = kind if a.dtype == np.uint8 else Type.F32
            w.add_tensor(to, a, raw_dtype=kind)
            widened[name] = restored(dequantize(a, kind) if a.dtype == np.uint8 else a, to, arch, c)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    if types:
        os.makedirs(os.path.join(GOLDEN, out), exist_ok=True)
        save_file(widened, os.path.join(GOLDEN, out, "model.safetensors"))
        shutil.copy(os.path.join(WORDS, folder, "config.json"), os.path.join(GOLDEN, out))


if __name__ == "__main__":
    os.makedirs(GOLDEN, exist_ok=True)
    write_blocks()
    convert("llama", "llama", "llama")
    convert("llama-theta", "llama", "llama-theta")
    convert("llama-tied", "llama", "llama-tied")
    convert("gpt2", "gpt2", "gpt2")
    convert("bert", "bert", "bert")
    convert("llama", "llama", "mixed", ["Q8_0", "F16", "Q4_1", "BF16", "Q5_0", "Q4_0", "Q5_1"])
    convert("llama-linear", "llama", "llama-linear")
    convert("qwen2", "qwen2", "qwen2")
    convert("qwen3", "qwen3", "qwen3")
