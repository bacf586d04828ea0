#!/usr/bin/env python3
"""The oracle of the models of images: what the libraries' own models compute with random weights, in float64, from the files that they save
themselves. Needs torch, transformers 5, timm, safetensors and numpy; for dinov2-original* a checkout of facebookresearch/dinov2 whose path
is in the environment variable DINOV2.

usage: scripts/oracle_vision.py [NAME...]    writes tests/golden/vision/NAME, all of them by default

A folder has config.json and model.safetensors, and expected.safetensors: `pixels` [N, 3, H, W], `input/NNN SITE` and `output/NNN SITE`
(before the affine) [N, T, C], or [N, C] of pooled rows, and, where the model has a head, `logits` [N, K]. Where the positions are
resampled, the pixels are of another size than config.json's: preprocessor_config.json says so, or the test asks for it."""
import json
import os
import shutil
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file

import oracle_words
from oracle_words import expected, randomise, run_with_taps

oracle_words.GOLDEN = GOLDEN = os.path.join(oracle_words.ROOT, "tests", "golden", "vision")

TINY = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, image_size=8, patch_size=4)
DINOV2 = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=24, patch_size=4)
CROP = {"crop_size": {"height": 16, "width": 16}, "do_center_crop": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
        "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 3, "rescale_factor": 1 / 255,
        "size": {"shortest_edge": 18}}

TEXT = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=9, max_position_embeddings=8)
WHOLE = dict(text_config=TEXT, vision_config=TINY, projection_dim=4)

# name: (class, configuration, side of the pixels, the file has state_dict()'s names); the seed is the place in the table.
MODELS = {
    "dinov2": ("Dinov2Model", DINOV2, 24, False),
    "dinov2-cropped": ("Dinov2ForImageClassification", dict(DINOV2, num_labels=5), 16, False),
    "dinov2-swiglu": ("Dinov2ForImageClassification", dict(DINOV2, num_labels=5, use_swiglu_ffn=True, image_size=8), 8, False),
    "dinov2-registers": ("Dinov2WithRegistersForImageClassification", dict(DINOV2, num_labels=5, num_register_tokens=3), 16, False),
    "dinov2-memory": ("Dinov2ForImageClassification", dict(DINOV2, num_labels=5, use_swiglu_ffn=True, image_size=8), 8, True),
    "vit-memory": ("ViTForImageClassification", dict(TINY, num_labels=5), 8, True),
    "deit-memory": ("DeiTModel", TINY, 8, True),
    "deit-distilled": ("DeiTForImageClassificationWithTeacher", dict(TINY, num_labels=5), 8, False),
    "deit-classifier": ("DeiTForImageClassification", dict(TINY, num_labels=5), 8, False),
    "mae": ("ViTMAEModel", dict(TINY, mask_ratio=0.0), 8, False),
    "mae-whole": ("ViTMAEForPreTraining", dict(TINY, mask_ratio=0.0, decoder_hidden_size=8, decoder_num_hidden_layers=1, decoder_num_attention_heads=1,
                                               decoder_intermediate_size=8), 8, True),
    "clip": ("CLIPModel", WHOLE, 8, False),
    "clip-vision": ("CLIPVisionModelWithProjection", dict(TINY, projection_dim=4, hidden_act="gelu"), 8, False),
    "clip-memory": ("CLIPVisionModel", TINY, 8, True),
    "clip-classifier": ("CLIPForImageClassification", dict(WHOLE, num_labels=5), 8, False),
    "siglip": ("SiglipModel", dict(text_config=TEXT, vision_config=TINY), 8, False),
    "siglip-vision": ("SiglipVisionModel", TINY, 8, False),
    "siglip-no-head": ("SiglipVisionModel", dict(TINY, vision_use_head=False), 8, False),
    "siglip-classifier": ("SiglipForImageClassification", dict(text_config=TEXT, vision_config=TINY, num_labels=5), 8, False),
}
# What of the model is run, where it has more.
PARTS = {"mae-whole": "vit", "clip": "vision_model", "siglip": "vision_model"}


def save(name, tensors, file="expected.safetensors"):
    os.makedirs(os.path.join(GOLDEN, name), exist_ok=True)
    save_file({k: v.float().detach().clone().contiguous() for k, v in tensors.items()}, os.path.join(GOLDEN, name, file), metadata={"format": "pt"})


def save_json(name, file, content):
    with open(os.path.join(GOLDEN, name, file), "w") as f:
        json.dump(content, f, indent=1)
        f.write("\n")


def make_pixels(side, seed, height=0):
    return torch.randn((2, 3, height or side, side), generator=torch.Generator().manual_seed(seed))


def names_in_file(taps, tensors, part):
    """The sites as the file calls them: transformers 5 renames ViT's blocks, and CLIP's part that sees, when it saves."""
    def of(site):
        names = [p + n for p in (part + "." if part else "", "vision_model.") for n in (site, site.replace("layers.", "encoder.layer.", 1))]
        return next(n for n in names if n + ".weight" in tensors)
    return {of(site): pair for site, pair in taps.items()}


def write_huggingface(name):
    import transformers
    seed = 400 + list(MODELS).index(name)
    kind, settings, side, in_memory = MODELS[name]
    cls = getattr(transformers, kind)
    target = os.path.join(GOLDEN, name)
    os.makedirs(target, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        model = randomise(cls(cls.config_class(**settings)), seed)
        model.save_pretrained(folder)
        for file in ("config.json", "model.safetensors"):
            shutil.copyfile(os.path.join(folder, file), os.path.join(target, file))
    if in_memory:
        save(name, model.state_dict(), "model.safetensors")
    if side != settings.get("image_size", side):
        save_json(name, "preprocessor_config.json", CROP)
    model = model.double().eval()
    model.set_attn_implementation("eager")
    part = PARTS.get(name, "")
    pixels = make_pixels(side, seed)
    inputs = dict(pixel_values=pixels.double())
    if "mask_ratio" in settings:  # the order in which patches are kept
        inputs["noise"] = torch.arange((side // settings["patch_size"]) ** 2).expand(len(pixels), -1).double()
    out, taps = run_with_taps(getattr(model, part) if part else model, **inputs)
    logits = getattr(out, "logits", None)
    tensors = load_file(os.path.join(target, "model.safetensors"))
    save(name, {"pixels": pixels, **expected(names_in_file(taps, tensors, part)), **({} if logits is None else {"logits": logits})})


def write_original(name, side, **settings):
    """facebookresearch's own class and names. Only heads, which no shape tells, stand in config.json."""
    os.environ["XFORMERS_DISABLED"] = "1"
    sys.path.insert(0, os.environ["DINOV2"])
    from dinov2.models.vision_transformer import DinoVisionTransformer
    seed = 480 + len(name)
    model = randomise(DinoVisionTransformer(img_size=24, patch_size=4, embed_dim=16, depth=2, num_heads=2, mlp_ratio=2, init_values=1.0,
                                            block_chunks=0, **settings), seed)
    save(name, model.state_dict(), "model.safetensors")
    save_json(name, "config.json", {"num_heads": 2})
    out, taps = run_with_taps(model.double(), x=make_pixels(side, seed).double())
    save(name, {"pixels": make_pixels(side, seed), **expected(taps)})  # its head is the identity


def tap_timm(model, pixels):
    """The norms of timm's own model. Queries and keys come as [N, heads, T, D]; a site's rows are those of each token in turn."""
    taps, norms = {}, [(n, m) for n, m in model.named_modules() if isinstance(m, torch.nn.LayerNorm) or isinstance(m, Dynamic)]

    def hook(name):
        def keep(norm, args, output):
            x = args[0].double()
            y = norm.y(x) if hasattr(norm, "y") else torch.nn.functional.layer_norm(x, norm.normalized_shape, None, None, norm.eps)
            if isinstance(norm, Dynamic):
                whole = norm.forward(x)
            else:
                whole = y if norm.weight is None else y * norm.weight + norm.bias
            assert float((whole - output).abs().max() / output.abs().max()) < 1e-6
            taps[name] = [v.transpose(1, 2).reshape(len(v), -1, v.shape[-1]) if v.dim() == 4 else v for v in (x, y)]
        return keep

    handles = [m.register_forward_hook(hook(n)) for n, m in norms]
    out = model(pixels)
    for handle in handles:
        handle.remove()
    return out, taps


def write_timm(name, architecture=None, side=8, change=lambda model: model, rename=lambda key: key, config=None, **settings):
    """timm's own class. With an architecture, the folder is as push_to_hf_hub makes it; else config.json says the little that is given."""
    import timm
    from timm.models._hub import save_for_hf
    from timm.models.vision_transformer import VisionTransformer
    seed = 500 + sum(name.encode())
    sizes = dict(dict(embed_dim=16, depth=2, num_heads=2, mlp_ratio=1.5, img_size=8, patch_size=4, num_classes=5), **settings)
    model = timm.create_model(architecture, **sizes) if architecture else VisionTransformer(**sizes)
    model = randomise(change(model), seed)
    os.makedirs(os.path.join(GOLDEN, name), exist_ok=True)
    if architecture:
        save_for_hf(model, os.path.join(GOLDEN, name), safe_serialization=True, model_args=sizes)
    else:
        save(name, {rename(k): v for k, v in model.state_dict().items()}, "model.safetensors")
        save_json(name, "config.json", {"num_heads": 2, **(config or {})})
    if side != sizes["img_size"]:
        model.set_input_size(img_size=side)  # resamples the positions
    pixels = make_pixels(side, seed)
    out, taps = tap_timm(model.double().eval(), pixels.double())
    save(name, {"pixels": pixels, **expected(taps), **({"logits": out} if sizes["num_classes"] else {})})


class Dynamic(torch.nn.Module):
    """DyT, or Derf where there is a shift, under the names that are given."""

    def __init__(self, channels, alphas, shifts, gamma, beta):
        super().__init__()
        self.names = gamma, beta
        self.alpha = torch.nn.Parameter(torch.full((alphas,), 0.5))
        if shifts:
            self.shift = torch.nn.Parameter(torch.zeros(shifts))
        for name in self.names:
            setattr(self, name, torch.nn.Parameter(torch.ones(channels)))

    def y(self, x):
        return torch.erf(self.alpha * x + self.shift) if hasattr(self, "shift") else torch.tanh(self.alpha * x)

    def forward(self, x):
        return self.y(x) * getattr(self, self.names[0]) + getattr(self, self.names[1])


def write_dynamic(name, kind, settings, alphas=1, shifts=0, gamma="weight", beta="bias"):
    """A model of Hugging Face's whose norms are replaced; names as in memory, but for SITE.gamma."""
    import transformers
    seed = 600 + sum(name.encode())
    cls = getattr(transformers, kind)
    model = cls(cls.config_class(**settings))
    for path, norm in [(n, m) for n, m in model.named_modules() if isinstance(m, torch.nn.LayerNorm)]:
        parent, _, last = path.rpartition(".")
        setattr(model.get_submodule(parent), last, Dynamic(norm.normalized_shape[0], alphas, shifts, gamma, beta))
    model = randomise(model, seed)
    for key, value in model.named_parameters():
        value.data = 0.6 + value.data if key.endswith("alpha") else value.data
    save(name, model.state_dict(), "model.safetensors")
    with open(os.path.join(GOLDEN, name, "config.json"), "w") as f:
        f.write(model.config.to_json_string())
    model.config.architectures = [kind]
    model.set_attn_implementation("eager")
    pixels = make_pixels(settings["image_size"], seed)
    out, taps = tap_timm(model.double().eval(), pixels.double())
    save(name, {"pixels": pixels, **expected(taps)})


def without_affine(model):
    for norm in model.modules():
        if isinstance(norm, torch.nn.LayerNorm):
            norm.weight = norm.bias = None
    return model


def write_swiglu_apart(name):
    from timm.layers import SwiGLU
    write_timm(name, mlp_layer=SwiGLU, act_layer=torch.nn.SiLU, init_values=1.0)


OTHERS = {
    "dinov2-dyt": lambda name: write_dynamic(name, "Dinov2Model", dict(DINOV2, image_size=8), gamma="gamma", beta="beta"),
    "clip-derf": lambda name: write_dynamic(name, "CLIPVisionModel", TINY, shifts=1),
    "siglip-derf": lambda name: write_dynamic(name, "SiglipVisionModel", TINY, alphas=16, shifts=1),
    "timm-qk-norm": lambda name: write_timm(name, "vit_base_patch16_224", qk_norm=True),
    "timm-giant": lambda name: write_timm(name, "vit_giant_patch14_reg4_dinov2", mlp_ratio=3.0, reg_tokens=2, init_values=0.5),
    "timm-swiglu-apart": write_swiglu_apart,
    "timm-distilled": lambda name: write_timm(name, "deit_tiny_distilled_patch16_224"),
    "timm-map": lambda name: write_timm(name, "vit_base_patch16_siglip_224", num_classes=0),
    "timm-resampled": lambda name: write_timm(name, "vit_base_patch16_224", img_size=24, side=16, num_classes=0),
    "timm-gamma": lambda name: write_timm(name, init_values=0.5, rename=lambda k: k.replace("ls1.gamma", "gamma_1").replace("ls2.gamma", "gamma_2")),
    "timm-folded": lambda name: write_timm(name, change=without_affine, config={"norm": "layernorm"}),
    "dinov2-original": lambda name: write_original(name, 16, interpolate_offset=0.1),
    "dinov2-original-registers": lambda name: write_original(name, 20, ffn_layer="swiglufused", num_register_tokens=3,
                                                             interpolate_antialias=True, interpolate_offset=0.0),
}


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    names = sys.argv[1:] or list(MODELS) + list(OTHERS)
    if set(names) - set(MODELS) - set(OTHERS):
        sys.exit(__doc__)
    for name in names:
        OTHERS[name](name) if name in OTHERS else write_huggingface(name)
        print(name, flush=True)
