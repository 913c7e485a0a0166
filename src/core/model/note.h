/* SPDX-License-Identifier: Apache-2.0
 * note.h -- texts by key that an application keeps with a model or a training state. */
#ifndef PF_NOTE_H
#define PF_NOTE_H
#include <jansson.h>
#include "core/base/context.h"

#define PF_OWN_KEY "libpeft."            /* keys of the library's own entries begin with it; those of notes do not */
typedef struct pf_note { char *key, *value; } pf_note;
typedef struct pf_notes { pf_note *item; size_t count, room, bytes; json_t *index; } pf_notes;

/* Replaces an earlier value. PEFT_E_INVALID: the key is empty or the library's, a text is not UTF-8, or all
 * notes together are more than 512 KiB. */
peft_status pf_notes_set(pf_notes *n, peft_context *ctx, const char *key, const char *value);
const char *pf_notes_get(const pf_notes *n, const char *key);        /* NULL: none */
void        pf_notes_free(pf_notes *n, peft_context *ctx);
#endif
