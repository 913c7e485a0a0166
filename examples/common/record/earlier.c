/* SPDX-License-Identifier: Apache-2.0
 * earlier.c -- images that a model was trained on (earlier.h). */
#include "earlier.h"
#include "record.h"
#include "common/files/text_file.h"
#include "common/program/errors.h"
#include "common/record/json_read.h"
#include <stdlib.h>
#include <string.h>

static int compare_sums(const void *a, const void *b) { return memcmp(a, b, 64); }

static earlier_images unknown(char *why)
{
    return (earlier_images){ .unknown = why };
}

/* Adds the sums of a list: of texts, or of objects with a member "sha256". False: one of them has none. */
static bool add_sums(earlier_images *e, const json *list)
{
    if (!list || list->kind != JSON_LIST) return false;
    e->sum = check_alloc(realloc(e->sum, (size_t)(e->count + (int64_t)list->count + 1) * sizeof *e->sum));
    for (size_t i = 0; i < list->count; i++) {
        const json *item = &list->item[i];
        const char *text = item->kind == JSON_TEXT ? item->text : json_text_of(item, "sha256");
        if (!text || strlen(text) != 64) return false;
        memcpy(e->sum[e->count++], text, 65);
    }
    return true;
}

/* The images of a parsed record. */
static earlier_images images_of_record(const json *record, const char *model, const char *path)
{
    char hex[65], *why;
    earlier_images e = { 0 };
    const char *sum = json_text_of(json_member(record, "model"), "sha256");
    const json *data = json_member(record, "data"), *before = json_member(data, "trained_on_before");
    if (!hash_file(model, hex) || !sum || strcmp(sum, hex)) {
        if (asprintf(&why, "%s is the record of another file", path) < 0) fail("out of memory");
        return unknown(why);
    }
    const bool further = json_text_of(json_member(record, "options"), "model");
    if (!add_sums(&e, json_member(json_member(data, "training"), "files")) || (further && !add_sums(&e, before))) {
        free(e.sum);
        if (asprintf(&why, "%s has no SHA-256 of each image", path) < 0) fail("out of memory");
        return unknown(why);
    }
    qsort(e.sum, (size_t)e.count, sizeof *e.sum, compare_sums);
    return e;
}

earlier_images read_earlier_images(const char *model)
{
    char *path = record_path(model), *text = read_text_file(path, NULL), *why;
    json *record = text ? json_parse(text) : NULL;
    earlier_images e;
    if (record) e = images_of_record(record, model, path);
    else {
        if (asprintf(&why, text ? "%s is no record" : "there is no %s", path) < 0) fail("out of memory");
        e = unknown(why);
    }
    json_free(record);
    free(text);
    free(path);
    return e;
}

void free_earlier_images(earlier_images *e)
{
    free(e->sum);
    free(e->unknown);
}

int64_t mark_earlier(earlier_images *e, const peft_dataset *d, char *mark)
{
    int64_t found = 0;
    char hex[65] = "";
    for (int64_t i = 0; i < peft_dataset_count(d) && !e->unknown; i++) {
        if (!hash_image(d, i, hex)) {
            if (asprintf(&e->unknown, "%s is no file of its own", peft_dataset_name(d, i)) < 0) fail("out of memory");
            return -1;
        }
        mark[i] = e->count && bsearch(hex, e->sum, (size_t)e->count, sizeof *e->sum, compare_sums);
        found += mark[i];
    }
    return e->unknown ? -1 : found;
}

void record_earlier(json_writer *w, const char *name, const earlier_images *e)
{
    if (e->unknown) {
        json_null(w, name);
        return;
    }
    json_list(w, name);
    for (int64_t i = 0; i < e->count; i++) json_text(w, NULL, e->sum[i]);
    json_close(w);
}
