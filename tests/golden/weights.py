"""Makes weights.safetensors and weights.flips, the answers of the format's own library that test_weights.c compares with.

    pip install safetensors==0.5.3 ml_dtypes; python3 weights.py

The file: a float32 tensor, 16-bit tensors beside their values as float32 (widened by numpy and ml_dtypes), an empty tensor,
metadata. The flips: one hexadecimal digit for every 4 bits of the length and the header, in order (the lowest bit of a byte
first); a bit is set where the library opens the file although that bit is flipped."""
import pathlib

import ml_dtypes
import numpy as np
import safetensors

here = pathlib.Path(__file__).parent
bits = np.array(
    [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x3C00, 0xBC01, 0x3F80, 0x4049, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x3555, 0x7F7F, 0x0080],
    dtype="<u2",
)
half, brain = bits.copy(), bits.copy()
half[14] = 0x1234  # 0x7f7f is a NaN of binary16, which compares equal to nothing
tensors = {
    "blocks.0.norm1.weight": ("float32", np.arange(6, dtype="<f4").reshape(2, 3) / 4),
    "half": ("float16", half.view("<f2").reshape(4, 4)),
    "half.values": ("float32", half.view("<f2").astype("<f4")),
    "brain": ("bfloat16", brain.view(ml_dtypes.bfloat16)),
    "brain.values": ("float32", brain.view(ml_dtypes.bfloat16).astype("<f4")),
    "nothing": ("float32", np.zeros((0, 3), "<f4")),
}
file = safetensors.serialize(
    {name: {"dtype": dtype, "shape": list(a.shape), "data": a.tobytes()} for name, (dtype, a) in tensors.items()},
    {"format": "pt"},
)
(here / "weights.safetensors").write_bytes(file)


def opens(data):
    try:
        safetensors.deserialize(bytes(data))
        return True
    except safetensors.SafetensorError:
        return False


head = 8 + int.from_bytes(file[:8], "little")
digits = []
for nibble in range(2 * head):
    value = 0
    for bit in range(4):
        damaged = bytearray(file)
        damaged[nibble // 2] ^= 1 << (nibble % 2 * 4 + bit)
        value |= opens(damaged) << bit
    digits.append("%x" % value)
lines = ["".join(digits[i : i + 96]) for i in range(0, len(digits), 96)]
(here / "weights.flips").write_text("\n".join(lines) + "\n")
assert opens(file) and not any(opens(file[:n]) for n in range(len(file)))
