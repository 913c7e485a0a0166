/* SPDX-License-Identifier: Apache-2.0
 * maps.c -- checks of the maps of a case. */
#include "core/metrics/segmentation/maps.h"
#include <stdio.h>
#include <string.h>

static peft_status check_type(const char *who, const char *name, const peft_tensor *t, bool targets)
{
    if (!t) return pf_fail(PEFT_E_INVALID, "%s: %s is NULL, expected a tensor", who, name);
    if (t->type == PEFT_U8 || t->type == (targets ? PEFT_F32 : PEFT_I64)) return PEFT_OK;
    return pf_fail(PEFT_E_DTYPE, "%s: %s: given %s, expected %s or u8", who, name, pf_dtype_name(t->type),
                   targets ? "f32" : "i64");
}

/* Sets size, flat and pixels from the extents, which both maps must have. */
static peft_status read_extents(pf_maps_pair *p, const char *who)
{
    const peft_tensor *a = p->map[PF_PREDICTED], *b = p->map[PF_TRUTH];
    const int axes = a->ndim - p->targets;
    char given[96], expected[96];
    if (axes != 2 && axes != 3)
        return pf_fail(PEFT_E_SHAPE, "%s: predicted: given %s, expected %s", who,
                       pf_dims_text(given, sizeof given, a->ndim, a->dim),
                       p->targets ? "[h, w, classes] or [d, h, w, classes]" : "[h, w] or [d, h, w]");
    if (a->ndim != b->ndim || memcmp(a->dim, b->dim, (size_t)a->ndim * sizeof *a->dim))
        return pf_fail(PEFT_E_SHAPE, "%s: predicted is %s and the truth %s, expected equal extents", who,
                       pf_dims_text(given, sizeof given, a->ndim, a->dim),
                       pf_dims_text(expected, sizeof expected, b->ndim, b->dim));
    if (p->targets && a->dim[axes] != p->classes)
        return pf_fail(PEFT_E_SHAPE, "%s: predicted: given %s, expected %lld classes as its last extent", who,
                       pf_dims_text(given, sizeof given, a->ndim, a->dim), (long long)p->classes);
    p->flat = axes == 2;
    p->size[0] = a->dim[0];
    p->size[1] = p->flat ? 1 : a->dim[1];
    p->size[2] = a->dim[axes - 1];
    p->pixels = p->size[0] * p->size[1] * p->size[2];
    for (int k = 0; k < 3; k++)
        if (p->size[k] < 1 || p->size[k] > INT32_MAX)
            return pf_fail(PEFT_E_SHAPE, "%s: predicted: given %s, expected extents from 1 to %d", who,
                           pf_dims_text(given, sizeof given, a->ndim, a->dim), INT32_MAX);
    return PEFT_OK;
}

static peft_status read_spacing(pf_maps_pair *p, const char *who, const double *spacing)
{
    const int axes = p->flat ? 2 : 3;
    for (int k = 0; k < 3; k++) p->spacing[k] = 1;
    for (int k = 0; spacing && k < axes; k++) {
        if (!(spacing[k] >= 1e-6 && spacing[k] <= 1e6))
            return pf_fail(PEFT_E_INVALID, "%s: spacing[%d]: given %g, expected 1e-6 to 1e6", who, k, spacing[k]);
        p->spacing[p->flat && k ? 2 : k] = spacing[k];
    }
    return PEFT_OK;
}

/* PEFT_E_INVALID: value i of a map is not what its kind allows. */
static peft_status check_value(const pf_maps_pair *p, const char *who, int which, int64_t i)
{
    const peft_tensor *t = p->map[which];
    const int64_t v = pf_map_value(t, i), last = p->targets ? 1 : p->classes - 1;
    if ((v >= 0 && v <= last) || (which == PF_TRUTH && v == -1)) {
        if (t->type != PEFT_F32 || ((const float *)t->data)[i] == (float)v) return PEFT_OK;
    }
    const int64_t pixel = p->targets ? i / p->classes : i, row = pixel / p->size[2];
    char text[96];
    if (p->flat) snprintf(text, sizeof text, "[%lld][%lld]", (long long)row, (long long)(pixel % p->size[2]));
    else snprintf(text, sizeof text, "[%lld][%lld][%lld]", (long long)(row / p->size[1]),
                  (long long)(row % p->size[1]), (long long)(pixel % p->size[2]));
    const double given = t->type == PEFT_F32 ? (double)((const float *)t->data)[i] : (double)v;
    return pf_fail(PEFT_E_INVALID, "%s: %s%s: given %.9g, expected %s%lld%s", who,
                   which == PF_TRUTH ? "truth" : "predicted", text, given, p->targets ? "0 or " : "0 to ",
                   (long long)last, which == PF_TRUTH ? ", or -1 for a pixel that is not judged" : "");
}

peft_status pf_maps_pair_make(pf_maps_pair *p, const char *who, const peft_tensor *predicted, const peft_tensor *truth,
                              int64_t classes, bool targets, const double *spacing)
{
    *p = (pf_maps_pair){ .map = { predicted, truth }, .targets = targets, .classes = classes };
    PF_TRY(check_type(who, "predicted", predicted, targets));
    PF_TRY(check_type(who, targets ? "targets" : "truth", truth, targets));
    PF_TRY(read_extents(p, who));
    PF_TRY(read_spacing(p, who, spacing));
    const int64_t values = targets ? p->pixels * classes : p->pixels;
    for (int which = PF_PREDICTED; which <= PF_TRUTH; which++)
        for (int64_t i = 0; i < values; i++) PF_TRY(check_value(p, who, which, i));
    return PEFT_OK;
}
