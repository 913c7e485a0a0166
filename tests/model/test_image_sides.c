/* SPDX-License-Identifier: Apache-2.0
 * test_image_sides.c -- backbones for images that are not square: positions as golden/image_sides.py computes them with
 * PyTorch and timm, the option image_size=HxW, files, and what refuses such images. */
#include <math.h>
#include "tiny_files.h"
#include "core/adapt/adapter.h"
#include "core/format/safetensors.h"

#ifndef PEFT_SOURCE_DIR
#  error "compile with -DPEFT_SOURCE_DIR"
#endif
enum { HEAD = 8, WIDTH = 8, NATIVE = 4 };              /* elements of a head; of a token; patches along a side */
static const int grids[][2] = { { 3, 6 }, { 6, 2 } };
enum { GRIDS = sizeof grids / sizeof *grids };

static pf_st *golden(peft_context *ctx)
{
    pf_st *file;
    OK(pf_st_open(ctx, PEFT_SOURCE_DIR "/tests/model/golden/image_sides.safetensors", &file));
    return file;
}

/* The numbers of a tensor of the file, `count` of them. */
static const double *numbers(const pf_st *file, const char *name, int64_t count)
{
    const pf_st_tensor *t = pf_st_find(file, name);
    ck_assert_msg(t && t->type == PEFT_F64 && t->bytes == (size_t)count * sizeof(double), "%s", name);
    return t->data;
}

START_TEST(positions_are_resampled_to_rows_and_columns)
{
    static const char *const rules[] = { "timm", "hf", "mmcls", "torchvision", "bilinear" };
    static const char network[] = "image_size=16,patch=4,width=8,depth=1,heads=1,mlp=8,classes=0";
    peft_context *ctx = tiny_plain_context();
    pf_st *file = golden(ctx);
    peft_backbone *square = tiny_backbone(ctx, network, NULL);
    pk_real *pos = (pk_real *)(uintptr_t)peft_tensor_cdata(pf_backbone_find(square, "pos_embed"));
    const double *from = numbers(file, "pos", (1 + NATIVE * NATIVE) * WIDTH);
    for (int i = 0; i < (1 + NATIVE * NATIVE) * WIDTH; i++) pos[i] = (pk_real)from[i];
    OK(peft_backbone_save(square, tiny_path("square.safetensors")));
    for (int g = 0; g < GRIDS; g++)
        for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
            char options[96], name[64];
            const int h = grids[g][0], w = grids[g][1], count = (1 + h * w) * WIDTH;
            snprintf(options, sizeof options, "image_size=%dx%d,resample=%s", 4 * h, 4 * w, rules[r]);
            snprintf(name, sizeof name, "pos.%s.%dx%d", rules[r], h, w);
            peft_backbone *b = tiny_load(ctx, tiny_path("square.safetensors"), options);
            const peft_tensor *t = pf_backbone_find(b, "pos_embed");
            const pk_real *x = peft_tensor_cdata(t);
            const double *want = numbers(file, name, count);
            ck_assert_int_eq(peft_tensor_count(t), count);
            for (int i = 0; i < count; i++)
                ck_assert_msg(fabs((double)x[i] - want[i]) < 2e-7 * (1 + fabs(want[i])), "%s, %d: %.9g, expected %.9g",
                              name, i, (double)x[i], want[i]);
            ck_assert_str_eq(peft_backbone_fingerprint(b), peft_backbone_fingerprint(square));
            peft_backbone_free(b);
        }
    peft_backbone_free(square);
    pf_st_close(file);
    peft_context_free(ctx);
}
END_TEST

/* Compares a table of rotary positions of one head with sines and cosines [patches, 2 HEAD]. */
static void same_table(const pf_vit_shape *s, const pk_real *table, const double *want, const char *name)
{
    for (int64_t p = 0; p < pf_vit_patches(s); p++)
        for (int i = 0; i < HEAD; i++) {
            const pk_real *row = table + p * 2 * HEAD;
            const bool first = s->rope.halves ? i < HEAD / 2 : i % 2 == 0;         /* has the negative sine */
            const double sine = want[p * 2 * HEAD + i], cosine = want[p * 2 * HEAD + HEAD + i];
            const double signed_sine = first ? -sine : sine;
            const double error = fmax(fabs((double)row[i] - cosine), fabs((double)row[HEAD + i] - signed_sine));
            ck_assert_msg(error < 2e-6, "%s, patch %d, element %d: cosine %g, expected %g; sine %g", name, (int)p, i,
                          (double)row[i], cosine, (double)row[HEAD + i]);
        }
}

START_TEST(rotary_positions_follow_rows_and_columns)
{
    static const struct { const char *name; pf_rope rope; } kinds[] = {
        { "axial", { PF_ROPE_AXIAL, 100, 0, NATIVE, false, false } },
        { "axial_xy", { PF_ROPE_AXIAL, 50, 0, 0, true, false } },
        { "dinov3", { PF_ROPE_CENTRED, 100, 0, 0, false, true } },
        { "mixed", { PF_ROPE_MIXED, 1, 0, 0, false, false } },
        { "mixed_xy", { PF_ROPE_MIXED, 1, 0, 0, true, false } } };
    peft_context *ctx = tiny_plain_context();
    pf_st *file = golden(ctx);
    const double *given = numbers(file, "freqs", 2 * 2 * HEAD / 2);
    pk_real freqs[2 * 2 * HEAD / 2];
    for (int i = 0; i < 2 * 2 * HEAD / 2; i++) freqs[i] = (pk_real)given[i];
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (int g = 0; g < GRIDS; g++) {
            const int h = grids[g][0], w = grids[g][1], heads = kinds[k].rope.kind == PF_ROPE_MIXED ? 2 : 1;
            const pf_vit_shape s = { .image = { 4 * h, 4 * w }, .patch = 4, .width = 2 * HEAD, .heads = 2, .depth = 1,
                                     PF_PLAIN_VIT, .rope = kinds[k].rope };
            char name[64];
            pk_real tables[2 * 18 * 2 * HEAD];
            snprintf(name, sizeof name, "rope.%s.%dx%d", kinds[k].name, h, w);
            const double *want = numbers(file, name, (int64_t)heads * h * w * 2 * HEAD);
            ck_assert_int_eq(pf_rope_tables(&s), heads);
            pf_rope_fill(&s, freqs, tables);
            for (int i = 0, n = h * w * 2 * HEAD; i < heads; i++) same_table(&s, tables + i * n, want + i * n, name);
        }
    pf_st_close(file);
    peft_context_free(ctx);
}
END_TEST

START_TEST(height_and_width_are_facts)
{
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = tiny_backbone(ctx, NULL, "image_size=8x20,patch=4,registers=2");
    const struct { const char *name; int value; } facts[] = {
        { "image_size", -1 }, { "image_height", 8 }, { "image_width", 20 }, { "tokens", 1 + 2 + 10 }, { "patch", 4 } };
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        ck_assert_msg(peft_backbone_get(b, facts[i].name) == facts[i].value, "%s", facts[i].name);
    peft_backbone_free(b);
    b = tiny_backbone(ctx, NULL, "image_size=8x8,patch=4");
    ck_assert_int_eq(peft_backbone_get(b, "image_size"), 8);
    ck_assert_int_eq(peft_backbone_get(b, "image_height"), 8);
    peft_backbone_free(b);
    static const struct { const char *given, *message; peft_status status; } bad[] = {
        { "8x22", "image_size 8x22: expected height and width that are multiples of the patch side 4", PEFT_E_INVALID },
        { "8x", "option 'image_size' is '8x'; expected N or HxW from 1 to 65536", PEFT_E_OPTION },
        { "0", "'0'; expected N or HxW", PEFT_E_OPTION }, { "8x0", "N or HxW", PEFT_E_OPTION },
        { "8x65540", "N or HxW from 1 to 65536", PEFT_E_OPTION }, { "-8x8", "N or HxW", PEFT_E_OPTION } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        peft_options *o = tiny_options(ctx, "%s,patch=4,image_size=%s", TINY_BACKBONE, bad[i].given);
        FAILS(bad[i].status, bad[i].message, peft_backbone_create(ctx, o, &b));
        peft_options_free(o);
    }
    peft_context_free(ctx);
}
END_TEST

/* Saves a backbone and loads it without options: the same network at the same size. */
static void check_file(peft_context *ctx, const char *options)
{
    peft_backbone *b = tiny_backbone(ctx, NULL, options);
    OK(peft_backbone_save(b, tiny_path("b.safetensors")));
    peft_backbone *again = tiny_load(ctx, tiny_path("b.safetensors"), ""),
                  *square = tiny_load(ctx, tiny_path("b.safetensors"), "image_size=16");
    tiny_same_backbone(b, again, options);
    ck_assert(pf_grid_equal(b->shape.image, again->shape.image));
    ck_assert_int_eq(peft_backbone_get(square, "image_size"), 16);
    ck_assert_str_eq(peft_backbone_fingerprint(b), peft_backbone_fingerprint(square));
    peft_backbone_free(square);
    peft_backbone_free(again);
    peft_backbone_free(b);
}

START_TEST(files_keep_height_and_width)
{
    peft_context *ctx = tiny_plain_context();
    check_file(ctx, "image_size=8x16,patch=4,classes=5");
    check_file(ctx, "image_size=4x16,patch=4");                /* as many patches as a square of 2 x 2 */
    check_file(ctx, "image_size=8x32,patch=4,registers=2");     /* as those of 4 x 4 */
    check_file(ctx, "image_size=12x8,patch=4,rope=axial,pos_embed=false,no_embed_class=true");
    peft_backbone *b = tiny_backbone(ctx, NULL, "image_size=8x16,patch=4");
    static const char *const namings[] = { "hf", "hf5", "torchvision" };
    for (size_t i = 0; i < sizeof namings / sizeof *namings; i++) {
        peft_options *o = tiny_options(ctx, "naming=%s,classifier=false", namings[i]);
        FAILS(PEFT_E_UNSUPPORTED, "for a backbone of image_size 8x16: files of that naming are read as those of square",
              peft_backbone_save_as(b, tiny_path("other.safetensors"), o));
        peft_options_free(o);
    }
    peft_backbone_free(b);
    tiny_clean();
    peft_context_free(ctx);
}
END_TEST

START_TEST(models_record_height_and_width)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "vp", .more = "image_size=8x16,patch=4", .adapter = "width=2" });
    const peft_tensor *up = &pf_params_find(&t.adapter->params, "pad_up")->value,
                      *left = &pf_params_find(&t.adapter->params, "pad_left")->value;
    ck_assert_int_eq(peft_tensor_dim(up, 3), 16);
    ck_assert_int_eq(peft_tensor_dim(left, 2), 4);
    OK(peft_model_save(t.model, tiny_path("model.safetensors")));
    peft_model *again;
    OK(peft_model_load(t.backbone, tiny_path("model.safetensors"), &again));
    peft_model_free(again);
    OK(peft_backbone_save(t.backbone, tiny_path("b.safetensors")));
    peft_backbone *other = tiny_load(t.ctx, tiny_path("b.safetensors"), "image_size=16x8");
    FAILS(PEFT_E_MISMATCH, "trained at image_size 8x16, the backbone was loaded at 16x8: load it with image_size=8x16",
          peft_model_load(other, tiny_path("model.safetensors"), &again));
    peft_backbone_free(other);
    tiny_clean();
    tiny_free(&t);
}
END_TEST

START_TEST(images_of_other_sides_are_refused)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora", .more = "image_size=8x16,patch=4" });
    peft_session *s = tiny_session(t.model, "batch=2");
    peft_tensor *turned = tiny_tensor(t.ctx, PEFT_F32, 4, 1, 3, 16, 8), *logits = tiny_tensor(t.ctx, PEFT_F32, 2, 1, 3);
    FAILS(PEFT_E_SHAPE, "images: given [1, 3, 16, 8], expected [1..2, 3, 8, 16]",
          peft_session_predict(s, turned, logits));
    peft_options *o = tiny_method_options(t.ctx, "fpt", NULL);
    peft_adapter *a;
    FAILS(PEFT_E_UNSUPPORTED, "method 'fpt': given images of 8x16 (height x width), expected square ones: load the "
          "backbone with image_size=N", peft_adapter_create(t.backbone, "fpt", o, &a));
    ck_assert_int_eq(pf_vit_of(&t.backbone->shape).image, -1);
    peft_options_free(o);
    peft_tensor_free(turned);
    peft_tensor_free(logits);
    peft_session_free(s);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("image sides", positions_are_resampled_to_rows_and_columns, rotary_positions_follow_rows_and_columns,
           height_and_width_are_facts, files_keep_height_and_width, models_record_height_and_width,
           images_of_other_sides_are_refused)
