#!/usr/bin/env python3
"""The oracle of the models of words: what Hugging Face's own models compute with random weights, in float64, from the files that they
save themselves. Needs torch, transformers 5, safetensors and numpy; timm for vit-quickgelu.

usage: scripts/oracle_words.py [NAME...]    writes tests/golden/words/NAME, all of them by default

A folder has config.json and model.safetensors as the library writes them, and expected.safetensors: `ids`, `mask` (1 word, 0 padding)
and `types` [N, T], `input/NNN SITE` and `output/NNN SITE` (before the affine) [N, T, C], of norms of heads [N, T, heads, C], with rows of zeros where there is padding, and
of models that predict words `logits` [N, T, V], `loss` (mean cross entropy of the next word, over words that have one) and
`accuracy`. A ViT's has `pixels` instead, as in tests/golden/vit."""
import json
import math
import os
import shutil
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

os.environ.setdefault("HF_HUB_OFFLINE", "1")
ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
GOLDEN = os.path.join(ROOT, "tests", "golden", "words")

WORDS, LENGTHS = 99, (8, 5, 1)
SMALL = dict(hidden_size=16, num_attention_heads=2, intermediate_size=24)
BERT = dict(vocab_size=WORDS, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37,
            max_position_embeddings=32)
LLAMA = dict(vocab_size=WORDS, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             intermediate_size=37, max_position_embeddings=64)
GPT2 = dict(vocab_size=WORDS, n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=98, eos_token_id=98)
NEOX = dict(vocab_size=WORDS, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, max_position_embeddings=64)
DISTILBERT = dict(vocab_size=WORDS, dim=16, n_layers=2, n_heads=2, hidden_dim=24, max_position_embeddings=32)
SMALL_GPT2 = dict(GPT2, n_embd=16, n_head=2, n_inner=24)

# name: (class, configuration); the seed is the place in the table.
MODELS = {
    "bert": ("BertModel", BERT),
    "bert-mlm": ("BertForMaskedLM", dict(BERT, **SMALL)),
    "bert-gelu-new": ("BertModel", dict(BERT, **SMALL, hidden_act="gelu_new")),
    "bert-relu": ("BertModel", dict(BERT, **SMALL, hidden_act="relu", layer_norm_eps=1e-3)),
    "llama": ("LlamaForCausalLM", LLAMA),
    "llama-tied": ("LlamaForCausalLM", dict(LLAMA, **SMALL, tie_word_embeddings=True)),
    "llama-theta": ("LlamaForCausalLM", dict(LLAMA, rope_parameters={"rope_type": "default", "rope_theta": 500000.0}, head_dim=16,
                                             attention_bias=True, mlp_bias=True)),
    "llama-base": ("LlamaModel", dict(LLAMA, **SMALL, rms_norm_eps=1e-3)),
    "gpt2": ("GPT2LMHeadModel", GPT2),
    "gpt2-inverse": ("GPT2LMHeadModel", dict(SMALL_GPT2, scale_attn_by_inverse_layer_idx=True)),
    "gpt2-unscaled": ("GPT2LMHeadModel", dict(SMALL_GPT2, scale_attn_weights=False)),
    "gpt2-base": ("GPT2Model", dict(SMALL_GPT2, layer_norm_epsilon=1e-3)),
    "qwen3": ("Qwen3ForCausalLM", dict(LLAMA, head_dim=16, tie_word_embeddings=True)),
    "mistral": ("MistralForCausalLM", dict(LLAMA, **SMALL, sliding_window=3)),
    "qwen2": ("Qwen2ForCausalLM", dict(LLAMA, **SMALL, use_sliding_window=True, sliding_window=3, max_window_layers=1,
                                       tie_word_embeddings=True)),
    "olmo2": ("Olmo2ForCausalLM", dict(LLAMA, **SMALL, rms_norm_eps=1e-3)),
    "gemma": ("GemmaForCausalLM", dict(LLAMA, **SMALL, head_dim=12)),
    "gemma2": ("Gemma2ForCausalLM", dict(LLAMA, **SMALL, head_dim=12, sliding_window=3, query_pre_attn_scalar=20,
                                         attn_logit_softcapping=2.0, final_logit_softcapping=5.0)),
    "gemma3": ("Gemma3ForCausalLM", dict(LLAMA, **SMALL, num_hidden_layers=3, head_dim=12, sliding_window=3, query_pre_attn_scalar=20,
                                         layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                                         rope_parameters={"full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 5000.0},
                                                          "sliding_attention": {"rope_type": "default", "rope_theta": 50.0}})),
    "llama3": ("LlamaForCausalLM", dict(LLAMA, **SMALL, head_dim=16, rope_parameters={
        "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64})),
    "llama-linear": ("LlamaModel", dict(LLAMA, **SMALL, rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0})),
    "neox": ("GPTNeoXForCausalLM", NEOX),
    "neox-serial": ("GPTNeoXModel", dict(NEOX, use_parallel_residual=False, attention_bias=False, layer_norm_eps=1e-3,
                                         rope_parameters={"rope_type": "default", "rope_theta": 100.0, "partial_rotary_factor": 0.5})),
    "roberta": ("RobertaModel", dict({**BERT, "max_position_embeddings": 34}, **SMALL, type_vocab_size=1, layer_norm_eps=1e-5)),
    "roberta-mlm": ("RobertaForMaskedLM", dict(BERT, **SMALL, hidden_act="relu")),
    "xlm-roberta": ("XLMRobertaModel", dict(BERT, **SMALL, pad_token_id=5)),
    "distilbert": ("DistilBertModel", DISTILBERT),
    "distilbert-mlm": ("DistilBertForMaskedLM", dict(DISTILBERT, activation="relu")),
    "gpt2-untied": ("GPT2LMHeadModel", dict(SMALL_GPT2, tie_word_embeddings=False, n_inner=20)),
}

# Where the padding is: at the end, but in these before the words, or also among them.
# Where a padding row would see nobody, which gives NaN in transformers, each text is run alone at its places.
ALONE = {"mistral", "qwen2", "qwen3", "gemma2", "gemma3", "neox"}
MASKS = {"qwen3": "left", "neox": "left", "roberta": "left", "xlm-roberta": "hole", "distilbert": "hole", "gemma2": "left"}


class NanoGPT(nn.Module):
    """A GPT under nanoGPT's names, with its matrices [out, in]."""

    def __init__(self, words, width, layers, heads, positions, bias, approximate):
        super().__init__()
        self.heads, self.approximate = heads, approximate

        def block():
            return nn.ModuleDict({
                "ln_1": nn.LayerNorm(width, bias=bias), "ln_2": nn.LayerNorm(width, bias=bias),
                "attn": nn.ModuleDict({"c_attn": nn.Linear(width, 3 * width, bias), "c_proj": nn.Linear(width, width, bias)}),
                "mlp": nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width, bias), "c_proj": nn.Linear(4 * width, width, bias)})})
        self.transformer = nn.ModuleDict({
            "wte": nn.Embedding(words, width), "wpe": nn.Embedding(positions, width),
            "h": nn.ModuleList([block() for _ in range(layers)]), "ln_f": nn.LayerNorm(width, bias=bias)})
        self.lm_head = nn.Linear(width, words, bias=False)
        self.lm_head.weight = self.transformer["wte"].weight

    def forward(self, input_ids, attention_mask=None):
        n, length = input_ids.shape
        x = self.transformer["wte"](input_ids) + self.transformer["wpe"](torch.arange(length))
        for block in self.transformer["h"]:
            q, k, v = (t.view(n, length, self.heads, -1).transpose(1, 2)
                       for t in block["attn"]["c_attn"](block["ln_1"](x)).chunk(3, dim=2))
            scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
            scores = scores.masked_fill(torch.ones(length, length, dtype=torch.bool).triu(1), -math.inf)
            x = x + block["attn"]["c_proj"]((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, length, -1))
            x = x + block["mlp"]["c_proj"](F.gelu(block["mlp"]["c_fc"](block["ln_2"](x)), approximate=self.approximate))
        return self.lm_head(self.transformer["ln_f"](x))


def randomise(model, seed):
    """Every parameter drawn anew, so that none is 0 or 1 and hides a mistake. Scales keep the activations near 1."""
    g = torch.Generator().manual_seed(seed)
    conv1d = {m.weight for m in model.modules() if type(m).__name__ == "Conv1D"}
    embedding = {m.weight for m in model.modules() if isinstance(m, nn.Embedding)}
    for name, p in model.named_parameters():
        r = torch.randn(p.shape, generator=g)
        if p in embedding:
            p.data = 0.5 * r
        elif p.dim() >= 2 and p.shape[0] > 1:
            p.data = 1.5 * r / (p.shape[0] if p in conv1d else p[0].numel()) ** 0.5
        else:
            p.data = (1 + 0.3 * r) if name.endswith("weight") else 0.3 * r
    return model.eval()


def before_affine(norm, x):
    """What a norm makes of x, in float64; and its whole output, from there."""
    x = x.double()
    if isinstance(norm, nn.LayerNorm):
        y = F.layer_norm(x, norm.normalized_shape, None, None, norm.eps)
    else:
        y = x / torch.sqrt(x.square().mean(-1, keepdim=True) + (norm.eps if hasattr(norm, "eps") else norm.variance_epsilon))
    whole = y * (norm.weight + 1 if type(norm).__name__.startswith("Gemma") else norm.weight)
    return y, whole if getattr(norm, "bias", None) is None else whole + norm.bias


def run_with_taps(model, **inputs):
    """The model's output, and {site: (input, output before the affine)} of its norms in order of execution."""
    taps = {}

    def hook(name):
        def keep(norm, args, output):
            y, whole = before_affine(norm, args[0])
            worst = float((whole - output).abs().max() / output.abs().max())
            assert name not in taps and worst < 1e-6, "%s: its own output differs by %.1e" % (name, worst)
            by_head = type(norm).__name__.startswith("Gemma3") and y.dim() == 4  # [N, heads, T, D]
            taps[name] = tuple(v.detach().transpose(1, 2) if by_head else v.detach() for v in (args[0], y))
        return keep

    norms = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.LayerNorm) or type(m).__name__.endswith("RMSNorm")]
    handles = [m.register_forward_hook(hook(n)) for n, m in norms]
    out = model(**inputs)
    for handle in handles:
        handle.remove()
    assert len(taps) == len(norms)
    return out, taps


def run_alone(model, ids, mask):
    """The same, each text without its padding; rows of zeros where that is."""
    all_taps, all_logits = {}, None
    for n in range(len(ids)):
        at = mask[n].nonzero().ravel()
        out, taps = run_with_taps(model, input_ids=ids[n : n + 1, at], position_ids=at[None])
        for name, pair in list(taps.items()) + [("logits", (logits_of(out),))]:
            if name not in all_taps:
                all_taps[name] = tuple(torch.zeros(tuple(ids.shape) + tuple(v.shape[2:]), dtype=v.dtype) for v in pair)
            for to, value in zip(all_taps[name], pair):
                to[n, at] = value[0]
    (all_logits,) = all_taps.pop("logits")
    return all_logits, all_taps


def logits_of(out):
    return out if torch.is_tensor(out) else getattr(out, "logits", None)


def make_words(model, seed, predicts, where="end", pad=0):
    """Texts of unequal length, padded. Where the model predicts, about half of the words are what it would have said."""
    g = torch.Generator().manual_seed(seed)
    mask = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()
    if where == "left":
        mask = mask.flip(1)
    if where == "hole":
        mask[0, 2] = mask[1, 0] = 0
    ids = torch.randint(1, WORDS, mask.shape, generator=g)
    for t in range(1, ids.shape[1] if predicts else 0):
        said = logits_of(model(input_ids=ids[:, :t]))[:, -1].argmax(-1)
        ids[:, t] = torch.where(torch.rand(len(LENGTHS), generator=g) < 0.5, said, ids[:, t])
    return torch.where(mask == 1, ids, pad), mask


def score(logits, ids, mask):
    """Mean cross entropy of the next word and the share predicted right, over pairs of words."""
    real = (mask[:, 1:] == 1) & (mask[:, :-1] == 1)
    logits, following = logits[:, :-1][real], ids[:, 1:][real]
    best = logits.topk(2).values
    assert float((best[:, 0] - best[:, 1]).min()) > 1e-3, "a tie, which rounding would decide"
    accuracy = (logits.argmax(-1) == following).double().mean()
    assert 0 < accuracy < 1
    return {"loss": F.cross_entropy(logits, following).float().reshape(1), "accuracy": accuracy.float().reshape(1)}


def expected(taps, real=None, **more):
    """Names say the order: input/001 h.0.ln_1."""
    tensors = dict(more)
    for i, (name, pair) in enumerate(taps.items(), 1):
        for kind, value in zip(("input", "output"), pair):
            if real is not None:
                value = value * real.reshape(real.shape + (1,) * (value.dim() - 2))
            assert value.isfinite().all() and 0.05 < float(value.std()) < 50, "%s: degenerate" % name
            tensors["%s/%03d %s" % (kind, i, name)] = value.float()
    return tensors


def save(name, tensors, file="expected.safetensors"):
    os.makedirs(os.path.join(GOLDEN, name), exist_ok=True)
    save_file({k: (v.float() if v.dtype == torch.int64 else v).detach().clone().contiguous() for k, v in tensors.items()}, os.path.join(GOLDEN, name, file),
              metadata={"format": "pt"})


def save_config(name, config):
    with open(os.path.join(GOLDEN, name, "config.json"), "w") as f:
        json.dump(config, f, indent=1)
        f.write("\n")


def load(name, file="model.safetensors"):
    return load_file(os.path.join(GOLDEN, name, file))


def write_huggingface(name):
    import transformers
    seed = 300 + list(MODELS).index(name)
    kind, settings = MODELS[name]
    cls = getattr(transformers, kind)
    target = os.path.join(GOLDEN, name)
    with tempfile.TemporaryDirectory() as folder:
        config = transformers.Gemma3TextConfig if kind.startswith("Gemma3") else cls.config_class
        randomise(cls(config(**settings)), seed).save_pretrained(folder)
        os.makedirs(target, exist_ok=True)
        for file in ("config.json", "model.safetensors"):
            shutil.copyfile(os.path.join(folder, file), os.path.join(target, file))
    model = cls.from_pretrained(target, attn_implementation="eager").double().eval()
    predicts = kind.endswith(("ForCausalLM", "LMHeadModel"))
    ids, mask = make_words(model, seed, predicts, MASKS.get(name, "end"), model.config.pad_token_id or 0)
    inputs = dict(input_ids=ids, attention_mask=mask)
    if getattr(model.config, "type_vocab_size", 1) > 1:
        inputs["token_type_ids"] = (torch.arange(ids.shape[1]) >= torch.tensor(LENGTHS)[:, None] // 2).long() * mask
    out, taps = run_alone(model, ids, mask) if name in ALONE else run_with_taps(model, **inputs)
    prefix = "" if any(site + ".weight" in load(name) for site in taps) else model.base_model_prefix + "."
    taps = {prefix + site: pair for site, pair in taps.items()}
    missing = [site for site in taps if site + ".weight" not in load(name)]
    assert not missing, "modules that the file calls otherwise: %s" % missing
    more = {"types": inputs["token_type_ids"]} if "token_type_ids" in inputs else {}
    if predicts:
        more.update(logits=logits_of(out).float(), **score(logits_of(out), ids, mask))
    save(name, expected(taps, mask, ids=ids, mask=mask, **more))


def write_bert_old_names():
    """bert's weights as TensorFlow called them: LayerNorm.gamma and .beta."""
    def old(key):
        return key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
    save("bert-old-names", {old(k): v for k, v in load("bert").items()}, "model.safetensors")
    for file in ("config.json", "expected.safetensors"):
        shutil.copyfile(os.path.join(GOLDEN, "bert", file), os.path.join(GOLDEN, "bert-old-names", file))


def save_nanogpt(name, model, config):
    """As torch.compile leaves the names, and with the tied head in the file twice; config.json: the checkpoint's model_args."""
    save(name, {"_orig_mod." + k: v.float() for k, v in model.state_dict().items()}, "model.safetensors")
    save_config(name, config)


def write_nanogpt():
    """gpt2's numbers under nanoGPT's names; sites are called as without `_orig_mod.`."""
    turned = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    weights = {k: v.T if k.endswith(turned) else v for k, v in load("gpt2").items()}
    model = NanoGPT(WORDS, 32, 2, 4, 64, True, "tanh")
    model.load_state_dict({**weights, "lm_head.weight": weights["transformer.wte.weight"]})
    save_nanogpt("nanogpt", model, {"n_layer": 2, "n_head": 4, "n_embd": 32, "block_size": 64, "bias": True, "vocab_size": WORDS,
                                    "dropout": 0.0, "activation_function": "gelu_new"})
    theirs = load("gpt2", "expected.safetensors")
    ours, _ = run_with_taps(model.double().eval(), input_ids=theirs["ids"])
    assert float(((ours - theirs["logits"]) * theirs["mask"][..., None]).abs().max()) < 1e-5
    save("nanogpt", theirs)


def write_nanogpt_own():
    """As nanoGPT itself trains by default: gelu by erf, which no key says, and no biases, in the norms neither."""
    seed = 350
    model = randomise(NanoGPT(WORDS, 16, 2, 2, 64, False, "none"), seed)
    save_nanogpt("nanogpt-own", model, {"n_layer": 2, "n_head": 2, "n_embd": 16, "block_size": 64, "bias": False, "vocab_size": WORDS,
                                        "dropout": 0.0})
    model = model.double()
    ids, mask = make_words(model, seed, True)
    logits, taps = run_with_taps(model, input_ids=ids)
    save("nanogpt-own", expected(taps, mask, ids=ids, mask=mask, logits=logits.float(), **score(logits, ids, mask)))


def write_vit_quickgelu():
    """CLIP's ViT as timm's push_to_hf_hub saves it: only the architecture's name says quick GELU and eps 1e-5."""
    import timm
    from timm.models._hub import save_for_hf
    name, seed = "vit-quickgelu", 360
    model = timm.create_model("vit_base_patch16_clip_quickgelu_224", embed_dim=24, depth=2, num_heads=2, mlp_ratio=2, img_size=16,
                              patch_size=8, num_classes=5)
    assert type(model.blocks[0].mlp.act).__name__ == "QuickGELU"
    randomise(model, seed)
    for p in (model.patch_embed.proj.weight, model.pos_embed, model.cls_token):
        p.data *= 0.1  # so small that eps shows
    save_for_hf(model, os.path.join(GOLDEN, name), safe_serialization=True)
    pixels = torch.randn((3, 3, 16, 16), generator=torch.Generator().manual_seed(seed))
    out, taps = run_with_taps(model.double(), x=pixels.double())
    save(name, expected(taps, pixels=pixels, logits=out.float()))


def write_vit_prefix():
    """tests/golden/vit/timm-plain as training in parallel leaves the names. What is expected stands there, the sites' names, too."""
    source = os.path.join(ROOT, "tests", "golden", "vit", "timm-plain")
    weights = load_file(os.path.join(source, "model.safetensors"))
    save("vit-prefix", {"module._orig_mod." + k: v for k, v in weights.items()}, "model.safetensors")
    shutil.copyfile(os.path.join(source, "config.json"), os.path.join(GOLDEN, "vit-prefix", "config.json"))


# In this order: the first and the second take the weights of bert and gpt2.
OTHERS = {"bert-old-names": write_bert_old_names, "nanogpt": write_nanogpt, "nanogpt-own": write_nanogpt_own,
          "vit-quickgelu": write_vit_quickgelu, "vit-prefix": write_vit_prefix}


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    names = sys.argv[1:] or list(MODELS) + list(OTHERS)
    if set(names) - set(MODELS) - set(OTHERS):
        sys.exit(__doc__)
    for name in names:
        OTHERS[name]() if name in OTHERS else write_huggingface(name)
        print(name, flush=True)
