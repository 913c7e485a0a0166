/* SPDX-License-Identifier: Apache-2.0
 * test_safetensors_write.c -- writing safetensors files: what is written is read back equal, and its header is checked
 * with a JSON parser; refused tensors, a bad disk and failed allocations leave the old file as it was. */
#include "failing_alloc.h"
#include "core/format/safetensors.h"
#include <jansson.h>
#include <peft/sys/tensors.h>
#include <unistd.h>

static peft_context *new_context(void)
{
    peft_context *ctx = NULL;
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    return ctx;
}

static char path[] = "/tmp/peft-safetensors-XXXXXX";

static void make_path(void)
{
    strcpy(path, "/tmp/peft-safetensors-XXXXXX");         /* reset the template: tests may share a process */
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void must(peft_status s) { ck_assert_msg(s == PEFT_OK, "%s", peft_last_error()); }

/* The call returned this status and its message contains word. */
static void refused(peft_status got, peft_status want, const char *word)
{
    ck_assert_msg(got == want && strstr(peft_last_error(), word), "%s: '%s' lacks '%s'", peft_status_name(got),
                  peft_last_error(), word);
}

static const float f32[6] = { 1, -2, 3.5f, 0, 5, 6 };
static const uint16_t f16[3] = { 0x3C00, 0x7E00, 1 };
static const int64_t i64[1] = { INT64_MIN }, two_three[] = { 2, 3 }, three[] = { 3 }, none[] = { 4, 0 };

/* A file of five tensors and two notes, not yet written. */
static pf_st_out *declare(peft_context *ctx)
{
    pf_st_out *o;
    must(pf_st_out_create(ctx, &o));
    must(pf_st_out_tensor(o, "half", PEFT_F16, 1, three, f16));
    must(pf_st_out_tensor(o, "z", PEFT_F32, 2, two_three, f32));
    must(pf_st_out_tensor(o, "a \"quoted\"\n\xC3\xA9\t\\", PEFT_F32, 2, two_three, f32));
    must(pf_st_out_tensor(o, "step", PEFT_I64, 0, NULL, i64));
    must(pf_st_out_tensor(o, "empty", PEFT_U8, 2, none, NULL));
    must(pf_st_out_meta(o, "note", "line\nbreak \xE2\x82\xAC \"x\""));
    must(pf_st_out_meta(o, "format", "pt"));
    return o;
}

/* The header's entry of a tensor, after asserting its data_offsets. */
static json_t *entry(const json_t *root, const char *name, int begin, int end)
{
    const json_t *offsets = json_object_get(json_object_get(root, name), "data_offsets");
    ck_assert_int_eq(json_integer_value(json_array_get(offsets, 0)), begin);
    ck_assert_int_eq(json_integer_value(json_array_get(offsets, 1)), end);
    return json_object_get(root, name);
}

/* Checks the file's bytes independently of the library: the order of tensors, their offsets and their data. */
static void check_bytes(const unsigned char *file, size_t size)
{
    static const char *const order[] = { "__metadata__", "step", "a \"quoted\"\n\xC3\xA9\t\\", "z", "half", "empty" };
    uint64_t n;
    size_t i = 0;
    const char *key;
    json_t *value;
    memcpy(&n, file, 8);
    ck_assert_uint_eq(n % 8, 0);
    ck_assert_uint_eq(size, 8 + n + 8 + 24 + 24 + 6);         /* length, header, step, two f32 tensors, half */
    json_t *root = json_loadb((const char *)file + 8, n, JSON_REJECT_DUPLICATES, NULL);
    json_object_foreach(root, key, value) ck_assert_str_eq(key, order[i++]);
    ck_assert_uint_eq(i, 6);
    entry(root, "step", 0, 8);
    entry(root, order[2], 8, 32);
    entry(root, "half", 56, 62);
    entry(root, "empty", 62, 62);
    json_t *z = entry(root, "z", 32, 56), *want = json_pack("[i,i]", 2, 3);
    ck_assert_str_eq(json_string_value(json_object_get(z, "dtype")), "F32");
    ck_assert(json_equal(json_object_get(z, "shape"), want));
    ck_assert_mem_eq(file + 8 + n + 32, f32, sizeof f32);
    ck_assert_mem_eq(file + 8 + n, i64, sizeof i64);
    json_decref(want);
    json_decref(root);
}

START_TEST(written_files_are_read_back_equal)
{
    peft_context *ctx = new_context();
    size_t before = peft_context_memory_used(ctx);
    pf_st_out *o = declare(ctx);
    pf_map *m;
    pf_st *st;
    make_path();
    must(pf_st_out_write(o, path));
    must(pf_map_open(ctx, path, &m));
    check_bytes(pf_map_data(m), pf_map_size(m));
    must(pf_st_open(ctx, path, &st));
    const pf_st_tensor *h = pf_st_find(st, "half");
    ck_assert(h->type == PEFT_F16 && h->ndim == 1 && h->dim[0] == 3 && !memcmp(h->data, f16, sizeof f16));
    ck_assert_str_eq(pf_st_meta(st, "note"), "line\nbreak \xE2\x82\xAC \"x\"");
    must(pf_st_out_write(o, path));                  /* written again, it has the same bytes */
    pf_map *again;
    must(pf_map_open(ctx, path, &again));
    ck_assert_uint_eq(pf_map_size(m), pf_map_size(again));
    ck_assert_mem_eq(pf_map_data(m), pf_map_data(again), pf_map_size(m));
    pf_map_close(m), pf_map_close(again), pf_st_close(st);
    pf_st_out_free(o), pf_st_out_free(NULL);
    must(pf_st_out_create(ctx, &o));                 /* a file without tensors is valid */
    must(pf_st_out_write(o, path));
    must(pf_st_open(ctx, path, &st));
    ck_assert_uint_eq(pf_st_count(st) + pf_st_meta_count(st), 0);
    pf_st_close(st), pf_st_out_free(o);
    ck_assert_uint_eq(peft_context_memory_used(ctx), before);
    peft_context_free(ctx);
    unlink(path);
}
END_TEST

START_TEST(bad_tensors_and_metadata_are_refused)
{
    peft_context *ctx = new_context();
    pf_st_out *o = declare(ctx);
    pf_st *st = NULL;
    int64_t bad[] = { 2, -1 }, huge[] = { INT64_MAX, 4 };
    static char name[1026], text[(1 << 20) + 1];
    memset(name, 'n', sizeof name - 1);
    memset(text, 't', sizeof text - 1);
    refused(pf_st_out_tensor(o, "z", PEFT_U8, 1, three, f32), PEFT_E_INVALID, "'z' is given twice");
    refused(pf_st_out_tensor(o, "__metadata__", PEFT_U8, 1, three, f32), PEFT_E_INVALID, "__metadata__");
    refused(pf_st_out_tensor(o, name, PEFT_U8, 1, three, f32), PEFT_E_INVALID, "at most 1024");
    refused(pf_st_out_tensor(o, "\xFF", PEFT_U8, 1, three, f32), PEFT_E_INVALID, "not UTF-8");
    refused(pf_st_out_tensor(o, "n", (peft_dtype)0, 1, three, f32), PEFT_E_DTYPE, "type is 0");
    refused(pf_st_out_tensor(o, "n", PEFT_U8, 9, three, f32), PEFT_E_SHAPE, "0 to 8");
    refused(pf_st_out_tensor(o, "n", PEFT_U8, 2, bad, f32), PEFT_E_SHAPE, "overflow");
    refused(pf_st_out_tensor(o, "n", PEFT_U8, 2, huge, f32), PEFT_E_SHAPE, "overflow");
    refused(pf_st_out_tensor(o, "n", PEFT_U8, 1, three, NULL), PEFT_E_INVALID, "data is NULL");
    refused(pf_st_out_meta(o, "format", "np"), PEFT_E_INVALID, "'format' is given twice");
    refused(pf_st_out_meta(o, "\xFF", "np"), PEFT_E_INVALID, "not UTF-8");
    refused(pf_st_out_meta(o, "k", "\xFF"), PEFT_E_INVALID, "not UTF-8");
    refused(pf_st_out_meta(o, "k", text), PEFT_E_INVALID, "at most 1048576");
    refused(pf_st_out_write(o, "/no/such/folder/x"), PEFT_E_IO, "/no/such/folder/x");
    refused(pf_st_open(ctx, "/no/such/folder/x", &st), PEFT_E_IO, "/no/such/folder/x");
    make_path();
    refused(pf_st_open(ctx, path, &st), PEFT_E_FORMAT, path);
    must(pf_st_out_write(o, path));                  /* the five tensors are still there */
    must(pf_st_open(ctx, path, &st));
    ck_assert_uint_eq(pf_st_count(st), 5);
    pf_st_close(st);
    pf_st_out_free(o);
    peft_context_free(ctx);
    unlink(path);
}
END_TEST

/* A bad disk. pf_file_fault calls this before every system call on files; before the mmap that reads the temporary file
 * back, it changes the last byte. It returns 0: no call fails. */
static int change_last_byte(const char *call)
{
    char other[100];
    if (strcmp(call, "mmap")) return 0;
    snprintf(other, sizeof other, "%s.tmp.0", path);
    FILE *f = fopen(other, "r+b");
    if (!f) return 0;
    fseek(f, -1, SEEK_END);
    putc('?', f);
    fclose(f);
    return 0;
}

START_TEST(a_file_that_reads_back_changed_does_not_replace_the_old_one)
{
    peft_context *ctx = new_context();
    pf_st_out *good = declare(ctx), *bad;
    pf_st *st;
    make_path();
    must(pf_st_out_write(good, path));
    must(pf_st_out_create(ctx, &bad));
    must(pf_st_out_tensor(bad, "z", PEFT_F32, 2, two_three, f32));
    pf_file_fault = change_last_byte;
    refused(pf_st_out_write(bad, path), PEFT_E_IO, "'z' reads back changed");
    pf_file_fault = NULL;
    must(pf_st_open(ctx, path, &st));
    ck_assert_uint_eq(pf_st_count(st), 5);
    pf_st_close(st), pf_st_out_free(good), pf_st_out_free(bad);
    peft_context_free(ctx);
    unlink(path);
}
END_TEST

/* Writes and reads a file of 20 tensors; for failing_alloc_loop. */
static peft_status write_and_read(peft_context *ctx, void *arg)
{
    pf_st_out *o;
    pf_st *st;
    (void)arg;
    PF_TRY(pf_st_out_create(ctx, &o));
    peft_status s = pf_st_out_meta(o, "key", "value");
    for (int i = 0; i < 20 && !s; i++) {
        char name[8];
        snprintf(name, sizeof name, "t%d", i);
        s = pf_st_out_tensor(o, name, PEFT_F32, 2, two_three, f32);
    }
    if (!s) s = pf_st_out_write(o, path);
    pf_st_out_free(o);
    if (!s) s = pf_st_open(ctx, path, &st);
    if (!s) pf_st_close(st);
    return s;
}

START_TEST(failed_allocations_leak_nothing)
{
    make_path();
    ck_assert_int_gt(failing_alloc_loop(write_and_read, NULL), 40);         /* it makes more than 40 allocations */
    unlink(path);
}
END_TEST

/* peft_sys_write_tensors keeps the caller's order of tensors; bad arguments leave the old file. */
START_TEST(the_public_writer_keeps_the_order_of_tensors)
{
    static const char *const notes[] = { "format", "pt", "key", "value", NULL }, *const odd[] = { "key", NULL };
    const peft_named_data list[] = { { "half", PEFT_F16, 1, { 3 }, f16 }, { "z", PEFT_F32, 2, { 2, 3 }, f32 },
                                     { "a", PEFT_I64, 0, { 0 }, i64 } };
    peft_named_data bad = list[0];
    peft_context *ctx = new_context();
    pf_st *st;
    make_path();
    must(peft_sys_write_tensors(path, list, 3, notes));
    bad.name = NULL;
    refused(peft_sys_write_tensors(path, &bad, 1, NULL), PEFT_E_INVALID, "name of tensor 0 is NULL");
    refused(peft_sys_write_tensors(path, list, 1, odd), PEFT_E_INVALID, "'key' has no value");
    refused(peft_sys_write_tensors(path, NULL, 1, NULL), PEFT_E_INVALID, "tensors is NULL");
    refused(peft_sys_write_tensors(NULL, list, 1, NULL), PEFT_E_INVALID, "path is NULL");
    must(pf_st_open(ctx, path, &st));
    ck_assert_uint_eq(pf_st_count(st), 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_str_eq(pf_st_at(st, i)->name, list[i].name);
        ck_assert_mem_eq(pf_st_at(st, i)->data, list[i].data, pf_st_at(st, i)->bytes);
    }
    ck_assert_str_eq(pf_st_meta(st, "key"), "value");
    pf_st_close(st);
    peft_context_free(ctx);
    unlink(path);
}
END_TEST

SUITE_MAIN("safetensors_write", the_public_writer_keeps_the_order_of_tensors, written_files_are_read_back_equal,
           bad_tensors_and_metadata_are_refused, a_file_that_reads_back_changed_does_not_replace_the_old_one,
           failed_allocations_leak_nothing)
