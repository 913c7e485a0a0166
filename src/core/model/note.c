/* SPDX-License-Identifier: Apache-2.0
 * note.c -- see note.h. */
#include "core/model/note.h"
#include <string.h>
#include "core/base/safetensors.h"

static pf_note *find(const pf_notes *n, const char *key)
{
    for (size_t i = 0; i < n->count; i++) if (!strcmp(n->item[i].key, key)) return &n->item[i];
    return NULL;
}

/* What a file could not hold is refused here, before anything is trained that would then be lost. */
static peft_status check(const char *key, const char *value)
{
    if (!key || !value) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", key ? "value" : "key");
    if (!*key || !strncmp(key, PF_OWN_KEY, strlen(PF_OWN_KEY)))
        return pf_fail(PEFT_E_INVALID, "key '%s': expected text that does not begin with " PF_OWN_KEY, key);
    PF_TRY(pf_st_check_text("key", key));
    peft_status s = pf_st_check_text("value", value);
    return s ? pf_within(s, "note '%.80s'", key) : PEFT_OK;
}

/* A file's metadata has limits: what could not be saved is refused when it is set. */
enum { MOST = 1 << 19 };

static peft_status check_size(const pf_notes *n, const char *key, const char *value)
{
    size_t bytes = strlen(key) + strlen(value);
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->item[i].key, key)) bytes += strlen(n->item[i].key) + strlen(n->item[i].value);
    if (bytes <= MOST) return PEFT_OK;
    return pf_fail(PEFT_E_INVALID, "note '%.80s': makes %zu bytes of notes, expected at most %d", key, bytes, MOST);
}

peft_status pf_notes_set(pf_notes *n, peft_context *ctx, const char *key, const char *value)
{
    PF_TRY(check(key, value));
    PF_TRY(check_size(n, key, value));
    pf_note *old = find(n, key);
    char *v = pf_strdup(ctx, value);
    if (!v) return pf_nomem("note", strlen(value) + 1);
    if (old) {
        pf_free(ctx, old->value);
        old->value = v;
        return PEFT_OK;
    }
    char *k = pf_strdup(ctx, key);
    pf_note *more = k ? pf_realloc(ctx, n->item, (n->count + 1) * sizeof *more) : NULL;
    if (!more) {
        pf_free(ctx, k);
        pf_free(ctx, v);
        return pf_nomem("note", strlen(key) + 1);
    }
    n->item = more;
    n->item[n->count++] = (pf_note){ k, v };
    return PEFT_OK;
}

const char *pf_notes_get(const pf_notes *n, const char *key)
{
    const pf_note *found = find(n, key);
    return found ? found->value : NULL;
}

void pf_notes_free(pf_notes *n, peft_context *ctx)
{
    for (size_t i = 0; i < n->count; i++) {
        pf_free(ctx, n->item[i].key);
        pf_free(ctx, n->item[i].value);
    }
    pf_free(ctx, n->item);
    *n = (pf_notes){ 0 };
}
