/* SPDX-License-Identifier: Apache-2.0
 * test_int8_malformed.c -- files with matrices stored as int8 whose header, extents, types or scales are wrong: each is
 * refused with the file's path and the name of the entry or tensor. The whole number -128, which the library does not
 * write, and data at any address. */
#include "int8_files.h"

static const char shape[] = "image_size=16,patch=4,width=96,depth=2,heads=3,classes=5,mlp=100";

static void check_refused(peft_context *ctx, const char *path, peft_status status, const char *said)
{
    peft_backbone *b;
    FAILS(status, said, peft_backbone_load(ctx, path, NULL, &b));
    ck_assert_msg(!strncmp(peft_last_error(), path, strlen(path)), "%s", peft_last_error());
}

#define FC1 "blocks.1.mlp.fc1.weight"
#define STORAGE "libpeft.storage"
static const struct { tiny_change change; peft_status status; const char *said; } edits[] = {
    { { DROP_META, STORAGE, NULL }, PEFT_E_DTYPE, "tensor 'blocks.0.attn.qkv.weight': given I8, expected F32, F16, "
      "BF16 or F64, or the metadata that convert --dtype int8 writes" },
    { { SET_META, STORAGE, "int4" }, PEFT_E_UNSUPPORTED, "'" STORAGE "': given 'int4', this version" },
    { { DROP_META, STORAGE ".version", NULL }, PEFT_E_FORMAT, "'" STORAGE ".version' is missing" },
    { { SET_META, STORAGE ".version", "2" }, PEFT_E_UNSUPPORTED, "'" STORAGE ".version': given 2, this version of the "
      "library reads 1: write the file again by convert --dtype int8, or use a newer version" },
    { { SET_META, STORAGE ".version", "one" }, PEFT_E_FORMAT,
      "'" STORAGE ".version': given 'one', expected an integer" },
    { { DROP_META, STORAGE ".piece", NULL }, PEFT_E_FORMAT, "'" STORAGE ".piece' is missing" },
    { { SET_META, STORAGE ".piece", "512" }, PEFT_E_UNSUPPORTED, "'" STORAGE ".piece': given 512" },
    { { DROP_META, STORAGE ".rotation", NULL }, PEFT_E_FORMAT, "'" STORAGE ".rotation' is missing" },
    { { SET_META, STORAGE ".rotation", "32" }, PEFT_E_UNSUPPORTED, "'" STORAGE ".rotation': given 32" },
    { { DROP_META, STORAGE ".mlp", NULL }, PEFT_E_FORMAT, "'" STORAGE ".mlp' is missing" },
    { { SET_META, STORAGE ".mlp", "0" }, PEFT_E_FORMAT, "'" STORAGE ".mlp': given 0, expected the columns of fc2" },
    { { SET_META, STORAGE ".mlp", "96" }, PEFT_E_FORMAT, "tensor 'blocks.0.mlp.fc1.weight': given [100, 2, 64], "
      "expected [96, 2, 64]" },
    { { SET_META, STORAGE ".mlp", "9223372036854775807" }, PEFT_E_INVALID, "mlp" },
    { { DROP_META, STORAGE ".source", NULL }, PEFT_E_FORMAT, "'" STORAGE ".source' is missing" },
    { { SET_META, STORAGE ".source", "0123" }, PEFT_E_FORMAT, "'" STORAGE ".source': given '0123', expected 64 "
      "hexadecimal digits" },
    { { SET_META, STORAGE ".content", "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF" },
      PEFT_E_FORMAT, "'" STORAGE ".content': given '0123" },
    { { DROP_META, STORAGE ".content", NULL }, PEFT_E_FORMAT, "'" STORAGE ".content' is missing" },
    { { DROP, FC1 "_scale", NULL }, PEFT_E_FORMAT, "tensor '" FC1 "_scale' is missing: the scales of '" FC1 "'" },
    { { FLATTEN, FC1 "_scale", NULL }, PEFT_E_FORMAT, "tensor '" FC1 "_scale': given [100], expected [100, 1]" },
    { { CUT, FC1 "_scale", NULL }, PEFT_E_FORMAT, "tensor '" FC1 "_scale': given [1, 1], expected [100, 1]" },
    { { RETYPE, FC1 "_scale", NULL }, PEFT_E_DTYPE, "tensor '" FC1 "_scale': given I32, expected F32" },
    { { DROP, FC1, NULL }, PEFT_E_FORMAT, FC1 },
    { { FLATTEN, FC1, NULL }, PEFT_E_FORMAT, "tensor '" FC1 "': given [12800], expected [100, 2, 64]" },
    { { CUT, FC1, NULL }, PEFT_E_FORMAT, "tensor '" FC1 "': given [1, 2, 64], expected [100, 2, 64]" },
    { { ADD, "norm.weight_scale", NULL }, PEFT_E_FORMAT, "1 unexpected (norm.weight_scale)" } };

START_TEST(headers_and_extents)
{
    peft_context *ctx = int8_write_files(shape);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        const char *from = tiny_path("int8"), *edited = tiny_path("edited");
        tiny_edit(from, edited, &edits[i].change);
        check_refused(ctx, edited, edits[i].status, edits[i].said);
    }
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* A matrix of another type: f32 in a file that states int8, and bytes without a sign. */
START_TEST(types_of_matrices)
{
    static const char *const keys[] = { STORAGE, STORAGE ".version", STORAGE ".piece", STORAGE ".rotation",
                                        STORAGE ".mlp", STORAGE ".source", STORAGE ".content" };
    peft_context *ctx = int8_write_files(shape);
    pf_st *st;
    OK(pf_st_open(ctx, tiny_path("int8"), &st));
    char from[128], to[128];
    snprintf(from, sizeof from, "%s", tiny_path("original"));
    for (int i = 0; i < 7; i++) {
        char name[32];
        snprintf(name, sizeof name, "edited%d", i);
        snprintf(to, sizeof to, "%s", tiny_path(name));
        tiny_edit(from, to, &(tiny_change){ SET_META, keys[i], pf_st_meta(st, keys[i]) });
        memcpy(from, to, sizeof to);
    }
    pf_st_close(st);
    check_refused(ctx, to, PEFT_E_DTYPE, "tensor 'blocks.0.attn.qkv.weight': given F32, expected I8");
    pf_map *map;
    peft_backbone *b;
    OK(pf_map_read(ctx, tiny_path("int8"), PF_WHOLE_FILE, &map));
    char *header = (char *)(uintptr_t)pf_map_data(map) + 8, *type = strstr(strstr(header, FC1 "\":"), "\"I8\"");
    memcpy(type, "\"U8\"", 4);
    FAILS(PEFT_E_DTYPE, "tensor '" FC1 "': given U8, expected I8",
          peft_backbone_load_memory(ctx, pf_map_data(map), pf_map_size(map), NULL, &b));
    pf_map_close(map);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

START_TEST(scales)
{
    static const float bad[] = { NAN, -1, -0.0f, INFINITY, 1e36f };
    static const char *const said[] = { "nan", "-1", "-0", "inf", "1e+36" };
    peft_context *ctx = int8_write_files(shape);
    for (int i = 0; i < 5; i++) {
        char text[200];
        pf_map *map;
        pf_st *st;
        OK(pf_map_read(ctx, tiny_path("int8"), PF_WHOLE_FILE, &map));
        OK(pf_st_open_memory(ctx, pf_map_data(map), pf_map_size(map), &st));
        const pf_st_tensor *t = pf_st_find(st, FC1 "_scale");
        memcpy((char *)(uintptr_t)t->data + t->bytes - sizeof bad[i], &bad[i], sizeof bad[i]);
        pf_st_close(st);
        FILE *f = fopen(tiny_path("edited"), "wb");
        ck_assert_uint_eq(fwrite(pf_map_data(map), 1, pf_map_size(map), f), pf_map_size(map));
        fclose(f);
        snprintf(text, sizeof text, "tensor '" FC1 "_scale': scale [99, 0] is %s, expected a number from 0 to",
                 said[i]);
        check_refused(ctx, tiny_path("edited"), PEFT_E_FORMAT, text);
        pf_map_close(map);
    }
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* Logits of the file in memory, in this arithmetic. */
static void predict(tiny_bits *bits, const char *isa, const void *data, size_t size, const char *compute)
{
    peft_context *ctx = tiny_context(isa, 1);
    peft_backbone *b;
    OK(peft_backbone_load_memory(ctx, data, size, NULL, &b));
    peft_model *m = tiny_model(b, "classes=0");
    tiny_bits_predict_in(bits, m, 3, 1, compute);
    peft_model_free(m);
    peft_backbone_free(b);
    peft_context_free(ctx);
}

/* Rows of -128 only, whose sums are the largest: logits in f32 are those of an f32 backbone that holds the values. The
 * test int8_weights has products in int8. */
START_TEST(minus_128_is_a_number_as_any_other)
{
    static const char *const matrices[] = { "blocks.0.attn.qkv.weight", "blocks.1.attn.proj.weight", FC1,
                                            "blocks.0.mlp.fc2.weight" };
    peft_context *ctx = int8_write_files(shape);
    pf_map *map, *values;
    pf_st *st;
    OK(pf_map_read(ctx, tiny_path("int8"), PF_WHOLE_FILE, &map));
    OK(pf_st_open_memory(ctx, pf_map_data(map), pf_map_size(map), &st));
    for (int i = 0; i < 4; i++) {
        const pf_st_tensor *t = pf_st_find(st, matrices[i]);
        memset((void *)(uintptr_t)t->data, i % 2 ? 0x80 : 0x7F, t->bytes);
        memset((void *)(uintptr_t)t->data, 0x80, t->bytes / 3);
    }
    pf_st_close(st);
    peft_backbone *b;
    OK(peft_backbone_load_memory(ctx, pf_map_data(map), pf_map_size(map), NULL, &b));
    OK(peft_backbone_save(b, tiny_path("values")));
    peft_backbone_free(b);
    OK(pf_map_read(ctx, tiny_path("values"), PF_WHOLE_FILE, &values));
    for (const char *const *isa = pk_isas(); *isa; isa++) {
        tiny_bits f32[2] = { { 0 } };
        predict(&f32[0], *isa, pf_map_data(map), pf_map_size(map), "f32");
        predict(&f32[1], *isa, pf_map_data(values), pf_map_size(values), "f32");
        tiny_same(&f32[0], &f32[1], *isa);
        tiny_bits_free(&f32[0]);
    }
    pf_map_close(values);
    pf_map_close(map);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

START_TEST(data_at_any_address)
{
    peft_context *ctx = int8_write_files(shape);
    pf_map *map;
    OK(pf_map_read(ctx, tiny_path("int8"), PF_WHOLE_FILE, &map));
    const size_t n = pf_map_size(map);
    for (const char *const *isa = pk_isas(); *isa; isa++)
        for (int int8 = 0; int8 < 2; int8++) {
            tiny_bits first = { 0 };
            predict(&first, *isa, pf_map_data(map), n, int8 ? "int8" : "f32");
            for (size_t at = 1; at <= 3; at += 2) {
                tiny_bits moved = { 0 };
                char *copy = malloc(n + at);
                memcpy(copy + at, pf_map_data(map), n);
                predict(&moved, *isa, copy + at, n, int8 ? "int8" : "f32");
                tiny_same(&first, &moved, *isa);
                free(copy);
            }
            tiny_bits_free(&first);
        }
    pf_map_close(map);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

SUITE_MAIN("int8_malformed", headers_and_extents, types_of_matrices, scales, minus_128_is_a_number_as_any_other,
           data_at_any_address)
