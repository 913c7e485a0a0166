/* SPDX-License-Identifier: Apache-2.0
 * test_int8_layout.c -- files saved with dtype=int8, read by the definition of docs/backbones.md, which is written here
 * once more; and the same tensors in shards, where a matrix and its scales may lie in two files. */
#include "int8_files.h"

static const char shape[] = "image_size=16,patch=4,width=48,depth=1,heads=3,classes=5,mlp=800";

/* Element (row, column) of the matrix t with these scales. */
static float value_of(const pf_st_tensor *t, const pf_st_tensor *scales, int64_t row, int64_t column)
{
    const int64_t blocks = t->dim[1], pieces = (blocks + 11) / 12, length = (blocks + pieces - 1) / pieces;
    const int64_t block = column / 64;
    const int8_t *q = (const int8_t *)t->data + (row * blocks + block) * 64;
    float scale;
    int sum = 0;
    ck_assert_int_eq(scales->dim[1], pieces);
    memcpy(&scale, (const char *)scales->data + (size_t)(row * pieces + block / length) * sizeof scale, sizeof scale);
    for (int k = 0; k < 64; k++)                        /* element (k, j) of H is -1 to the number of bits in k & j */
        sum += __builtin_parity((unsigned)(k & (int)(column % 64))) ? -q[k] : q[k];
    return (float)(scale / 8.0 * sum);
}

START_TEST(values_by_the_definition)
{
    static const struct { const char *name; int64_t blocks, pieces; } matrices[] = {
        { "blocks.0.attn.qkv.weight", 1, 1 }, { "blocks.0.attn.proj.weight", 1, 1 }, { "blocks.0.mlp.fc1.weight", 1,
                                                                                       1 },
        { "blocks.0.mlp.fc2.weight", 13, 2 } };
    peft_context *ctx = int8_write_files(shape);
    peft_backbone *b = tiny_load(ctx, tiny_path("int8"), ""), *original = tiny_load(ctx, tiny_path("original"), "");
    pf_st *st;
    OK(pf_st_open(ctx, tiny_path("int8"), &st));
    ck_assert_str_eq(pf_st_meta(st, "libpeft.storage.mlp"), "800");
    ck_assert_str_eq(pf_st_meta(st, "libpeft.storage.source"), peft_backbone_fingerprint(original));
    for (int m = 0; m < 4; m++) {
        char name[64];
        snprintf(name, sizeof name, "%s_scale", matrices[m].name);
        const pf_st_tensor *t = pf_st_find(st, matrices[m].name), *scales = pf_st_find(st, name);
        const peft_tensor *loaded = pf_backbone_find(b, matrices[m].name);
        const peft_tensor *before = pf_backbone_find(original, matrices[m].name);
        const int64_t rows = loaded->dim[0], cols = loaded->dim[1];
        ck_assert(t->ndim == 3 && t->dim[0] == rows && t->dim[1] == matrices[m].blocks && t->dim[2] == 64);
        ck_assert(scales->ndim == 2 && scales->dim[0] == rows && scales->dim[1] == matrices[m].pieces);
        float *x = malloc((size_t)(rows * cols) * sizeof *x);
        double error = 0, size = 0;
        OK(peft_tensor_to_f32(loaded, x, rows * cols));
        for (int64_t i = 0; i < rows * cols; i++) {
            const double want = ((const float *)before->data)[i];
            ck_assert_msg(x[i] == value_of(t, scales, i / cols, i % cols), "%s [%lld]", name, (long long)i);
            error += (x[i] - want) * (x[i] - want);
            size += want * want;
        }
        ck_assert_msg(error < 1e-4 * size, "%s: %g of %g", name, error, size);
        free(x);
    }
    pf_st_close(st);
    peft_backbone_free(original);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* Every other tensor of the file lies in the second shard; the metadata in both. */
START_TEST(shards)
{
    static const char *const names[] = { "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors" };
    peft_context *ctx = int8_write_files(shape);
    pf_st *st;
    OK(pf_st_open(ctx, tiny_path("int8"), &st));
    FILE *index = fopen(tiny_path("model.safetensors.index.json"), "wb");
    fprintf(index, "{\"weight_map\": {");
    for (int shard = 0; shard < 2; shard++) {
        pf_st_out *out;
        OK(pf_st_out_create(ctx, &out));
        for (size_t i = 0; i < pf_st_meta_count(st); i++) {
            const char *key, *value;
            pf_st_meta_at(st, i, &key, &value);
            OK(pf_st_out_meta(out, key, value));
        }
        for (size_t i = (size_t)shard; i < pf_st_count(st); i += 2) {
            const pf_st_tensor *t = pf_st_at(st, i);
            OK(pf_st_out_tensor(out, t->name, t->type, t->ndim, t->dim, t->data));
            fprintf(index, "%s\"%s\": \"%s\"", i ? "," : "", t->name, names[shard]);
        }
        OK(pf_st_out_write(out, tiny_path(names[shard])));
        pf_st_out_free(out);
    }
    fprintf(index, "}}");
    fclose(index);
    pf_st_close(st);
    peft_backbone *whole = tiny_load(ctx, tiny_path("int8"), "");
    peft_backbone *joined = tiny_load(ctx, tiny_path("model.safetensors.index.json"), "");
    tiny_same_backbone(whole, joined, "shards");
    peft_backbone_free(joined);
    joined = tiny_load(ctx, tiny_path(""), "");
    tiny_same_backbone(whole, joined, "folder of shards");
    peft_backbone_free(joined);
    peft_backbone_free(whole);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

SUITE_MAIN("int8_layout", values_by_the_definition, shards)
