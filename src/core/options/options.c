/* SPDX-License-Identifier: Apache-2.0
 * options.c -- peft_options, a list of settings. Every value is stored as text, exact for numbers; option_table.c
 * converts it to the type of its row in an option table when it is used. */
#include "core/options/options.h"
#include <stdio.h>
#include <string.h>
#include "core/options/text.h"

/* An option that was set, and its value as text. */
typedef struct entry { char *name, *text; } entry;
struct peft_options {
    peft_context *ctx;
    entry *items;
    size_t count, capacity;
};

/* The entry of that name; NULL: not set, or no options. */
static entry *find(const peft_options *o, const char *name)
{
    for (size_t i = 0; o && i < o->count; i++)
        if (!strcmp(o->items[i].name, name)) return o->items + i;
    return NULL;
}

size_t      pf_options_count(const peft_options *o) { return o ? o->count : 0; }
const char *pf_options_name(const peft_options *o, size_t i) { return o->items[i].name; }
const char *pf_options_value(const peft_options *o, size_t i) { return o->items[i].text; }
bool        pf_options_has(const peft_options *o, const char *name) { return find(o, name); }

const char *pf_options_setting(const peft_options *o, const char *name)
{
    const entry *s = find(o, name);
    return s ? s->text : NULL;
}

peft_status peft_options_create(peft_context *ctx, peft_options **out)
{
    if (!ctx || !out) return pf_fail(PEFT_E_INVALID, "peft_options_create: %s is NULL", ctx ? "out" : "ctx");
    peft_options *o = pf_alloc_zero(ctx, sizeof *o);
    if (!o) return pf_nomem("options", sizeof *o);
    o->ctx = pf_context_retain(ctx);
    *out = o;
    return PEFT_OK;
}

void peft_options_free(peft_options *o)
{
    if (!o) return;
    peft_context *ctx = o->ctx;
    for (size_t i = 0; i < o->count; i++) {
        pf_free(ctx, o->items[i].name);
        pf_free(ctx, o->items[i].text);
    }
    pf_free(ctx, o->items);
    pf_free(ctx, o);
    peft_context_free(ctx);
}

/* Makes space for one more setting. false: no memory; o is unchanged. */
static bool reserve_one(peft_options *o)
{
    size_t capacity = o->capacity ? 2 * o->capacity : 8, bytes;
    if (o->count < o->capacity) return true;
    entry *items = pf_mul_size(capacity, sizeof *items, &bytes) ? pf_realloc(o->ctx, o->items, bytes) : NULL;
    if (!items) return false;
    o->items = items;
    o->capacity = capacity;
    return true;
}

/* Sets the option to a copy of text, which replaces an earlier value. */
static peft_status set_text(peft_options *o, const char *name, const char *text)
{
    if (strlen(name) > PF_OPTION_LONGEST || strlen(text) > PF_OPTION_LONGEST)
        return pf_fail(PEFT_E_INVALID, "option '%.80s': name or value is longer than %d bytes", name,
                       PF_OPTION_LONGEST);
    entry *s = find(o, name);
    char *copy = pf_strdup(o->ctx, text), *key = NULL;
    if (!copy) return pf_nomem("option's value", strlen(text) + 1);
    if (s) {
        pf_free(o->ctx, s->text);
        s->text = copy;
        return PEFT_OK;
    }
    if (!reserve_one(o) || !(key = pf_strdup(o->ctx, name))) {
        pf_free(o->ctx, copy);
        return pf_nomem("option", strlen(name) + 1);
    }
    o->items[o->count++] = (entry){ key, copy };
    return PEFT_OK;
}

static peft_status check_arguments(const char *who, const peft_options *o, const char *name)
{
    if (!o || !name) return pf_fail(PEFT_E_INVALID, "%s: %s is NULL", who, o ? "name" : "o");
    if (!*name) return pf_fail(PEFT_E_INVALID, "%s: name is empty", who);
    return PEFT_OK;
}

peft_status peft_options_set_int(peft_options *o, const char *name, int64_t v)
{
    char text[32];
    PF_TRY(check_arguments("peft_options_set_int", o, name));
    snprintf(text, sizeof text, "%lld", (long long)v);
    return set_text(o, name, text);
}

peft_status peft_options_set_float(peft_options *o, const char *name, double v)
{
    char text[64];
    PF_TRY(check_arguments("peft_options_set_float", o, name));
    pf_print_float(text, sizeof text, v);
    return set_text(o, name, text);
}

peft_status peft_options_set_string(peft_options *o, const char *name, const char *v)
{
    PF_TRY(check_arguments("peft_options_set_string", o, name));
    if (!v) return pf_fail(PEFT_E_INVALID, "peft_options_set_string: v is NULL for option '%s'", name);
    return set_text(o, name, v);
}

peft_status pf_options_copy(const peft_options *o, peft_options **out)
{
    peft_options *copy;
    peft_status s = peft_options_create(o->ctx, &copy);
    if (s) return s;
    for (size_t i = 0; i < o->count && !s; i++) s = set_text(copy, o->items[i].name, o->items[i].text);
    if (s) peft_options_free(copy);
    else *out = copy;
    return s;
}

/* Sets the options of a list "name=value, name=value". scratch: space for a name and its value, strlen(list) + 2
 * bytes. */
static peft_status parse_into(peft_options *o, const char *list, char *scratch)
{
    pf_setting parsed;
    while (pf_setting_next(&list, &parsed)) {
        if (parsed.error) return pf_setting_refuse(PEFT_E_INVALID, "peft_options_parse", &parsed);
        char *name = scratch, *value = scratch + parsed.name_length + 1;
        memcpy(name, parsed.name, parsed.name_length);
        name[parsed.name_length] = 0;
        pf_setting_value(&parsed, value, parsed.value_length + 1);
        PF_TRY(set_text(o, name, value));
    }
    return PEFT_OK;
}

/* Parses into a copy and then exchanges it with o, so that o is unchanged on an error. */
peft_status peft_options_parse(peft_options *o, const char *key_value_list)
{
    PK_FLOAT_SCOPE;
    if (!o || !key_value_list)
        return pf_fail(PEFT_E_INVALID, "peft_options_parse: %s is NULL", o ? "key_value_list" : "o");
    peft_options *copy;
    PF_TRY(pf_options_copy(o, &copy));
    size_t bytes = strlen(key_value_list) + 2;
    char *scratch = pf_alloc(o->ctx, bytes);
    peft_status s = scratch ? parse_into(copy, key_value_list, scratch) : pf_nomem("options", bytes);
    pf_free(o->ctx, scratch);
    if (!s) {
        peft_options old = *o;
        *o = *copy;
        *copy = old;
    }
    peft_options_free(copy);
    return s;
}
