"""Settings of language models under the names that earlier transformers gave them, and where they are left to their defaults, mean what
transformers 5 writes (tests/golden/words); and a setting that changes what is computed changes it."""
import json
import os
import shutil
import sys

import h5py
import numpy as np

sys.path.insert(0, "tests/tools")
from refusals import done, fail, run, t

golden = "tests/golden/words/"
rng = np.random.default_rng(3)
np.save(f"{t}/ids.npy", rng.integers(1, 99, (2, 12)))


def rows(name, change=None, remove=()):
    """What goes into and comes out of every site."""
    shutil.rmtree(f"{t}/model", ignore_errors=True)
    shutil.copytree(golden + name, f"{t}/model")
    config = json.load(open(f"{t}/model/config.json"))
    config = {k: v for k, v in {**config, **(change or {})}.items() if k not in remove}
    json.dump(config, open(f"{t}/model/config.json", "w"))
    status, _, said = run("dump", f"{t}/model", f"{t}/ids.npy", "-o", f"{t}/run.h5", "-f")
    if status:
        fail(["dump", name, str(change)], said)
        return None
    with h5py.File(f"{t}/run.h5") as f:
        return np.concatenate([f["sites"][s][w][:].ravel() for s in f["sites"] for w in ("input", "output")])


for name, change, remove, same in [
    ("llama3", {"rope_theta": 500.0, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                                      "original_max_position_embeddings": 64}}, ["rope_parameters"], True),
    ("llama3", {"rope_theta": 500.0, "rope_scaling": {"type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}},
     ["rope_parameters"], True),  # the model's context, 64, stands for the original one
    ("llama3", {"rope_theta": 500.0}, ["rope_parameters"], False),
    ("llama-linear", {"rope_scaling": {"type": "linear", "factor": 4.0}}, ["rope_parameters"], True),
    ("llama-linear", {"rope_scaling": {"type": "linear", "factor": 4.5}}, ["rope_parameters"], False),
    ("mistral", {}, ["sliding_window"], False),  # 4096, and so all
    ("mistral", {"sliding_window": None}, [], False),
    ("mistral", {"sliding_window": 4}, [], False),
    ("qwen2", {}, ["layer_types"], True),
    ("qwen2", {"max_window_layers": 0}, ["layer_types"], False),
    ("qwen2", {"use_sliding_window": False}, ["layer_types"], False),
    ("gemma", {"hidden_act": "gelu"}, [], True),
    ("gemma", {}, ["hidden_act", "tie_word_embeddings", "rope_parameters"], True),
    ("gemma2", {}, ["layer_types"], True),
    ("gemma2", {"attn_logit_softcapping": None}, [], False),
    ("gemma2", {}, ["attn_logit_softcapping"], False),  # 50
    ("gemma2", {}, ["query_pre_attn_scalar"], False),  # 256
    ("gemma3", {"rope_theta": 5000.0, "rope_local_base_freq": 50.0, "rope_scaling": {"rope_type": "linear", "factor": 2.0},
                "sliding_window_pattern": 2}, ["rope_parameters", "layer_types"], True),
    ("gemma3", {}, ["rope_parameters"], False),
    ("neox", {}, ["rope_parameters"], True),
    ("neox", {"use_parallel_residual": False}, [], False),
    ("neox-serial", {"rotary_emb_base": 100, "rotary_pct": 0.5}, ["rope_parameters"], True),
    ("neox-serial", {"rotary_emb_base": 100, "rotary_pct": 0.25}, ["rope_parameters"], False),
    ("roberta", {"pad_token_id": 0}, [], False),  # positions are counted from it on
    ("roberta", {}, ["pad_token_id"], True),
]:
    a, b = rows(name), rows(name, change, remove)
    if a is not None and b is not None and np.array_equal(a, b) != same:
        fail([name, str(change), str(remove)], f"expected {'the same' if same else 'other'} values, off by {np.abs(a - b).max()}")
done()
