/* SPDX-License-Identifier: Apache-2.0
 * mask.c -- makes and frees masks; their getters, and their values as labels and as targets. */
#include "io/image/mask/mask.h"

peft_status io_mask_new(peft_context *ctx, int64_t width, int64_t height, int64_t classes, bool multilabel,
                        peft_mask **out)
{
    int64_t pixels, values;
    if (width < 1 || height < 1 || classes < 1 || classes > IO_MASK_CLASSES)
        return io_fail(PEFT_E_INVALID, "mask: %lldx%lld pixels (height x width), %lld classes; expected positive "
                       "sides, and 1 to %d classes", (long long)height, (long long)width, (long long)classes,
                       (int)IO_MASK_CLASSES);
    const int64_t planes = multilabel ? classes : 1;
    if (__builtin_mul_overflow(width, height, &pixels) || __builtin_mul_overflow(pixels, planes, &values) ||
        values > 1ll << 45)
        return io_fail(PEFT_E_INVALID, "mask: %lldx%lld pixels (height x width) with %lld values each are too large; "
                       "expected at most 2^46 bytes", (long long)height, (long long)width, (long long)planes);
    peft_mask *m = io_alloc(ctx, (int64_t)sizeof *m + values * (int64_t)sizeof m->value[0], 1);
    if (!m) return io_nomem("mask");
    *m = (peft_mask){ .ctx = peft_sys_context_retain(ctx), .width = width, .height = height, .classes = classes,
                      .planes = planes, .multilabel = multilabel, .outside = PEFT_MASK_IGNORED };
    atomic_init(&m->refs, 1);
    *out = m;
    return PEFT_OK;
}

void peft_mask_free(peft_mask *m)
{
    if (!m || !io_release(&m->refs)) return;
    peft_context *ctx = m->ctx;
    peft_sys_free(ctx, m);
    peft_context_free(ctx);
}

int64_t peft_mask_width(const peft_mask *m) { return m ? m->width : 0; }
int64_t peft_mask_height(const peft_mask *m) { return m ? m->height : 0; }
int64_t peft_mask_classes(const peft_mask *m) { return m ? m->classes : 0; }
int     peft_mask_multilabel(const peft_mask *m) { return m && m->multilabel; }

peft_status peft_mask_from_labels(peft_context *ctx, const int64_t *labels, int64_t width, int64_t height,
                                  int64_t classes, peft_mask **out)
{
    peft_mask *m;
    if (!ctx || !labels || !out)
        return io_fail(PEFT_E_INVALID, "mask from labels: %s is NULL", !ctx ? "ctx" : labels ? "out" : "labels");
    peft_status s = io_mask_new(ctx, width, height, classes, false, &m);
    if (s) return s;
    for (int64_t i = 0; i < width * height; i++) {
        if (labels[i] < PEFT_MASK_IGNORED || labels[i] >= classes) {
            peft_mask_free(m);
            return io_fail(PEFT_E_INVALID, "mask from labels: %lld at column %lld, row %lld; expected 0 to %lld, or -1 "
                           "for a pixel that is not judged", (long long)labels[i], (long long)(i % width),
                           (long long)(i / width), (long long)classes - 1);
        }
        m->value[i] = (int16_t)labels[i];
    }
    *out = m;
    return PEFT_OK;
}

peft_status peft_mask_from_targets(peft_context *ctx, const float *targets, int64_t width, int64_t height,
                                   int64_t classes, peft_mask **out)
{
    peft_mask *m;
    char given[32];
    if (!ctx || !targets || !out)
        return io_fail(PEFT_E_INVALID, "mask from targets: %s is NULL", !ctx ? "ctx" : targets ? "out" : "targets");
    peft_status s = io_mask_new(ctx, width, height, classes, true, &m);
    if (s) return s;
    for (int64_t i = 0; i < width * height * classes; i++) {
        const float v = targets[i];
        const int64_t pixel = i / classes;
        if (v != 0 && v != 1 && v != PEFT_MASK_IGNORED) {
            peft_mask_free(m);
            return io_fail(PEFT_E_INVALID, "mask from targets: %s at column %lld, row %lld, class %lld; expected 0, 1 "
                           "or -1", peft_sys_opt_number(given, (double)v), (long long)(pixel % width),
                           (long long)(pixel / width), (long long)(i % classes));
        }
        m->value[i] = (int16_t)v;
    }
    *out = m;
    return PEFT_OK;
}

void io_mask_write_labels(const int16_t *value, int64_t pixels, int64_t *out)
{
    for (int64_t i = 0; i < pixels; i++) out[i] = value[i];
}

void io_mask_write_targets(const int16_t *value, int64_t pixels, int64_t classes, bool multilabel, float *out)
{
    for (int64_t i = 0; i < pixels; i++)
        for (int64_t c = 0; c < classes; c++, out++)
            *out = multilabel ? (float)value[i * classes + c] : value[i] == PEFT_MASK_IGNORED ? PEFT_MASK_IGNORED
                                                                                              : value[i] == c;
}

peft_status peft_mask_labels(const peft_mask *m, int64_t *out)
{
    if (!m || !out) return io_fail(PEFT_E_INVALID, "mask: %s is NULL", m ? "out" : "mask");
    if (m->multilabel)
        return io_fail(PEFT_E_UNSUPPORTED, "mask: a pixel may be of several of the %lld classes, which labels cannot "
                       "tell; use peft_mask_targets", (long long)m->classes);
    io_mask_write_labels(m->value, m->width * m->height, out);
    return PEFT_OK;
}

peft_status peft_mask_targets(const peft_mask *m, float *out)
{
    if (!m || !out) return io_fail(PEFT_E_INVALID, "mask: %s is NULL", m ? "out" : "mask");
    io_mask_write_targets(m->value, m->width * m->height, m->classes, m->multilabel, out);
    return PEFT_OK;
}
