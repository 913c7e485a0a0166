/* SPDX-License-Identifier: Apache-2.0
 * test_safetensors.c -- reading safetensors files: valid files are read; files that are malformed, cut, changed or
 * exceed the limits are refused with PEFT_E_FORMAT and a message that says why. */
#include "suite.h"
#include "core/format/safetensors.h"

static peft_context *new_context(void)
{
    peft_context *ctx = NULL;
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    return ctx;
}

/* A file of the header's length, the header and `data` bytes 0, 1, 2, ...; the caller frees it. */
static unsigned char *build(const char *header, size_t length, size_t data, size_t *size)
{
    uint64_t n = length;
    *size = sizeof n + length + data;
    unsigned char *file = malloc(*size);
    memcpy(file, &n, sizeof n);
    memcpy(file + sizeof n, header, length);
    for (size_t i = 0; i < data; i++) file[sizeof n + length + i] = (unsigned char)i;
    return file;
}

static int refusals;                                     /* counted by expect */

/* The file is refused with a message that contains word; NULL: it is valid. It is opened from a copy of exactly its
 * size, so that the sanitizer sees reads beyond its end. */
static void expect(const void *file, size_t size, const char *word)
{
    peft_context *ctx = new_context();
    size_t before = peft_context_memory_used(ctx);
    pf_st *st = NULL;
    void *copy = malloc(size ? size : 1);
    memcpy(copy, file, size);
    peft_status s = pf_st_open_memory(ctx, copy, size, &st);
    ck_assert_msg(s == (word ? PEFT_E_FORMAT : PEFT_OK), "%s: %s, with %.200s", peft_status_name(s), peft_last_error(),
                  size > 8 ? (const char *)file + 8 : "");
    if (word) {
        ck_assert_msg(strstr(peft_last_error(), word), "'%s' lacks '%s'", peft_last_error(), word);
        ck_assert_ptr_nonnull(strstr(peft_last_error(), "safetensors in memory: "));
        ck_assert_ptr_null(st);
        refusals++;
    }
    pf_st_close(st);
    ck_assert_uint_eq(peft_context_memory_used(ctx), before);
    peft_context_free(ctx);
    free(copy);
}

/* As expect, for a file of this header and `data` bytes after it. */
static void expect_header(const char *header, size_t data, const char *word)
{
    size_t size;
    unsigned char *file = build(header, strlen(header), data, &size);
    expect(file, size, word);
    free(file);
}

/* E: JSON of one tensor's entry. A: a header with the tensor a. AB: a header with two u8 tensors of 4 elements, a at
 * the offsets x and b at the offsets y. BIG: the largest int64_t. */
#define E(dtype, shape, offsets) "{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define A(dtype, shape, offsets) "{\"a\":" E("\"" dtype "\"", shape, offsets) "}"
#define AB(x, y) "{\"a\":" E("\"U8\"", "[4]", x) ",\"b\":" E("\"U8\"", "[4]", y) "}"
#define BIG "9223372036854775807"

/* A header, the number of data bytes after it, and a word of the message; NULL: the file is valid. */
static const struct { const char *header; size_t data; const char *word; } cases[] = {
    /* good files */
    { "{}", 0, NULL }, { "{}      ", 0, NULL }, { "{\"__metadata__\":{}}", 0, NULL },
    { "{\"__metadata__\":{\"k\":\"v\",\"\":\"\"}}", 0, NULL },
    { A("F32", "[]", "[0,4]"), 4, NULL }, { A("F32", "[0]", "[0,0]"), 0, NULL },
    { A("F32", "[0," BIG "]", "[0,0]"), 0, NULL },
    { A("F32", "[1,1,1,1,1,1,1,2]", "[0,8]"), 8, NULL }, { A("BOOL", "[3]", "[0,3]"), 3, NULL },
    { A("U8", "[3]", "[0,3]"), 3, NULL }, { A("I8", "[3]", "[0,3]"), 3, NULL }, { A("U16", "[3]", "[0,6]"), 6, NULL },
    { A("I16", "[3]", "[0,6]"), 6, NULL }, { A("F16", "[3]", "[0,6]"), 6, NULL },
    { A("BF16", "[3]", "[0,6]"), 6, NULL },
    { A("U32", "[3]", "[0,12]"), 12, NULL }, { A("I32", "[3]", "[0,12]"), 12, NULL },
    { A("U64", "[3]", "[0,24]"), 24, NULL },
    { A("I64", "[3]", "[0,24]"), 24, NULL }, { A("F64", "[3]", "[0,24]"), 24, NULL },
    { A("C64", "[3]", "[0,24]"), 24, NULL },
    { A("F8_E5M2", "[3]", "[0,3]"), 3, NULL }, { A("F8_E4M3", "[3]", "[0,3]"), 3, NULL },
    { A("F8_E8M0", "[3]", "[0,3]"), 3, NULL }, { A("F6_E2M3", "[4]", "[0,3]"), 3, NULL },
    { A("F6_E3M2", "[2,2]", "[0,3]"), 3, NULL }, { A("F4", "[6]", "[0,3]"), 3, NULL },
    { AB("[0,4]", "[4,8]"), 8, NULL }, { AB("[4,8]", "[0,4]"), 8, NULL },
    { "{ \"a\" : " E(" \"U8\"", "[ 1 ]", "[ 0 , 1 ]") " }", 1, NULL },
    { "{\"\\u00e9\\\"\\n\":" E("\"U8\"", "[1]", "[0,1]") "}", 1, NULL },
    { "{\"\":" E("\"U8\"", "[1]", "[0,1]") "}", 1, NULL },
    { "{\"b\":" E("\"U8\"", "[0]", "[1,1]") ",\"a\":" E("\"U8\"", "[1]", "[0,1]") "}", 1, NULL },
    /* not a header */
    { "", 0, "is empty" }, { " {}", 0, "start with {" }, { "[]", 0, "start with {" }, { "x", 0, "start with {" },
    { "\xEF\xBB\xBF{}", 0, "start with {" }, { "{", 0, "not valid JSON" }, { "{]", 0, "not valid JSON" },
    { "{}}", 0, "only blanks" }, { "{}\n", 0, "only blanks" }, { "{}\t ", 0, "only blanks" },
    { "{} x", 0, "only blanks" },
    { "{}{}", 0, "only blanks" }, { "{\"a\"}", 0, "not valid JSON" }, { "{\"a\":}", 0, "not valid JSON" },
    { "{a:1}", 0, "not valid JSON" }, { "{'a':1}", 0, "not valid JSON" }, { "{\"a\":1,}", 0, "not valid JSON" },
    { "{\"a\":01}", 0, "not valid JSON" }, { "{\"a\":NaN}", 0, "not valid JSON" },
    { "{\"a\":1/**/}", 0, "not valid JSON" },
    { "{\"a", 0, "not valid JSON" }, { "{\"a\\\"}", 0, "not valid JSON" }, { "{\"a\\", 0, "not valid JSON" },
    { "{\"\xFF\":1}", 0, "decode byte" }, { "{\"\xC0\x80\":1}", 0, "decode byte" },
    { "{\"\xED\xA0\x80\":1}", 0, "decode byte" },
    { "{\"\xF4\x90\x80\x80\":1}", 0, "decode byte" }, { "{\"\xE2\x82\":1}", 0, "decode byte" },
    { "{\"a\nb\":1}", 0, "not valid JSON" },
    { "{\"\\ud800\":1}", 0, "not valid JSON" }, { "{\"\\u00\":1}", 0, "not valid JSON" },
    { "{\"a\\u0000b\":" E("\"U8\"", "[1]", "[0,1]") "}", 1, "NUL" }, { "{\"\\x\":1}", 0, "not valid JSON" },
    { "{\"a\":{},\"a\":{}}", 0, "duplicate" }, { "{\"a\":{},\"\\u0061\":{}}", 0, "duplicate" },
    { "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"F4\"}}", 0, "duplicate" },
    { "{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "duplicate" },
    { "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "duplicate" },
    { "{\"a\":[[[[[[[[0]]]]]]]]}", 0, "nests deeper than 8" }, { "{\"a\":[[[[[[[0]]]]]]]}", 0, "not an object" },
    /* metadata */
    { "{\"__metadata__\":1}", 0, "__metadata__ is not an object" }, { "{\"__metadata__\":null}", 0, NULL },
    { "{\"__metadata__\":[]}", 0, "not an object" }, { "{\"__metadata__\":\"x\"}", 0, "not an object" },
    { "{\"__metadata__\":{\"k\":1}}", 0, "'k' is not text" },
    { "{\"__metadata__\":{\"k\":null}}", 0, "'k' is not text" },
    { "{\"__metadata__\":{\"k\":{}}}", 0, "'k' is not text" }, { "{\"__metadata__\":{\"k\":\"a\\u0000b\"}}", 0, "NUL" },
    /* entries */
    { "{\"a\":1}", 0, "'a': is not an object" }, { "{\"a\":null}", 0, "not an object" },
    { "{\"a\":[]}", 0, "not an object" },
    { "{\"a\":\"U8\"}", 0, "not an object" }, { "{\"a\":{}}", 0, "'a': dtype is missing" },
    { "{\"a\":{\"dtype\":\"U8\"}}", 0, "shape is missing" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[]}}", 0, "data_offsets is missing" },
    { "{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "dtype is missing" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":0}}", 1, "unknown key 'x'" },
    { "{\"a\":{\"Dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "dtype is missing" },
    { A("F31", "[1]", "[0,4]"), 4, "'F31'" }, { A("f32", "[1]", "[0,4]"), 4, "'f32'" },
    { A("", "[1]", "[0,4]"), 4, "''" },
    { A("F32 ", "[1]", "[0,4]"), 4, "'F32 '" }, { "{\"a\":" E("1", "[1]", "[0,1]") "}", 1, "dtype is not text" },
    { "{\"a\":" E("null", "[1]", "[0,1]") "}", 1, "dtype is not text" },
    { A("U8", "4", "[0,4]"), 4, "shape is not an array" }, { A("U8", "{}", "[0,4]"), 4, "shape is not an array" },
    { A("U8", "null", "[0,4]"), 4, "shape is not an array" }, { A("U8", "\"4\"", "[0,4]"), 4, "shape is not an array" },
    { A("U8", "[-4]", "[0,4]"), 4, "extent 0" }, { A("U8", "[2,-2]", "[0,4]"), 4, "extent 1" },
    { A("U8", "[-0]", "[0,0]"), 0, "negative zero" }, { A("U8", "[4.0]", "[0,4]"), 4, "extent 0" },
    { A("U8", "[4e0]", "[0,4]"), 4, "extent 0" }, { A("U8", "[\"4\"]", "[0,4]"), 4, "extent 0" },
    { A("U8", "[null]", "[0,4]"), 4, "extent 0" }, { A("U8", "[true]", "[0,1]"), 1, "extent 0" },
    { A("U8", "[[4]]", "[0,4]"), 4, "extent 0" }, { A("U8", "[9223372036854775808]", "[0,4]"), 4, "not valid JSON" },
    { A("U8", "[1,1,1,1,1,1,1,1,4]", "[0,4]"), 4, "9 extents" },
    { A("U8", "[" BIG "," BIG "]", "[0,1]"), 1, "overflows" },
    { A("U8", "[4294967296,4294967296]", "[0,0]"), 0, "overflows" },
    { A("F64", "[2305843009213693952]", "[0,0]"), 0, "overflows" },
    { A("F32", "[4611686018427387905]", "[0,4]"), 4, "overflows" },
    { A("U8", "[" BIG ",2,0]", "[0,0]"), 0, "overflows" },
    { A("C64", "[1152921504606846975]", "[0,0]"), 0, "overflows" },
    { A("F4", "[3]", "[0,1]"), 1, "whole bytes" }, { A("F4", "[1]", "[0,0]"), 0, "whole bytes" },
    { A("F6_E2M3", "[3]", "[0,3]"), 3, "whole bytes" }, { A("F6_E3M2", "[2]", "[0,1]"), 1, "whole bytes" },
    /* offsets */
    { A("U8", "[4]", "4"), 4, "two integers" }, { A("U8", "[4]", "[]"), 4, "two integers" },
    { A("U8", "[4]", "[4]"), 4, "two integers" }, { A("U8", "[4]", "[0,4,4]"), 4, "two integers" },
    { A("U8", "[4]", "[\"0\",\"4\"]"), 4, "two integers" }, { A("U8", "[4]", "[0,4.0]"), 4, "two integers" },
    { A("U8", "[4]", "[null,4]"), 4, "two integers" }, { A("U8", "[4]", "{\"0\":0}"), 4, "two integers" },
    { A("U8", "[4]", "[-4,0]"), 4, "[-4, 0]" }, { A("U8", "[4]", "[4,0]"), 4, "begin <= end" },
    { A("U8", "[4]", "[0,5]"), 4, "<= 4" }, { A("U8", "[4]", "[" BIG "," BIG "]"), 4, "<= 4" },
    { A("U8", "[4]", "[0," BIG "]"), 4, "<= 4" }, { A("U8", "[3]", "[0,4]"), 4, "span 4 bytes; expected 3 for U8 [3]" },
    { A("F32", "[1]", "[0,3]"), 3, "expected 4" }, { A("F32", "[2,2]", "[0,8]"), 8, "expected 16 for F32 [2, 2]" },
    { A("U8", "[]", "[0,0]"), 0, "expected 1" }, { A("U8", "[0]", "[0,1]"), 1, "expected 0" },
    { AB("[0,4]", "[5,9]"), 9, "'b': starts at byte 5, which leaves a hole" },
    { AB("[1,5]", "[5,9]"), 9, "'a': starts at byte 1" },
    { AB("[0,4]", "[0,4]"), 4, "overlaps another" },
    { AB("[0,4]", "[2,6]"), 6, "'b': starts at byte 2, which overlaps" },
    { AB("[0,4]", "[4,8]"), 9, "some belong to no tensor" }, { "{}", 1, "data has 1 bytes; expected 0" },
    { A("U8", "[0]", "[1,1]"), 1, "leaves a hole" }, { A("U8", "[0]", "[0,0]"), 1, "some belong to no tensor" },
};

START_TEST(headers_are_read_or_refused_with_the_reason)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_header(cases[i].header, cases[i].data, cases[i].word);
    ck_assert_int_ge(refusals, 100);
}
END_TEST

/* A file that is cut anywhere, longer than its tensors, or has a wrong header length is refused. */
START_TEST(cut_and_lengthened_files_are_refused)
{
    static const char header[] = "{\"__metadata__\":{\"k\":\"v\"},\"a\":" E("\"F32\"", "[2,2]", "[0,16]") ",\"b\":"
                                 E("\"U8\"", "[3]", "[16,19]") "}  ";
    size_t size;
    unsigned char *file = build(header, sizeof header - 1, 19, &size);
    expect(file, size, NULL);
    for (size_t n = 0; n < size; n++)
        expect(file, n, !n ? "is empty (0 bytes)" : n < 8 ? "of the header's length"
                      : n < size - 19 ? "cut short" : "data_offsets");
    for (size_t more = 1; more < 20; more++) {
        unsigned char *longer = calloc(1, size + more);
        memcpy(longer, file, size);
        expect(longer, size + more, "some belong to no tensor");
        free(longer);
    }
    static const struct { uint64_t length; const char *word; } lengths[] = {
        { 0, "is empty" }, { 1, "not valid JSON" }, { 50, "not valid JSON" }, { sizeof header, "only blanks" },
        { 1000, "cut short" }, { 100000000, "cut short" }, { 100000001, "at most 100000000" },
        { UINT64_C(1) << 32, "at most" }, { UINT64_C(1) << 63, "at most" }, { UINT64_MAX, "at most" },
        { UINT64_MAX - 7, "at most" } };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        file[size - 19] = 'x';                       /* the first data byte: the end of a header one byte too long */
        memcpy(file, &lengths[i].length, 8);
        expect(file, size, lengths[i].word);
    }
    free(file);
    ck_assert_int_ge(refusals, 150);
}
END_TEST

/* With any byte of the header changed to any value a file is read or refused, without reading beyond its end. */
START_TEST(a_changed_byte_is_read_or_refused)
{
    static const char header[] = "{\"a\":" E("\"F32\"", "[2]", "[0,8]") ",\"__metadata__\":{\"k\":\"v\"}}";
    peft_context *ctx = new_context();
    size_t size, before = peft_context_memory_used(ctx);
    unsigned char *file = build(header, sizeof header - 1, 8, &size);
    for (size_t i = 0; i < size - 8; i++)
        for (int delta = 1; delta < 256; delta++) {
            pf_st *st = NULL;
            file[i] = (unsigned char)(file[i] + delta);
            peft_status s = pf_st_open_memory(ctx, file, size, &st);
            ck_assert_msg(s == PEFT_OK || s == PEFT_E_FORMAT, "%s: %s", peft_status_name(s), peft_last_error());
            pf_st_close(st);
            file[i] = (unsigned char)(file[i] - delta);
        }
    free(file);
    ck_assert_uint_eq(peft_context_memory_used(ctx), before);
    peft_context_free(ctx);
}
END_TEST

/* The text `first`, n times `each` with the number for its %d, and `last`; the caller frees it. */
static char *repeat(const char *first, const char *each, int n, const char *last)
{
    size_t size = strlen(first) + (strlen(each) + 12) * (size_t)n + strlen(last) + 1;
    char *text = malloc(size), *end = text + sprintf(text, "%s", first);
    for (int i = 0; i < n; i++) end += sprintf(end, each, i);
    sprintf(end, "%s", last);
    return text;
}

START_TEST(headers_above_the_limits_are_refused)
{
    static const char empty[] = "\"x%d\":" E("\"U8\"", "[0]", "[0,0]") ",";
    static const char last[] = "\"y\":" E("\"U8\"", "[0]", "[0,0]") "}";
    static const struct { const char *first, *each; int n; const char *last, *word; } large[] = {
        { "{", empty, 65535, last, NULL },
        { "{", empty, 65536, last, "65537 tensors; expected at most 65536" },
        { "{\"", "x", 1024, "\":" E("\"U8\"", "[0]", "[0,0]") "}", NULL },
        { "{\"", "x", 1025, "\":" E("\"U8\"", "[0]", "[0,0]") "}", "1025 bytes; expected at most 1024" },
        /* "key" and its value together: 1 MiB, and one byte more */
        { "{\"__metadata__\":{\"key\":\"", "x", 1048573, "\"}}", NULL },
        { "{\"__metadata__\":{\"key\":\"", "x", 1048574, "\"}}", "expected at most 1048576" },
        { "{\"a\":[", "0,", 2000000, "0]}", "more than 1048576 values" },
        { "{\"a\":", "[", 1000000, "", "nests deeper" } };
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        char *header = repeat(large[i].first, large[i].each, large[i].n, large[i].last);
        expect_header(header, 0, large[i].word);
        free(header);
    }
}
END_TEST

START_TEST(tensors_and_metadata_are_found_by_name_and_index)
{
    peft_context *ctx = new_context();
    static const char header[] = "{\"c\":" E("\"F8_E4M3\"", "[1]", "[6,7]") ","
                                 "\"__metadata__\":{\"z\":\"1\",\"y\":\"\"},\"b\":" E("\"F32\"", "[1,1]", "[2,6]") ","
                                 "\"\\u00e9\":" E("\"BF16\"", "[]", "[0,2]") "}";
    size_t size;
    unsigned char *file = build(header, sizeof header - 1, 7, &size);
    const unsigned char *data = file + size - 7;
    const char *key, *value;
    pf_st *st;
    ck_assert_int_eq(pf_st_open_memory(ctx, file, size, &st), PEFT_OK);
    ck_assert_uint_eq(pf_st_count(st), 3);
    ck_assert_str_eq(pf_st_at(st, 0)->name, "\xC3\xA9");
    ck_assert_str_eq(pf_st_at(st, 1)->name, "b");
    ck_assert_str_eq(pf_st_at(st, 2)->name, "c");
    const pf_st_tensor *b = pf_st_find(st, "b"), *c = pf_st_find(st, "c");
    ck_assert_ptr_eq(b, pf_st_at(st, 1));
    ck_assert(b->type == PEFT_F32 && b->ndim == 2 && b->dim[0] == 1 && b->bytes == 4 && b->data == data + 2);
    ck_assert(c->type == 0 && c->ndim == 1 && c->bytes == 1 && c->data == data + 6);
    ck_assert_str_eq(c->type_name, "F8_E4M3");
    ck_assert_ptr_null(pf_st_find(st, "a"));
    ck_assert_ptr_null(pf_st_find(st, "__metadata__"));
    ck_assert_uint_eq(pf_st_meta_count(st), 2);
    ck_assert_str_eq(pf_st_meta(st, "z"), "1");
    ck_assert_str_eq(pf_st_meta(st, "y"), "");
    ck_assert_ptr_null(pf_st_meta(st, "x"));
    pf_st_meta_at(st, 1, &key, &value);
    ck_assert_str_eq(key, "y");
    pf_st_close(st);
    ck_assert_int_eq(pf_st_open_memory(ctx, "\2\0\0\0\0\0\0\0{}", 10, &st), PEFT_OK);
    ck_assert_ptr_null(pf_st_find(st, "a"));
    peft_context_free(ctx);                          /* the open file keeps the context alive */
    pf_st_close(st);
    pf_st_close(NULL);
    free(file);
}
END_TEST

SUITE_MAIN("safetensors", headers_are_read_or_refused_with_the_reason, cut_and_lengthened_files_are_refused,
           a_changed_byte_is_read_or_refused, headers_above_the_limits_are_refused,
           tensors_and_metadata_are_found_by_name_and_index)
