/* SPDX-License-Identifier: Apache-2.0
 * note.h -- notes: texts by key that an application stores with a model or a training state. */
#ifndef PF_NOTE_H
#define PF_NOTE_H
#include <jansson.h>
#include "core/base/context.h"

#define PF_OWN_KEY "libpeft."            /* keys of the library's own entries begin with it; those of notes do not */
typedef struct pf_note { char *key, *value; } pf_note;
/* bytes: of all keys and values. index: a JSON object from key to position in item, so that a key is found fast in a
 * file of a hundred thousand notes. */
typedef struct pf_notes { pf_note *item; size_t count, capacity, bytes; json_t *index; } pf_notes;

/* Replaces an earlier value. PEFT_E_INVALID: the key is empty or begins with PF_OWN_KEY, a text is not UTF-8, or all
 * notes together exceed 512 KiB. */
peft_status pf_notes_set(pf_notes *n, peft_context *ctx, const char *key, const char *value);
const char *pf_notes_get(const pf_notes *n, const char *key);        /* NULL: none */
void        pf_notes_free(pf_notes *n, peft_context *ctx);
#endif
