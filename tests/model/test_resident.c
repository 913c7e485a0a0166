/* SPDX-License-Identifier: Apache-2.0
 * test_resident.c -- resident memory of a ViT-B/16 in 16 bits and with matrices stored as int8: after loading the
 * process has grown by the size of the file and at most 10 MiB, after inference also by the session's planned memory.
 * Files of 16 bits with q, k and v joined and apart. */
#include "core/weights/int8_file.h"
#include "kernels/ref/int8.h"
#include "tiny_files.h"

enum { MIB = 1 << 20 };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MEASURABLE = 0 };                         /* the sanitizers' memory grows too */
#else
enum { MEASURABLE = 1 };
#endif
static const struct { const char *name; peft_dtype type; uint16_t first_bits; } halves[] = {
    { "f16", PEFT_F16, 0x2000 }, { "bf16", PEFT_BF16, 0x3C00 } };            /* first_bits: of about 0.0078 */

/* Bytes of resident memory, from smaps_rollup, as the counters in /proc/self/status are not exact; -1: not
 * available. */
static long resident(void)
{
    char line[200];
    long kib = -1;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    while (f && fgets(line, sizeof line, f) && sscanf(line, "Rss: %ld", &kib) != 1) {}
    if (f) fclose(f);
    return kib < 0 ? -1 : kib * 1024;
}

/* Writes a backbone of shape s (all tensors share one buffer of values) and returns the file's size. h: index in
 * halves. */
static size_t write_file(peft_context *ctx, const pf_vit_shape *s, int h, tiny_naming naming, const char *path)
{
    enum { MAX_ELEMENTS = 3072 * 768 };
    uint16_t *data = malloc(MAX_ELEMENTS * sizeof *data);
    pf_st_out *out;
    pf_tensor_spec t;
    struct stat info;
    const tiny_save as = { .naming = naming };
    for (int i = 0; i < MAX_ELEMENTS; i++) data[i] = (uint16_t)(halves[h].first_bits + i % 200 +
                                                                (i % 7 < 3 ? 0x8000 : 0));
    OK(pf_st_out_create(ctx, &out));
    for (size_t i = 0; pf_vit_tensor(s, i, &t); i++) {
        char name[160];
        int parts = 0;
        /* one file tensor, or q, k and v apart */
        while (tiny_rename(&as, t.name, parts, name, sizeof name)) parts++;
        t.dim[0] /= parts;
        ck_assert_int_le(pf_dims_count(t.ndim, t.dim), MAX_ELEMENTS);
        for (int p = 0; p < parts; p++) {
            tiny_rename(&as, t.name, p, name, sizeof name);
            OK(pf_st_out_tensor(out, name, halves[h].type, t.ndim, t.dim, data));
        }
    }
    OK(pf_st_out_write(out, path));
    pf_st_out_free(out);
    free(data);
    ck_assert_int_eq(stat(path, &info), 0);
    return (size_t)info.st_size;
}

/* The same with the matrices of the blocks stored as int8, under timm's names. */
static size_t write_int8_file(peft_context *ctx, const pf_vit_shape *s, const char *path)
{
    enum { MAX_ELEMENTS = 3072 * 768 };
    float *data = malloc(MAX_ELEMENTS * sizeof *data), scale[3072 * 4];
    pf_st_out *out;
    pf_tensor_spec t;
    struct stat info;
    pf_int8_header header = { .mlp = s->mlp };
    memset(header.source, 'a', 64);
    memset(header.content, 'b', 64);
    for (int i = 0; i < MAX_ELEMENTS; i++) data[i] = 0.01f * (float)(i % 7 - 3);
    for (int i = 0; i < 3072 * 4; i++) scale[i] = 1e-5f;
    OK(pf_st_out_create(ctx, &out));
    OK(pf_int8_write_header(&header, out));
    for (size_t i = 0; pf_vit_tensor(s, i, &t); i++) {
        peft_tensor stored = { .type = PEFT_I8, .ndim = 2, .data = data, .scales = scale };
        ck_assert_int_le(pf_dims_count(t.ndim, t.dim), MAX_ELEMENTS);
        memcpy(stored.dim, t.dim, sizeof t.dim);
        if (pf_is_int8_matrix(t.name)) OK(pf_int8_add(out, t.name, &stored));
        else OK(pf_st_out_tensor(out, t.name, PEFT_F32, t.ndim, t.dim, data));
    }
    OK(pf_st_out_write(out, path));
    pf_st_out_free(out);
    free(data);
    ck_assert_int_eq(stat(path, &info), 0);
    return (size_t)info.st_size;
}

/* Resident memory has grown since `before` by the file's size, the planned memory and at most 10 MiB. */
static void check_growth(const char *name, const char *when, long before, size_t file, size_t planned)
{
    const double over = (double)(resident() - before - (long)file - (long)planned) / MIB;
    printf("%s %s: grown by the file's %.1f MiB, planned %.1f MiB and %.1f MiB more\n", name, when, (double)file / MIB,
           (double)planned / MIB, over);
    ck_assert_msg(over <= 10, "%s %s: %.1f MiB more than the file's %.1f and the planned memory", name, when, over,
                  (double)file / MIB);
    ck_assert_msg(over > -20, "%s %s: the file is not in memory, so nothing was measured", name, when);
}

/* h: index in halves, or INT8, whose matrices loading does not read yet. */
enum { INT8 = 2 };
static void load_and_predict(int h, tiny_naming naming)
{
    const pf_vit_shape s = { .image = { 224, 224 }, .patch = 16, .width = 768, .depth = 12, .heads = 12, .mlp = 3072,
        .eps = 1e-6, PF_PLAIN_VIT, .act = PK_GELU, .classes = 10 };
    char name[40];
    peft_context *ctx = tiny_plain_context();
    const char *path = tiny_path("b16.safetensors");
    snprintf(name, sizeof name, "%s, %s names,", h == INT8 ? "int8" : halves[h].name, naming == TIMM ? "timm" : "hf5");
    const size_t file = h == INT8 ? write_int8_file(ctx, &s, path) : write_file(ctx, &s, h, naming, path);
    peft_tensor *image = tiny_tensor(ctx, PEFT_F32, 4, 1, 3, 224, 224), *logits = tiny_tensor(ctx, PEFT_F32, 2, 1, 10);
    memset(peft_tensor_data(image), 0, pf_tensor_bytes(image));
    const long resident_before = resident();
    peft_backbone *b = tiny_load(ctx, tiny_path("b16.safetensors"), "");
    ck_assert_int_gt(peft_backbone_get(b, "parameters"), 85000000);
    if (h == INT8) ck_assert_int_lt(resident() - resident_before, (long)file / 4);
    else check_growth(name, "loaded", resident_before, file, 0);
    peft_model *m = tiny_model(b, "classes=0");
    peft_session *session = tiny_session(m, "batch=1");
    OK(peft_session_predict(session, image, logits));
    tiny_finite(logits, name);
    check_growth(name, "after inference", resident_before, file, peft_session_memory(session));
    peft_session_free(session);
    peft_model_free(m);
    peft_backbone_free(b);
    peft_tensor_free(image);
    peft_tensor_free(logits);
    peft_context_free(ctx);
    tiny_clean();
}

START_TEST(vit_b16_needs_the_file_and_10_mib)
{
    if (!MEASURABLE || resident() < 0) {
        printf("SKIP: no /proc/self/smaps_rollup, or a sanitizer's memory in it\n");
        return;
    }
    for (int h = 0; h < 2; h++) {
        load_and_predict(h, TIMM);
        load_and_predict(h, HF5);
    }
    load_and_predict(INT8, TIMM);
}
END_TEST

SUITE_MAIN("resident", vit_b16_needs_the_file_and_10_mib)
