/* SPDX-License-Identifier: Apache-2.0
 * test_npz_backbone.c -- peft_npz_to_safetensors on Google's .npz files in their three layouts: every value is at its
 * place in the backbone; damaged files are refused and leave no output file. */
#include <peft/io.h>
#include <peft/peft.h>
#include "io_files.h"
#include <stdbool.h>

/* D width, F width of the MLP, P side of a patch, L blocks, N tokens, C classes; the image has 4 x 4 pixels, the
 * attention 2 heads. */
enum { D = 4, F = 6, P = 2, L = 2, N = 5, C = 3, MAX_ARRAYS = 64 };

/* The names and forms of the arrays: Google's augreg; big_vision; big_vision with the blocks stacked in one array. */
typedef enum { AUGREG, BIG_VISION, STACKED, LAYOUTS } npz_layout;
enum { OUTSIDE = -1 };                       /* in place of a block's number: an array outside the blocks */

/* The arrays of an .npz file. */
typedef struct {
    entry entries[MAX_ARRAYS];           /* the files in the archive */
    char name[MAX_ARRAYS][120], dims[MAX_ARRAYS][40];
    int n;
    const char *prefix;                  /* in front of every name */
} npz;

/* Adds an array whose value i is 1000 k + i for the k-th array of the file. shape: such as "4,2,2,". */
static void add(npz *z, const char *type, const char *name, const char *shape)
{
    static float v[4096];
    int64_t count = 1, extent;
    char dictionary[160];
    for (const char *s = shape; sscanf(s, "%ld", &extent) == 1; s = strchr(s, ',') + 1) count *= extent;
    for (int64_t i = 0; i < count; i++) v[i] = (float)(1000 * z->n + i);
    unsigned char *data = malloc(4096 + sizeof *v * (size_t)count);
    snprintf(dictionary, sizeof dictionary, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", type, shape);
    snprintf(z->name[z->n], sizeof z->name[0], "%s%s.npy", z->prefix, name);
    snprintf(z->dims[z->n], sizeof z->dims[0], "%s", shape);
    z->entries[z->n] = (entry){ z->name[z->n], data, npy_file(data, dictionary, v, sizeof *v * (size_t)count) };
    z->n++;
}

/* Makes all arrays of a ViT. prefix: in front of their names; without: an array to leave out, or NULL. */
static void make_arrays(npz *z, npz_layout layout, const char *prefix, const char *without)
{
    static const struct { const char *name, *shape;
    } top[] = { { "cls", "1,1,4," },
                { "embedding/kernel", "2,2,3,4," },
                { "embedding/bias", "4," },
                { "Transformer/encoder_norm/scale", "4," },
                { "Transformer/encoder_norm/bias", "4," },
                { "head/kernel", "4,3," },
                { "head/bias", "3," },
                { "pre_logits/kernel", "4,4," } };
    static const char *const module[2][4] = {        /* in augreg, and in big_vision; block[].module is the column */
        { "LayerNorm_0", "MultiHeadDotProductAttention_1", "LayerNorm_2", "MlpBlock_3" },
        { "LayerNorm_0", "MultiHeadDotProductAttention_0", "LayerNorm_1", "MlpBlock_0" } };
    static const struct { int module; const char *name, *shape;
    } block[] = { { 0, "scale", "4," },
                  { 0, "bias", "4," },
                  { 1, "query/kernel", "4,2,2," },
                  { 1, "key/kernel", "4,2,2," },
                  { 1, "value/kernel", "4,2,2," },
                  { 1, "query/bias", "2,2," },
                  { 1, "key/bias", "2,2," },
                  { 1, "value/bias", "2,2," },
                  { 1, "out/kernel", "2,2,4," },
                  { 1, "out/bias", "4," },
                  { 2, "scale", "4," },
                  { 2, "bias", "4," },
                  { 3, "Dense_0/kernel", "4,6," },
                  { 3, "Dense_0/bias", "6," },
                  { 3, "Dense_1/kernel", "6,4," },
                  { 3, "Dense_1/bias", "4," } };
    memset(z, 0, sizeof *z);
    z->prefix = prefix;
    for (size_t i = 0; i < sizeof top / sizeof *top; i++)
        if (!without || strcmp(top[i].name, without)) add(z, "<f4", top[i].name, top[i].shape);
    add(z, "<f4", layout == AUGREG ? "Transformer/posembed_input/pos_embedding" : "pos_embedding", "1,5,4,");
    for (int l = 0; l < (layout == STACKED ? 1 : L); l++)
        for (size_t i = 0; i < sizeof block / sizeof *block; i++) {
            char name[100], number[16] = "", shape[40];
            if (layout != STACKED) snprintf(number, sizeof number, "_%d", l);
            snprintf(name, sizeof name, "Transformer/encoderblock%s/%s/%s", number,
                     module[layout != AUGREG][block[i].module], block[i].name);
            snprintf(shape, sizeof shape, "%s%s", layout == STACKED ? "2," : "", block[i].shape);
            if (!without || strcmp(name, without)) add(z, "<f4", name, shape);
        }
}

static void make_without(npz *z, npz_layout layout, const char *without) { make_arrays(z, layout, "", without); }

/* Writes the arrays to a file and frees them. */
static void write_npz(npz *z, const char *path)
{
    zip_make(path, z->entries, (size_t)z->n);
    for (int i = 0; i < z->n; i++) free((void *)(uintptr_t)z->entries[i].data);
}

/* Value i of the array `name` in block l (of a stacked array: of its part l), or OUTSIDE the blocks. */
static float value(const npz *z, int l, const char *name, int64_t i)
{
    char path[120], stacked[120];
    snprintf(path, sizeof path, "encoderblock_%d/%s.npy", l, name);
    snprintf(stacked, sizeof stacked, "encoderblock/%s.npy", name);
    const char *outside = stacked + strlen("encoderblock/");   /* "name.npy" */
    for (int k = 0; k < z->n; k++) {
        int64_t count = 1, extent;
        for (const char *s = z->dims[k]; sscanf(s, "%ld", &extent) == 1; s = strchr(s, ',') + 1) count *= extent;
        if (strstr(z->name[k], path)) return (float)(1000 * k + i);
        if (strstr(z->name[k], stacked)) return (float)(1000 * k + l * count / L + i);
        if (l == OUTSIDE && !strcmp(z->name[k] + strlen(z->prefix), outside)) return (float)(1000 * k + i);
    }
    ck_abort_msg("no array %s", name);
}

static const float *tensor(const peft_backbone *b, const char *name)
{
    for (size_t i = 0; i < peft_backbone_tensor_count(b); i++)
        if (!strcmp(peft_backbone_tensor_name(b, i), name)) return peft_tensor_cdata(peft_backbone_tensor(b, i));
    ck_abort_msg("no tensor %s", name);
}

/* timm's matrix w [rows, in] is the transposed kernel [in, rows]. */
static void check_dense(const npz *z, int l, const char *name, const float *w, int in, int rows)
{
    for (int o = 0; o < rows; o++)
        for (int i = 0; i < in; i++) ck_assert_float_eq(w[o * in + i], value(z, l, name, i * rows + o));
}

/* w has the values of the array in the same order. */
static void check_plain(const npz *z, int l, const char *name, const float *w, int n)
{
    for (int i = 0; i < n; i++) ck_assert_float_eq(w[i], value(z, l, name, i));
}

/* The tensors of b have the values of the arrays. */
static void check_values(const npz *z, npz_layout layout, const peft_backbone *b)
{
    const bool augreg = layout == AUGREG;
    const char *attention = augreg ? "MultiHeadDotProductAttention_1" : "MultiHeadDotProductAttention_0",
               *mlp = augreg ? "MlpBlock_3" : "MlpBlock_0";
    const char *part[] = { "query", "key", "value" };
    char name[100], timm[64];
    const float *w = tensor(b, "patch_embed.proj.weight");
    for (int o = 0; o < D; o++)
        for (int c = 0; c < 3; c++)
            for (int p = 0; p < P * P; p++)
                ck_assert_float_eq(w[(o * 3 + c) * P * P + p],
                                   value(z, OUTSIDE, "embedding/kernel", (p * 3 + c) * D + o));
    check_plain(z, OUTSIDE, "cls", tensor(b, "cls_token"), D);
    check_plain(z, OUTSIDE, augreg ? "Transformer/posembed_input/pos_embedding" : "pos_embedding",
                tensor(b, "pos_embed"), N * D);
    check_plain(z, OUTSIDE, "Transformer/encoder_norm/bias", tensor(b, "norm.bias"), D);
    check_dense(z, OUTSIDE, "head/kernel", tensor(b, "head.weight"), D, C);
    for (int l = 0; l < L; l++) {
        for (int p = 0; p < 3; p++) {
            snprintf(name, sizeof name, "%s/%s/kernel", attention, part[p]);
            snprintf(timm, sizeof timm, "blocks.%d.attn.qkv.weight", l);
            check_dense(z, l, name, tensor(b, timm) + p * D * D, D, D);
            snprintf(name, sizeof name, "%s/%s/bias", attention, part[p]);
            snprintf(timm, sizeof timm, "blocks.%d.attn.qkv.bias", l);
            check_plain(z, l, name, tensor(b, timm) + p * D, D);
        }
        snprintf(name, sizeof name, "%s/out/kernel", attention);
        snprintf(timm, sizeof timm, "blocks.%d.attn.proj.weight", l);
        check_dense(z, l, name, tensor(b, timm), D, D);
        snprintf(name, sizeof name, "%s/Dense_0/kernel", mlp);
        snprintf(timm, sizeof timm, "blocks.%d.mlp.fc1.weight", l);
        check_dense(z, l, name, tensor(b, timm), D, F);
        snprintf(name, sizeof name, "%s/Dense_1/kernel", mlp);
        snprintf(timm, sizeof timm, "blocks.%d.mlp.fc2.weight", l);
        check_dense(z, l, name, tensor(b, timm), F, D);
        snprintf(timm, sizeof timm, "blocks.%d.norm2.weight", l);
        check_plain(z, l, augreg ? "LayerNorm_2/scale" : "LayerNorm_1/scale", tensor(b, timm), D);
    }
}

START_TEST(values_of_three_layouts_are_at_their_place)
{
    static const char *const prefixes[] = { "", "params/", "opt/target/" };
    static npz z;
    peft_context *ctx;
    peft_backbone *b;
    peft_options *heads;
    ok(peft_context_create(NULL, NULL, NULL, &ctx));
    ok(peft_options_create(ctx, &heads));
    ok(peft_options_parse(heads, "heads=1"));
    for (npz_layout layout = AUGREG; layout < LAYOUTS; layout++)
        for (int i = 0; i < 3; i++) {
            make_arrays(&z, layout, prefixes[i], NULL);
            write_npz(&z, in_folder("vit.npz"));
            ok(peft_npz_to_safetensors(io_ctx, in_folder("vit.npz"), in_folder("vit.safetensors")));
            ok(peft_backbone_load(ctx, in_folder("vit.safetensors"), heads, &b));
            ck_assert_int_eq(peft_backbone_get(b, "depth"), L);
            ck_assert_int_eq(peft_backbone_get(b, "classes"), C);
            ck_assert_str_eq(peft_backbone_note(b, "mean"), "0.5:0.5:0.5");
            check_values(&z, layout, b);
            peft_backbone_free(b);
        }
    peft_options_free(heads);
    peft_context_free(ctx);
}
END_TEST

/* The file of the arrays z is refused with this status, and no output file is left. */
static void is_refused(npz *z, peft_status s, const char *word)
{
    write_npz(z, in_folder("bad.npz"));
    fails(s, word, peft_npz_to_safetensors(io_ctx, in_folder("bad.npz"), in_folder("none.safetensors")));
    ck_assert_int_ne(access(in_folder("none.safetensors"), F_OK), 0);
}

START_TEST(damaged_files_are_refused)
{
    static npz z;
    make_without(&z, AUGREG, "cls");
    is_refused(&z, PEFT_E_FORMAT, "no array 'cls'");
    make_without(&z, AUGREG, "embedding/kernel");
    is_refused(&z, PEFT_E_FORMAT, "no ViT found");
    make_without(&z, AUGREG, "Transformer/encoderblock_1/MlpBlock_3/Dense_1/bias");
    is_refused(&z, PEFT_E_FORMAT, "Dense_1/bias");
    make_without(&z, AUGREG, "cls");
    add(&z, "<i4", "cls", "1,1,4,");
    is_refused(&z, PEFT_E_UNSUPPORTED, "32-bit floats");
    make_without(&z, AUGREG, "embedding/kernel");
    add(&z, "<f4", "embedding/kernel", "2,3,3,4,");
    is_refused(&z, PEFT_E_FORMAT, "patch_embed.proj.weight");
    make_without(&z, AUGREG, "Transformer/encoderblock_0/MultiHeadDotProductAttention_1/key/kernel");
    add(&z, "<f4", "Transformer/encoderblock_0/MultiHeadDotProductAttention_1/key/kernel", "4,4,2,");
    is_refused(&z, PEFT_E_FORMAT, "blocks.0.attn.qkv.weight");
    make_without(&z, AUGREG, "head/kernel");
    add(&z, "<f4", "head/kernel", "0,3,");
    is_refused(&z, PEFT_E_FORMAT, "head.weight");
    make_without(&z, STACKED, "Transformer/encoderblock/MlpBlock_0/Dense_0/bias");
    add(&z, "<f4", "Transformer/encoderblock/MlpBlock_0/Dense_0/bias", "3,6,");
    is_refused(&z, PEFT_E_FORMAT, "an array of 3 blocks, expected 2");
    make_without(&z, STACKED, "Transformer/encoderblock/LayerNorm_0/scale");
    add(&z, "<f4", "Transformer/encoderblock/LayerNorm_0/scale", "65,4,");
    is_refused(&z, PEFT_E_UNSUPPORTED, "65 blocks");
    write_bytes(in_folder("text.npz"), "no zip at all", 13);
    fails(PEFT_E_FORMAT, "text.npz",
          peft_npz_to_safetensors(io_ctx, in_folder("text.npz"), in_folder("none.safetensors")));
    fails(PEFT_E_IO, "nowhere.npz",
          peft_npz_to_safetensors(io_ctx, in_folder("nowhere.npz"), in_folder("none.safetensors")));
    make_arrays(&z, AUGREG, "", NULL);
    write_npz(&z, in_folder("vit.npz"));
    fails(PEFT_E_IO, "nowhere", peft_npz_to_safetensors(io_ctx, in_folder("vit.npz"), "/nowhere/vit.safetensors"));
    fails(PEFT_E_INVALID, "npz is NULL", peft_npz_to_safetensors(io_ctx, NULL, "x"));
    fails(PEFT_E_INVALID, "safetensors is NULL", peft_npz_to_safetensors(io_ctx, "x", NULL));
}
END_TEST

IO_SUITE_MAIN("npz backbone", values_of_three_layouts_are_at_their_place, damaged_files_are_refused)
