/* SPDX-License-Identifier: Apache-2.0
 * test_torch_files.c -- files of torch.save: archives and the older form, their errors, and checkpoints that load as
 * the backbone of the safetensors file. */
#include <peft/file.h>
#include "core/format/zip/zip.h"
#include "pickles.h"

/* A transposed tensor is copied row by row when it is used; the others are not copied. */
START_TEST(views_are_read_by_their_strides)
{
    static const char pickle[] = "\x80\2}(" A REBUILD "(" FLOATS "K\0K\3K\2\x86K\1K\3\x86" END
                                 NAME("\1", "b") TENSOR "u.";
    static const float transposed[6] = { 0, 3, 1, 4, 2, 5 };
    peft_context *ctx = tiny_plain_context();
    bytes file = torch_zip(pickle, sizeof pickle - 1, values, sizeof values);
    pf_st *st;
    void *copy;
    OK(open_copy(ctx, &file, &copy, &st));
    const pf_st_tensor *a = pf_st_find(st, "a"), *b = pf_st_find(st, "b");
    const void *place = b->data;
    OK(pf_st_fetch(st, a));
    OK(pf_st_fetch(st, b));
    ck_assert_ptr_null(a->stride);
    ck_assert_mem_eq(a->data, transposed, sizeof transposed);
    ck_assert_ptr_eq(b->data, place);
    ck_assert((const char *)place > (const char *)copy && (const char *)place < (const char *)copy + file.size);
    ck_assert_mem_eq(b->data, values, sizeof values);
    pf_st_close(st);
    free(copy);
    bytes_free(&file);
    peft_context_free(ctx);
}
END_TEST

/* An archive of torch.save with one change, and the error. */
typedef enum { BIG_ENDIAN_FILE, SCRIPT, NO_PICKLE, DEFLATED, ENCRYPTED, PLAIN_ZIP } archive_change;
static const struct { archive_change change; const char *expected; } archives[] = {
    { BIG_ENDIAN_FILE, "was written on a big-endian machine" }, { SCRIPT, "it is TorchScript" },
    { NO_PICKLE, "it has no data.pkl" }, { DEFLATED, "is compressed (Deflate)" }, { ENCRYPTED, "is encrypted" },
    { PLAIN_ZIP, NULL } };

static bytes changed_archive(archive_change change)
{
    static const char pickle[] = ONE(TENSOR);
    zip_builder z = { .entries = 0 };
    if (change == SCRIPT) zip_add(&z, "net/constants.pkl", "\x80\2).", 4, 64);
    if (change != NO_PICKLE) zip_add(&z, "net/data.pkl", pickle, sizeof pickle - 1, 1);
    if (change == BIG_ENDIAN_FILE) zip_add(&z, "net/byteorder", "big", 3, 1);
    z.method = change == DEFLATED ? 8 : 0;
    z.flags = change == ENCRYPTED;
    zip_add(&z, "net/data/0", values, sizeof values, 1);
    return zip_end(&z, change != PLAIN_ZIP);
}

START_TEST(archives_of_other_kinds_are_refused_by_name)
{
    peft_context *ctx = tiny_plain_context();
    for (size_t i = 0; i < sizeof archives / sizeof *archives; i++) {
        bytes file = changed_archive(archives[i].change);
        pf_st *st = NULL;
        void *copy;
        peft_status s = open_copy(ctx, &file, &copy, &st);
        ck_assert_msg(!s == !archives[i].expected, "%zu: %s", i, peft_last_error());
        if (s) ck_assert_msg(strstr(peft_last_error(), archives[i].expected) != NULL, "%s", peft_last_error());
        pf_st_close(st);
        free(copy);
        bytes_free(&file);
    }
    peft_context_free(ctx);
}
END_TEST

/* The sanitizer reports a pointer that is formed outside the file. */
START_TEST(an_entry_beyond_the_archive_is_refused)
{
    static const uint64_t places[] = { UINT64_MAX - 40, UINT64_MAX / 2, 100, 71 };
    static const uint8_t file[100];
    const pf_zip z = { .file = file, .size = sizeof file };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const pf_zip_entry e = { .name = "a", .name_length = 1, .header = places[i] };
        const uint8_t *data;
        FAILS(PEFT_E_FORMAT, "damaged entry", pf_zip_data(&z, &e, &data));
    }
}
END_TEST

static void check_legacy_error(peft_context *ctx, bytes *file, const char *expected)
{
    pf_st *st = NULL;
    void *copy;
    ck_assert_int_ne(open_copy(ctx, file, &copy, &st), PEFT_OK);
    ck_assert_msg(strstr(peft_last_error(), expected) != NULL, "no '%s' in %s", expected, peft_last_error());
    free(copy);
    bytes_free(file);
}

START_TEST(errors_of_the_older_form_name_the_cause)
{
    static const char pickle[] = ONE(TENSOR);
    peft_context *ctx = tiny_plain_context();
    bytes b = torch_legacy(pickle, sizeof pickle - 1, values, sizeof values, sizeof *values);
    b.size--;
    check_legacy_error(ctx, &b, "24 bytes expected, 23 follow: the file is cut short");
    b = torch_legacy(pickle, sizeof pickle - 1, values, sizeof values - 4, sizeof *values);
    check_legacy_error(ctx, &b, "has 20 bytes; expected 6 elements of 4");
    b = (bytes){ 0 };
    put_legacy_front(&b, false);
    check_legacy_error(ctx, &b, "was written on a big-endian machine");
    b = (bytes){ 0 };
    put_legacy_front(&b, true);
    put(&b, pickle, sizeof pickle - 1);
    PUT(&b, "\x80\2](X\1\0\0\0" "0X\1\0\0\0" "1e.");
    put_number(&b, 6, 8);
    put(&b, values, sizeof values);
    check_legacy_error(ctx, &b, "storage '1' follows the pickle, which does not use it");
    b = (bytes){ 0 };
    PUT(&b, "\x80\4}\x94.");
    check_legacy_error(ctx, &b, "is a Python pickle, but none of torch.save");
    peft_context_free(ctx);
}
END_TEST

/* Appends {name: tensor, ..} of the backbone's tensors, each with a storage of its own; prefix: before all names. */
static void put_backbone(bytes *pickle, const peft_backbone *b, const char *prefix, bool legacy)
{
    char name[200], key[24];
    PUT(pickle, "}(");
    for (size_t i = 0; i < b->weights; i++) {
        const peft_tensor *t = &b->weight[i].tensor;
        saved_tensor s = { .type = "Float", .key = key, .elements = peft_tensor_count(t), .ndim = t->ndim };
        int64_t step = 1;
        for (int k = t->ndim; k-- > 0; step *= t->dim[k]) {
            s.dim[k] = t->dim[k];
            s.stride[k] = step;
        }
        snprintf(name, sizeof name, "%s%s", prefix, b->weight[i].name);
        snprintf(key, sizeof key, "%zu", i);
        pickle_text(pickle, name);
        pickle_tensor(pickle, &s, legacy);
    }
    PUT(pickle, "u");
}

/* Appends the rest of a checkpoint: an optimiser's state, which has a tensor too, and objects of unknown classes. */
static void put_training(bytes *pickle, bool legacy)
{
    const saved_tensor moment = { .type = "Float", .key = "0", .elements = 1, .ndim = 0 };
    pickle_text(pickle, "optimizer");
    PUT(pickle, "}");
    pickle_text(pickle, "state");
    PUT(pickle, "}K\0}");
    pickle_text(pickle, "exp_avg");
    pickle_tensor(pickle, &moment, legacy);
    PUT(pickle, "sss");
    pickle_text(pickle, "args");
    PUT(pickle, "cargparse\nNamespace\n)R}X\1\0\0\0aK\1sb");
}

/* Writes the backbone as a checkpoint {"model": .., "optimizer": .., "args": ..} to path. second: another dictionary
 * with the same tensors, or NULL. */
static void save_checkpoint(const peft_backbone *b, const char *path, bool legacy, const char *second)
{
    bytes pickle = { 0 }, file = { 0 };
    PUT(&pickle, "\x80\2}(");
    pickle_text(&pickle, "model");
    put_backbone(&pickle, b, "module.", legacy);
    if (second) pickle_text(&pickle, second);
    if (second) put_backbone(&pickle, b, "module.", legacy);
    put_training(&pickle, legacy);
    PUT(&pickle, "u.");
    zip_builder z = { .entries = 0 };
    if (legacy) {
        put_legacy_front(&file, true);
        put(&file, pickle.data, pickle.size);
        PUT(&file, "\x80\2](");
        for (size_t i = 0; i < b->weights; i++) {
            char key[24];
            snprintf(key, sizeof key, "%zu", i);
            pickle_text(&file, key);
        }
        PUT(&file, "e.");
    } else zip_add(&z, "checkpoint/data.pkl", pickle.data, pickle.size, 64);
    for (size_t i = 0; i < b->weights; i++) {
        const peft_tensor *t = &b->weight[i].tensor;
        char name[48];
        snprintf(name, sizeof name, "checkpoint/data/%zu", i);
        if (!legacy) zip_add(&z, name, t->data, pf_tensor_bytes(t), 64);
        else {
            put_number(&file, (uint64_t)peft_tensor_count(t), 8);
            put(&file, t->data, pf_tensor_bytes(t));
        }
    }
    if (!legacy) file = zip_end(&z, true);
    OK(peft_write_file(path, file.data, file.size));
    bytes_free(&file);
    bytes_free(&pickle);
}

/* What a file of tensors alone does not state of TINY_BACKBONE. */
#define FACTS "heads=3,eps=1e-6,act=gelu,pool=cls"

START_TEST(checkpoints_load_as_the_backbone_of_the_safetensors_file)
{
    tiny t = tiny_make(&(tiny_spec){ .more = "" });
    for (int legacy = 0; legacy < 2; legacy++) {
        const char *path = tiny_path("checkpoint.pth");
        save_checkpoint(t.backbone, path, legacy, NULL);
        peft_backbone *b = tiny_load(t.ctx, path, FACTS);
        tiny_same_backbone(t.backbone, b, legacy ? "older form" : "zip");
        peft_backbone_free(b);
    }
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(the_option_prefix_chooses_a_dictionary)
{
    tiny t = tiny_make(&(tiny_spec){ .more = "" });
    const char *path = tiny_path("checkpoint.pth");
    peft_backbone *b = NULL;
    save_checkpoint(t.backbone, path, false, "model_ema");
    FAILS(PEFT_E_UNSUPPORTED, "with the prefixes 'model.module.' and 'model_ema.module.'",
          peft_backbone_load(t.ctx, path, NULL, &b));
    b = tiny_load(t.ctx, path, FACTS ",prefix=model_ema");
    tiny_same_backbone(t.backbone, b, "prefix=model_ema");
    peft_backbone_free(b);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(peft_file_lists_the_tensors_of_a_checkpoint)
{
    tiny t = tiny_make(&(tiny_spec){ .more = "" });
    peft_file *f;
    bool moment = false;
    save_checkpoint(t.backbone, tiny_path("checkpoint.pth"), false, NULL);
    OK(peft_file_open(t.ctx, tiny_path("checkpoint.pth"), &f));
    ck_assert_str_eq(peft_file_kind(f), "backbone");
    ck_assert_uint_eq(peft_file_tensor_count(f), t.backbone->weights + 1);
    for (size_t i = 0; i < peft_file_tensor_count(f); i++)
        moment |= !strcmp(peft_file_tensor_name(f, i), "optimizer.state.0.exp_avg");
    ck_assert(moment);
    ck_assert_str_eq(peft_file_tensor_type(f, 0), "F32");
    peft_file_free(f);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

SUITE_MAIN("torch_files", views_are_read_by_their_strides,
           archives_of_other_kinds_are_refused_by_name, an_entry_beyond_the_archive_is_refused,
           errors_of_the_older_form_name_the_cause,
           checkpoints_load_as_the_backbone_of_the_safetensors_file, the_option_prefix_chooses_a_dictionary,
           peft_file_lists_the_tensors_of_a_checkpoint)
