/* SPDX-License-Identifier: Apache-2.0
 * create.c -- makes and frees segmenters: reads the options, checks that the model gives a map, and computes the
 * weights of a tile's pixels. */
#include "io/segmenter/segmenter.h"
#include <math.h>

/* Rows of { name, kind, default, lowest, highest, help }, where the value is stored, words. Kinds: 'i' integer, 'f'
 * number, 'c' word. */
#define STORED_IN(field) offsetof(io_segment_options, field)
static const peft_opt_key keys[] = {
    { { "mode", 'c', "whole", 0, 0, "whole: the whole image is resized; tiles: parts of the size of the model's input, "
        "which overlap" }, STORED_IN(mode), "whole|tiles" },
    { { "overlap", 'f', "0.5", 0, 0.9, "tiles: least share of its side that a tile has in common with the one before "
        "it" }, STORED_IN(overlap), NULL },
    { { "blend", 'c', "gaussian", 0, 0, "tiles: weights of the pixels of a tile where tiles overlap" },
      STORED_IN(blend), "gaussian|linear|constant" },
    { { "trim", 'i', "0", 0, 1 << 20, "tiles: pixels along the inner edges of a tile that are left out" },
      STORED_IN(trim), NULL },
    { { "border", 'c', "reflect", 0, 0, "tiles: what continues an image that is smaller than a tile" },
      STORED_IN(border), "reflect|edge" },
    { { 0 }, 0, NULL }
};
#undef STORED_IN

const peft_option *peft_segmenter_option(size_t i) { return peft_sys_opt_row(keys, i); }

/* The model must give a map of at most IO_SEGMENT_CLASSES classes. */
static peft_status check_map(peft_segmenter *s)
{
    const peft_predictor *p = s->predictor;
    if (p->ndim != 3)
        return io_fail(PEFT_E_UNSUPPORTED, "segmenter: the model's head gives one class for the image, not a map; "
                       "train a model with a head that does, such as head=patch_linear, or use a predictor "
                       "(peft_predictor_create)");
    s->rows = p->dim[0], s->columns = p->dim[1], s->classes = p->dim[2];
    if (s->classes <= IO_SEGMENT_CLASSES) return PEFT_OK;
    return io_fail(PEFT_E_UNSUPPORTED, "segmenter: the model has %lld classes, expected at most %d, since labels are "
                   "written with 8 bits", (long long)s->classes, IO_SEGMENT_CLASSES);
}

/* Replaces the predictor by one of tiles: images that have the size of the input already. */
static peft_status use_tiles(peft_segmenter *s, io_runner r)
{
    peft_status status = peft_transform_parse_over(s->ctx, s->transform->text, "resize=none", &s->tile_transform);
    if (status) return status;
    atomic_store(&s->tile_transform->warned_of_dark, true);   /* io_range_of_parts warns of the whole image */
    peft_predictor_free(s->predictor);
    s->predictor = NULL;
    return io_predictor_create(r, s->tile_transform, &s->predictor);
}

/* Fills weight [length], the factors of a tile's rows or columns. */
static void fill_weights(const io_segment_options *o, int64_t length, float *weight)
{
    const double side = (double)length, middle = side / 2, ramp = o->overlap * side;
    for (int64_t i = 0; i < length; i++) {
        const double from_middle = fabs((double)i + 0.5 - middle), from_edge = middle - from_middle;
        const double deviations = from_middle / (side / 8);
        double w = 1;
        if (o->blend == IO_BLEND_GAUSSIAN) w = exp(-0.5 * deviations * deviations);
        if (o->blend == IO_BLEND_LINEAR && from_edge < ramp) w = from_edge / ramp;
        weight[i] = (float)w;
    }
}

static peft_status make_weights(peft_segmenter *s)
{
    const io_segment_options *o = &s->options;
    const int64_t shorter = s->height < s->width ? s->height : s->width;
    const double ramp = o->overlap * (double)shorter;
    if (2 * (double)o->trim > ramp)
        return io_fail(PEFT_E_OPTION, "segmenter: trim=%lld: tiles of %lld pixels with overlap=%g have %g pixels in "
                       "common, and each leaves out trim of them; expected trim up to %lld, or a larger overlap",
                       (long long)o->trim, (long long)shorter, o->overlap, floor(ramp), (long long)(ramp / 2));
    if (!(s->weight = io_alloc(s->ctx, s->height + s->width, sizeof *s->weight))) return io_nomem("segmenter");
    fill_weights(o, s->height, s->weight);
    fill_weights(o, s->width, s->weight + s->height);
    return PEFT_OK;
}

/* Options of tiles must have their defaults with mode=whole, which does not read them. */
static peft_status check_whole(const io_segment_options *o)
{
    io_segment_options d = *o;
    const peft_status status = peft_sys_opt_defaults(keys, &d);
    if (status) return status;
    const char *changed = o->trim != d.trim ? "trim" : o->blend != d.blend ? "blend" : o->border != d.border ? "border"
                          : o->overlap < d.overlap || o->overlap > d.overlap ? "overlap" : NULL;
    if (!changed) return PEFT_OK;
    return io_fail(PEFT_E_OPTION, "segmenter: %s: has no effect with mode=whole, which has no tiles; give mode=tiles "
                   "too, or leave it out", changed);
}

/* With an image of the model's input size, since a transform that crops it (crop_pct) crops images of all sizes. One
 * that only crops other proportions is found when such an image is segmented. */
static peft_status check_transform(const peft_segmenter *s)
{
    double box[4];
    return io_check_whole(s, s->width, s->height, box);
}

static peft_status init(peft_segmenter *s, io_runner r, peft_transform *transform, const char *options)
{
    peft_status status = peft_sys_opt_defaults(keys, &s->options);
    if (!status) status = peft_sys_opt_read(keys, options, "segmenter", &s->options, NULL);
    if (!status && s->options.mode == IO_MODE_WHOLE) status = check_whole(&s->options);
    if (!status) status = io_predictor_create(r, transform, &s->predictor);
    if (status) return status;
    s->height = s->predictor->height;
    s->width = s->predictor->width;
    s->transform = io_transform_retain(s->predictor->transform);
    status = check_map(s);
    if (!status && s->options.mode == IO_MODE_WHOLE) status = check_transform(s);
    if (status || s->options.mode == IO_MODE_WHOLE) return status;
    status = use_tiles(s, r);
    return status ? status : make_weights(s);
}

static peft_status make(io_runner r, peft_transform *transform, const char *options, peft_segmenter **out)
{
    peft_context *ctx = peft_backbone_context(peft_model_backbone(io_runner_model(r)));
    peft_segmenter *s = io_alloc(ctx, 1, sizeof *s);
    if (!s) return io_nomem("segmenter");
    s->ctx = peft_sys_context_retain(ctx);
    const peft_status status = init(s, r, transform, options);
    if (status) peft_segmenter_free(s);
    else *out = s;
    return status;
}

peft_status peft_segmenter_create(peft_session *session, peft_transform *transform, const char *options,
                                  peft_segmenter **out)
{
    if (!session || !out) return io_fail(PEFT_E_INVALID, "segmenter: %s is NULL", session ? "out" : "session");
    return make((io_runner){ .session = session }, transform, options, out);
}

peft_status peft_segmenter_create_adapting(peft_adaptor *adaptor, peft_transform *transform, const char *options,
                                           peft_segmenter **out)
{
    if (!adaptor || !out) return io_fail(PEFT_E_INVALID, "segmenter: %s is NULL", adaptor ? "out" : "adaptor");
    return make((io_runner){ .adaptor = adaptor }, transform, options, out);
}

void peft_segmenter_free(peft_segmenter *s)
{
    if (!s) return;
    peft_context *ctx = s->ctx;
    peft_predictor_free(s->predictor);
    peft_transform_free(s->tile_transform);
    peft_transform_free(s->transform);
    peft_sys_free(ctx, s->weight);
    peft_sys_free(ctx, s);
    peft_context_free(ctx);
}

int64_t     peft_segmenter_classes(const peft_segmenter *s) { return s ? s->classes : 0; }
const char *peft_segmenter_link(const peft_segmenter *s) { return s ? peft_predictor_link(s->predictor) : NULL; }
