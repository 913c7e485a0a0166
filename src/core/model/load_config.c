/* SPDX-License-Identifier: Apache-2.0
 * load_config.c -- what config.json (Hugging Face's or timm's) and preprocessor_config.json beside the weights tell.
 * They may come from anywhere: size, depth and doubled names are refused, and so is a value of the wrong kind. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "core/base/tensor.h"
#include "core/model/load.h"

enum { MOST_BYTES = 1 << 20, MOST_DEPTH = 32 };

static const char *const fact_name[PF_FACTS] = {
    "eps", "heads", "act", "pool", "patch", "width", "depth", "qkv_bias", "image_size", "mean", "std", "crop_pct",
    "interpolation" };

/* SIDE: a number, or a shape that ends with two equal ones. TRIPLE: three numbers. NAME: of an architecture, which may
 * tell of an activation. FILTER: a word, or Pillow's number of one. */
typedef enum { NUMBER, SIDE, TRIPLE, FLAG, ACT, POOL, NAME, FILTER } kind;
static const struct { const char *fact, *key; kind kind; } rows[] = {
    { "eps", "layer_norm_eps", NUMBER }, { "heads", "num_attention_heads", NUMBER }, { "heads", "num_heads", NUMBER },
    { "act", "hidden_act", ACT }, { "act", "architecture", NAME }, { "pool", "global_pool", POOL },
    { "patch", "patch_size", SIDE }, { "width", "hidden_size", NUMBER }, { "depth", "num_hidden_layers", NUMBER },
    { "qkv_bias", "qkv_bias", FLAG }, { "image_size", "image_size", SIDE }, { "image_size", "img_size", SIDE },
    { "image_size", "input_size", SIDE }, { "mean", "mean", TRIPLE }, { "std", "std", TRIPLE },
    { "mean", "image_mean", TRIPLE }, { "std", "image_std", TRIPLE }, { "crop_pct", "crop_pct", NUMBER },
    { "interpolation", "interpolation", FILTER }, { "interpolation", "resample", FILTER } };
/* Where a key may stand: CLIP's image tower, the top, timm's arguments and data settings. */
static const char *const section[] = { "vision_config", NULL, "model_args", "pretrained_cfg" };
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Words of the files and ours; "" says nothing. */
typedef struct { const char *theirs, *ours; } word;
static const word acts[] = { { "gelu", "gelu" }, { "quick_gelu", "quickgelu" }, { 0 } };
static const word pools[] = { { "token", "cls" }, { "avg", "mean" }, { "", "" }, { 0 } };

static char *slot(pf_config *c, const char *fact)
{
    int i = 0;
    while (strcmp(fact_name[i], fact)) i++;
    return c->fact[i];
}

const char *pf_config_get(const pf_config *c, const char *fact)
{
    for (int i = 0; i < PF_FACTS; i++) if (!strcmp(fact_name[i], fact)) return *c->fact[i] ? c->fact[i] : NULL;
    return NULL;
}

static bool number(const json_t *v, char *text)
{
    if (json_is_integer(v)) snprintf(text, PF_FACT_MAX, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v)) pf_print_float(text, PF_FACT_MAX, json_real_value(v));
    return json_is_number(v);
}

static bool side(const json_t *v, char *text)
{
    size_t n = json_array_size(v);
    if (n < 2) return json_is_integer(v) && number(v, text);
    const json_t *a = json_array_get(v, n - 2), *b = json_array_get(v, n - 1);
    return json_is_integer(a) && json_is_integer(b) && json_equal(a, b) && number(b, text);
}

static bool triple(const json_t *v, char *text)
{
    char one[3][PF_FACT_MAX];
    if (json_array_size(v) != 3) return false;
    for (size_t i = 0; i < 3; i++) if (!number(json_array_get(v, i), one[i])) return false;
    return snprintf(text, PF_FACT_MAX, "%s:%s:%s", one[0], one[1], one[2]) < PF_FACT_MAX;
}

static bool one_of(const word *words, const json_t *v, char *text)
{
    const char *s = json_string_value(v);
    for (; s && words->theirs; words++)
        if (!strcmp(s, words->theirs)) {
            snprintf(text, PF_FACT_MAX, "%s", words->ours);
            return true;
        }
    return false;
}

static bool filter(const json_t *v, char *text)
{
    static const char *const pillow[] = { "nearest", "lanczos", "bilinear", "bicubic", "box", "hamming" };
    const char *s = json_string_value(v);
    json_int_t i = json_integer_value(v);
    if (!s && json_is_integer(v) && i >= 0 && i < (json_int_t)COUNT(pillow)) s = pillow[i];
    if (!s || strlen(s) >= PF_FACT_MAX) return false;
    memcpy(text, s, strlen(s) + 1);
    return true;
}

/* The fact's text of value v; false: v is not what such a key holds. */
static bool text_of(kind k, const json_t *v, char *text)
{
    switch (k) {
    case NUMBER: return number(v, text);
    case SIDE:   return side(v, text);
    case TRIPLE: return triple(v, text);
    case ACT:    return one_of(acts, v, text);
    case POOL:   return one_of(pools, v, text);
    case FILTER: return filter(v, text);
    case FLAG:
        snprintf(text, PF_FACT_MAX, "%s", json_is_true(v) ? "true" : "false");
        return json_is_boolean(v);
    default:
        if (json_is_string(v) && strstr(json_string_value(v), "quickgelu")) strcpy(text, "quickgelu");
        return json_is_string(v);
    }
}

/* Facts that are still empty; an earlier row, section and file is before a later one. */
static peft_status take(const json_t *top, pf_config *c)
{
    for (size_t r = 0; r < COUNT(rows); r++)
        for (size_t i = 0; i < COUNT(section); i++) {
            const json_t *v = json_object_get(section[i] ? json_object_get(top, section[i]) : top, rows[r].key);
            char *to = slot(c, rows[r].fact);
            if (*to || !v || json_is_null(v)) continue;
            if (text_of(rows[r].kind, v, to)) continue;
            *to = 0;
            const char *s = json_string_value(v);
            return s ? pf_fail(PEFT_E_UNSUPPORTED, "%s: given '%.40s', which is not supported", rows[r].key, s)
                     : pf_fail(PEFT_E_FORMAT, "%s: a value of a kind that it cannot have", rows[r].key);
        }
    return PEFT_OK;
}

/* Brackets outside of texts, counted before the parser recurses into them. */
static bool too_deep(const char *json, size_t n)
{
    bool text = false;
    int depth = 0;
    for (size_t i = 0; i < n; i++) {
        const char c = json[i];
        if (text) {
            if (c == '\\') i++;
            else text = c != '"';
        } else if (c == '"') text = true;
        else if (c == '{' || c == '[') depth++;
        else if (c == '}' || c == ']') depth--;
        if (depth > MOST_DEPTH) return true;
    }
    return false;
}

static peft_status parse(const char *json, size_t n, pf_config *c)
{
    json_error_t error;
    if (n > MOST_BYTES) return pf_fail(PEFT_E_FORMAT, "%zu bytes: expected at most %d", n, MOST_BYTES);
    if (too_deep(json, n)) return pf_fail(PEFT_E_FORMAT, "nested deeper than %d", MOST_DEPTH);
    json_t *top = json_loadb(json, n, JSON_REJECT_DUPLICATES, &error);
    if (!top && json_error_code(&error) == json_error_out_of_memory) return pf_nomem("config.json", n);
    if (!top) return pf_fail(PEFT_E_FORMAT, "not valid JSON at line %d: %s", error.line, error.text);
    peft_status s = json_is_object(top) ? take(top, c) : pf_fail(PEFT_E_FORMAT, "expected an object");
    json_decref(top);
    return s;
}

static peft_status read_one(peft_context *ctx, const char *path, pf_config *c)
{
    pf_map *m;
    PF_TRY(pf_map_open(ctx, path, &m));
    peft_status s = parse((const char *)pf_map_data(m), pf_map_size(m), c);
    pf_map_close(m);
    return s ? pf_within(s, "%s", path) : PEFT_OK;
}

static peft_status read_beside(peft_context *ctx, const char *weights, const char *name, pf_config *c)
{
    const char *slash = strrchr(weights, '/');
    const size_t folder = slash ? (size_t)(slash - weights) + 1 : 0, bytes = folder + strlen(name) + 1;
    char *path = pf_alloc(ctx, bytes);
    if (!path) return pf_nomem(name, bytes);
    memcpy(path, weights, folder);
    memcpy(path + folder, name, strlen(name) + 1);
    peft_status s = access(path, F_OK) ? PEFT_OK : read_one(ctx, path, c);
    pf_free(ctx, path);
    return s;
}

peft_status pf_config_read(peft_context *ctx, const char *option, const char *weights, pf_config *c)
{
    if (!strcmp(option, "none")) return PEFT_OK;
    if (strcmp(option, "auto")) return read_one(ctx, option, c);
    if (!weights) return PEFT_OK;
    PF_TRY(read_beside(ctx, weights, "config.json", c));
    return read_beside(ctx, weights, "preprocessor_config.json", c);
}
