"""Runs made by h5py in the layout of docs/run-format.md, for data that no model gives."""
import h5py
import numpy as np

PATCH, CLASS, REGISTER, WORD, PADDING = range(5)


def write(path, sites, samples=None, committed=None, dtype="f4", **attributes):
    """sites: dictionaries with x, y [samples, positions, channels] and, where wanted, kinds [samples, positions] and any attribute or
    array of a site."""
    samples = len(sites[0]["x"]) if samples is None else samples
    with h5py.File(path, "w", libver="earliest") as file:
        root = {"format": "normscope", "format_major": 1, "format_minor": 0, "samples": samples, "batch": 1, "seed": 0, "sample_rows": 0,
                "storage_type": "float16" if dtype == "f2" else "float32", "created": "2025-01-02T03:04:05Z", "model_family": "vit"}
        for name, value in {**root, **attributes}.items():
            file.attrs[name] = np.bytes_(value.encode()) if isinstance(value, str) else value
        file["progress/samples_committed"] = np.array([samples if committed is None else committed], "u8")
        file["samples/id"] = np.arange(samples, dtype="i8")
        for i, site in enumerate(sites):
            write_site(file.create_group(f"sites/{i + 1:03d}"), i + 1, dict(site), dtype)
    return path


def write_site(group, index, site, dtype):
    x, y, kinds = site.pop("x"), site.pop("y"), site.pop("kinds", None)
    samples, positions, channels = x.shape
    group.attrs.update({"index": index, "channels": channels, "positions": positions, "eps": site.pop("eps", 1e-6)})
    for name, usual in (("name", f"blocks.{index}.norm"), ("role", "other"), ("kind", "layernorm")):
        group.attrs[name] = np.bytes_(site.pop(name, usual).encode())
    with np.errstate(over="ignore"):
        group["input"], group["output"] = (t.reshape(-1, channels).astype(dtype) for t in (x, y))
    group["sample"] = np.repeat(np.arange(samples), positions).astype("i8")
    group["position"] = np.tile(np.arange(positions), samples).astype("i4")
    group["kind"] = np.zeros(samples * positions, "u1") if kinds is None else kinds.reshape(-1).astype("u1")
    for name, values in site.items():
        group[name] = values


def layernorm(x, eps=1e-6):
    """Over the last axis, in float64, as float32."""
    x = np.asarray(x, "f8")
    with np.errstate(invalid="ignore"):
        return ((x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)).astype("f4")
