/* SPDX-License-Identifier: Apache-2.0
 * arrange.c -- io_tree_arrange: makes a data set of the names in a tree. Classes are sorted by name and are the same
 * for all splits; samples are sorted by class and file name; all other files are skipped and counted by ending. */
#include "io/source/tree/tree.h"
#include <stdio.h>

typedef struct sample { int64_t class_number; const io_entry *entry; } sample;
typedef struct class_tally {                                  /* counts of one class */
    int64_t in_split, in_all;                                 /* pictures in the opened split; in all splits */
    int64_t folders;                                          /* inside the class folder of the opened split */
    io_strings skipped;                                       /* endings of the files there that are no pictures */
} class_tally;

typedef struct arrangement {
    const io_tree *tree;
    const char *path;                                         /* of the data set, for names and messages */
    const char *split_folder;                                 /* of the opened split, as spelled; NULL: no splits */
    int class_part;                                           /* part of a name that is the class: 0; with splits 1 */
    peft_dataset *d;
    int64_t *member;                                          /* zip entry of each sample; NULL: not needed */
    class_tally *tally;                                       /* [classes] */
    io_strings skipped;                                       /* endings of what is in no class */
    sample *sample;                                           /* [samples], of the opened split */
    int64_t samples;
} arrangement;

/* Finds the folder of the split: the one whose name is exactly the argument split, else the only one that means it
 * ("Training" for "train"). */
static peft_status find_split(arrangement *a, const char *split)
{
    const char *wanted = io_split_of(split);
    const char *found = NULL, *second = NULL;                 /* folders whose names mean the split */
    for (int64_t i = 0; i < a->tree->count; i++) {
        const io_entry *e = &a->tree->item[i];
        /* meant: the split that the folder's name stands for; NULL: none, or the entry is a file beside the folders. */
        const char *meant = e->outside_top || (e->count < 2 && !e->is_folder) ? NULL : io_split_of(e->part[0]);
        if (!meant || strcmp(meant, wanted)) continue;
        if (!strcmp(e->part[0], split)) {
            a->split_folder = e->part[0];
            return PEFT_OK;
        }
        if (!found) found = e->part[0];
        else if (strcmp(found, e->part[0])) second = e->part[0];
    }
    if (second)
        return io_fail(PEFT_E_FORMAT, "%s: the folders '%s' and '%s' both mean the split '%s'; give the name of one of "
                       "them as split", a->path, found, second, split);
    if (!found) return io_fail(PEFT_E_NOTFOUND, "%s: no folder '%s'; expected one for each split: train, val, "
                               "test", a->path, split);
    a->split_folder = found;
    return PEFT_OK;
}

/* Whether the entry lies in the folder of a class, or is that folder. */
static bool has_class(const arrangement *a, const io_entry *e)
{
    if (e->outside_top || (a->class_part && !io_split_of(e->part[0]))) return false;
    return e->count > a->class_part + 1 || (e->is_folder && e->count == a->class_part + 1);
}

/* Always true for a data set without splits. */
static bool in_opened_split(const arrangement *a, const io_entry *e)
{
    return !a->class_part || (!e->outside_top && !strcmp(e->part[0], a->split_folder));
}

static bool is_ascii(const char *s)
{
    while (*s && (unsigned char)*s < 0x80) s++;
    return !*s;
}

/* Refuses a name that the table of classes cannot hold, or that may be wrong. */
static peft_status check_class_name(const arrangement *a, const io_entry *e)
{
    const char *name = e->part[a->class_part];
    char printable[84];                                       /* for messages: ? in place of control characters */
    int n = 0;
    for (; name[n] && n < 80; n++) printable[n] = (unsigned char)name[n] < 0x20 || name[n] == 0x7f ? '?' : name[n];
    printable[n] = 0;
    if (!io_is_plain_text(name))
        return io_fail(PEFT_E_FORMAT, "%s: class folder '%s': its name has a line break or another control character, "
                       "or is not UTF-8; rename it", a->path, printable);
    if (e->guessed && !is_ascii(name))
        return io_fail(PEFT_E_FORMAT, "%s: class folder '%s': the zip does not say which encoding the name has, so the "
                       "class could get a wrong name; pack it again with names in UTF-8", a->path, printable);
    return PEFT_OK;
}

/* Writes to hint [size] where to find the labels: a table that lies beside the class folders; "": there is none. */
static const char *table_beside(const arrangement *a, char *hint, size_t size)
{
    *hint = 0;
    for (int64_t i = 0; i < a->tree->count && !*hint; i++) {
        const io_entry *e = &a->tree->item[i];
        if (e->count == 1 && !e->is_folder && (io_ends_in(e->part[0], ".csv") || io_ends_in(e->part[0], ".tsv")))
            snprintf(hint, size, "; if %.200s has the labels, give %s/%.200s", e->part[0], a->path, e->part[0]);
    }
    return hint;
}

/* The error for a data set without class folders. Files in the folder itself may be the pictures of one class. */
static peft_status no_classes(const arrangement *a)
{
    int64_t files = 0;
    char hint[4800];
    table_beside(a, hint, sizeof hint);
    for (int64_t i = 0; i < a->tree->count; i++) files += a->tree->item[i].count == 1 && !a->tree->item[i].is_folder;
    if (*hint)
        return io_fail(PEFT_E_FORMAT, "%s: no class folders, but %lld file%s in the folder itself%s", a->path,
                       (long long)files, files == 1 ? "" : "s", hint);
    if (files)
        return io_fail(PEFT_E_FORMAT, "%s: no class folders, but %lld file%s in the folder itself; expected "
                       "%s/<class>/<picture>: if this is the folder of one class, give the one above it", a->path,
                       (long long)files, files == 1 ? "" : "s", a->path);
    return io_fail(PEFT_E_FORMAT, "%s: no class folders; expected %s/<class>/<picture>", a->path, a->path);
}

/* Fills class_names of all splits, and allocates tallies and samples. */
static peft_status find_classes(arrangement *a)
{
    const char *last = NULL;
    for (int64_t i = 0; i < a->tree->count; i++) {
        const io_entry *e = &a->tree->item[i];
        if (!has_class(a, e)) continue;
        if (last && !strcmp(last, e->part[a->class_part])) continue;         /* adjacent entries mostly share a class */
        last = e->part[a->class_part];
        peft_status s = check_class_name(a, e);
        if (!s) s = io_strings_add(&a->d->class_names, io_copy(a->d->ctx, last));
        if (s) return s;
    }
    io_strings_sort_unique(&a->d->class_names);
    a->d->classes = a->d->class_names.count;
    if (!a->d->classes) return no_classes(a);
    a->tally = io_alloc(a->d->ctx, a->d->classes, sizeof *a->tally);
    a->sample = io_alloc(a->d->ctx, a->tree->count, sizeof *a->sample);
    for (int64_t c = 0; c < a->d->classes && a->tally; c++) a->tally[c].skipped.ctx = a->d->ctx;
    return a->tally && a->sample ? PEFT_OK : io_nomem(a->path);
}

/* The number of the entry's class: class_names is sorted and has all classes. */
static int64_t class_of(const arrangement *a, const io_entry *e)
{
    return io_strings_find(&a->d->class_names, e->part[a->class_part]);
}

/* Whether the first `parts` parts of x and y are equal; y may be NULL. */
static bool same_folder(const io_entry *x, const io_entry *y, int parts)
{
    if (!y || x->count < parts || y->count < parts) return false;
    for (int i = 0; i < parts; i++)
        if (strcmp(x->part[i], y->part[i])) return false;
    return true;
}

/* Adds an entry of a class to its samples, or to what is skipped. Entries in a folder of the class folder are adjacent,
 * and that folder counts once: *last is an entry of the folder that was counted last. */
static peft_status add_class_entry(arrangement *a, const io_entry *e, const io_entry **last)
{
    const int64_t c = class_of(a, e);
    class_tally *t = &a->tally[c];
    peft_context *ctx = a->d->ctx;
    const int parts = a->class_part + 2;                      /* of a sample's name */
    if (e->count < parts) return PEFT_OK;                     /* the class folder itself */
    const bool nested = e->count > parts || e->is_folder, picture = !nested && e->is_picture;
    t->in_all += picture;
    if (!in_opened_split(a, e)) return PEFT_OK;
    if (picture) {
        t->in_split++;
        a->sample[a->samples++] = (sample){ c, e };
        return PEFT_OK;
    }
    if (nested && same_folder(e, *last, parts)) return PEFT_OK;
    if (nested) *last = e;
    t->folders += nested;
    return io_strings_add(&t->skipped, nested ? io_copy(ctx, "/") : io_ending(ctx, e->part[parts - 1]));
}

/* Counts an entry without a class as skipped: a file beside the class folders, or a folder that is neither a class nor
 * a split. Such a folder counts once: *last is an entry of the folder that was counted last. */
static peft_status add_skipped(arrangement *a, const io_entry *e, const io_entry **last)
{
    const bool in_any_split = a->class_part && !e->outside_top && io_split_of(e->part[0]);
    if (in_any_split && (!in_opened_split(a, e) || (e->count == 1 && e->is_folder))) return PEFT_OK;
    const int file_parts = in_any_split ? 2 : 1;              /* of the name of a file beside the class folders */
    if (e->count == file_parts && !e->is_folder)
        return io_strings_add(&a->skipped, io_ending(a->d->ctx, e->part[e->count - 1]));
    if (same_folder(e, *last, 1)) return PEFT_OK;
    *last = e;
    return io_strings_add(&a->skipped, io_copy(a->d->ctx, "/"));
}

/* Whether the entry lies in a folder that means the opened split too, but is not the one that is opened ("train" beside
 * "Training"). */
static bool in_same_split_elsewhere(const arrangement *a, const io_entry *e)
{
    if (!a->class_part || e->outside_top || in_opened_split(a, e) || (e->count < 2 && !e->is_folder)) return false;
    const char *split = io_split_of(e->part[0]);
    return split && !strcmp(split, io_split_of(a->split_folder));
}

/* In the order of names, part by part; a folder comes before what lies in it. */
static int by_parts(const void *a, const void *b)
{
    const io_entry *x = *(const io_entry *const *)a, *y = *(const io_entry *const *)b;
    for (int i = 0; i < x->count && i < y->count; i++) {
        int order = strcmp(x->part[i], y->part[i]);
        if (order) return order;
    }
    return x->count - y->count;
}

/* Adds all entries in the order of their names, in which those of one folder are adjacent. */
static peft_status add_entries(arrangement *a)
{
    const io_entry *last = NULL, *last_elsewhere = NULL, **sorted = io_alloc(a->d->ctx, a->tree->count, sizeof *sorted);
    if (!sorted) return io_nomem(a->path);
    for (int64_t i = 0; i < a->tree->count; i++) sorted[i] = &a->tree->item[i];
    if (a->tree->count) qsort(sorted, (size_t)a->tree->count, sizeof *sorted, by_parts);
    peft_status s = PEFT_OK;
    for (int64_t i = 0; i < a->tree->count && !s; i++) {
        s = has_class(a, sorted[i]) ? add_class_entry(a, sorted[i], &last) : add_skipped(a, sorted[i], &last);
        if (s || !in_same_split_elsewhere(a, sorted[i]) || same_folder(sorted[i], last_elsewhere, 1)) continue;
        last_elsewhere = sorted[i];
        s = io_strings_add(&a->skipped, io_copy(a->d->ctx, "/"));
    }
    peft_sys_free(a->d->ctx, sorted);
    return s;
}

/* Refuses a data set with splits where split is NULL. It has splits if all class folders have names of splits, or if
 * one that has such a name holds folders and no picture. A class may be called "test". */
static peft_status check_no_splits(const arrangement *a)
{
    bool all_named = true, one_nested = false;
    const char *name = NULL;
    for (int64_t c = 0; c < a->d->classes; c++) {
        const char *split = io_split_of(a->d->class_names.item[c]);
        all_named &= split != NULL;
        if (split && !a->tally[c].in_split && a->tally[c].folders) one_nested = true;
        if (split && !name) name = a->d->class_names.item[c];
    }
    if (!all_named && !one_nested) return PEFT_OK;
    return io_fail(PEFT_E_INVALID, "%s: has folders of splits (%s, ...), but split is NULL; name the split to open",
                   a->path, name);
}

/* Refuses a class without pictures, unless its folder in the opened split is empty and another split has pictures. */
static peft_status check_classes(arrangement *a)
{
    for (int64_t c = 0; c < a->d->classes; c++) {
        class_tally *t = &a->tally[c];
        char *content, endings[200], hint[4800];
        if (t->in_split || (t->in_all && !t->skipped.count)) continue;
        peft_status s = io_count_endings(&t->skipped, &content);
        if (s) return s;
        s = io_fail(PEFT_E_FORMAT, "%s%s%s: class '%s' has no pictures: its folder holds %s; expected %s files "
                    "directly in it%s", a->path, a->split_folder ? "/" : "", a->split_folder ? a->split_folder : "",
                    a->d->class_names.item[c], *content ? content : "nothing",
                    io_image_endings(endings, sizeof endings), table_beside(a, hint, sizeof hint));
        peft_sys_free(a->d->ctx, content);
        return s;
    }
    return PEFT_OK;
}

static int by_class_and_file(const void *a, const void *b)
{
    const sample *x = a, *y = b;
    if (x->class_number != y->class_number) return x->class_number < y->class_number ? -1 : 1;
    return strcmp(x->entry->part[x->entry->count - 1], y->entry->part[y->entry->count - 1]);
}

/* Adds a sample with the name path/split/class/file. */
static peft_status add_sample(arrangement *a, const sample *x)
{
    const char *name = a->d->class_names.item[x->class_number], *file = x->entry->part[x->entry->count - 1];
    const char *split = a->split_folder ? a->split_folder : "", *slash = a->split_folder ? "/" : "";
    size_t size = strlen(a->path) + strlen(name) + strlen(file) + 4 + strlen(split);
    char *path = peft_sys_alloc(a->d->ctx, size);
    if (path) snprintf(path, size, "%s/%s%s%s/%s", a->path, split, slash, name, file);
    peft_status s = io_strings_add(&a->d->names, path);
    if (s) return s;
    if (a->member) a->member[a->d->count] = x->entry->member;
    a->d->label[a->d->count++] = x->class_number;
    return PEFT_OK;
}

/* Makes names, labels and, with members, the zip entries of all samples. */
static peft_status add_samples(arrangement *a, bool members)
{
    peft_dataset *d = a->d;
    if (!a->samples)
        return io_fail(PEFT_E_FORMAT, "%s%s%s: no images in its class folders", a->path, a->split_folder ? "/" : "",
                       a->split_folder ? a->split_folder : "");
    qsort(a->sample, (size_t)a->samples, sizeof *a->sample, by_class_and_file);
    d->label = io_alloc(a->d->ctx, a->samples, sizeof *d->label);
    if (members) a->member = io_alloc(a->d->ctx, a->samples, sizeof *a->member);
    if (!d->label || (members && !a->member)) return io_nomem(a->path);
    for (int64_t i = 0; i < a->samples; i++) {
        peft_status s = add_sample(a, &a->sample[i]);
        if (s) return s;
        if (i && !by_class_and_file(&a->sample[i - 1], &a->sample[i]))
            return io_fail(PEFT_E_FORMAT, "%s: the archive has two entries of this name; pack it again",
                           d->names.item[i]);
    }
    return PEFT_OK;
}

/* Makes the text of peft_dataset_skipped from the endings that were skipped in all classes and beside them. */
static peft_status describe_skipped(arrangement *a)
{
    peft_status s = PEFT_OK;
    for (int64_t c = 0; c < a->d->classes; c++)
        for (int64_t i = 0; i < a->tally[c].skipped.count && !s; i++)
            s = io_strings_add(&a->skipped, io_copy(a->d->ctx, a->tally[c].skipped.item[i]));
    return s ? s : io_count_endings(&a->skipped, &a->d->skipped);
}

peft_status io_tree_arrange(const io_tree *t, const char *path, const char *split, int64_t **member, peft_dataset *d)
{
    arrangement a = { .tree = t, .path = path, .class_part = split ? 1 : 0, .d = d,
                      .skipped = { .ctx = d->ctx } };
    char hint[4800];
    peft_status s = split ? find_split(&a, split) : PEFT_OK;
    if (!s) s = find_classes(&a);
    if (!s) s = add_entries(&a);
    if (!s && !split) s = check_no_splits(&a);
    if (!s) s = check_classes(&a);
    if (!s) s = add_samples(&a, member != NULL);
    if (!s) s = describe_skipped(&a);
    if (!s && *table_beside(&a, hint, sizeof hint))
        io_warn(d->ctx, "%s: the folders are the classes, and the table beside them is not read%s", path, hint);
    for (int64_t c = 0; c < d->classes && a.tally; c++) io_strings_clear(&a.tally[c].skipped);
    io_strings_clear(&a.skipped);
    peft_sys_free(d->ctx, a.tally);
    peft_sys_free(d->ctx, a.sample);
    if (s) peft_sys_free(d->ctx, a.member);
    else if (member) *member = a.member;
    return s;
}
