/* SPDX-License-Identifier: Apache-2.0
 * transform.c -- peft_transform: made from a text of settings; turns an image into network input [3, height, width]. */
#include "io/transform/transform.h"
#include "io/transform/steps.h"

peft_status peft_transform_parse(peft_context *ctx, const char *text, peft_transform **out)
{
    const char *const no_base = NULL;                         /* text overwrites the defaults */
    return peft_transform_parse_over(ctx, no_base, text, out);
}

peft_status peft_transform_parse_over(peft_context *ctx, const char *base, const char *text, peft_transform **out)
{
    if (!ctx || !out) return io_fail(PEFT_E_INVALID, "transform: %s is NULL", ctx ? "out" : "ctx");
    peft_transform *t = io_alloc(ctx, 1, sizeof *t);
    if (!t) return io_nomem("transform");
    t->ctx = peft_sys_context_retain(ctx);
    atomic_init(&t->refs, 1);
    atomic_init(&t->warned_of_dark, false);
    peft_status s = io_recipe_parse(base, text, &t->recipe);
    if (!s) s = io_recipe_print(ctx, &t->recipe, &t->text);
    if (s) peft_transform_free(t);
    else *out = t;
    return s;
}

void peft_transform_free(peft_transform *t)
{
    if (!t || !io_release(&t->refs)) return;
    peft_context *ctx = t->ctx;
    peft_sys_free(ctx, t->text);
    peft_sys_free(ctx, t);
    peft_context_free(ctx);
}

const char *peft_transform_text(const peft_transform *t) { return t ? t->text : NULL; }
int64_t     peft_transform_height(const peft_transform *t) { return t ? t->recipe.size.height : 0; }
int64_t     peft_transform_width(const peft_transform *t) { return t ? t->recipe.size.width : 0; }
int64_t     peft_transform_size(const peft_transform *t)
{
    return !t ? 0 : t->recipe.size.height == t->recipe.size.width ? t->recipe.size.height : -1;
}

/* Turns samples [height, width, channels] into network input [3, height, width]; grey is repeated three times. 8-bit
 * samples are looked up in a table. */
static void normalise(const io_recipe *r, const peft_image *im, float *out)
{
    int64_t pixels = im->width * im->height, channels = im->channels;
    for (int c = 0; c < 3; c++, out += pixels) {
        int64_t channel = channels == 3 ? c : 0;
        const uint16_t *samples16 = (const uint16_t *)im->pixels + channel;
        const uint8_t *samples8 = (const uint8_t *)im->pixels + channel;
        float table[256];
        for (int v = 0; v < 256; v++) table[v] = io_normalise(r, c, v, 255);
        for (int64_t i = 0; i < pixels; i++)
            out[i] = im->type == IO_U8 ? table[samples8[i * channels]]
                                       : io_normalise(r, c, samples16[i * channels], 65535);
    }
}

/* A run's warned_of_dark may be written, which changes no result of a const transform. */
static io_run run_of(const peft_transform *t, io_use use)
{
    return (io_run){ .ctx = t->ctx, .recipe = &t->recipe, .training = use.training, .seed = use.seed,
                     .epoch = use.epoch, .sample = use.sample,
                     .warned_of_dark = &((peft_transform *)t)->warned_of_dark };
}

/* The steps replace the image by their results, so they get a reference of it. */
peft_status io_transform_prepare(const peft_transform *t, const peft_image *im, io_use use, peft_image **out)
{
    const io_run run = run_of(t, use);
    peft_image *work = io_image_retain(im);
    peft_status s = io_steps_prepare(&run, &work);
    if (!s) *out = work;
    return s;
}

peft_status io_transform_finish(const peft_transform *t, const peft_image *prepared, io_use use, float *out)
{
    const io_run run = run_of(t, use);
    peft_image *work = io_image_retain(prepared);
    peft_status s = io_steps_finish(&run, &work);
    if (s) return s;
    normalise(run.recipe, work, out);
    peft_image_free(work);
    io_steps_apply_to_input(&run, out);
    return PEFT_OK;
}

static peft_status apply(const peft_transform *t, const peft_image *im, io_use use, float *out)
{
    peft_image *prepared;
    if (!t || !im || !out)
        return io_fail(PEFT_E_INVALID, "transform: %s is NULL", !t ? "transform" : !im ? "image" : "out");
    peft_status s = io_transform_prepare(t, im, use, &prepared);
    if (s) return s;
    s = io_transform_finish(t, prepared, use, out);
    peft_image_free(prepared);
    return s;
}

peft_status peft_transform_apply(const peft_transform *t, const peft_image *im, float *out)
{
    return apply(t, im, (io_use){ .training = false }, out);
}

peft_status peft_transform_apply_train(const peft_transform *t, const peft_image *im, uint64_t seed, int64_t epoch,
                                       int64_t sample, float *out)
{
    return apply(t, im, (io_use){ .training = true, .seed = seed, .epoch = epoch, .sample = sample }, out);
}

peft_status peft_transform_box(const peft_transform *t, int64_t width, int64_t height, double box[4])
{
    if (!t || !box) return io_fail(PEFT_E_INVALID, "transform: %s is NULL", t ? "box" : "transform");
    if (width < 1 || height < 1)
        return io_fail(PEFT_E_INVALID, "transform: given an image of %lldx%lld pixels (height x width), expected sides "
                       "of 1 and more", (long long)height, (long long)width);
    io_fit_box(&t->recipe, width, height, box);
    return PEFT_OK;
}
