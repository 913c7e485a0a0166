/* SPDX-License-Identifier: Apache-2.0
 * test_values.c -- conversions of element types (f16 and bf16: all 65536 patterns, against their definition), numbers
 * as text, random numbers against published vectors and their distributions, SHA-256 against FIPS 180 vectors. */
#include "suite.h"
#include <peft/file.h>
#include "core/options/options.h"
#include "core/base/rng.h"
#include "core/bits/sha256.h"
#include "core/base/tensor.h"
#include <locale.h>
#include <math.h>

/* The value of a bit pattern of a sign, `exponent` and `fraction` bits, by the definition of IEEE 754. */
static double value_of(unsigned h, int exponent, int fraction)
{
    int e = (int)(h >> fraction & ((1u << exponent) - 1)), bias = (1 << (exponent - 1)) - 1;
    double f = h & ((1u << fraction) - 1), sign = h >> (exponent + fraction) & 1 ? -1 : 1;
    if (e == (1 << exponent) - 1) return f ? NAN : sign * INFINITY;
    return sign * (e ? ldexp(f + (1 << fraction), e - bias - fraction) : ldexp(f, 1 - bias - fraction));
}

/* The 16-bit pattern to which v is rounded. */
static uint16_t narrowed(double v, peft_dtype type)
{
    uint16_t h;
    pk_real x = (pk_real)v;
    ck_assert(pf_from_real(&h, type, &x, 1));
    return h;
}

/* The next pk_real after x in the direction of `to`. */
static double next_after(pk_real x, double to)
{
#ifdef PF_REAL_DOUBLE
    return nextafter(x, to);
#else
    return nextafterf(x, (float)to);
#endif
}

/* Rounding to nearest, ties to even: just below, at and just above the middle between h and the next larger
 * magnitude. */
static void check_rounding(unsigned h, peft_dtype type, int exponent, int fraction)
{
    unsigned infinity = ((1u << exponent) - 1) << fraction;
    double x = value_of(h, exponent, fraction);
    double next = (h & 0x7FFF) + 1 == infinity ? 2 * x - value_of(h - 1, exponent, fraction)
                                               : value_of(h + 1, exponent, fraction);
    pk_real middle = (pk_real)((x + next) / 2);
    if ((double)middle != (x + next) / 2) return;                    /* pk_real cannot hold the middle */
    ck_assert_uint_eq(narrowed((double)middle, type), h & 1 ? h + 1 : h);
    ck_assert_uint_eq(narrowed(next_after(middle, 0), type), h);
    ck_assert_uint_eq(narrowed(next_after(middle, copysign(INFINITY, x)), type), h + 1);
}

/* Every pattern widens to its value and narrows to itself, also at odd addresses. */
static void check_half(peft_dtype type, int exponent, int fraction)
{
    unsigned infinity = ((1u << exponent) - 1) << fraction;
    for (unsigned h = 0; h < 65536; h++) {
        char unaligned[3];
        uint16_t bits = (uint16_t)h, narrow;
        pk_real x;
        memcpy(unaligned + 1, &bits, 2);
        ck_assert(pf_to_real(&x, unaligned + 1, type, 1));
        ck_assert(pf_from_real(unaligned + 1, type, &x, 1));
        memcpy(&narrow, unaligned + 1, 2);
        double want = value_of(h, exponent, fraction);
        if (isnan(want)) {
            ck_assert(isnan(x) && isnan(value_of(narrow, exponent, fraction))
                      && (narrow & 0x8000) == (h & 0x8000));
            continue;
        }
        ck_assert_msg((double)x == want && !signbit(x) == !(h >> 15), "%04x widens to %g", h, (double)x);
        ck_assert_msg(narrow == h, "%04x narrows to %04x", h, narrow);
        if ((h & 0x7FFF) < infinity) check_rounding(h, type, exponent, fraction);
    }
    /* f16 cannot hold 3e38; 0x7F62 is the nearest bf16 */
    ck_assert_uint_eq(narrowed(3e38, type), type == PEFT_F16 ? infinity : 0x7F62);
    ck_assert_uint_eq(narrowed(-1e-45, type), 0x8000);
}

START_TEST(every_half_float_converts_exactly_and_rounds_to_even)
{
    check_half(PEFT_F16, 5, 10);
    check_half(PEFT_BF16, 8, 7);
}
END_TEST

START_TEST(element_types_convert_to_and_from_reals)
{
    int64_t i64[] = { -5, 1 << 20 };
    int32_t i32[] = { -7, 9 };
    uint16_t u16[] = { 65535, 1 };
    int16_t i16[] = { -32768, 5 };
    uint8_t u8[] = { 255, 2 };
    double f64[] = { 0.1, -2 }, f64_back[2];
    float f32[] = { 0.5f, -3 }, f32_back[2];
    pk_real x[2];
    ck_assert(pf_to_real(x, i64, PEFT_I64, 2) && x[0] == -5 && x[1] == 1 << 20);
    ck_assert(pf_to_real(x, i32, PEFT_I32, 2) && x[0] == -7 && x[1] == 9);
    ck_assert(pf_to_real(x, u16, PEFT_U16, 2) && x[0] == 65535 && x[1] == 1);
    ck_assert(pf_to_real(x, i16, PEFT_I16, 2) && x[0] == -32768 && x[1] == 5);
    ck_assert(pf_to_real(x, (int8_t[]){ -128, 5 }, PEFT_I8, 2) && x[0] == -128 && x[1] == 5);
    ck_assert(pf_to_real(x, u8, PEFT_U8, 2) && x[0] == 255 && x[1] == 2);
    ck_assert(pf_to_real(x, f64, PEFT_F64, 2) && x[0] == (pk_real)0.1 && x[1] == -2);
    ck_assert(pf_from_real(f64_back, PEFT_F64, x, 2) && f64_back[0] == (double)(pk_real)0.1);
    ck_assert(pf_to_real(x, f32, PEFT_F32, 2) && x[0] == (pk_real)0.5 && x[1] == -3);
    ck_assert(pf_from_real(f32_back, PEFT_F32, x, 2) && f32_back[1] == -3);
    ck_assert(!pf_from_real(i32, PEFT_I32, x, 2) && !pf_to_real(x, i32, (peft_dtype)0, 1));
    ck_assert(pf_to_real(x, NULL, PEFT_F32, 0) && pf_from_real(NULL, PEFT_F16, NULL, 0));
}
END_TEST

/* good 1: the text is a number; 0: it is refused. */
static const struct { const char *text; int good; double value; } floats[] = {
    { "0.5", 1, 0.5 }, { "-1e-3", 1, -1e-3 }, { "+.5", 1, .5 }, { "5.", 1, 5 }, { "1E+2", 1, 100 },
    { "inf", 1, INFINITY }, { "4.9406564584124654e-324", 1, 4.9406564584124654e-324 }, { "0,5", 0, 0 }, { "", 0, 0 },
    { ".", 0, 0 }, { "1e", 0, 0 }, { "1e+", 0, 0 }, { " 1", 0, 0 }, { "1 ", 0, 0 }, { "0x10", 0, 0 },
    { "1e999", 0, 0 }, { "infinity", 0, 0 }, { "--1", 0, 0 }, { "1.2.3", 0, 0 } };
static const struct { const char *text; int good; int64_t value; } ints[] = {
    { "0", 1, 0 }, { "-12", 1, -12 }, { "+7", 1, 7 }, { "9223372036854775807", 1, INT64_MAX },
    { "-9223372036854775808", 1, INT64_MIN }, { "9223372036854775808", 0, 0 }, { "-9223372036854775809", 0, 0 },
    { "99999999999999999999999", 0, 0 }, { "", 0, 0 }, { "-", 0, 0 }, { " 1", 0, 0 }, { "1.0", 0, 0 },
    { "1x", 0, 0 } };
static const struct { double v; const char *text; } printed[] = {
    { 0.1, "0.1" }, { 1000, "1000" }, { -1234.5, "-1234.5" }, { 1e300, "1e+300" }, { -0.0, "-0" },
    { -INFINITY, "-inf" } };

/* Reads and prints the numbers of the tables above; a text that is no number leaves the value (-77). */
static void check_numbers(void)
{
    char text[64];
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
        double v = -77;
        ck_assert_msg(pf_parse_float(floats[i].text, &v) == floats[i].good, "'%s'", floats[i].text);
        ck_assert(v == (floats[i].good ? floats[i].value : -77));
    }
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        int64_t v = -77;
        ck_assert_msg(pf_parse_int(ints[i].text, &v) == ints[i].good, "'%s'", ints[i].text);
        ck_assert_int_eq(v, ints[i].good ? ints[i].value : -77);
    }
    for (size_t i = 0; i < sizeof printed / sizeof *printed; i++) {
        pf_print_float(text, sizeof text, printed[i].v);
        ck_assert_str_eq(text, printed[i].text);
    }
    pf_rng r = { .seed = 7, .a = 1, .b = 2 };            /* random doubles are printed and read back exactly */
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t bits = (uint64_t)pf_rng_u32(&r, 2 * i) << 32 | pf_rng_u32(&r, 2 * i + 1);
        double v, back;
        memcpy(&v, &bits, sizeof v);
        if (i % 2) v = (double)(bits % 100000) / 1000;
        pf_print_float(text, sizeof text, v);
        ck_assert_msg(pf_parse_float(text, &back) && (back == v || (isnan(v) && isnan(back))), "%a is printed as %s", v,
                      text);
    }
}

START_TEST(numbers_are_read_and_printed_in_any_locale)
{
    check_numbers();
    if (!setlocale(LC_ALL, "de_DE.UTF-8")) {
        printf("SKIP: the locale de_DE.UTF-8 is not installed\n");
        return;
    }
    char text[16];
    snprintf(text, sizeof text, "%.1f", 0.5);
    ck_assert_str_eq(text, "0,5");
    check_numbers();
    ck_assert_str_eq(setlocale(LC_ALL, NULL), "de_DE.UTF-8");
}
END_TEST

/* Random123's published vectors for philox4x32 with 10 rounds. */
START_TEST(random_numbers_match_published_vectors)
{
    static const struct { uint32_t counter[4], key[2], out[4]; } known[] = {
        { { 0 }, { 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff }, { 0xffffffff, 0xffffffff },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } } };
    for (size_t k = 0; k < 3; k++) {
        /* words 0 and 1 of the counter are the element's number, words 2 and 3 the stream; the key is the seed */
        const uint32_t *c = known[k].counter, *o = known[k].out;
        pf_rng r = { .seed = (uint64_t)known[k].key[1] << 32 | known[k].key[0], .a = c[2], .b = c[3] };
        uint64_t i = (uint64_t)c[1] << 32 | c[0];
        uint64_t u = (uint64_t)o[0] << 32 | o[1], v = (uint64_t)o[2] << 32 | o[3];
        double a = ((double)(u >> 11) + 0.5) * 0x1p-53, b = ((double)(v >> 11) + 0.5) * 0x1p-53;
        ck_assert_uint_eq(pf_rng_u32(&r, i), o[0]);
        ck_assert(pf_rng_uniform(&r, i) == a);
        ck_assert(fabs(pf_rng_normal(&r, i) - sqrt(-2 * log(a)) * cos(2 * acos(-1) * b)) < 1e-14);
        ck_assert_int_eq(pf_rng_below(&r, i, INT64_C(1) << 32), o[0]);
    }
}
END_TEST

START_TEST(random_numbers_have_their_distributions)
{
    enum { N = 100000 };
    pf_rng r = { .seed = 1, .a = 2, .b = 3 }, s = { .seed = 1, .a = 2, .b = 4 };
    double sum = 0, squares = 0, fourth = 0, cross = 0;
    int64_t count[7] = { 0 }, items[100], occurrences[100] = { 0 };
    for (uint64_t i = 0; i < N; i++) {
        double z = pf_rng_normal(&r, i), u = pf_rng_uniform(&s, i);
        sum += z, squares += z * z, fourth += z * z * z * z, cross += z * pf_rng_normal(&s, i);
        ck_assert(u > 0 && u < 1);
        count[pf_rng_below(&s, i, 7)]++;
    }
    ck_assert(fabs(sum / N) < 0.015 && fabs(squares / N - 1) < 0.02 && fabs(fourth / N - 3) < 0.15);
    ck_assert(fabs(cross / N) < 0.015);
    for (int i = 0; i < 7; i++) ck_assert(llabs(count[i] - N / 7) < 600);
    for (int i = 0; i < 100; i++) items[i] = i;
    pf_rng_shuffle(&r, items, 100);
    int moved = 0;
    for (int i = 0; i < 100; i++) occurrences[items[i]]++, moved += items[i] != i;
    for (int i = 0; i < 100; i++) ck_assert_int_eq(occurrences[i], 1);
    ck_assert_int_gt(moved, 90);
    pf_rng_shuffle(&r, items, 0);
    ck_assert_int_eq(pf_rng_below(&r, 0, 1) + pf_rng_below(&r, 0, 0), 0);
    /* published values of the hash FNV-1a of 32 bits */
    ck_assert_uint_eq(pf_rng_stream(""), 0x811c9dc5);
    ck_assert_uint_eq(pf_rng_stream("a"), 0xe40c292c);
    ck_assert_uint_eq(pf_rng_stream("foobar"), 0xbf9cf968);
}
END_TEST

/* The digest of `times` times the n bytes of text, added in pieces, is `want`. */
static void check_sha(const char *text, size_t n, size_t times, size_t piece, const char *want)
{
    pf_sha256 s;
    char hex[65];
    pf_sha256_init(&s);
    for (size_t t = 0; t < times; t++)
        for (size_t i = 0; i < n; i += piece) pf_sha256_add(&s, text + i, n - i < piece ? n - i : piece);
    pf_sha256_hex(&s, hex);
    ck_assert_str_eq(hex, want);
}

START_TEST(sha256_matches_published_vectors)
{
    static char a[1000];
    const char *two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    memset(a, 'a', sizeof a);
    check_sha("", 0, 1, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_sha("abc", 3, 1, 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_sha("abc", 3, 1, 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    for (size_t piece = 1; piece <= 56; piece++)
        check_sha(two_blocks, 56, 1, piece, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    check_sha(a, 1000, 1000, 1000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    check_sha(a, 1000, 1000, 333, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    char hex[65];
    peft_sha256(two_blocks, 56, hex);
    ck_assert_str_eq(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    peft_sha256(NULL, 0, hex);
    ck_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
END_TEST

/* The block function in plain C and that with x86 instructions agree, for "abc" and for any bytes at any address. */
START_TEST(sha256_block_functions_agree)
{
    /* the state before the first block, and after the block of "abc" */
    static const uint32_t start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
    static const uint32_t abc[8] = { 0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223,
                                     0xb00361a3, 0x96177a9c, 0xb410ff61, 0xf20015ad };
    static uint8_t bytes[20 * 64 + 64];
    uint32_t plain[8], other[8], seed = 1;
    uint8_t block[64] = { 'a', 'b', 'c', 0x80, [63] = 24 };          /* "abc" padded; its length is 24 bits */
    memcpy(plain, start, sizeof plain);
    pf_sha256_plain(plain, block, 1);
    ck_assert_mem_eq(plain, abc, sizeof abc);
    if (!pf_sha256_has_x86()) return;
    memcpy(other, start, sizeof other);
    pf_sha256_x86(other, block, 1);
    ck_assert_mem_eq(other, abc, sizeof abc);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
    for (size_t blocks = 0; blocks <= 20; blocks++)
        for (size_t offset = 0; offset < 64; offset += 7) {
            memcpy(plain, start, sizeof plain), memcpy(other, start, sizeof other);
            pf_sha256_plain(plain, bytes + offset, blocks);
            pf_sha256_x86(other, bytes + offset, blocks);
            ck_assert_mem_eq(plain, other, sizeof plain);
        }
}
END_TEST

SUITE_MAIN("values", every_half_float_converts_exactly_and_rounds_to_even, element_types_convert_to_and_from_reals,
           numbers_are_read_and_printed_in_any_locale, random_numbers_match_published_vectors,
           random_numbers_have_their_distributions, sha256_matches_published_vectors, sha256_block_functions_agree)
