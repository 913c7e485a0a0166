/* SPDX-License-Identifier: Apache-2.0
 * opt_lists.c -- options of methods that hold lists: layers, names, patterns. */
#include <stdio.h>
#include <string.h>
#include "core/adapt/adapter.h"
#include "core/options/text.h"

int64_t peft_sys_opt_items(const peft_adapter *a, const char *name)
{
    int64_t count = 0;
    size_t n;
    for (const char *list = peft_sys_opt_string(a, name); pf_list_next(&list, &n); ) count++;
    return count;
}

bool peft_sys_opt_lists(const peft_adapter *a, const char *name, const char *item)
{
    size_t n;
    for (const char *p, *list = peft_sys_opt_string(a, name); (p = pf_list_next(&list, &n)); )
        if (n == strlen(item) && !strncmp(p, item, n)) return true;
    return false;
}

/* While init runs: where to note which items of a pattern matched; NULL: not noted. */
static uint8_t *hits_of(peft_adapter *a, const char *name)
{
    const size_t places = sizeof a->pattern / sizeof *a->pattern, items = (size_t)peft_sys_opt_items(a, name);
    if (!a->making || !items) return NULL;
    for (size_t i = 0; i < places; i++) {
        if (!strcmp(a->pattern[i].option, name)) return a->pattern[i].hit;
        if (*a->pattern[i].option) continue;
        a->pattern[i].hit = pf_alloc_zero(a->backbone->ctx, items);
        if (!a->pattern[i].hit) {
            if (!a->status) a->status = pf_nomem("pattern", items);
            return NULL;
        }
        a->pattern[i].items = items;
        snprintf(a->pattern[i].option, sizeof a->pattern[i].option, "%s", name);
        return a->pattern[i].hit;
    }
    return NULL;
}

/* PEFT_E_OPTION for an item that set no value, because it matched no path (a misspelt name) or an earlier item did. */
static void check_pattern(peft_adapter *a, const char *option, const uint8_t *hit)
{
    size_t n, i = 0;
    for (const char *p, *list = peft_sys_opt_string(a, option); (p = pf_list_next(&list, &n)) && !a->status; )
        if (!hit[i++])
            a->status = pf_fail(PEFT_E_OPTION, "option '%s' of method '%s': '%.*s' has no effect: it matches nothing "
                                "that is adapted, or only what an earlier item matches", option, a->method->name,
                                (int)(n < 80 ? n : 80), p);
}

void pf_patterns_end(peft_adapter *a)
{
    a->making = false;
    for (size_t i = 0; i < sizeof a->pattern / sizeof *a->pattern; i++) {
        /* a file of an earlier version may hold such an item: it loads as it was trained */
        if (a->pattern[i].hit && !a->status && !a->blank) check_pattern(a, a->pattern[i].option, a->pattern[i].hit);
        pf_free(a->backbone->ctx, a->pattern[i].hit);
        a->pattern[i].hit = NULL;
    }
}

double peft_sys_opt_pattern(peft_adapter *a, const char *name, const char *path, double fallback)
{
    uint8_t *hit = hits_of(a, name);
    size_t n, item = 0;
    for (const char *p, *list = peft_sys_opt_string(a, name); (p = pf_list_next(&list, &n)); item++) {
        const char *equals = memchr(p, '=', n);
        char number[64];
        double v;
        size_t key = equals ? (size_t)(equals - p) : 0, tail = strlen(path);
        if (!key || n - key - 1 >= sizeof number) {
            peft_sys_reject_option(a, name, "name=number, ..");
            return fallback;
        }
        memcpy(number, equals + 1, n - key - 1);
        number[n - key - 1] = 0;
        if (!pf_parse_float(number, &v)) {
            peft_sys_reject_option(a, name, "name=number, ..");
            return fallback;
        }
        if (key <= tail && !strncmp(path + tail - key, p, key)
            && (key == tail || path[tail - key - 1] == '.')) {
            if (hit) hit[item] = 1;
            return v;
        }
    }
    return fallback;
}

uint64_t peft_sys_opt_layers(peft_adapter *a, const char *name)
{
    int64_t depth = a->backbone->shape.depth;
    uint64_t set = 0;
    const char *p, *list = peft_sys_opt_string(a, name);
    size_t n;
    if (!strcmp(list, "all")) return depth == PEFT_DEPTH_MAX ? UINT64_MAX : ((uint64_t)1 << depth) - 1;
    while ((p = pf_list_next(&list, &n))) {
        int from, to, used = 0;
        bool range = sscanf(p, "%d-%d%n", &from, &to, &used) == 2 && (size_t)used == n;
        if (!range) {
            used = 0;
            if (sscanf(p, "%d%n", &from, &used) != 1 || (size_t)used != n) from = -1;
            to = from;
        }
        if (from < 0 || to < from || to >= depth) {
            peft_sys_reject_option(a, name, "all, or layers of the backbone such as 0, 6-11 or [0,3,5]");
            return 0;
        }
        for (int l = from; l <= to; l++) set |= (uint64_t)1 << l;
    }
    if (!set) peft_sys_reject_option(a, name, "all, or layers of the backbone such as 0, 6-11 or [0,3,5]");
    return set;
}
