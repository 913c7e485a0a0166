/* SPDX-License-Identifier: Apache-2.0
 * shards.c -- opens a model in several files. Its index, such as model.safetensors.index.json, is JSON with the object
 * "weight_map": the name of each tensor, and the file in the same folder that has it. */
#include <stdio.h>
#include <string.h>
#include "core/base/json_text.h"
#include "core/format/folder.h"
#include "core/format/json_value.h"
#include "core/format/st_table.h"
#include "core/weights/files/files.h"

enum { DEPTH_MAX = 8, SHARDS_MAX = 1024 };

bool pf_weights_is_index(const char *path)
{
    static const char end[] = ".index.json";
    const size_t n = strlen(path), m = sizeof end - 1;
    return n > m && !strcmp(path + n - m, end);
}

bool pf_weights_is_shard(const char *path, unsigned *k, unsigned *n)
{
    enum { BEFORE_OF = 6 };                              /* characters of "-00001", which stand before "-of-" */
    int end = 0;                                         /* bytes of "-00001-of-00002."; 0: no match */
    const char *last = strstr(path, "-of-");
    for (const char *next = last; next; next = strstr(next + 1, "-of-")) last = next;
    return last && last - path > BEFORE_OF && sscanf(last - BEFORE_OF, "-%5u-of-%5u.%n", k, n, &end) == 2 && end
        && !strchr(last, '/') && *n > 1;
}

/* The shards that are open so far: their names in the index, and in joined->part the files. */
typedef struct shards { const char *name[SHARDS_MAX]; pf_st *joined; } shards;

/* Refuses the name of a shard that leads out of the folder: by it an index could make the program read any file. */
static peft_status check_name(const char *tensor, const char *name)
{
    if (name && *name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..")) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "weight_map: tensor '%.80s' is in the file '%.80s'; expected the name of a file in "
                   "the folder of the index", tensor, name ? name : "(not a text)");
}

/* The shard of this name, which is opened if it is not yet. */
static peft_status take_shard(shards *s, const char *index, const char *name,
                              peft_status (*open)(peft_context *ctx, const char *file, pf_st **out), pf_st **out)
{
    pf_st *joined = s->joined;
    for (size_t i = joined->parts; i-- > 0;)
        if (!strcmp(s->name[i], name)) {
            *out = joined->part[i];
            return PEFT_OK;
        }
    if (joined->parts == SHARDS_MAX)
        return pf_fail(PEFT_E_UNSUPPORTED, "weight_map: more than %d files", SHARDS_MAX);
    const char *slash = strrchr(index, '/');
    char *path = pf_alloc(joined->ctx, strlen(index) + strlen(name) + 1);
    if (!path) return pf_nomem("path of a shard", strlen(index) + strlen(name) + 1);
    sprintf(path, "%.*s%s", slash ? (int)(slash + 1 - index) : 0, index, name);
    peft_status status = open(joined->ctx, path, out);
    pf_free(joined->ctx, path);
    if (status) return pf_prefix_error(status, "shard %s", name);
    s->name[joined->parts] = name;
    joined->part[joined->parts++] = *out;
    return PEFT_OK;
}

static peft_status open_all(shards *s, const char *index, const json_t *map,
                            peft_status (*open)(peft_context *ctx, const char *file, pf_st **out))
{
    const char *tensor;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, tensor, value) {
        const char *name = json_string_value(value);
        pf_st *shard;
        PF_TRY(check_name(tensor, name));
        PF_TRY(take_shard(s, index, name, open, &shard));
        if (!pf_st_find(shard, tensor))
            return pf_fail(PEFT_E_FORMAT, "weight_map: tensor '%.80s' is not in the file '%.80s' of it: the files do "
                           "not belong together, fetch them again", tensor, name);
    }
    return PEFT_OK;
}

/* Fills the table with the tensors of all parts and the metadata of the first part. The texts are not copied: they
 * belong to the parts, which st owns. */
static peft_status join(pf_st *st)
{
    size_t n = 0;
    const pf_st *first = st->part[0];
    for (size_t p = 0; p < st->parts; p++) {
        st->count += st->part[p]->count;
        st->copies_left += st->part[p]->copies_left;
    }
    if (st->count > PF_ST_TENSORS)
        return pf_fail(PEFT_E_FORMAT, "has %zu tensors; expected at most %d", st->count, PF_ST_TENSORS);
    st->meta_count = first->meta_count;
    PF_TRY(pf_st_allocate(st, 0));
    for (size_t p = 0; p < st->parts; p++)
        for (size_t i = 0; i < st->part[p]->count; i++) st->tensor[n++] = st->part[p]->tensor[i];
    for (size_t i = 0; i < st->meta_count; i++) st->meta[i] = first->meta[i];
    pf_st_sort_by_place(st);
    return pf_st_index(st);
}

/* Opens the shards that the parsed index names, as parts of st. */
static peft_status open_parts(pf_st *st, const char *index, const json_t *root,
                              peft_status (*open)(peft_context *ctx, const char *file, pf_st **out))
{
    shards s = { .joined = st };
    const json_t *map = pf_json_get(root, "weight_map");
    if (!json_is_object(map) || !json_object_size(map))
        return pf_fail(PEFT_E_FORMAT, "expected the object \"weight_map\" with the file of each tensor");
    st->part = pf_alloc(st->ctx, SHARDS_MAX * sizeof(pf_st *));
    if (!st->part) return pf_nomem("shards", SHARDS_MAX * sizeof(pf_st *));
    PF_TRY(open_all(&s, index, map, open));
    return join(st);
}

static peft_status read_index(peft_context *ctx, const char *index, json_t **root)
{
    pf_map *m;
    PF_TRY(pf_map_read(ctx, index, PF_WHOLE_FILE, &m));
    peft_status s = pf_json_parse_config((const char *)pf_map_data(m), pf_map_size(m), DEPTH_MAX, root);
    pf_map_close(m);
    return s;
}

peft_status pf_shards_open(peft_context *ctx, const char *index,
                           peft_status (*open)(peft_context *ctx, const char *file, pf_st **out), pf_st **out)
{
    json_t *root = NULL;
    pf_map *const no_map = NULL;
    pf_st *st;
    PF_TRY(pf_st_create(ctx, no_map, &st));
    peft_status s = read_index(ctx, index, &root);
    if (!s) s = open_parts(st, index, root, open);
    json_decref(root);
    if (s) pf_st_close(st);
    else *out = st;
    return s ? pf_prefix_error(s, "%s", index) : PEFT_OK;
}
