/* SPDX-License-Identifier: Apache-2.0
 * source.c -- statistics of the features of training images, which adaptors store in a model: mean and deviation of
 * every channel of every block's feature. They belong to the values of the model's parameters, of which a checksum is
 * kept beside them. Merging moves them on: the features of a model are those of the backbone that it is merged into, up
 * to rounding, and thus of a model that is made of that backbone. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/format/meta.h"
#include "core/model/model.h"

static const char *const names[PF_SOURCES] = { "class_token", "all_tokens" };

/* "libpeft.source.class_token.mean" */
static void key_of(char key[64], int i, const char *suffix)
{
    snprintf(key, 64, "libpeft.source.%s.%s", names[i], suffix);
}

peft_status pf_source_write(pf_st_out *o, const peft_model *m)
{
    char key[64], sum[24];
    for (int i = 0; i < PF_SOURCES; i++) {
        const pf_source_statistics *s = &m->source[i];
        const int64_t dims[] = { s->depth, s->width };
        if (!s->images) continue;
        key_of(key, i, "images");
        PF_TRY(pf_meta_add_int(o, key, s->images));
        key_of(key, i, "model");
        snprintf(sum, sizeof sum, "%016llx", (unsigned long long)s->model_checksum);
        PF_TRY(pf_st_out_meta(o, key, sum));
        key_of(key, i, "mean");
        PF_TRY(pf_st_out_tensor(o, key, PEFT_F64, 2, dims, s->mean));
        key_of(key, i, "deviation");
        PF_TRY(pf_st_out_tensor(o, key, PEFT_F64, 2, dims, s->deviation));
    }
    return PEFT_OK;
}

/* Copies a tensor of the file, finite numbers of type f64 with the extents of s. */
static peft_status read_tensor(const pf_st *st, const char *name, const pf_source_statistics *s, double *to)
{
    const int64_t dims[] = { s->depth, s->width };
    PF_TRY(pf_check_stored_extents(st, name, 2, dims));
    const pf_st_tensor *t = pf_st_find(st, name);
    if (t->type != PEFT_F64) return pf_fail(PEFT_E_DTYPE, "tensor '%s': given %s, expected F64", name, t->type_name);
    memcpy(to, t->data, t->bytes);
    for (int64_t i = 0; i < s->depth * s->width; i++)
        if (!isfinite(to[i])) return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf", name);
    return PEFT_OK;
}

/* Reads statistics i of the file, if it has some. */
static peft_status read_one(const pf_st *st, peft_model *m, int i)
{
    char key[64];
    const char *sum;
    pf_source_statistics *s = &m->source[i];
    key_of(key, i, "images");
    if (!pf_st_meta(st, key)) return PEFT_OK;
    int64_t images;
    PF_TRY(pf_meta_read_int(st, key, &images));
    if (images < 2) return pf_fail(PEFT_E_FORMAT, "metadata entry '%s': given %lld, expected 2 or more", key,
                                   (long long)images);
    key_of(key, i, "model");
    PF_TRY(pf_meta_read_text(st, key, &sum));
    PF_TRY(pf_source_make(s, m->backbone->ctx, m->backbone->shape.depth, m->backbone->shape.width));
    s->model_checksum = strtoull(sum, NULL, 16);
    key_of(key, i, "mean");
    PF_TRY(read_tensor(st, key, s, s->mean));
    key_of(key, i, "deviation");
    PF_TRY(read_tensor(st, key, s, s->deviation));
    s->images = images;
    return PEFT_OK;
}

peft_status pf_source_read(const pf_st *st, peft_model *m)
{
    for (int i = 0; i < PF_SOURCES; i++) PF_TRY(read_one(st, m, i));
    return PEFT_OK;
}

bool pf_source_has(const peft_model *m, const char *name)
{
    char key[64];
    for (int i = 0; i < PF_SOURCES; i++)
        for (int k = 0; k < 2 && m->source[i].images; k++) {
            key_of(key, i, k ? "deviation" : "mean");
            if (!strcmp(name, key)) return true;
        }
    return false;
}

peft_status pf_source_inherit(peft_model *m, const peft_backbone *b)
{
    if (m->pool != b->shape.pool) return PEFT_OK;    /* its pooled feature is another one */
    for (int i = 0; i < PF_SOURCES; i++) {
        if (!b->source[i].images) continue;
        PF_TRY(pf_source_copy(&m->source[i], b->ctx, &b->source[i]));
        m->source[i].model_checksum = pf_model_checksum(m);
    }
    return PEFT_OK;
}

peft_status pf_source_merge(const peft_model *m, peft_backbone *to)
{
    for (int i = 0; i < PF_SOURCES; i++) {
        const pf_source_statistics *s = &m->source[i];
        if (!s->images) continue;
        if (s->model_checksum != pf_model_checksum(m)) {
            pf_warn(to->ctx, "the statistics of training images that are stored in the model belong to other values of "
                    "its parameters: the merged backbone does not get them");
            continue;
        }
        PF_TRY(pf_source_copy(&to->source[i], to->ctx, s));
        to->source[i].model_checksum = 0;
    }
    return PEFT_OK;
}
