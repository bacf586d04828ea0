"""For tests in Python: writes a run's file as probe/FORMAT.md says, with h5py alone."""
import h5py
import numpy as np


def write(path, sites, positions=1, kind="layernorm", committed=None, **root):
    """sites: {name: (x, y)} of [rows, C] arrays, rows = samples * positions, or (x, y, row kinds)."""
    with h5py.File(path, "w") as file:
        rows = len(next(iter(sites.values()))[0])
        samples = rows // positions
        file.attrs.update({"format": "normscope", "format_major": 1, "format_minor": 0, "samples": samples, "batch": max(samples, 1),
                           "storage_type": "float32", "seed": 0, "sample_rows": 0, "model_family": "vit", "created": "2026-01-01T00:00:00Z", **root})
        file["progress/samples_committed"] = np.array([samples if committed is None else committed], "u8")
        file["samples/id"] = np.arange(samples)
        file.create_group("sites")
        for i, (name, data) in enumerate(sites.items(), 1):
            group = file["sites"].create_group("%03d" % i)
            group.attrs.update({"index": i, "name": name, "role": "other", "kind": kind, "eps": 1e-6, "channels": data[0].shape[1], "positions": positions})
            group["input"], group["output"] = data[0], data[1]
            group["sample"] = np.repeat(np.arange(samples), positions).astype("i8")
            group["position"] = np.tile(np.arange(positions), samples).astype("i4")
            group["kind"] = data[2] if len(data) > 2 else np.zeros(rows, "u1")
