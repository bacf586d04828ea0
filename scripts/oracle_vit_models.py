"""Vision Transformers in plain PyTorch, under the names that timm, Hugging Face and vit-pytorch give to their tensors.

They are the oracle of the C model: written after the papers, module by module, so that their state dict has the names of the
library that they stand for. `oracle_vit.py peers` loads each state dict into the library itself, where it is installed, and
compares the logits. torchvision's ViT is Debian's own package and is used as it is."""
import torch
from torch import nn
from torch.nn import functional as F


class RMSNorm(nn.Module):
    """arXiv 1910.07467"""

    def __init__(self, channels, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(channels)), eps

    def before_affine(self, x):
        return x / torch.sqrt(x.square().mean(-1, keepdim=True) + self.eps)

    def forward(self, x):
        return self.before_affine(x) * self.weight


class DyT(nn.Module):
    """arXiv 2503.10622, with the parameter names of its authors' repository."""

    def __init__(self, channels, eps):
        super().__init__()
        self.alpha = nn.Parameter(torch.full((1,), 0.5))
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def before_affine(self, x):
        return torch.tanh(self.alpha * x)

    def forward(self, x):
        return self.before_affine(x) * self.weight + self.bias


class Dynamic(nn.Module):
    """weight * f(alpha x + shift) + bias, with as much of it as a kind has."""

    def __init__(self, channels, eps):
        super().__init__()
        if self.alphas:
            self.alpha = nn.Parameter(torch.full((channels if self.alphas == "C" else 1,), 0.5))
        if self.affine:
            self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    alphas, affine = 1, True

    def before_affine(self, x):
        return self.f(self.alpha * x if self.alphas else x)

    def forward(self, x):
        y = self.before_affine(x)
        return y * self.weight + self.bias if self.affine else y


class DyTChannel(Dynamic):
    alphas, f = "C", staticmethod(torch.tanh)


class DyTNoAlpha(Dynamic):
    alphas, f = 0, staticmethod(torch.tanh)


class DyTHardtanh(Dynamic):
    f = staticmethod(F.hardtanh)


class DyTSigmoid(Dynamic):
    f = staticmethod(torch.sigmoid)


class DyISRU(Dynamic):
    """arXiv 2503.21708"""
    f = staticmethod(lambda u: u / torch.sqrt(1 + u * u))


class Identity(Dynamic):
    alphas, affine, f = 0, False, staticmethod(lambda u: u)


class Derf(Dynamic):
    """arXiv 2512.10938"""

    def __init__(self, channels, eps):
        super().__init__(channels, eps)
        self.shift = nn.Parameter(torch.zeros(1))

    def before_affine(self, x):
        return torch.erf(self.alpha * x + self.shift)


class Fixup(nn.Module):
    """arXiv 1901.09321: a branch's multiplier and its bias"""

    def __init__(self, channels, eps):
        super().__init__()
        self.alpha, self.bias = nn.Parameter(torch.ones(1)), nn.Parameter(torch.zeros(channels))

    def before_affine(self, x):
        return self.alpha * x

    def forward(self, x):
        return self.before_affine(x) + self.bias


class BatchNorm(nn.BatchNorm1d):
    """Over all tokens of all samples."""

    def __init__(self, channels, eps):
        super().__init__(channels, eps=eps)

    def before_affine(self, x):
        return F.batch_norm(x.transpose(1, 2), self.running_mean, self.running_var, eps=self.eps).transpose(1, 2)

    def forward(self, x):
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class LayerNorm(nn.LayerNorm):
    def before_affine(self, x):
        return F.layer_norm(x, self.normalized_shape, None, None, self.eps)


NORMS = {"layernorm": LayerNorm, "rmsnorm": RMSNorm, "batchnorm": BatchNorm, "dyt": DyT, "dyt-channel": DyTChannel,
         "dyt-noalpha": DyTNoAlpha, "dyt-hardtanh": DyTHardtanh, "dyt-sigmoid": DyTSigmoid, "derf": Derf, "dyisru": DyISRU,
         "none": Identity, "fixup": Fixup}
ACTIVATIONS = {
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "gelu_new": lambda x: F.gelu(x, approximate="tanh"),
    "relu": F.relu,
}


def attention(q, k, v, heads):
    """q, k, v [N, T, heads * dim]"""
    n, t, inner = q.shape
    q, k, v = (a.reshape(n, t, heads, inner // heads).transpose(1, 2) for a in (q, k, v))
    weights = torch.softmax(q @ k.transpose(2, 3) / (inner // heads) ** 0.5, -1)
    return (weights @ v).transpose(1, 2).reshape(n, t, inner)


def folder(**modules):
    """A module that only holds others: a dot in their names."""
    holder = nn.Module()
    for name, module in modules.items():
        holder.add_module(name, module)
    return holder


# ---- timm ----


class TimmBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        w, inner, norm = c["width"], c["heads"] * c["head_dim"], NORMS[c["norm"]]
        self.norm1, self.norm2 = norm(w, c["eps"]), norm(w, c["eps"])
        self.attn = folder(qkv=nn.Linear(w, 3 * inner, bias=c["qkv_bias"]), proj=nn.Linear(inner, w))
        self.mlp = folder(fc1=nn.Linear(w, c["hidden"]), fc2=nn.Linear(c["hidden"], w))
        self.act, self.heads = ACTIVATIONS[c["act"]], c["heads"]
        if c["layer_scale"]:
            self.ls1, self.ls2 = nn.Module(), nn.Module()
            self.ls1.gamma, self.ls2.gamma = nn.Parameter(torch.ones(w)), nn.Parameter(torch.ones(w))

    def forward(self, x):
        q, k, v = self.attn.qkv(self.norm1(x)).chunk(3, -1)
        a = self.attn.proj(attention(q, k, v, self.heads))
        x = x + (a * self.ls1.gamma if hasattr(self, "ls1") else a)
        m = self.mlp.fc2(self.act(self.mlp.fc1(self.norm2(x))))
        return x + (m * self.ls2.gamma if hasattr(self, "ls2") else m)


class TimmViT(nn.Module):
    def __init__(self, c):
        super().__init__()
        w, p, norm = c["width"], c["patch"], NORMS[c["norm"]]
        patches, prefix = c["height"] // p * (c["image"] // p), c["class_token"] + c["registers"]
        self.c, self.prefix = c, prefix
        self.patch_embed = folder(proj=nn.Conv2d(c["channels"], w, p, p, bias=not c["norm_pre"]))  # as timm does
        if c["class_token"]:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, w))
        if c["registers"]:
            self.reg_token = nn.Parameter(torch.zeros(1, c["registers"], w))
        self.pos_embed = nn.Parameter(torch.zeros(1, patches + (0 if c["no_embed_class"] else prefix), w))
        if c["norm_pre"]:
            self.norm_pre = norm(w, c["eps"])
        self.blocks = nn.Sequential(*[TimmBlock(c) for _ in range(c["depth"])])
        if c["final_norm"] and not c["fc_norm"]:
            self.norm = norm(w, c["eps"])
        if c["fc_norm"]:
            self.fc_norm = norm(w, c["eps"])
        if c["classes"]:
            self.head = nn.Linear(w, c["classes"])

    def forward(self, pixels):
        x = self.patch_embed.proj(pixels).flatten(2).transpose(1, 2)
        if self.c["no_embed_class"]:
            x = x + self.pos_embed
        prefix = [getattr(self, name) for name in ("cls_token", "reg_token") if hasattr(self, name)]
        x = torch.cat([t.expand(len(x), -1, -1) for t in prefix] + [x], 1)
        if not self.c["no_embed_class"]:
            x = x + self.pos_embed
        if hasattr(self, "norm_pre"):
            x = self.norm_pre(x)
        x = self.blocks(x)
        if hasattr(self, "norm"):
            x = self.norm(x)
        x = x[:, self.prefix:].mean(1) if self.c["pool"] == "mean" else x[:, 0]
        if hasattr(self, "fc_norm"):
            x = self.fc_norm(x)
        return self.head(x) if hasattr(self, "head") else x


# ---- Hugging Face ----


class HuggingFaceLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        w, norm = c["width"], NORMS[c["norm"]]
        qkv = {name: nn.Linear(w, w, bias=c["qkv_bias"]) for name in ("query", "key", "value")}
        self.attention = folder(attention=folder(**qkv), output=folder(dense=nn.Linear(w, w)))
        self.intermediate = folder(dense=nn.Linear(w, c["hidden"]))
        self.output = folder(dense=nn.Linear(c["hidden"], w))
        self.layernorm_before, self.layernorm_after = norm(w, c["eps"]), norm(w, c["eps"])
        self.act, self.heads = ACTIVATIONS[c["act"]], c["heads"]

    def forward(self, x):
        z, a = self.layernorm_before(x), self.attention.attention
        x = x + self.attention.output.dense(attention(a.query(z), a.key(z), a.value(z), self.heads))
        return x + self.output.dense(self.act(self.intermediate.dense(self.layernorm_after(x))))


class HuggingFaceBody(nn.Module):
    """ViTModel"""

    def __init__(self, c):
        super().__init__()
        w, p = c["width"], c["patch"]
        self.embeddings = folder(patch_embeddings=folder(projection=nn.Conv2d(c["channels"], w, p, p)))
        self.embeddings.cls_token = nn.Parameter(torch.zeros(1, 1, w))
        self.embeddings.position_embeddings = nn.Parameter(
            torch.zeros(1, c["height"] // p * (c["image"] // p) + 1, w))
        self.encoder = folder(layer=nn.ModuleList(HuggingFaceLayer(c) for _ in range(c["depth"])))
        if c["final_norm"]:
            self.layernorm = NORMS[c["norm"]](w, c["eps"])
        if c["pooler"]:
            self.pooler = folder(dense=nn.Linear(w, w))  # what it computes is no site's business

    def forward(self, pixels):
        x = self.embeddings.patch_embeddings.projection(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.embeddings.cls_token.expand(len(x), -1, -1), x], 1)
        x = x + self.embeddings.position_embeddings
        for layer in self.encoder.layer:
            x = layer(x)
        return self.layernorm(x) if hasattr(self, "layernorm") else x


class HuggingFaceViT(nn.Module):
    """ViTForImageClassification, or what stands under another prefix."""

    def __init__(self, c):
        super().__init__()
        self.prefix = c["prefix"]
        self.add_module(c["prefix"], HuggingFaceBody(c))
        self.classifier = nn.Linear(c["width"], c["classes"])

    def forward(self, pixels):
        return self.classifier(getattr(self, self.prefix)(pixels)[:, 0])


# ---- vit-pytorch, releases up to 0.40 ----


class PreNorm(nn.Module):
    def __init__(self, c, fn):
        super().__init__()
        self.norm, self.fn = NORMS[c["norm"]](c["width"], c["eps"]), fn

    def forward(self, x):
        return self.fn(self.norm(x))


class VitPytorchAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        inner = c["heads"] * c["head_dim"]
        self.to_qkv = nn.Linear(c["width"], 3 * inner, bias=False)
        self.to_out, self.heads = nn.Sequential(nn.Linear(inner, c["width"])), c["heads"]

    def forward(self, x):
        return self.to_out(attention(*self.to_qkv(x).chunk(3, -1), self.heads))


class Activation(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.f = ACTIVATIONS[name]

    def forward(self, x):
        return self.f(x)


class VitPytorchMlp(nn.Module):
    def __init__(self, c):
        super().__init__()
        first, last = nn.Linear(c["width"], c["hidden"]), nn.Linear(c["hidden"], c["width"])
        self.net = nn.Sequential(first, Activation(c["act"]), nn.Identity(), last)

    def forward(self, x):
        return self.net(x)


class Patches(nn.Module):
    """[N, C, H, W] to [N, patches, p * p * C]: the columns of a patch are (row, column, channel)."""

    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, x):
        n, c, h, w = x.shape
        x = x.reshape(n, c, h // self.p, self.p, w // self.p, self.p).permute(0, 2, 4, 3, 5, 1)
        return x.reshape(n, h // self.p * (w // self.p), -1)


class VitPytorchViT(nn.Module):
    def __init__(self, c):
        super().__init__()
        w, p = c["width"], c["patch"]
        self.to_patch_embedding = nn.Sequential(Patches(p), nn.Linear(c["channels"] * p * p, w))
        self.pos_embedding = nn.Parameter(torch.zeros(1, c["height"] // p * (c["image"] // p) + 1, w))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, w))
        block = lambda: nn.ModuleList([PreNorm(c, VitPytorchAttention(c)), PreNorm(c, VitPytorchMlp(c))])
        self.transformer = folder(layers=nn.ModuleList(block() for _ in range(c["depth"])))
        self.mlp_head = nn.Sequential(NORMS[c["norm"]](w, c["eps"]), nn.Linear(w, c["classes"]))
        self.pool = c["pool"]

    def forward(self, pixels):
        x = self.to_patch_embedding(pixels)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embedding
        for attn, mlp in self.transformer.layers:
            x = attn(x) + x
            x = mlp(x) + x
        return self.mlp_head(x.mean(1) if self.pool == "mean" else x[:, 0])


# ---- what the oracle asks of any of them ----

DEFAULTS = dict(width=16, depth=2, heads=2, head_dim=8, hidden=24, patch=4, image=8, height=0, channels=3, classes=5,
                norm="layernorm", eps=1e-6, act="gelu", qkv_bias=True, class_token=True, registers=0, no_embed_class=False,
                norm_pre=False, final_norm=True, fc_norm=False, layer_scale=False, pool="token", prefix="vit", pooler=False)


def build(naming, **settings):
    c = dict(DEFAULTS, **settings)
    c["height"] = c["height"] or c["image"]
    if naming == "torchvision":
        from torchvision.models.vision_transformer import VisionTransformer
        return VisionTransformer(c["image"], c["patch"], c["depth"], c["heads"], c["width"], c["hidden"],
                                 num_classes=c["classes"]), c
    if naming == "huggingface":
        return (HuggingFaceViT(c) if c["classes"] else HuggingFaceBody(c)), c
    return {"timm": TimmViT, "vit-pytorch": VitPytorchViT}[naming](c), c


def randomise(model, seed):
    """Every parameter drawn anew, so that none is 0 or 1 and hides a mistake. Scales keep the activations near 1."""
    g = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        r = torch.randn(p.shape, generator=g)
        if p.dim() >= 2 and p.shape[0] > 1:
            p.data = r * 1.5 / (p[0].numel() ** 0.5)
        elif name.endswith("alpha"):
            p.data = 0.6 + 0.2 * r
        elif name.endswith(("weight", "gamma")):
            p.data = 1 + 0.3 * r
        else:
            p.data = 0.3 * r
    return model.eval()


def run_with_taps(model, pixels):
    """Output of the model, and {name: (input, output before the affine)} of its norms in order of execution."""
    taps = {}

    def hook(name):
        def keep(module, inputs, output):
            x = inputs[0]
            if isinstance(module, nn.LayerNorm):
                y = F.layer_norm(x, module.normalized_shape, None, None, module.eps)
            else:
                y = module.before_affine(x)
            taps[name] = (x.detach().clone(), y.detach())
        return keep

    kinds = (nn.LayerNorm, RMSNorm, DyT, Dynamic, Fixup, BatchNorm)
    handles = [m.register_forward_hook(hook(n)) for n, m in model.named_modules() if isinstance(m, kinds)]
    with torch.no_grad():
        out = model(pixels)
    for handle in handles:
        handle.remove()
    return out, taps
