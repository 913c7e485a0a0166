/* SPDX-License-Identifier: Apache-2.0
 * note.c -- see note.h: a growing array of notes, and a JSON object as its hash table. */
#include "core/model/note.h"
#include <string.h>
#include "core/format/safetensors.h"

/* The note of this key; NULL: there is none. */
static pf_note *find(const pf_notes *n, const char *key)
{
    const json_t *position = json_object_get(n->index, key);
    return position ? &n->item[json_integer_value(position)] : NULL;
}

/* Refuses texts that a file cannot hold: an error only at saving would come after the training. */
static peft_status check(const char *key, const char *value)
{
    if (!key || !value) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", key ? "value" : "key");
    if (!*key || !strncmp(key, PF_OWN_KEY, strlen(PF_OWN_KEY)))
        return pf_fail(PEFT_E_INVALID, "key '%s': expected text that does not begin with " PF_OWN_KEY, key);
    PF_TRY(pf_st_check_text("key", key));
    peft_status s = pf_st_check_text("value", value);
    return s ? pf_prefix_error(s, "note '%.80s'", key) : PEFT_OK;
}

/* Limit of all notes together; the metadata of a file must be able to hold them. */
enum { MAX_BYTES = 1 << 19 };

/* bytes: of all notes, after the note of this key is set. */
static peft_status check_size(size_t bytes, const char *key)
{
    if (bytes <= MAX_BYTES) return PEFT_OK;
    return pf_fail(PEFT_E_INVALID, "note '%.80s': with it all notes have %zu bytes, expected at most %d", key, bytes,
                   MAX_BYTES);
}

/* Appends a note, which takes over k and v. false: no memory; k and v remain the caller's. */
static bool append(pf_notes *n, peft_context *ctx, char *k, char *v)
{
    if (!n->index) n->index = json_object();
    if (n->count == n->capacity) {
        size_t capacity = n->capacity ? 2 * n->capacity : 8;
        pf_note *items = pf_realloc(ctx, n->item, capacity * sizeof *items);
        if (!items) return false;
        n->item = items;
        n->capacity = capacity;
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
