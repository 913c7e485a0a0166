/* SPDX-License-Identifier: Apache-2.0
 * opt_lists.c -- functions of peft/sys/method.h that read lists from a method's options: layers ("0, 6-11"), names
 * ("q, v"), patterns ("attn.q=8, fc1=4"). */
#include <stdio.h>
#include <string.h>
#include "core/adapt/adapter.h"
#include "core/base/rng.h"
#include "core/options/text.h"

/* In all loops of this file pf_list_next returns the start of the next item, and sets its length. */
int64_t peft_sys_opt_items(const peft_adapter *a, const char *name)
{
    int64_t count = 0;
    size_t length;
    for (const char *list = peft_sys_opt_string(a, name); pf_list_next(&list, &length); ) count++;
    return count;
}

/* true: one of the items is `item`. */
bool peft_sys_opt_lists(const peft_adapter *a, const char *name, const char *item)
{
    size_t length;
    for (const char *start, *list = peft_sys_opt_string(a, name); (start = pf_list_next(&list, &length)); )
        if (length == strlen(item) && !strncmp(start, item, length)) return true;
    return false;
}

/* One flag for each item of option `name` (peft_adapter.pattern), made at the first call. NULL: init does not run, or
 * there are flags of four other options already. */
static uint8_t *matched_items(peft_adapter *a, const char *name)
{
    const size_t capacity = sizeof a->pattern / sizeof *a->pattern, items = (size_t)peft_sys_opt_items(a, name);
    if (!a->in_init || !items) return NULL;
    for (size_t i = 0; i < capacity; i++) {
        if (!strcmp(a->pattern[i].option, name)) return a->pattern[i].matched;
        if (*a->pattern[i].option) continue;
        a->pattern[i].matched = pf_alloc_zero(a->backbone->ctx, items);
        if (!a->pattern[i].matched) {
            if (!a->status) a->status = pf_nomem("pattern", items);
            return NULL;
        }
        a->pattern[i].items = items;
        snprintf(a->pattern[i].option, sizeof a->pattern[i].option, "%s", name);
        return a->pattern[i].matched;
    }
    return NULL;
}

/* PEFT_E_OPTION: an item has set no value, because it matches no path (a misspelt name) or earlier items match the
 * same. */
static void check_pattern(peft_adapter *a, const char *option, const uint8_t *matched)
{
    const char *start, *list = peft_sys_opt_string(a, option);
    size_t length, i = 0;
    while ((start = pf_list_next(&list, &length)) && !a->status)
        if (!matched[i++])
            a->status = pf_fail(PEFT_E_OPTION, "option '%s' of method '%s': '%.*s' has no effect: it matches nothing "
                                "that is adapted, or only what an earlier item matches", option, a->method->name,
                                (int)(length < 80 ? length : 80), start);
}

void pf_patterns_check(peft_adapter *a)
{
    a->in_init = false;
    for (size_t i = 0; i < sizeof a->pattern / sizeof *a->pattern; i++) {
        /* An adapter that is read from a file (skip_init) is not checked: earlier versions saved such items. */
        if (a->pattern[i].matched && !a->status && !a->skip_init)
            check_pattern(a, a->pattern[i].option, a->pattern[i].matched);
        pf_free(a->backbone->ctx, a->pattern[i].matched);
        a->pattern[i].matched = NULL;
    }
}

/* The number of the first item KEY=NUMBER of the list that matches path: path is KEY, or ends with a dot and KEY. */
double peft_sys_opt_pattern(peft_adapter *a, const char *name, const char *path, double fallback)
{
    uint8_t *matched = matched_items(a, name);
    size_t length, item = 0;
    for (const char *start, *list = peft_sys_opt_string(a, name); (start = pf_list_next(&list, &length)); item++) {
        const char *equals = memchr(start, '=', length);
        char number[64];
        double v;
        const size_t key_length = equals ? (size_t)(equals - start) : 0, path_length = strlen(path);
        if (!key_length || length - key_length - 1 >= sizeof number) {
            peft_sys_reject_option(a, name, "name=number, ..");
            return fallback;
        }
        memcpy(number, equals + 1, length - key_length - 1);
        number[length - key_length - 1] = 0;
        if (!pf_parse_float(number, &v)) {
            peft_sys_reject_option(a, name, "name=number, ..");
            return fallback;
        }
        if (key_length > path_length) continue;
        const char *end_of_path = path + path_length - key_length;
        if (!strncmp(end_of_path, start, key_length) && (end_of_path == path || end_of_path[-1] == '.')) {
            if (matched) matched[item] = 1;
            return v;
        }
    }
    return fallback;
}

#define LAYER_FORMS "all, layers of the backbone such as 0, 6-11 or [0,3,5], or random:COUNT:SEED"

/* Reads the text "random:COUNT:SEED": chooses COUNT of `depth` layers. false: the text has another form or no such
 * COUNT. */
static bool random_layers(const char *text, int64_t depth, uint64_t *set)
{
    long long count, seed;
    int used = 0;
    int64_t layers[PEFT_DEPTH_MAX];
    if (sscanf(text, "random:%lld:%lld%n", &count, &seed, &used) != 2 || text[used]) return false;
    if (count < 1 || count > depth || seed < 0) return false;
    const pf_rng r = { .seed = (uint64_t)seed, .a = pf_rng_stream("layers") };
    for (int64_t l = 0; l < depth; l++) layers[l] = l;
    pf_rng_shuffle(&r, layers, depth);
    for (int64_t i = 0; i < count; i++) *set |= (uint64_t)1 << layers[i];
    return true;
}

/* Bit l is set if the option lists layer l. An item is a number or a range FIRST-LAST. */
uint64_t peft_sys_opt_layers(peft_adapter *a, const char *name)
{
    int64_t depth = a->backbone->shape.depth;
    uint64_t set = 0;
    const char *start, *list = peft_sys_opt_string(a, name);
    size_t length;
    /* a shift by 64 (PEFT_DEPTH_MAX) is undefined in C */
    if (!strcmp(list, "all")) return depth == PEFT_DEPTH_MAX ? UINT64_MAX : ((uint64_t)1 << depth) - 1;
    if (random_layers(list, depth, &set)) return set;
    while ((start = pf_list_next(&list, &length))) {
        int from, to, used = 0;
        bool range = sscanf(start, "%d-%d%n", &from, &to, &used) == 2 && (size_t)used == length;
        if (!range) {
            used = 0;
            if (sscanf(start, "%d%n", &from, &used) != 1 || (size_t)used != length) from = -1;           /* no number */
            to = from;
        }
        if (from < 0 || to < from || to >= depth) {
            peft_sys_reject_option(a, name, LAYER_FORMS);
            return 0;
        }
        for (int l = from; l <= to; l++) set |= (uint64_t)1 << l;
    }
    if (!set) peft_sys_reject_option(a, name, LAYER_FORMS);
    return set;
}
