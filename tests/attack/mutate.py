"""Changed copies of files: of bytes anywhere, and by the file's own structure, so that lengths and checksums stay right and what is wrong lies
deeper. mutate(rng, data, others): `others` are files of the same kind, pieces of which may be put in."""
import gzip
import io
import json
import struct
import zlib

ODD = [0, 1, 2, 3, 7, 8, 0x7F, 0x80, 0xFE, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, (1 << 64) - 1]
WORDS = ["", "x", "-1", "nan", "inf", "1e400", "..", "/", "\0", "\x1b[31m", "%s%n", "\U0001f600", "a" * 5000, "layernorm", "../../etc/passwd", "{", "<b>&", "'\"`"]


def at(rng, size):
    """A place, half of the time among the first bytes, where formats keep their headers."""
    return rng.randrange(min(size, 256) if rng.random() < 0.5 else size)


def one_change(rng, data, others):
    size = len(data)
    how = rng.randrange(12)
    if not size or how == 0:
        return data + rng.randbytes(rng.randrange(1, 64))
    place = at(rng, size)
    if how == 1:
        data[place] ^= 1 << rng.randrange(8)
    elif how == 2:
        data[place] = rng.randrange(256)
    elif how == 3:
        data[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
    elif how in (4, 5):
        width = rng.choice((2, 4, 8))
        data[place : place + width] = (rng.choice(ODD) & ((1 << 8 * width) - 1)).to_bytes(width, rng.choice(("little", "big")))
        del data[max(size, place) :]
    elif how == 6:
        del data[place:]
    elif how == 7:
        del data[place : place + rng.randrange(1, 64)]
    elif how == 8:
        data[place:place] = data[place : place + rng.randrange(1, 64)]
    elif how == 9:
        data[place:place] = rng.randbytes(rng.randrange(1, 16))
    elif how == 10:
        length = rng.randrange(1, 64)
        data[place : place + length] = bytes(min(length, size - place))
    elif others:
        other = rng.choice(others)
        start, length = rng.randrange(max(1, len(other))), rng.randrange(1, 256)
        data[place : place + length] = other[start : start + length]
    return data


def raw(rng, data, others=()):
    data = bytearray(data)
    for _ in range(1 + min(7, int(rng.expovariate(0.7)))):
        data = one_change(rng, data, others)
    return bytes(data)


# ---- text and JSON ----


def odd_value(rng):
    return rng.choice((None, True, False, 0, -1, 1, 2, 3, 1e308, -0.5, 1 << 31, 1 << 53, 10**30, -(1 << 63), [], {}, [[]], [0], [None] * 3, rng.choice(WORDS), rng.random() * 100))


def places(value, found, most=4000):
    """Every (container, key) below."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        if len(found) >= most:
            return found
        found.append((value, key))
        places(value[key], found, most)
    return found


def change_tree(rng, tree, others):
    for _ in range(1 + min(4, int(rng.expovariate(0.9)))):
        found = places(tree, [])
        if not found:
            return odd_value(rng)
        holder, key = rng.choice(found)
        how = rng.randrange(8)
        if how < 3:
            holder[key] = odd_value(rng)
        elif how == 3:
            del holder[key]
        elif how == 4 and isinstance(holder[key], (int, float)) and not isinstance(holder[key], bool):
            holder[key] = rng.choice((holder[key] + 1, holder[key] - 1, -holder[key], holder[key] * 2, holder[key] * 1000, float(holder[key])))
        elif how == 5 and isinstance(holder, dict):
            holder[rng.choice((str(key) + "s", str(key)[:-1], rng.choice(WORDS)))] = holder.pop(key)
        elif how == 6 and others:
            other = places(rng.choice(others), [])
            if other:
                theirs, name = rng.choice(other)
                if isinstance(holder, dict):
                    holder[str(name)] = theirs[name]
                else:
                    holder[key] = theirs[name]
        elif isinstance(holder, list):
            holder.insert(0, odd_value(rng))
        else:
            holder[rng.choice(WORDS)] = odd_value(rng)
    return tree


def json_text(rng, data, others=()):
    if rng.random() < 0.3:
        return raw(rng, data, others)
    text = json.dumps(change_tree(rng, json.loads(data), [json.loads(o) for o in others]), ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.05:
        text = "[" * rng.choice((10, 3000, 100000)) + text
    return text.encode("utf-8", "surrogatepass")


def lines(rng, data, others=()):
    """Tables and lists: fields and lines are what changes."""
    if rng.random() < 0.4:
        return raw(rng, data, others)
    rows = data.split(b"\n")
    for _ in range(1 + min(5, int(rng.expovariate(0.7)))):
        row = rng.randrange(len(rows))
        fields = rows[row].split(b"\t")
        field, how = rng.randrange(len(fields)), rng.randrange(6)
        if how == 0:
            del rows[row]
        elif how == 1:
            rows.insert(row, rng.choice(rows))
        elif how == 2:
            del fields[field]
        elif how == 3:
            fields.insert(field, rng.choice(fields))
        else:
            fields[field] = str(odd_value(rng)).encode("utf-8", "replace") if how == 4 else rng.choice(WORDS).encode()
        if how > 1:
            rows[row] = b"\t".join(fields)
        if not rows:
            return b""
    return b"\n".join(rows)


# ---- what is packed ----


def gzipped(inner):
    """Half of the time what is unpacked, so that the checksum stays right."""

    def mutate(rng, data, others=()):
        packed = data[:2] == b"\x1f\x8b"
        if not packed or rng.random() < 0.5:
            return (raw if packed else inner)(rng, data, others)
        return gzip.compress(inner(rng, gzip.decompress(data)), 1, mtime=0)

    return mutate


def safetensors(rng, data, others=()):
    length = int.from_bytes(data[:8], "little")
    if rng.random() < 0.3:
        return raw(rng, data, others)
    if rng.random() < 0.2:
        return data[: 8 + length] + raw(rng, data[8 + length :])
    headers = [o[8 : 8 + int.from_bytes(o[:8], "little")] for o in others]
    text = json_text(rng, data[8 : 8 + length], headers)
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def png(rng, data, others=()):
    """Chunks with their checksums made anew; of the pixels what is unpacked."""
    if rng.random() < 0.3:
        return raw(rng, data, others)
    chunks, place = [], 8
    while place + 12 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        chunks.append([data[place + 4 : place + 8], data[place + 8 : place + 8 + size]])
        place += 12 + size
    for _ in range(rng.randrange(1, 4)):
        i, how = rng.randrange(len(chunks)), rng.randrange(6)
        if how == 0 and len(chunks) > 1:
            del chunks[i]
        elif how == 1:
            chunks.insert(i, list(rng.choice(chunks)))
        elif how == 2 and chunks[i][0] == b"IDAT":
            try:
                chunks[i][1] = zlib.compress(raw(rng, zlib.decompress(chunks[i][1])))
            except zlib.error:
                pass
        elif how == 3:
            chunks[i][0] = raw(rng, chunks[i][0])[:4].ljust(4, b"x")
        else:
            chunks[i][1] = raw(rng, chunks[i][1])
    return data[:8] + b"".join(struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks)


def zipped(inner):
    """A member of an archive, stored as PyTorch stores it; or the archive's bytes."""
    import zipfile

    def mutate(rng, data, others=()):
        if rng.random() < 0.4:
            return raw(rng, data, others)
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", rng.choice((0, 0, 8))) as new:
            names = old.namelist()
            chosen = rng.choice(names[:1] * 3 + names)
            for name in names:
                content = old.read(name)
                if name == chosen:
                    content = inner(rng, content)
                if name != chosen or rng.random() < 0.95:
                    new.writestr(name if name != chosen or rng.random() < 0.9 else name + rng.choice(("x", "/", "../y")), content)
        return out.getvalue()

    return mutate


def npy(rng, data, others=()):
    """The header's text, in its place."""
    if rng.random() < 0.4:
        return raw(rng, data, others)
    size = int.from_bytes(data[8:10], "little")
    head = data[10 : 10 + size].decode("latin-1")
    number, text = str(rng.choice(ODD)), rng.choice(("<f4", "|u1", ">i8", "<f8", "|b1", "<c16", "<U3", "|O", "<f2", "|V9", "", "<M8"))
    changes = (lambda h: h.replace("(", "(" + number + ", ", 1), lambda h: h.replace("False", "True"), lambda h: h.replace("(", "(-", 1), lambda h: h.replace("'<f4'", repr(text)),
               lambda h: h.replace("'<i8'", repr(text)), lambda h: h.replace("descr", rng.choice(("shape", "descR", "")), 1), lambda h: h.replace(", ", ", " + number + ", ", rng.randrange(3)),
               lambda h: raw(rng, h.encode("latin-1")).decode("latin-1"))
    for _ in range(rng.randrange(1, 3)):
        head = rng.choice(changes)(head)
    head = head.encode("latin-1")
    return data[:8] + len(head).to_bytes(2, "little")[:2] + head + data[10 + size :] if len(head) < 65536 else raw(rng, data, others)


def hdf5(rng, data, others=()):
    """Bytes, mostly of what describes; or by h5py what that description says."""
    if rng.random() < 0.5:
        return raw(rng, data, others)
    image = io.BytesIO(data)
    try:
        change_hdf5(rng, image)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError):
        pass  # what is there by then
    return image.getvalue()


def change_hdf5(rng, image):
    import h5py
    import numpy as np

    with h5py.File(image, "r+") as file:
        names = []
        file.visit(names.append)
        for _ in range(rng.randrange(1, 4)):
            name = rng.choice(names)
            if name not in file:
                continue
            item, how = file[name], rng.randrange(9)
            holder = rng.choice((item, file))
            if how < 3 and len(holder.attrs):
                key = rng.choice(list(holder.attrs))
                value = rng.choice((odd_attribute(rng), odd_attribute(rng), None, holder.attrs[key]))
                del holder.attrs[key]
                if value is not None:
                    holder.attrs[key if rng.random() < 0.9 else key + "x"] = value
            elif how == 3:
                del file[name]
            elif how == 4:
                file.move(name, name + rng.choice(("x", "0", "/y"))) if name + "/y" not in file else None
            elif how == 5:
                del file[name]
                file[name] = h5py.SoftLink(rng.choice(["/", "/" + name, "/none", *("/" + n for n in names)]))
            elif isinstance(item, h5py.Dataset):
                shape = tuple(rng.choice((0, 1, n, n + 1, 2 * n)) for n in item.shape) if how == 6 else item.shape
                kind = rng.choice(("f4", "f8", "f2", "u1", "i8", "u8", "i2", "S5", ">f4")) if how == 7 else item.dtype
                if 8 in (how,) and item.size and item.dtype.kind in "fiu":
                    flat = item[()].reshape(-1)
                    flat[rng.randrange(flat.size)] = np.array(rng.choice([0, 1, 2, 100, 1 << 30, *((np.nan, np.inf, -1e38) if item.dtype.kind == "f" else ())])).astype(item.dtype)
                    item[()] = flat.reshape(item.shape)
                elif np.prod(shape, dtype="f8") < 1 << 22:
                    kept = dict(item.attrs)
                    del file[name]
                    file.create_dataset(name, shape=shape, dtype=kind).attrs.update(kept)


def odd_attribute(rng):
    import numpy as np

    return rng.choice((np.int64(rng.choice((-1, 0, 1, 2, 3, 4, 1 << 20, 1 << 31, 1 << 40, -(1 << 63)))), np.float32(rng.choice((0.0, -1.0, float("nan"), float("inf"), 1e-30))),
                       np.bytes_(rng.choice(WORDS).replace("\0", "").encode() or b" "), np.arange(3), np.zeros(0, "f4"), rng.choice(WORDS).replace("\0", "")))
