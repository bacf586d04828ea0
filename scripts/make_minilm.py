#!/usr/bin/env python3
"""Makes the bundled network datasets/minilm-l6/minilm-l6-q8_0.gguf: all-MiniLM-L6-v2 with its matrices in Q8_0, without the pooler, and with
the rows of its word embedding that some text needs.

The vocabulary stays whole, so that text is cut into the same words; the key normscope.vocabulary.rows lists, rising, the ids whose
embeddings are there, one for each row of token_embd.weight. Everything else is named as llama.cpp names it.

usage: scripts/make_minilm.py MINILM-FOLDER TEXT.gz OUTPUT.gguf    (scripts/fetch_model.sh minilm-l6 makes the folder)
needs: the Python packages numpy, safetensors, gguf and tokenizers; 0.8.0, 0.19.0 and 0.23.3 of the last three made the bundled file"""
import gzip
import json
import sys

import gguf
import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

Q8, F16 = gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.F16
NORMAL = gguf.TokenType.NORMAL
BLOCK = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}


def ids_of(tokenizer, path):
    """Ids that occur in a text or stand at the ends of a sample, rising."""
    with gzip.open(path, "rt", encoding="utf-8") as f:
        found = set(tokenizer.encode(f.read(), add_special_tokens=False).ids)
    return np.array(sorted(found | {0, 100, 101, 102, 103}), np.int32)


def type_of(word):
    if word.startswith("[unused"):
        return gguf.TokenType.UNUSED
    return gguf.TokenType.CONTROL if word in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]") else NORMAL


def write_settings(out, config, vocabulary, rows):
    out.add_name("all-MiniLM-L6-v2")
    out.add_license("apache-2.0")
    out.add_description("The rows of the word embedding are those of normscope.vocabulary.rows alone.")
    out.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    out.add_vocab_size(len(vocabulary))
    out.add_context_length(config["max_position_embeddings"])
    out.add_embedding_length(config["hidden_size"])
    out.add_feed_forward_length(config["intermediate_size"])
    out.add_block_count(config["num_hidden_layers"])
    out.add_head_count(config["num_attention_heads"])
    out.add_layer_norm_eps(config["layer_norm_eps"])
    out.add_causal_attention(False)
    out.add_tokenizer_model("bert")
    out.add_tokenizer_pre("default")
    # As llama.cpp has WordPiece: what begins a word has U+2581 before it, what goes on with one has lost its "##".
    types = [type_of(w) for w in vocabulary]
    words = [w if t != NORMAL else w[2:] if w.startswith("##") else "\u2581" + w for w, t in zip(vocabulary, types)]
    out.add_token_list(words)
    out.add_token_types(types)
    out.add_token_type_count(config["type_vocab_size"])
    for tell, word in (
        (out.add_bos_token_id, "[CLS]"),
        (out.add_eos_token_id, "[SEP]"),
        (out.add_unk_token_id, "[UNK]"),
        (out.add_sep_token_id, "[SEP]"),
        (out.add_pad_token_id, "[PAD]"),
        (out.add_mask_token_id, "[MASK]"),
    ):
        tell(vocabulary.index(word))
    out.add_array("normscope.vocabulary.rows", [int(i) for i in rows])


def add(out, name, values, kind):
    if kind is None:
        out.add_tensor(name, values.astype(np.float32))
    elif kind == F16:
        out.add_tensor(name, values.astype(np.float16))
    else:
        out.add_tensor(name, gguf.quants.quantize(values.astype(np.float32), kind), raw_dtype=kind)


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    folder, text, path = sys.argv[1:]
    with open(f"{folder}/config.json") as f:
        config = json.load(f)
    with open(f"{folder}/vocab.txt", encoding="utf-8") as f:
        vocabulary = f.read().splitlines()
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    rows = ids_of(tokenizer, text)
    weights = load_file(f"{folder}/model.safetensors")

    out = gguf.GGUFWriter(path, "bert")
    write_settings(out, config, vocabulary, rows)
    add(out, "token_embd.weight", weights["embeddings.word_embeddings.weight"][rows], Q8)
    add(out, "position_embd.weight", weights["embeddings.position_embeddings.weight"], F16)
    add(out, "token_types.weight", weights["embeddings.token_type_embeddings.weight"], None)
    for end in ("weight", "bias"):
        add(out, f"token_embd_norm.{end}", weights[f"embeddings.LayerNorm.{end}"], None)
        for i in range(config["num_hidden_layers"]):
            for theirs, ours in BLOCK.items():
                values = weights[f"encoder.layer.{i}.{theirs}.{end}"]
                add(out, f"blk.{i}.{ours}.{end}", values, Q8 if values.ndim == 2 else None)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    print(f"{path}: {len(rows)} of {len(vocabulary)} words")


if __name__ == "__main__":
    main()
