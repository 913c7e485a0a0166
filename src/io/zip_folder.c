/* SPDX-License-Identifier: Apache-2.0
 * zip_folder.c -- data sets from a zip of a folder of images, by the rules of folders. The archive stays open; its
 * members are read under a lock, as libzip's archives belong to one thread at a time, and decoded outside it. */
#include "io/dataset.h"
#include "io/zip.h"
#include <pthread.h>
#include <stdio.h>

enum { MOST_ENTRIES = 1 << 22, MOST_PARTS = 8 };
#define MOST_BYTES (1ll << 30)

struct io_archive { pthread_mutex_t lock; zip_t *zip; };

void io_archive_free(io_archive *a)
{
    if (!a) return;
    zip_discard(a->zip);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

static peft_status open_archive(const char *path, io_archive **out)
{
    io_archive *a = io_alloc(1, sizeof *a);
    if (!a || pthread_mutex_init(&a->lock, NULL)) {
        free(a);
        return io_nomem(path);
    }
    peft_status s = io_zip_open(path, &a->zip);
    if (s) {
        pthread_mutex_destroy(&a->lock);
        free(a);
    } else *out = a;
    return s;
}

peft_status io_archive_load(io_archive *a, int64_t member, peft_image **out)
{
    uint8_t *data;
    size_t size;
    pthread_mutex_lock(&a->lock);
    peft_status s = io_zip_read(a->zip, member, &data, &size);
    pthread_mutex_unlock(&a->lock);
    if (s) return s;
    s = peft_image_load_memory(data, size, NULL, out);
    free(data);
    return s;
}

/* A name cut at its slashes: part[count], with an empty last one where it names a folder. count 0: to be ignored. */
typedef struct name { char *text; const char *part[MOST_PARTS]; int64_t count, member; } name;
typedef struct names { name *item; int64_t count; } names;

static peft_status check_name(const char *text)
{
    bool escapes = *text == '/' || strchr(text, '\\');
    for (const char *part = text, *slash; part; part = slash ? slash + 1 : NULL) {
        escapes |= !strcmp(part, "..") || !strncmp(part, "../", 3);
        slash = strchr(part, '/');
    }
    return escapes ? io_fail(PEFT_E_FORMAT, "the name '%.200s' leaves the archive", text) : PEFT_OK;
}

/* What is hidden or too deep stands for the folder it lies in. Nothing at the top, and nothing in the folder that macOS
 * adds, counts that way. */
static void cut_name(char *text, name *out)
{
    out->text = text;
    if (!strncmp(text, "__MACOSX/", 9)) return;
    for (char *next = text; next; text = next) {
        if ((next = strchr(text, '/'))) *next++ = 0;
        if (!*text && next) continue;
        bool hidden = *text == '.' || (next && out->count == MOST_PARTS - 1);
        out->part[out->count++] = hidden ? "" : text;
        if (hidden) break;
    }
    if (out->count == 1 && !*out->part[0]) out->count = 0;
}

static peft_status read_names(zip_t *z, names *n)
{
    zip_int64_t count = zip_get_num_entries(z, 0);
    if (count > MOST_ENTRIES)
        return io_fail(PEFT_E_UNSUPPORTED, "%lld entries, the limit is %d", (long long)count, MOST_ENTRIES);
    if (!(n->item = io_alloc(count, sizeof *n->item))) return io_nomem("archive");
    for (; n->count < count; n->count++) {
        const char *text = zip_get_name(z, (zip_uint64_t)n->count, 0);
        if (!text) return io_fail(PEFT_E_FORMAT, "%s", zip_strerror(z));
        peft_status s = check_name(text);
        char *copy = s ? NULL : strdup(text);
        if (!copy) return s ? s : io_nomem("archive");
        cut_name(copy, &n->item[n->count]);
        n->item[n->count].member = n->count;
    }
    return PEFT_OK;
}

static bool is_folder(const name *a) { return !*a->part[a->count - 1]; }

/* One folder around everything (names begin alike, and files have more parts than the rules ask for) is cut off. */
static void skip_top(names *n, int64_t needed)
{
    const char *top = NULL;
    for (int64_t i = 0; i < n->count; i++) {
        const name *a = &n->item[i];
        if (!a->count) continue;
        if (!top) top = a->part[0];
        if (strcmp(top, a->part[0]) || (!is_folder(a) && a->count <= needed)) return;
    }
    if (!top || io_is_split(top)) return;
    for (int64_t i = 0; i < n->count; i++) {
        name *a = &n->item[i];
        if (!a->count) continue;
        a->count--;
        memmove(a->part, a->part + 1, (size_t)a->count * sizeof *a->part);
    }
}

/* level: the part that names the class. With splits, the classes of all of them count. */
static peft_status find_classes(const names *n, const char *path, const char *split, peft_dataset *d)
{
    const int level = split != NULL;
    bool there = !split;
    peft_status s = PEFT_OK;
    for (int64_t i = 0; i < n->count && !s; i++) {
        const name *a = &n->item[i];
        if (split && a->count > 1) there |= !strcmp(a->part[0], split);
        if (a->count > level + 1 && (!split || io_is_split(a->part[0])))
            s = io_strings_add(&d->class_names, strdup(a->part[level]));
    }
    if (s) return s;
    if (!there) return io_fail(PEFT_E_NOTFOUND, "%s: no folder '%s'", path, split);
    io_strings_sort(&d->class_names, true);
    d->classes = d->class_names.count;
    return io_check_classes(&d->class_names, path, split);
}

typedef struct sample { const char *class_name, *file; int64_t member; } sample;

static int by_class_and_file(const void *a, const void *b)
{
    const sample *x = a, *y = b;
    int order = strcmp(x->class_name, y->class_name);
    return order ? order : strcmp(x->file, y->file);
}

static int64_t find_samples(const names *n, const char *split, sample *out)
{
    const int level = split != NULL;
    int64_t count = 0;
    for (int64_t i = 0; i < n->count; i++) {
        const name *a = &n->item[i];
        if (a->count != level + 2 || !io_is_image_name(a->part[level + 1])) continue;
        if (split && strcmp(a->part[0], split)) continue;
        out[count++] = (sample){ a->part[level], a->part[level + 1], a->member };
    }
    if (count) qsort(out, (size_t)count, sizeof *out, by_class_and_file);
    return count;
}

static peft_status add_sample(peft_dataset *d, const sample *a, const char *base)
{
    size_t room = strlen(base) + strlen(a->class_name) + strlen(a->file) + 3;
    char *path = malloc(room);
    zip_stat_t st;
    if (path) snprintf(path, room, "%s/%s/%s", base, a->class_name, a->file);
    peft_status s = io_strings_add(&d->names, path);
    if (s) return s;
    if (zip_stat_index(d->archive->zip, (zip_uint64_t)a->member, 0, &st))
        s = io_fail(PEFT_E_FORMAT, "%s", zip_strerror(d->archive->zip));
    if (!s) s = io_zip_check(&st, MOST_BYTES);
    int64_t c = d->count ? d->label[d->count - 1] : 0;        /* samples come in the order of classes */
    while (strcmp(d->class_names.item[c], a->class_name)) c++;
    d->member[d->count] = a->member;
    d->label[d->count++] = c;
    return s ? io_fail_in(s, path) : PEFT_OK;
}

static peft_status add_samples(const names *n, const char *path, const char *split, peft_dataset *d)
{
    sample *found = io_alloc(n->count, sizeof *found);
    char *start = io_join(path, split ? "/" : ""), *base = start ? io_join(start, split ? split : "") : NULL;
    peft_status s = found && base ? PEFT_OK : io_nomem(path);
    int64_t count = s ? 0 : find_samples(n, split, found);
    d->label = io_alloc(count, sizeof *d->label);
    d->member = io_alloc(count, sizeof *d->member);
    if (!s && (!d->label || !d->member)) s = io_nomem(path);
    if (!s && !count) s = io_fail(PEFT_E_FORMAT, "%s: no images in its class folders", base);
    for (int64_t i = 0; i < count && !s; i++) {
        if (i && !by_class_and_file(&found[i - 1], &found[i]))
            s = io_fail(PEFT_E_FORMAT, "%s: '%s/%s' is there twice", base, found[i].class_name, found[i].file);
        else s = add_sample(d, &found[i], base);
    }
    free(start);
    free(base);
    free(found);
    return s;
}

static peft_status fill(peft_dataset *d, const char *path, const char *split)
{
    names n = { 0 };
    peft_status s = open_archive(path, &d->archive);
    if (s) return s;
    s = read_names(d->archive->zip, &n);
    if (s) io_fail_in(s, path);
    if (!s) skip_top(&n, split ? 3 : 2);
    if (!s) s = find_classes(&n, path, split, d);
    if (!s) s = add_samples(&n, path, split, d);
    for (int64_t i = 0; i < n.count; i++) free(n.item[i].text);
    free(n.item);
    return s;
}

peft_status peft_dataset_open_zip(const char *path, const char *split, peft_dataset **out)
{
    peft_dataset *d;
    if (!path || !out) return io_fail(PEFT_E_INVALID, "data set: %s is NULL", path ? "out" : "path");
    if (split && !io_is_split(split))
        return io_fail(PEFT_E_INVALID, "data set: split '%.40s', expected train, val, valid or test", split);
    peft_status s = io_dataset_new(&d);
    if (s) return s;
    s = fill(d, path, split);
    if (s) peft_dataset_free(d);
    else *out = d;
    return s;
}
