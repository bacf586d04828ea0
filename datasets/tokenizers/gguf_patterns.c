/* The patterns that llama.cpp's src/llama-vocab.cpp gives the names in "tokenizer.ggml.pre". */
#include <stdio.h>
#include <string.h>

#include "datasets/tokenizers/gguf_patterns.h"

#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)"
/* A pattern of this family takes a sign before a word, and so many digits at once. */
#define APOSTROPHES "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
#define WORDS       "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define SIGNS       " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define CAPITALS    "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define SMALL       "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"

static const ns_gguf_pattern table[] = {
    {"default",
     {"[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"},
     false,
     false,
     false},
    {"gpt-2|phi-2|jina-es|jina-de|jina-v2-es|jina-v2-de|gigachat|a.x-4.0|mellum|modern-bert|mpt|"
     "olmo|"
     "jais|trillion|granite-docling|exaone4",
     {GPT2},
     false,
     false,
     false},
    {"roberta-bpe|jina-v1-en|jina-v2-code", {GPT2}, false, false, true},
    {"smollm|starcoder|refact|command-r|codeshell|exaone|minerva-7b|mellum2",
     {"\\p{N}", GPT2},
     false,
     false,
     false},
    {"falcon", {"[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]"}, false, false, false},
    {"llama3|llama-v3|llama-bpe|falcon3|falcon-h1|pixtral|midm-2.0|lfm2|jina-v5-nano",
     {APOSTROPHES "|" WORDS "|\\p{N}{1,3}|" SIGNS},
     true,
     true,
     false},
    {"dbrx|smaug-bpe|glm4|chatglm-bpe",
     {APOSTROPHES "|" WORDS "|\\p{N}{1,3}|" SIGNS},
     false,
     false,
     false},
    {"qwen2|deepseek-r1-qwen|kormo|f2llmv2|megrez|stablelm2|hunyuan|solar-open|grok-2",
     {APOSTROPHES "|" WORDS "|\\p{N}|" SIGNS},
     false,
     false,
     false},
    {"qwen35",
     {APOSTROPHES
      "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|"
      "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},
     false,
     false,
     false},
    {"gpt-4o|llama4|kanana2|talkie|minimax-m2",
     {"[^\\r\\n\\p{L}\\p{N}]?" CAPITALS "*" SMALL "+" APOSTROPHES
      "?|[^\\r\\n\\p{L}\\p{N}]?" CAPITALS "+" SMALL "*" APOSTROPHES
      "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},
     false,
     false,
     false},
    {"tekken",
     {"[^\\r\\n\\p{L}\\p{N}]?" CAPITALS "*" SMALL "+|[^\\r\\n\\p{L}\\p{N}]?" CAPITALS "+" SMALL
      "*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},
     true,
     true,
     false},
};

static bool has_name(const char *names, const char *name, size_t size) {
    for (const char *at = names; at;) {
        const char *bar = strchr(at, '|');
        if ((bar ? (size_t)(bar - at) : strlen(at)) == size && !memcmp(at, name, size)) return true;
        at = bar ? bar + 1 : NULL;
    }
    return false;
}

const ns_gguf_pattern *ns_gguf_pattern_of(const ns_node *pre) {
    const char *name = pre->json ? json_string_value(pre->json) : "default";
    for (size_t i = 0; i < sizeof table / sizeof *table && name; i++)
        if (has_name(table[i].names, name, strlen(name))) return &table[i];
    char expected[400] = "one of ";
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t at = strlen(expected), shown = strcspn(table[i].names, "|");
        snprintf(expected + at, sizeof expected - at, "%s%.*s", i ? ", " : "", (int)shown,
                 table[i].names);
    }
    ns_node_refuse(pre, expected);
    return NULL;
}
