"""The plain modules of oracle_vit_models.py against the libraries that they stand for. The libraries are no Debian packages:

    pip install --target DIR --no-deps timm==0.9.16 transformers==4.37.2 vit-pytorch==0.20.0 einops==0.7.0 \\
        huggingface-hub==0.20.3 safetensors tokenizers==0.15.2 regex pyyaml tqdm filelock packaging requests urllib3 idna \\
        certifi charset-normalizer fsspec typing-extensions
    PYTHONPATH=DIR /usr/bin/python3 scripts/oracle_vit.py peers"""
import torch
from torch import nn

import oracle_vit_models as models

# What the libraries do not offer: their own norm, or no norm where they have one.
NOT_OFFERED = {"timm-bare", "timm-dyt", "hf-deit", "hf-dyt"}


def timm_model(c):
    import timm
    from functools import partial
    norm = {"layernorm": partial(nn.LayerNorm, eps=c["eps"]), "rmsnorm": partial(models.RMSNorm, eps=c["eps"])}[c["norm"]]
    return timm.models.VisionTransformer(
        img_size=(c["height"], c["image"]), patch_size=c["patch"], in_chans=c["channels"], num_classes=c["classes"],
        global_pool={"mean": "avg", "token": "token"}[c["pool"]], embed_dim=c["width"], depth=c["depth"], num_heads=c["heads"],
        mlp_ratio=c["hidden"] / c["width"], qkv_bias=c["qkv_bias"], init_values=1.0 if c["layer_scale"] else None,
        class_token=c["class_token"], no_embed_class=c["no_embed_class"], reg_tokens=c["registers"], pre_norm=c["norm_pre"],
        fc_norm=c["fc_norm"], norm_layer=norm, act_layer={"gelu": nn.GELU, "gelu_tanh": lambda: nn.GELU("tanh")}[c["act"]])


def huggingface_model(c):
    from transformers import ViTConfig, ViTForImageClassification, ViTModel
    config = ViTConfig(hidden_size=c["width"], num_hidden_layers=c["depth"], num_attention_heads=c["heads"],
                       intermediate_size=c["hidden"], hidden_act=c["act"], layer_norm_eps=c["eps"], image_size=c["image"],
                       patch_size=c["patch"], num_channels=c["channels"], qkv_bias=c["qkv_bias"], num_labels=c["classes"] or 2)
    return ViTForImageClassification(config) if c["classes"] else ViTModel(config)


def vit_pytorch_model(c):
    from vit_pytorch import ViT
    model = ViT(image_size=(c["height"], c["image"]), patch_size=c["patch"], num_classes=c["classes"], dim=c["width"],
                depth=c["depth"], heads=c["heads"], mlp_dim=c["hidden"], channels=c["channels"], dim_head=c["head_dim"],
                pool={"mean": "mean", "token": "cls"}[c["pool"]])
    if c["act"] == "relu":  # as the author of the MNIST model did
        for layer in model.transformer.layers:
            layer[1].fn.net[1] = nn.ReLU()
    return model


MAKERS = {"timm": timm_model, "huggingface": huggingface_model, "vit-pytorch": vit_pytorch_model}


def compare(small_model, names):
    failed = 0
    for name in names:
        naming, c, plain, pixels = small_model(name)
        if naming not in MAKERS or name in NOT_OFFERED:
            continue
        try:
            library = MAKERS[naming](c)
        except ImportError as missing:
            print("%-18s skipped: %s" % (name, missing))
            continue
        library.load_state_dict(plain.state_dict(), strict=True)
        library.eval()
        a, b = plain.double()(pixels.double()), library.double()(pixels.double())
        b = getattr(b, "logits", getattr(b, "last_hidden_state", b))
        difference = float((a - b).abs().max() / b.abs().max())
        failed += difference > 1e-12
        print("%-18s %-11s largest difference %.1e of the largest output" % (name, naming, difference))
    return failed > 0
