/* SPDX-License-Identifier: Apache-2.0
 * match.c -- peft_dataset_match_classes: numbers the classes of one data set, by name, as another one does. */
#include "io/dataset/dataset.h"
#include <stdio.h>

/* Writes the names to text [size] as "benign, malignant"; where they do not fit, as "a, b, ..., 120 in all". */
static const char *class_list(const io_strings *names, char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (int64_t c = 0; c < names->count; c++) {
        size_t n = strlen(names->item[c]);
        if (used + n + 40 > size) {
            snprintf(text + used, size - used, "%s..., %lld in all", c ? ", " : "", (long long)names->count);
            break;
        }
        used += (size_t)snprintf(text + used, size - used, "%s%s", c ? ", " : "", names->item[c]);
    }
    return text;
}

/* The error for sets whose classes do not match. */
static peft_status mismatch(const peft_dataset *d, const peft_dataset *like, const char *problem)
{
    char of_d[180], of_like[180];
    return io_fail(PEFT_E_MISMATCH, "classes: %s; this set has {%s}, the other {%s}", problem,
                   class_list(&d->class_names, of_d, sizeof of_d),
                   class_list(&like->class_names, of_like, sizeof of_like));
}

/* The same for one class: "the other set has no class" and the name. */
static peft_status class_mismatch(const peft_dataset *d, const peft_dataset *like, const char *problem,
                                  const char *name)
{
    char sentence[160];
    snprintf(sentence, sizeof sentence, "%s '%.80s'", problem, name);
    return mismatch(d, like, sentence);
}

/* The number of the class with this name; -1: there is none. */
static int64_t find(const io_strings *names, const char *name)
{
    for (int64_t c = 0; c < names->count; c++)
        if (!strcmp(names->item[c], name)) return c;
    return -1;
}

/* The number of the class with this name, tried at c first: mostly both sets have the same classes in the same order,
 * and a search through a million classes for each of a million would take hours. -1: there is none. */
static int64_t find_near(const io_strings *names, const char *name, int64_t c)
{
    return c < names->count && !strcmp(names->item[c], name) ? c : find(names, name);
}

/* Sets map[c] to the number in `like` of class c of d, or to -1 for a class without samples that `like` lacks. */
static peft_status map_classes(const peft_dataset *d, const peft_dataset *like, int64_t *map)
{
    for (int64_t c = 0; c < d->classes; c++) map[c] = find_near(&like->class_names, d->class_names.item[c], c);
    if (!d->target) {                                         /* single labels: only classes with samples must match */
        for (int64_t i = 0; i < d->count; i++)
            if (map[d->label[i]] < 0)
                return class_mismatch(d, like, "the other set has no class", d->class_names.item[d->label[i]]);
        return PEFT_OK;
    }
    for (int64_t c = 0; c < d->classes; c++)
        if (map[c] < 0) return class_mismatch(d, like, "the other set has no class", d->class_names.item[c]);
    for (int64_t c = 0; c < like->classes; c++)
        if (find_near(&d->class_names, like->class_names.item[c], c) < 0)
            return class_mismatch(d, like, "no sample has a target for class", like->class_names.item[c]);
    return PEFT_OK;
}

peft_status peft_dataset_match_classes(peft_dataset *d, const peft_dataset *like, peft_dataset **out)
{
    if (!d || !like || !out)
        return io_fail(PEFT_E_INVALID, "classes: %s is NULL", !d ? "data set" : !like ? "like" : "out");
    const bool multi_label = d->target, other_multi_label = like->target;
    if (multi_label != other_multi_label)
        return mismatch(d, like, multi_label ? "this set is multi-label, the other is not"
                                             : "the other set is multi-label, this one is not");
    int64_t *map = io_alloc(d->ctx, d->classes, sizeof *map);
    if (!map) return io_nomem("classes");
    peft_status s = map_classes(d, like, map);
    const io_selection all = { .count = d->count, .class_map = map, .class_names = &like->class_names };
    if (!s) s = io_dataset_part(d, &all, out);
    peft_sys_free(d->ctx, map);
    return s;
}
