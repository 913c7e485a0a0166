/* SPDX-License-Identifier: Apache-2.0
 * arrange.c -- makes a data set of the names in a tree: classes sorted by name and the same for all splits, samples
 * sorted by class and file name, all other files counted by ending. */
#include "io/source/tree.h"
#include <stdio.h>

typedef struct sample { int64_t c; const io_entry *e; } sample;
/* Of one class: pictures in the opened split, pictures in all splits, and in the opened split the number of folders and
 * the endings of files that are no samples. */
typedef struct tally { int64_t here, anywhere, folders; io_strings left_out; } tally;

typedef struct arrangement {
    const io_tree *tree;
    const char *path, *folder;                                /* folder: of the split, as spelled; NULL: no split */
    int level;                                                /* the part of a name that is the class: 0; split: 1 */
    peft_dataset *d;
    int64_t *member;                                          /* of each sample; NULL: not asked for */
    tally *tally;                                             /* [classes] */
    io_strings left_out;
    sample *sample;
    int64_t samples;
} arrangement;

/* Finds the folder of the split: the one whose name is split itself, or the only one that means it ("Training"). */
static peft_status find_split(arrangement *a, const char *split)
{
    const char *wanted = io_split_of(split), *found = NULL, *second = NULL;
    for (int64_t i = 0; i < a->tree->count; i++) {
        const io_entry *e = &a->tree->item[i];
        const char *meant = e->stray || (e->count < 2 && !e->folder) ? NULL : io_split_of(e->part[0]);
        if (!meant || strcmp(meant, wanted)) continue;
        if (!strcmp(e->part[0], split)) {
            a->folder = e->part[0];
            return PEFT_OK;
        }
        if (!found) found = e->part[0];
        else if (strcmp(found, e->part[0])) second = e->part[0];
    }
    if (second)
        return io_fail(PEFT_E_FORMAT, "%s: '%s' and '%s' both mean the split '%s', expected one of them", a->path,
                       found, second, split);
    if (!found) return io_fail(PEFT_E_NOTFOUND, "%s: no folder '%s'", a->path, split);
    a->folder = found;
    return PEFT_OK;
}

/* Whether the entry lies in the folder of a class, or is that folder. */
static bool has_class(const arrangement *a, const io_entry *e)
{
    if (e->stray || (a->level && !io_split_of(e->part[0]))) return false;
    return e->count > a->level + 1 || (e->folder && e->count == a->level + 1);
}

static bool in_opened_split(const arrangement *a, const io_entry *e)
{
    return !a->level || (!e->stray && !strcmp(e->part[0], a->folder));
}

/* Well-formed UTF-8 without control characters: a name that fits into a line of a table and into a model file. */
static bool is_plain_text(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    while (*s) {
        const int more = *s < 0x80 ? 0 : *s >= 0xc2 && *s < 0xe0 ? 1 : *s >= 0xe0 && *s < 0xf0 ? 2 : *s >= 0xf0 &&
                         *s < 0xf5 ? 3 : -1;
        if (more < 0 || *s < 0x20 || *s == 0x7f) return false;
        if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) || (*s == 0xf0 && s[1] < 0x90) ||
            (*s == 0xf4 && s[1] > 0x8f))
            return false;
        for (int i = 1; i <= more; i++)
            if ((s[i] & 0xc0) != 0x80) return false;
        s += more + 1;
    }
    return true;
}

static bool is_ascii(const char *s)
{
    while (*s && (unsigned char)*s < 0x80) s++;
    return !*s;
}

static peft_status check_class_name(const arrangement *a, const io_entry *e)
{
    const char *name = e->part[a->level];
    char shown[84];
    int n = 0;
    for (; name[n] && n < 80; n++) shown[n] = (unsigned char)name[n] < 0x20 || name[n] == 0x7f ? '?' : name[n];
    shown[n] = 0;
    if (!is_plain_text(name))
        return io_fail(PEFT_E_FORMAT, "%s: class folder '%s': its name has a line break or another control character, "
                       "or is not UTF-8; rename it", a->path, shown);
    if (e->guessed && !is_ascii(name))
        return io_fail(PEFT_E_FORMAT, "%s: class folder '%s': the zip does not say which encoding the name has, so the "
                       "class could get a wrong name; pack it again with names in UTF-8", a->path, shown);
    return PEFT_OK;
}

/* Files that lie in the folder itself may well be the pictures of one class. */
static peft_status no_classes(const arrangement *a)
{
    int64_t files = 0;
    for (int64_t i = 0; i < a->tree->count; i++) files += a->tree->item[i].count == 1 && !a->tree->item[i].folder;
    if (files)
        return io_fail(PEFT_E_FORMAT, "%s: no class folders, but %lld file%s in the folder itself; expected "
                       "%s/<class>/<picture>: where this is the folder of one class, give the one above it", a->path,
                       (long long)files, files == 1 ? "" : "s", a->path);
    return io_fail(PEFT_E_FORMAT, "%s: no class folders; expected %s/<class>/<picture>", a->path, a->path);
}

static peft_status find_classes(arrangement *a)
{
    const char *last = NULL;
    for (int64_t i = 0; i < a->tree->count; i++) {
        const io_entry *e = &a->tree->item[i];
        if (!has_class(a, e)) continue;
        if (last && !strcmp(last, e->part[a->level])) continue;              /* most entries of a class are adjacent */
        last = e->part[a->level];
        peft_status s = check_class_name(a, e);
        if (!s) s = io_strings_add(&a->d->class_names, io_copy(a->d->ctx, last));
        if (s) return s;
    }
    io_strings_sort(&a->d->class_names, true);
    a->d->classes = a->d->class_names.count;
    if (!a->d->classes) return no_classes(a);
    a->tally = io_alloc(a->d->ctx, a->d->classes, sizeof *a->tally);
    a->sample = io_alloc(a->d->ctx, a->tree->count, sizeof *a->sample);
    for (int64_t c = 0; c < a->d->classes && a->tally; c++) a->tally[c].left_out.ctx = a->d->ctx;
    return a->tally && a->sample ? PEFT_OK : io_nomem(a->path);
}

static int by_text(const void *name, const void *item) { return strcmp(name, *(char *const *)item); }

static int64_t class_of(const arrangement *a, const io_entry *e)
{
    const io_strings *names = &a->d->class_names;
    char **at = bsearch(e->part[a->level], names->item, (size_t)names->count, sizeof *names->item, by_text);
    return at - names->item;
}

static bool same_folder(const io_entry *x, const io_entry *y, int parts)
{
    if (!y || x->count < parts || y->count < parts) return false;
    for (int i = 0; i < parts; i++)
        if (strcmp(x->part[i], y->part[i])) return false;
    return true;
}

/* Adds an entry of a class to its samples, or to what is left out. The entries of a folder inside the class are
 * adjacent and count once: *folder is the last of them that was counted. */
static peft_status add_class_entry(arrangement *a, const io_entry *e, const io_entry **folder)
{
    const int64_t c = class_of(a, e);
    tally *t = &a->tally[c];
    peft_context *ctx = a->d->ctx;
    const int file = a->level + 2;                            /* the parts of a sample's name */
    if (e->count < file) return PEFT_OK;                      /* the folder of the class */
    const bool nested = e->count > file || e->folder, picture = !nested && io_is_image_name(e->part[file - 1]);
    t->anywhere += picture;
    if (!in_opened_split(a, e)) return PEFT_OK;
    if (picture) {
        t->here++;
        a->sample[a->samples++] = (sample){ c, e };
        return PEFT_OK;
    }
    if (nested && same_folder(e, *folder, file)) return PEFT_OK;
    if (nested) *folder = e;
    t->folders += nested;
    return io_strings_add(&t->left_out, nested ? io_copy(ctx, "/") : io_ending(ctx, e->part[file - 1]));
}

/* Counts an entry without a class as left out: a file beside the class folders, or a folder that is neither a class nor
 * a split. */
static peft_status add_left_out(arrangement *a, const io_entry *e, const io_entry **folder)
{
    const bool in_split = a->level && !e->stray && io_split_of(e->part[0]);
    if (in_split && (!in_opened_split(a, e) || (e->count == 1 && e->folder))) return PEFT_OK;
    if (e->count == (in_split ? 2 : 1) && !e->folder)
        return io_strings_add(&a->left_out, io_ending(a->d->ctx, e->part[e->count - 1]));
    if (same_folder(e, *folder, 1)) return PEFT_OK;
    *folder = e;
    return io_strings_add(&a->left_out, io_copy(a->d->ctx, "/"));
}

/* Whether the entry lies in a folder that means the opened split too, but is not the one that is read. */
static bool is_passed_over(const arrangement *a, const io_entry *e)
{
    if (!a->level || e->stray || in_opened_split(a, e) || (e->count < 2 && !e->folder)) return false;
    const char *split = io_split_of(e->part[0]);
    return split && !strcmp(split, io_split_of(a->folder));
}

static int by_parts(const void *a, const void *b)
{
    const io_entry *x = *(const io_entry *const *)a, *y = *(const io_entry *const *)b;
    for (int i = 0; i < x->count && i < y->count; i++) {
        int order = strcmp(x->part[i], y->part[i]);
        if (order) return order;
    }
    return x->count - y->count;
}

/* In the order of names, in which the entries of one folder are adjacent. */
static peft_status take_entries(arrangement *a)
{
    const io_entry *folder = NULL, *passed = NULL, **sorted = io_alloc(a->d->ctx, a->tree->count, sizeof *sorted);
    if (!sorted) return io_nomem(a->path);
    for (int64_t i = 0; i < a->tree->count; i++) sorted[i] = &a->tree->item[i];
    if (a->tree->count) qsort(sorted, (size_t)a->tree->count, sizeof *sorted, by_parts);
    peft_status s = PEFT_OK;
    for (int64_t i = 0; i < a->tree->count && !s; i++) {
        s = has_class(a, sorted[i]) ? add_class_entry(a, sorted[i], &folder)
                                    : add_left_out(a, sorted[i], &folder);
        if (s || !is_passed_over(a, sorted[i]) || same_folder(sorted[i], passed, 1)) continue;
        passed = sorted[i];
        s = io_strings_add(&a->left_out, io_copy(a->d->ctx, "/"));
    }
    peft_sys_free(a->d->ctx, sorted);
    return s;
}

/* Refuses a data set with splits where the caller named none. It has splits where all class folders are called as
 * splits, or where one that is called so holds folders and no picture; a class may be called "test". */
static peft_status check_no_splits(const arrangement *a)
{
    bool all = true, one = false;
    const char *name = NULL;
    for (int64_t c = 0; c < a->d->classes; c++) {
        const char *split = io_split_of(a->d->class_names.item[c]);
        all &= split != NULL;
        if (split && !a->tally[c].here && a->tally[c].folders) one = true;
        if (split && !name) name = a->d->class_names.item[c];
    }
    if (!all && !one) return PEFT_OK;
    return io_fail(PEFT_E_INVALID, "%s: has folders of splits (%s, ...): name the split to open", a->path, name);
}

static peft_status check_classes(arrangement *a)
{
    for (int64_t c = 0; c < a->d->classes; c++) {
        tally *t = &a->tally[c];
        char *kinds, endings[200];
        if (t->here || (t->anywhere && !t->left_out.count)) continue;        /* other splits may have it */
        peft_status s = io_count_endings(&t->left_out, &kinds);
        if (s) return s;
        s = io_fail(PEFT_E_FORMAT, "%s%s%s: class '%s' has no pictures: its folder holds %s; expected %s files "
                    "directly in it", a->path, a->folder ? "/" : "", a->folder ? a->folder : "",
                    a->d->class_names.item[c], *kinds ? kinds : "nothing", io_image_endings(endings, sizeof endings));
        peft_sys_free(a->d->ctx, kinds);
        return s;
    }
    return PEFT_OK;
}

static int by_class_and_file(const void *a, const void *b)
{
    const sample *x = a, *y = b;
    if (x->c != y->c) return x->c < y->c ? -1 : 1;
    return strcmp(x->e->part[x->e->count - 1], y->e->part[y->e->count - 1]);
}

static peft_status add_sample(arrangement *a, const sample *x)
{
    const char *name = a->d->class_names.item[x->c], *file = x->e->part[x->e->count - 1];
    size_t room = strlen(a->path) + strlen(name) + strlen(file) + 4 + (a->folder ? strlen(a->folder) : 0);
    char *path = peft_sys_alloc(a->d->ctx, room);
    if (path)
        snprintf(path, room, "%s/%s%s%s/%s", a->path, a->folder ? a->folder : "", a->folder ? "/" : "", name, file);
    peft_status s = io_strings_add(&a->d->names, path);
    if (s) return s;
    if (a->member) a->member[a->d->count] = x->e->member;
    a->d->label[a->d->count++] = x->c;
    return PEFT_OK;
}

static peft_status add_samples(arrangement *a, bool members)
{
    peft_dataset *d = a->d;
    if (!a->samples)
        return io_fail(PEFT_E_FORMAT, "%s%s%s: no images in its class folders", a->path, a->folder ? "/" : "",
                       a->folder ? a->folder : "");
    qsort(a->sample, (size_t)a->samples, sizeof *a->sample, by_class_and_file);
    d->label = io_alloc(a->d->ctx, a->samples, sizeof *d->label);
    if (members) a->member = io_alloc(a->d->ctx, a->samples, sizeof *a->member);
    if (!d->label || (members && !a->member)) return io_nomem(a->path);
    for (int64_t i = 0; i < a->samples; i++) {
        peft_status s = add_sample(a, &a->sample[i]);
        if (s) return s;
        if (i && !by_class_and_file(&a->sample[i - 1], &a->sample[i]))
            return io_fail(PEFT_E_FORMAT, "%s: the archive has two entries of this name", d->names.item[i]);
    }
    return PEFT_OK;
}

/* Makes the text of peft_dataset_skipped from the endings that were left out in all classes and beside them. */
static peft_status describe_left_out(arrangement *a)
{
    peft_status s = PEFT_OK;
    for (int64_t c = 0; c < a->d->classes; c++)
        for (int64_t i = 0; i < a->tally[c].left_out.count && !s; i++)
            s = io_strings_add(&a->left_out, io_copy(a->d->ctx, a->tally[c].left_out.item[i]));
    return s ? s : io_count_endings(&a->left_out, &a->d->skipped);
}

peft_status io_tree_arrange(const io_tree *t, const char *path, const char *split, int64_t **member, peft_dataset *d)
{
    arrangement a = { .tree = t, .path = path, .level = split != NULL, .d = d,
                      .left_out = { .ctx = d->ctx } };
    peft_status s = split ? find_split(&a, split) : PEFT_OK;
    if (!s) s = find_classes(&a);
    if (!s) s = take_entries(&a);
    if (!s && !split) s = check_no_splits(&a);
    if (!s) s = check_classes(&a);
    if (!s) s = add_samples(&a, member != NULL);
    if (!s) s = describe_left_out(&a);
    for (int64_t c = 0; c < d->classes && a.tally; c++) io_strings_clear(&a.tally[c].left_out);
    io_strings_clear(&a.left_out);
    peft_sys_free(d->ctx, a.tally);
    peft_sys_free(d->ctx, a.sample);
    if (s) peft_sys_free(d->ctx, a.member);
    else if (member) *member = a.member;
    return s;
}
