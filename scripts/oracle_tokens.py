"""Ids and places of tokens against Hugging Face's package `tokenizers`.

    python3 scripts/oracle_tokens.py golden               trains the small tokenizers of tests/golden/tokens, with what is expected of them
    python3 scripts/oracle_tokens.py check BUILD [N]      N lines (10,000) through BUILD/oracle-tokens and through the package

`check` takes those tokenizers, and larger ones trained on the spot, and the real ones whose places are given by MINILM (the folder of
all-MiniLM-L6-v2) and SMOLLM2 (its GGUF file). Needs tokenizers, sentencepiece, gguf, numpy. The lines come from a seed: sentences in some thirty
languages, code, emoji, characters of all of Unicode, broken UTF-8, and the texts of Python's own manual.
"""
import glob
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SENTENCES = """All human beings are born free and equal in dignity and rights.
Tous les êtres humains naissent libres et égaux en dignité et en droits ; l'été, le cœur, où ça ?
Alle Menschen sind frei und gleich an Würde und Rechten geboren. Straße, Übergröße, ẞ!
Todos los seres humanos nacen libres e iguales… ¿Qué? ¡Niño!
Все люди рождаются свободными и равными в своём достоинстве и правах.
Всі люди народжуються вільними й рівними у своїй гідності; ґанок, її.
Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια. ΟΔΟΣ
يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق، ٣٤٥.
כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. שָׁלוֹם
सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। १२३
সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে।
மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்.
ప్రతిపత్తిస్వత్వముల విషయమున మానవులెల్లరును జన్మతః స్వతంత్రులును సమానులును నగుదురు.
มนุษย์ทั้งปวงเกิดมามีอิสระและเสมอภาคกันในศักดิ์ศรีและสิทธิ
人人生而自由,在尊严和权利上一律平等。他們賦有理性和良心。
すべての人間は、生まれながらにして自由であり、ｶﾞｷﾞｸﾞ ガギグ。
모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.
Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền.
Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. İstanbul ılık IŞIK
Wszyscy ludzie rodzą się wolni i równi pod względem swej godności; zażółć gęślą jaźń.
Všichni lidé rodí se svobodní a sobě rovní; příliš žluťoučký kůň.
Minden emberi lény szabadon születik; árvíztűrő tükörfúrógép.
Kaikki ihmiset syntyvät vapaina ja tasavertaisina arvoltaan ja oikeuksiltaan.
ყველა ადამიანი იბადება თავისუფალი და თანასწორი.
Բոլոր մարդիկ ծնվում են ազատ ու հավասար։
ሁሉም ሰዎች ነጻና እኩል ሆነው ተወልደዋል።
མིའི་རིགས་རྒྱུད་ཡོངས་ལ་སྐྱེས་ཙམ་ཉིད་ནས
មនុស្សទាំងអស់កើតមកមានសេរីភាព
လူတိုင်းသည် တူညီ လွတ်လပ်သော ဂုဏ်သိက္ခာဖြင့်
Хүн бүр төрж мэндлэхдээ эрх чөлөөтэй
ᎤᎾᎵᎮᎵᏍᏗ ᏂᎦᏓ ᎠᏂᏴᏫ
for (size_t i = 0; i < n; i++) sum += a[i] * (b[i] >> 3) & 0xffu;  // x--, y != z
    def f(self, *args, **kwargs):\n\t\treturn {k: v for k, v in kwargs.items() if v is not None}
<div class="a b" id='x'>&nbsp;&amp; https://example.org/a?b=c&d=%20e#f</div>
SELECT * FROM t WHERE x >= 1e-10 AND y LIKE '%a_b%' -- 3.14159 1,234,567.89
I'm you're he'll we've they'd IT'S DON'T o'clock rock'n'roll ''quoted'' 'tis
👍🏽 👩‍👩‍👧‍👦 🇩🇪🇫🇷 ❤️‍🔥 ☃︎ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ½ ² ① Ⅷ ﬁ ﬄ ㎏ ™ € £ ¥ ₿
e\u0301 n\u0303 A\u030a o\u0302\u0301 \u1e9b\u0323 \u212b \u2126 \ud55c\uae00 \u1112\u1161\u11ab q\u0307\u0323 q\u0323\u0307
Mixed-case CamelCase snake_case kebab-case ALLCAPS lower123UPPER456 v1.2.3-rc4
tabs\tand\u00a0no-break\u2003em\u3000ideographic\u200bzero\u200djoin\ufeffbom\u0085nel\u2028line
   leading, trailing   , and   many     spaces          here   
\n\n\nlines\r\nand\n\n returns\r \n\t\n
[CLS] [SEP] [MASK] <s> </s> <unk> <|endoftext|> <|im_start|>user<|im_end|> <mask>  <special> word <word>words
\u2581low \u2581\u2581 \u0120G ##ing ## <0x41> <0xE2> \x00 nul \x1f \x7f del \ufffd
""".split("\n")
SENTENCES = [s.encode().decode("unicode_escape").encode("latin-1").decode() if "\\" in s and s.isascii() else
             s.replace("\\n", "\n").replace("\\t", "\t") for s in SENTENCES[:-1]]


def unescape(text):
    """\\u and \\x in the lines above that have other characters too."""
    out, at = "", 0
    while at < len(text):
        size = {"u": 4, "x": 2}.get(text[at + 1:at + 2]) if text[at] == "\\" else None
        out += chr(int(text[at + 2:at + 2 + size], 16)) if size else text[at]
        at += 2 + size if size else 1
    return out


def manual():
    from pydoc_data import topics
    return [line for key in sorted(topics.topics) for line in topics.topics[key].split("\n") if line.strip()]


def texts(count, seed):
    """Texts as bytes; some are broken."""
    rng = random.Random(seed)
    book = manual()
    sentences = [unescape(s) for s in SENTENCES]
    words = [w for s in sentences for w in s.split(" ")]
    out = [s.encode() for s in sentences] + [b"", b" ", b"\xff", b"\xe2\x96", b"a\xf0\x9f\x98z\xed\xa0\x80\xc0\xaf\xf4\x90\x80\x80", b"\n"]
    while len(out) < count:
        kind = rng.randrange(10)
        if kind < 3:
            text = " ".join(rng.choice(words) for _ in range(rng.randrange(1, 20)))
        elif kind < 5:
            text = rng.choice(book)
        elif kind < 6:  # all of Unicode that is assigned to somebody, and what is not
            text = "".join(chr(c) for c in (rng.randrange(rng.choice([0x80, 0x800, 0x3000, 0x10000, 0x20000, 0x110000]))
                                            for _ in range(rng.randrange(1, 12))) if not 0xD800 <= c < 0xE000)
        elif kind < 7:
            text = "".join(rng.choice(rng.choice(sentences) or " ") for _ in range(rng.randrange(1, 60)))
        elif kind < 8:
            text = "".join(rng.choice(["a", " ", "'s", "\n", "1", "23", "é", "_", "-", "  ", "\t", "'", "the", "▁", "Ġ", "！", "\u0301"])
                           for _ in range(rng.randrange(1, 40)))
        else:
            text = rng.choice(sentences) + rng.choice(["", " ", "\n"]) + rng.choice(sentences)
        raw = text.encode()
        if rng.randrange(8) == 0 and raw:  # broken
            raw = bytearray(raw)
            for _ in range(rng.randrange(1, 4)):
                at = rng.randrange(len(raw))
                what = rng.randrange(3)
                if what == 0:
                    raw[at] = rng.randrange(256)
                elif what == 1:
                    del raw[at:at + rng.randrange(1, 4)]
                else:
                    raw[at:at] = bytes(rng.randrange(128, 256) for _ in range(rng.randrange(1, 4)))
                if not raw:
                    break
            raw = bytes(raw)
        out.append(raw)
    return out[:count]


# ---- tokenizers to compare ----

GPT4 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = GPT4.replace("{1,3}", "")
BYTES = [f"<0x{b:02X}>" for b in range(256)]


def corpus():
    return [unescape(s).replace("\0", "") for s in SENTENCES] * 3 + manual()[:1500]


def bert(size, words, **more):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer = normalizers.BertNormalizer(**more)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(words, trainers.WordPieceTrainer(vocab_size=size, show_progress=False, limit_alphabet=size // 4,
                                                           special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return t


def byte_level(size, words, pre=None, normalizer=None, special=("<|endoftext|>",), **more):
    t = Tokenizer(models.BPE(**more))
    if normalizer:
        t.normalizer = normalizer
    t.pre_tokenizer = pre or pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(words, trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=list(special),
                                                     initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return t


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def roberta(size, words):
    t = byte_level(size, words, pre_tokenizers.ByteLevel(add_prefix_space=True), special=["<s>", "<pad>", "</s>", "<unk>"])
    t.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    t.add_tokens([AddedToken("<word>", single_word=True), AddedToken("zażółć", rstrip=True), AddedToken("WÜRDE", normalized=True),
                  AddedToken("free", normalized=False), AddedToken("freedom", normalized=False)])
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=True)
    return t


def llama2(size, words):
    """Normalized into ▁ before everything, no pre-tokenizer, bytes for what is unknown."""
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.train_from_iterator([p for w in words for p in w.split(" ")], trainers.BpeTrainer(vocab_size=size, show_progress=False, limit_alphabet=150,
                                                                                        special_tokens=["<unk>", "<s>", "</s>"] + BYTES))
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return plain_bytes(t)


def plain_bytes(t):
    """The bytes are words of the vocabulary, not tokens that are looked for."""
    spec = json.loads(t.to_str())
    spec["added_tokens"] = [a for a in spec["added_tokens"] if a["content"] not in BYTES]
    return Tokenizer.from_str(json.dumps(spec))


def metaspace(size, words, scheme="first", **more):
    t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, **more))
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    t.train_from_iterator(words, trainers.BpeTrainer(vocab_size=size, show_progress=False, limit_alphabet=120,
                                                     special_tokens=["<unk>", "<s>", "</s>"] + BYTES))
    return plain_bytes(t)


def common(words, most):
    """The lines that have no character but the most frequent: the trainer of Unigram takes every one into the vocabulary."""
    from collections import Counter
    counts = Counter(c for w in words for c in w)
    kept = {c for c, _ in counts.most_common(most)}
    return [w for w in words if set(w) <= kept]


def unigram(size, words, normalizer, pre=None, special=("<pad>", "</s>", "<unk>")):
    words = common(words, size // 3)
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizer
    t.pre_tokenizer = pre or pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    t.train_from_iterator(words, trainers.UnigramTrainer(vocab_size=size, show_progress=False, special_tokens=list(special), unk_token="<unk>"))
    t.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return t


def without_unknown(t):
    spec = json.loads(t.to_str())
    spec["model"]["byte_fallback"] = True
    spec["model"]["vocab"] += [[b, -20.0] for b in BYTES]
    return Tokenizer.from_str(json.dumps(spec))


def charsmap(rules):
    """SentencePiece's map of characters: its own `nmt_nfkc` and the like, or a list of (from, to)."""
    import sentencepiece
    with tempfile.TemporaryDirectory() as folder:
        open(f"{folder}/words", "w").write("\n".join(manual()[:500]))
        more = {"normalization_rule_name": rules}
        if not isinstance(rules, str):
            with open(f"{folder}/rules", "w") as f:
                for a, b in rules:
                    f.write(" ".join(f"{ord(c):X}" for c in a) + "\t" + " ".join(f"{ord(c):X}" for c in b) + "\n")
            more = {"normalization_rule_tsv": f"{folder}/rules"}
        sentencepiece.SentencePieceTrainer.train(input=f"{folder}/words", model_prefix=f"{folder}/m", vocab_size=500, hard_vocab_limit=False,
                                                 minloglevel=2, **more)
        from sentencepiece import sentencepiece_model_pb2 as pb
        model = pb.ModelProto()
        model.ParseFromString(open(f"{folder}/m.model", "rb").read())
        return normalizers.Precompiled(model.normalizer_spec.precompiled_charsmap)


def odd(size, words):
    """Pre-tokenizers and normalizers that the others leave out."""
    P = pre_tokenizers
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", continuing_subword_prefix="@@"))
    t.normalizer = normalizers.Sequence([normalizers.Strip(), normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(),
                                         normalizers.Replace(Regex(r"[0-9]{3,}"), "9"), normalizers.NFC()])
    t.pre_tokenizer = P.Sequence([P.Whitespace(), P.Digits(individual_digits=False), P.Punctuation("contiguous"),
                                  P.Split("in", "merged_with_next"), P.Split(Regex("[aeiou]+"), "merged_with_previous"),
                                  P.Split(Regex(r"\bst\w"), "isolated"), P.Split("x", "removed", invert=False)])
    t.train_from_iterator(words, trainers.WordPieceTrainer(vocab_size=size, show_progress=False, special_tokens=["[UNK]"], continuing_subword_prefix="@@",
                                                           limit_alphabet=size // 4))
    return t


def clip(size, words):
    """Ends of words are marked."""
    t = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    t.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", invert=True),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False)])
    t.train_from_iterator(words, trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=["<unk>"], end_of_word_suffix="</w>",
                                                     initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return t


def wordlevel(size, words):
    t = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    t.pre_tokenizer = pre_tokenizers.Whitespace()
    t.train_from_iterator(words, trainers.WordLevelTrainer(vocab_size=size, show_progress=False, special_tokens=["[UNK]"]))
    return t


def trained(scale):
    words = corpus()
    N = normalizers
    rules = [("ﬁ", "fi"), ("™", "TM"), ("e\u0301", "é"), ("\u3000", " "), ("ｶﾞ", "ガ"), ("½", "1/2"), ("\u200b", ""), ("İ", "i")]
    small = scale == 1
    yield "wordpiece", bert(500 * scale, words)
    yield "wordpiece-cased", bert(450 * scale, words, lowercase=False, clean_text=False, handle_chinese_chars=False)
    yield "gpt2", byte_level(500 * scale, words)
    yield "llama3", byte_level(480 * scale, words, split(GPT4), ignore_merges=True)
    yield "qwen2", byte_level(460 * scale, words, split(QWEN2), normalizers.NFC())
    yield "smollm", byte_level(440 * scale, words, pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]))
    yield "roberta", roberta(470 * scale, words)
    yield "llama2", llama2(700 * scale, words)
    yield "mistral", metaspace(600 * scale, words)
    yield "metaspace-always", metaspace(550 * scale, words, "always", fuse_unk=True)
    yield "unigram", unigram(400 * scale, words, N.Sequence([N.NFKC(), N.Replace(Regex(" {2,}"), " ")]))
    yield "unigram-bytes", without_unknown(unigram(350 * scale, words, N.NFKD(), pre_tokenizers.Metaspace(prepend_scheme="always", split=False)))
    yield "t5", unigram(420 * scale, words, charsmap(rules if small else "nmt_nfkc"))
    yield "odd", odd(420 * scale, words)
    yield "clip", clip(600 * scale, words)
    yield "wordlevel", wordlevel(200 * scale, words)


class SentencePiece:
    """Of SentencePiece itself: BPE by scores, as llama.cpp's vocabulary "llama" has it."""

    def __init__(self, size):
        import sentencepiece
        with tempfile.TemporaryDirectory() as folder:
            open(f"{folder}/words", "w").write("\n".join(corpus()))
            sentencepiece.SentencePieceTrainer.train(input=f"{folder}/words", model_prefix=f"{folder}/m", vocab_size=size, model_type="bpe", byte_fallback=True,
                                                     hard_vocab_limit=False, character_coverage=0.98, normalization_rule_name="identity",
                                                     remove_extra_whitespaces=False, minloglevel=2)
            self.model = sentencepiece.SentencePieceProcessor(model_file=f"{folder}/m.model")
        m = self.model
        kinds = [2 if m.is_unknown(i) else 3 if m.is_control(i) else 6 if m.is_byte(i) else 1 for i in range(m.vocab_size())]
        self.fields = {"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": [m.id_to_piece(i) for i in range(m.vocab_size())],
                       "tokenizer.ggml.scores": [m.get_score(i) for i in range(m.vocab_size())], "tokenizer.ggml.token_type": kinds,
                       "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.unknown_token_id": 0}

    def ids(self, text):
        """None where the text has a token of the file in it, which SentencePiece takes for letters."""
        return None if any(w in text for w in ("<s>", "</s>", "<unk>")) else [1] * (text != "") + self.model.encode(text) if text else [1]


def bert_fields(t):
    """The vocabulary of a WordPiece as llama.cpp's converter writes it: what begins a word is marked."""
    words = sorted(t.get_vocab(), key=t.get_vocab().get)
    special = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
    return {"tokenizer.ggml.model": "bert",
            "tokenizer.ggml.tokens": [w if w in special else w[2:] if w.startswith("##") else "▁" + w for w in words],
            "tokenizer.ggml.token_type": [3 if w in special else 1 for w in words],
            **{f"tokenizer.ggml.{k}_token_id": t.token_to_id(v) for k, v in (("unknown", "[UNK]"), ("padding", "[PAD]"), ("cls", "[CLS]"),
                                                                            ("bos", "[CLS]"), ("seperator", "[SEP]"), ("mask", "[MASK]"))}}


# ---- what is expected ----

def expected(t, raw, places):
    """One line as oracle-tokens prints it. Places are bytes of the text, whose broken parts are characters in Python."""
    text = raw.decode(errors="replace")
    if isinstance(t, SentencePiece):
        ids = t.ids(text)
        return "?" if ids is None else " ".join(map(str, ids))
    e = t.encode(text)
    if not places:
        return " ".join(map(str, e.ids))
    at, bounds = 0, []
    for c in text:  # how many bytes each character has in the broken text
        size = len(c.encode())
        if c == "\ufffd" and raw[at:at + 3] != b"\xef\xbf\xbd":
            size = 1
            while at + size < len(raw) and size < 3 and raw[at:at + size + 1].decode(errors="replace") == "\ufffd":
                size += 1
        bounds.append(at)
        at += size
    bounds.append(at)
    assert at == len(raw), (raw, at)
    return " ".join(f"{i}:{bounds[b]}:{bounds[e]}" for i, (b, e) in zip(e.ids, e.offsets))


def records(lines):
    return b"".join(struct.pack("<I", len(line)) + line for line in lines)


def golden():
    folder = "tests/golden/tokens"
    os.makedirs(folder, exist_ok=True)
    for old in glob.glob(f"{folder}/*"):
        os.remove(old)
    rng = random.Random(5)
    lines = texts(4000, 7)
    head = [line for line in lines[:53] if line]
    lines = head[:53] + [b""] + rng.sample([line for line in lines[53:] if len(line) < 160], 40)
    open(f"{folder}/texts.bin", "wb").write(records(lines))
    for name, t in trained(1):
        spec = json.loads(t.to_str())
        json.dump(spec, open(f"{folder}/{name}.json", "w"), ensure_ascii=False, separators=(",", ":"))
        t = Tokenizer.from_file(f"{folder}/{name}.json")
        open(f"{folder}/{name}.ids", "w").write("".join(expected(t, line, False) + "\n" for line in lines))
        print(name, t.get_vocab_size())
    piece, bert = SentencePiece(700), Tokenizer.from_file(f"{folder}/wordpiece.json")
    for name, t, fields in (("llama", piece, piece.fields), ("bert", bert, bert_fields(bert))):
        json.dump(fields, open(f"{folder}/{name}.gguf", "w"), ensure_ascii=False, separators=(",", ":"))
        open(f"{folder}/{name}.ids", "w").write("".join(expected(t, line, False) + "\n" for line in lines))
    print("bytes:", sum(os.path.getsize(f) for f in glob.glob(f"{folder}/*")))


# ---- the long comparison ----

def run(build, path, how, lines):
    done = subprocess.run([f"{build}/oracle-tokens", path] + ([how] if how else []), input=records(lines), capture_output=True)
    if done.returncode:
        return done.stderr.decode()
    return done.stdout.decode().split("\n")[:-1]


def smollm2_from(path):
    """SmolLM2's tokenizer.json, from its GGUF file, and that file's metadata."""
    import gguf
    reader = gguf.GGUFReader(path)
    fields = {k: f.contents() for k, f in reader.fields.items() if k.startswith("tokenizer.")}
    fields = {k: v.tolist() if hasattr(v, "tolist") else v for k, v in fields.items()}
    tokens, kinds = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    t = Tokenizer(models.BPE({w: i for i, w in enumerate(tokens)}, [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"]]))
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    t.decoder = decoders.ByteLevel()
    t.add_special_tokens([AddedToken(w, normalized=False, special=True) for w, k in zip(tokens, kinds) if k != 1])
    return t, fields


def cases(folder):
    for path in sorted(glob.glob("tests/golden/tokens/*.json")):
        yield "small " + os.path.basename(path)[:-5], Tokenizer.from_file(path), path, ""
    piece, t = SentencePiece(8000), Tokenizer.from_file("tests/golden/tokens/wordpiece.json")
    json.dump(piece.fields, open(f"{folder}/llama.gguf", "w"))
    json.dump(bert_fields(t), open(f"{folder}/bert.gguf", "w"))
    yield "GGUF llama, against SentencePiece", piece, f"{folder}/llama.gguf", "gguf"
    yield "GGUF bert", t, f"{folder}/bert.gguf", "gguf"
    for name, t in trained(20):
        os.makedirs(f"{folder}/{name}", exist_ok=True)
        t.save(f"{folder}/{name}/tokenizer.json")
        yield name, t, f"{folder}/{name}", ""
    minilm, smollm2 = os.environ.get("MINILM"), os.environ.get("SMOLLM2")
    if minilm:
        t = Tokenizer.from_file(f"{minilm}/tokenizer.json")
        t.no_truncation()
        t.no_padding()
        yield "MiniLM tokenizer.json", t, f"{minilm}/tokenizer.json", ""
        yield "MiniLM vocab.txt", t, f"{minilm}/vocab.txt", ""
    if smollm2:
        t, fields = smollm2_from(smollm2)
        os.makedirs(f"{folder}/smollm2", exist_ok=True)
        t.save(f"{folder}/smollm2/tokenizer.json")
        yield "SmolLM2 tokenizer.json", t, f"{folder}/smollm2", ""
        json.dump(fields, open(f"{folder}/smollm2/gguf.json", "w"))
        yield "SmolLM2 GGUF", t, f"{folder}/smollm2/gguf.json", "gguf"


def check(build, count):
    lines = texts(count, 11)
    bad = 0
    print(f"# {count} lines, {sum(map(len, lines))} bytes; tokenizers {tokenizers.__version__}")
    print("tokenizer\ttokens\tlines with other ids\tlines with other places")
    only = os.environ.get("ONLY")
    with tempfile.TemporaryDirectory() as folder:
        for name, t, path, how in cases(folder):
            if only and only not in name:
                continue
            ours = run(build, path, how + "offsets", lines)
            if isinstance(ours, str):
                print(f"{name}\t-\t{ours.strip()}")
                bad += 1
                continue
            tokens = ids = places = 0
            shown = 0
            for line, got in zip(lines, ours):
                want = expected(t, line, True)
                tokens += len(want.split(" "))
                if want == "?":
                    continue
                a, b = [[w.split(":")[0] for w in s.split(" ")] for s in (want, got)]
                if a != b:
                    ids += 1
                    if shown < int(os.environ.get("SHOW", 0)):
                        shown += 1
                        k = next((k for k, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
                        print(f"  {line!r}\n   expected {a[k:k + 6]} found {b[k:k + 6]}")
                elif want != got and ":" in want:
                    places += 1
                    if shown < int(os.environ.get("SHOW", 0)):
                        shown += 1
                        print(f"  {line!r}\n   expected {[(x, y) for x, y in zip(want.split(' '), got.split(' ')) if x != y][:4]}")
            print(f"{name}\t{tokens}\t{ids}\t{places}", flush=True)
            bad += ids > 0
    return bad


if __name__ == "__main__":
    if sys.argv[1:2] == ["golden"]:
        golden()
    elif sys.argv[1:2] == ["check"] and len(sys.argv) > 2:
        sys.exit(1 if check(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 10000) else 0)
    else:
        sys.exit(__doc__)
