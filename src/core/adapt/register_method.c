/* SPDX-License-Identifier: Apache-2.0
 * register_method.c -- peft_sys_register_method: checks a method of the program and copies it to the context. From then
 * on it is used in the same way as a built-in method. */
#include <stdio.h>
#include <string.h>
#include "core/adapt/adapter.h"

enum { NAME_MAX_LENGTH = 40, OPTIONS_MAX = 64 };

/* A registered method in one block of memory: entry of the context's list, method, rows of options, then all texts. */
typedef struct registered { pf_registered entry; peft_method method; peft_option opts[]; } registered;

/* PEFT_METHOD_ABI as text: "version 3, layout 0x4f1d0c2b7a6e35". */
static const char *abi_text(uint64_t abi, char *text, size_t size)
{
    snprintf(text, size, "version %u, layout %#llx", (unsigned)(abi >> 56),
             (unsigned long long)(abi & (((uint64_t)1 << 56) - 1)));
    return text;
}

/* The error for a method that was compiled for another version of struct peft_method. */
static peft_status other_abi(uint64_t abi, uint64_t library_abi)
{
    char a[64], b[64];
    return pf_fail(PEFT_E_UNSUPPORTED, "abi: the method was compiled for %s of the method interface, this library has "
                   "%s: compile it with the headers of this library", abi_text(abi, a, sizeof a),
                   abi_text(library_abi, b, sizeof b));
}

/* Lower-case letters, digits and _, a letter first: digits and _ come before 'a' in ASCII. */
static bool valid_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return n && n <= NAME_MAX_LENGTH && !name[n] && name[0] >= 'a';
}

/* A method needs init, and emit if and only if it has sites. */
static peft_status check_functions(const peft_method *m)
{
    const uint32_t all = PEFT_AT(PEFT_POOL + 1) - 1;   /* the bits of all sites, of which PEFT_POOL is the last */
    if (!m->init) return pf_fail(PEFT_E_INVALID, "method '%s': init is NULL: expected a function", m->name);
    if (m->sites & ~all)
        return pf_fail(PEFT_E_INVALID, "method '%s': sites is %#x, expected bits of %#x", m->name, m->sites, all);
    if (m->sites && !m->emit)
        return pf_fail(PEFT_E_INVALID, "method '%s': emit is NULL: expected a function for its sites", m->name);
    if (m->emit && !m->sites)
        return pf_fail(PEFT_E_INVALID, "method '%s': sites is 0: expected PEFT_AT(..) of the sites at which emit acts",
                       m->name);
    return PEFT_OK;
}

/* Checks row i of the table of options. */
static peft_status check_row(const peft_method *m, size_t i)
{
    const peft_option *o = &m->opts[i];
    const char *wrong = NULL;
    if (!valid_name(o->name)) wrong = "name, expected lower-case letters, digits and _, a letter first";
    else if (!o->type || !strchr("ifbs", o->type)) wrong = "type, expected 'i', 'f', 'b' or 's'";
    else if (!o->fallback) wrong = "fallback, expected the default as text";
    else if (!o->help) wrong = "help, expected a line of text";
    else if (!(o->lo <= o->hi)) wrong = "bounds, expected lo <= hi";
    for (size_t k = 0; k < i && !wrong; k++)
        if (!strcmp(m->opts[k].name, o->name)) wrong = "name, which an earlier row has";
    if (!wrong) return PEFT_OK;
    return pf_fail(PEFT_E_INVALID, "method '%s': option %zu, '%.60s': bad %s", m->name, i, o->name, wrong);
}

/* Checks the rows, and that each default is a value that its own row accepts. */
static peft_status check_options(peft_context *ctx, const peft_method *m, size_t *count)
{
    char who[80];
    peft_options *o;
    size_t n = 0;
    for (; m->opts && m->opts[n].name; n++) {
        if (n == OPTIONS_MAX)
            return pf_fail(PEFT_E_INVALID, "method '%s': more than %d options; a row with a NULL name must end the "
                           "table", m->name, OPTIONS_MAX);
        PF_TRY(check_row(m, n));
    }
    *count = n;
    if (!n) return PEFT_OK;
    PF_TRY(peft_options_create(ctx, &o));
    peft_status s = PEFT_OK;
    for (size_t i = 0; i < n && !s; i++) s = peft_options_set_string(o, m->opts[i].name, m->opts[i].fallback);
    snprintf(who, sizeof who, "method '%s', default", m->name);
    if (!s && pf_options_check(o, m->opts, who)) s = PEFT_E_INVALID;
    peft_options_free(o);
    return s;
}

/* Copies text (NULL: "") to *end, moves *end to the byte after it, and returns the copy. *end NULL: only adds the size
 * to *bytes. */
static const char *append_text(char **end, size_t *bytes, const char *text)
{
    const char *start = *end;
    size_t n = strlen(text ? text : "") + 1;
    *bytes += n;
    if (!start) return NULL;
    memcpy(*end, text ? text : "", n);
    *end += n;
    return start;
}

/* Copies m, which has `options` options: its texts to end, the rest to *copy. end and copy NULL: only adds the size of
 * the texts to *bytes. */
static void copy_texts(const peft_method *m, size_t options, char *end, size_t *bytes, registered *copy)
{
    const char *name = append_text(&end, bytes, m->name), *summary = append_text(&end, bytes, m->summary);
    const char *paper = append_text(&end, bytes, m->paper);
    if (copy) {
        copy->method = *m;
        copy->method.name = name, copy->method.summary = summary, copy->method.paper = paper;
        copy->method.opts = copy->opts;
    }
    for (size_t i = 0; i < options; i++) {
        peft_option o = m->opts[i];
        o.name = append_text(&end, bytes, o.name), o.fallback = append_text(&end, bytes, o.fallback);
        o.help = append_text(&end, bytes, o.help);
        if (copy) copy->opts[i] = o;
    }
}

/* Appends a copy of m, which has `options` options, to the context's list. */
static peft_status store_copy(peft_context *ctx, const peft_method *m, size_t options)
{
    const size_t table = sizeof(registered) + (options + 1) * sizeof(peft_option);
    size_t bytes = table, ignored = 0;
    copy_texts(m, options, NULL, &bytes, NULL);        /* adds up the sizes */
    registered *o = pf_alloc_zero(ctx, bytes);
    if (!o) return pf_nomem("method", bytes);
    copy_texts(m, options, (char *)o + table, &ignored, o);
    o->entry.method = &o->method;
    pf_registered **last = &ctx->methods;
    while (*last) last = &(*last)->next;
    *last = &o->entry;
    return PEFT_OK;
}

peft_status peft_sys_register_method(peft_context *ctx, const peft_method *m, uint64_t abi)
{
    const uint64_t library_abi = PEFT_METHOD_ABI;
    size_t options = 0;
    if (!ctx || !m) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", ctx ? "method" : "ctx");
    if (abi != library_abi) return other_abi(abi, library_abi);
    if (!m->name) return pf_fail(PEFT_E_INVALID, "the method's name is NULL: expected a string");
    if (!valid_name(m->name))
        return pf_fail(PEFT_E_INVALID, "the method's name is '%.60s': expected lower-case letters, digits and _, a "
                       "letter first, at most %d", m->name, NAME_MAX_LENGTH);
    PF_TRY(check_functions(m));
    PF_TRY(check_options(ctx, m, &options));
    if (pf_method_find(ctx, m->name))
        return pf_fail(PEFT_E_STATE, "method '%s': the name is taken by a method of %s", m->name,
                       pf_method_in(ctx->built_in, m->name) ? "the library" : "this context");
    return store_copy(ctx, m, options);
}
