/* SPDX-License-Identifier: Apache-2.0
 * backbone_name.c -- describes a backbone by its file name and architecture, and says where two differ
 * (backbone_name.h). */
#include "backbone_name.h"
#include "common/backbone/image_sides.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const facts[] = { "width", "depth", "heads", "mlp", "patch", "image_size" };
enum { FACTS = sizeof facts / sizeof *facts, FACT_SIZE = 12 + SIDES_TEXT };

static const char *fact(const peft_backbone *b, int k, char text[FACT_SIZE])
{
    char sides[SIDES_TEXT];
    if (strcmp(facts[k], "image_size"))
        snprintf(text, FACT_SIZE, "%s=%lld", facts[k], (long long)peft_backbone_get(b, facts[k]));
    else snprintf(text, FACT_SIZE, "image_size=%s", sides_text(sides, backbone_sides(b)));
    return text;
}

/* "width=192 depth=6 heads=3 mlp=768 patch=4 image_size=32"; to be freed. */
static char *shape_text(const peft_backbone *b)
{
    char *text = check_alloc(calloc(FACTS, FACT_SIZE)), one[FACT_SIZE];
    for (int k = 0; k < FACTS; k++) {
        if (k) strcat(text, " ");
        strcat(text, fact(b, k, one));
    }
    return text;
}

char *backbone_description(const peft_backbone *b, const char *path)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') end--;            /* a folder may be given with a slash */
    size_t start = end;
    while (start && path[start - 1] != '/') start--;
    char *shape = shape_text(b), *text;
    if (asprintf(&text, "%.*s: %s", (int)(end - start), path + start, shape) < 0) fail("out of memory");
    free(shape);
    return text;
}

/* Writes the facts of b that are not in the note to text [size], as "depth=6, patch=4". */
static void differences(const char *note, const peft_backbone *b, char *text, size_t size)
{
    size_t used = 0;
    char one[FACT_SIZE], in_note[FACT_SIZE + 2], padded[1000];
    snprintf(padded, sizeof padded, "%s ", note);
    *text = 0;
    for (int k = 0; k < FACTS; k++) {
        snprintf(in_note, sizeof in_note, " %s ", fact(b, k, one));
        if (!strstr(padded, in_note))
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", one);
    }
}

void fail_for_other_backbone(const char *model, const char *note, const peft_backbone *b)
{
    char different[FACTS * FACT_SIZE];
    if (!note) fail("--model %s: %s (%s)", model, peft_last_error(), peft_status_name(PEFT_E_MISMATCH));
    differences(note, b, different, sizeof different);
    fail("--model %s: was trained with the backbone %s; that of --backbone %s%s. Give the backbone of the training. "
         "(%s)", model, note, *different ? "is another one: " : "has the same size, but other weights or settings",
         different, peft_last_error());
}
