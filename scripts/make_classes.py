"""Makes datasets/tokenizers/class_ranges.h: the classes of characters of Hugging Face's tokenizers, asked of that package itself.

    python3 scripts/make_classes.py >datasets/tokenizers/class_ranges.h
    python3 scripts/make_classes.py patterns >datasets/tokenizers/pattern_newer.h
    python3 scripts/make_classes.py forms >datasets/tokenizers/form_newer.h

The second are what \\p{L} and the like have in its regular expressions and not in Unicode 14, which PCRE2 10.42 knows; the third are the
characters that it leaves as they are and that utf8proc (2.8) takes apart, and the letters whose lower case utf8proc does not know.

Its steps know different versions of Unicode (punctuation is that of Unicode 8, digits that of 16), so no one library's tables give
the same ids for new characters. Needs the package tokenizers (0.23.3).
"""
import ctypes
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

characters = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
bert = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
cleaned = normalizers.BertNormalizer(**bert | {"clean_text": True}).normalize_str
stripped = normalizers.BertNormalizer(**bert | {"strip_accents": True}).normalize_str
unaccented = normalizers.StripAccents().normalize_str
classes = {
    "other": lambda s: cleaned(s) == "ab",
    "punctuation": lambda s: len(pre_tokenizers.BertPreTokenizer().pre_tokenize_str(s)) == 3,
    "mark_nonspacing": lambda s: stripped(s) == "ab",
    "mark": lambda s: unaccented(s) == "ab",
    "number": lambda s: len(pre_tokenizers.Digits(individual_digits=True).pre_tokenize_str(s)) == 3,
    "word": lambda s: len(pre_tokenizers.Whitespace().pre_tokenize_str(s)) == 1,
}


def ranges_of(characters):
    ranges = []
    for c in characters:
        # A range goes on over the surrogates, which are in no text.
        if ranges and (ranges[-1][1] == c - 1 or (ranges[-1][1], c) == (0xD7FF, 0xE000)):
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
    return ranges


def newer():
    assert unicodedata.unidata_version == "14.0.0", "this wants a Python that knows Unicode 14 (3.11)"
    print(f"/* Characters of classes that are newer than Unicode 14, made by scripts/make_classes.py from tokenizers {tokenizers.__version__}. */")
    print("#ifndef NS_TOKENIZERS_PATTERN_NEWER_H\n#define NS_TOKENIZERS_PATTERN_NEWER_H\n\n// clang-format off")
    print("static const struct {\n    const char *name, *ranges;\n} newer[] = {")
    late = "".join(chr(c) for c in characters if unicodedata.category(chr(c)) == "Cn")
    for name in "L", "M", "N", "P", "S", "Lu", "Ll", "Lm", "Lo", "Nd":
        left = pre_tokenizers.Split(Regex(rf"\p{{{name}}}"), "removed").pre_tokenize_str(late)
        ranges = ranges_of(sorted(set(map(ord, late)) - {ord(c) for word, _ in left for c in word}))
        print(f'    {{"{name}",')
        text = [f"\\\\x{{{a:x}}}" + (f"-\\\\x{{{b:x}}}" if b > a else "") for a, b in ranges]
        for i in range(0, len(text), 5):
            print('     "' + "".join(text[i:i + 5]) + '"')
        print("    },")
    print("};\n// clang-format on\n\n#endif")


def forms():
    utf8proc = ctypes.CDLL("libutf8proc.so.2")
    utf8proc.utf8proc_tolower.restype = ctypes.c_int32
    alone = [c for c in characters if c not in (0, 10)]
    text = "\n".join(map(chr, alone))
    raw, out = text.encode(), ctypes.c_void_p()
    size = utf8proc.utf8proc_map(raw, len(raw), ctypes.byref(out), 1 << 1 | 1 << 2 | 1 << 4)  # NFKD
    theirs = ctypes.string_at(out, size).decode().split("\n")
    whole = ranges_of(c for c, a, b in zip(alone, normalizers.NFKD().normalize_str(text).split("\n"), theirs) if a != b and a == chr(c))
    lower = [(c, ord(a)) for c, a in zip(alone, normalizers.Lowercase().normalize_str(text).split("\n"))
             if len(a) == 1 and ord(a) != utf8proc.utf8proc_tolower(c)]
    # A mark that is in neither order with the overlay (class 1) nor with the acute (class 230) has no class there.
    utf8proc.utf8proc_get_property.restype = ctypes.POINTER(ctypes.c_int16)
    class_of = {c: utf8proc.utf8proc_get_property(c)[1] for c in characters}
    known = normalizers.NFD().normalize_str
    marks = ranges_of(c for c in characters if class_of[c] and known(chr(c) + "\u0334")[0] == chr(c) and known("\u0301" + chr(c))[-1] == chr(c))
    print(f"/* What tokenizers {tokenizers.__version__} and utf8proc 2.8 know differently, made by scripts/make_classes.py. */")
    print("#ifndef NS_TOKENIZERS_FORM_NEWER_H\n#define NS_TOKENIZERS_FORM_NEWER_H\n\n#include <stdint.h>\n\n// clang-format off")
    print("/* First and last of what is left whole. */\nstatic const int32_t whole_ranges[][2] = {")
    for first, last in whole:
        print(f"    {{{first:#x}, {last:#x}}},")
    print("};\n/* First and last of marks that have no class of their own there, and stay where they are. */\nstatic const int32_t unclassed_ranges[][2] = {")
    for first, last in marks:
        print(f"    {{{first:#x}, {last:#x}}},")
    print("};\n/* Letters and their lower case. */\nstatic const int32_t lower_pairs[][2] = {")
    for capital, small in lower:
        print(f"    {{{capital:#x}, {small:#x}}},")
    print("};\n// clang-format on\n\n#endif")


if sys.argv[1:] == ["forms"]:
    forms()
    sys.exit()
if sys.argv[1:] == ["patterns"]:
    newer()
    sys.exit()
print("/* Classes of characters as first and last of each range, made by scripts/make_classes.py from tokenizers "
      f"{tokenizers.__version__}. */")
print("#ifndef NS_TOKENIZERS_CLASS_RANGES_H\n#define NS_TOKENIZERS_CLASS_RANGES_H\n\n#include <stdint.h>\n\n// clang-format off")
for name, holds in classes.items():
    ranges = ranges_of(c for c in characters if not (c == 0xFFFD and name == "other") and holds("a" + chr(c) + "b"))
    print(f"static const int32_t {name}_ranges[][2] = {{")
    line = "   "
    for first, last in ranges:
        item = f" {{{first:#x}, {last:#x}}},"
        if len(line) + len(item) > 130:
            print(line)
            line = "   "
        line += item
    print(line + "\n};")
print("// clang-format on\n\n#endif")
