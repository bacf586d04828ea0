"""Makes datasets/tokenizers/class_ranges.h: the classes of characters of Hugging Face's tokenizers, asked of that package itself.

    python3 scripts/make_classes.py >datasets/tokenizers/class_ranges.h

Its steps know different versions of Unicode (punctuation is that of Unicode 8, digits that of 16), so no one library's tables give
the same ids for new characters. Needs the package tokenizers (0.23.3).
"""
import tokenizers
from tokenizers import normalizers, pre_tokenizers

characters = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
bert = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
cleaned = normalizers.BertNormalizer(**bert | {"clean_text": True}).normalize_str
stripped = normalizers.BertNormalizer(**bert | {"strip_accents": True}).normalize_str
unaccented = normalizers.StripAccents().normalize_str
# Replaced with tokenizers' own regular expressions: the class that \w has in Whitespace.
classes = {
    "other": lambda s: cleaned(s) == "ab",
    "punctuation": lambda s: len(pre_tokenizers.BertPreTokenizer().pre_tokenize_str(s)) == 3,
    "mark_nonspacing": lambda s: stripped(s) == "ab",
    "mark": lambda s: unaccented(s) == "ab",
    "number": lambda s: len(pre_tokenizers.Digits(individual_digits=True).pre_tokenize_str(s)) == 3,
    "word": lambda s: len(pre_tokenizers.Whitespace().pre_tokenize_str(s)) == 1,
}
print("/* Classes of characters as first and last of each range, made by scripts/make_classes.py from tokenizers "
      f"{tokenizers.__version__}. */")
print("#ifndef NS_TOKENIZERS_CLASS_RANGES_H\n#define NS_TOKENIZERS_CLASS_RANGES_H\n\n#include <stdint.h>\n\n// clang-format off")
for name, holds in classes.items():
    ranges = []
    for c in characters:
        if c == 0xFFFD and name == "other" or not holds("a" + chr(c) + "b"):
            continue
        # A range goes on over the surrogates, which are in no text.
        if ranges and (ranges[-1][1] == c - 1 or (ranges[-1][1], c) == (0xD7FF, 0xE000)):
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
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
