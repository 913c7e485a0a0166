/* SPDX-License-Identifier: Apache-2.0
 * note.c -- see note.h. */
#include "core/model/note.h"
#include <string.h>
#include "core/format/safetensors.h"

/* index says by key where the note stands: a file may hold a hundred thousand. */
static pf_note *find(const pf_notes *n, const char *key)
{
    const json_t *at = json_object_get(n->index, key);
    return at ? &n->item[json_integer_value(at)] : NULL;
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

static peft_status check_size(size_t bytes, const char *key)
{
    if (bytes <= MOST) return PEFT_OK;
    return pf_fail(PEFT_E_INVALID, "note '%.80s': makes %zu bytes of notes, expected at most %d", key, bytes, MOST);
}

/* Takes k and v over when it succeeds. */
static bool append(pf_notes *n, peft_context *ctx, char *k, char *v)
{
    if (!n->index) n->index = json_object();
    if (n->count == n->room) {
        size_t room = n->room ? 2 * n->room : 8;
        pf_note *more = pf_realloc(ctx, n->item, room * sizeof *more);
        if (!more) return false;
        n->item = more;
        n->room = room;
    }
    if (!n->index || json_object_set_new_nocheck(n->index, k, json_integer((json_int_t)n->count))) return false;
    n->item[n->count++] = (pf_note){ k, v };
    return true;
}

peft_status pf_notes_set(pf_notes *n, peft_context *ctx, const char *key, const char *value)
{
    PF_TRY(check(key, value));
    pf_note *old = find(n, key);
    const size_t bytes = n->bytes + strlen(value) + (old ? 0 : strlen(key)) - (old ? strlen(old->value) : 0);
    PF_TRY(check_size(bytes, key));
    char *v = pf_strdup(ctx, value);
    if (!v) return pf_nomem("note", strlen(value) + 1);
    if (old) {
        pf_free(ctx, old->value);
        old->value = v;
    } else {
        char *k = pf_strdup(ctx, key);
        if (!k || !append(n, ctx, k, v)) {
            pf_free(ctx, k);
            pf_free(ctx, v);
            return pf_nomem("note", strlen(key) + 1);
        }
    }
    n->bytes = bytes;
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
    json_decref(n->index);
    *n = (pf_notes){ 0 };
}
