/* SPDX-License-Identifier: Apache-2.0
 * samples.c -- converts numbers of a file, in either byte order, to samples. */
#include "io/format/pixels/samples.h"
#include <math.h>

static const struct { char kind; int bytes; io_type type; } rows[] = {
    { 'u', 1, IO_U8 }, { 'u', 2, IO_U16 }, { 'u', 4, IO_F32 }, { 'u', 8, IO_F32 }, { 'i', 1, IO_I16 },
    { 'i', 2, IO_I16 }, { 'i', 4, IO_F32 }, { 'i', 8, IO_F32 }, { 'f', 2, IO_F32 }, { 'f', 4, IO_F32 },
    { 'f', 8, IO_F32 } };

io_type io_samples_type(io_number number)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].kind == number.kind && rows[i].bytes == number.bytes) return rows[i].type;
    return IO_TYPES;
}

/* The bits of the number at p. */
static uint64_t bits_at(const uint8_t *p, io_number n)
{
    uint64_t v = 0;
    for (int i = 0; i < n.bytes; i++) v = v << 8 | p[n.little ? n.bytes - 1 - i : i];
    return v;
}

/* The value of a float of 16 bits: sign, 5 bits of exponent, 10 of fraction. */
static float half_of(uint64_t bits)
{
    const int exponent = (int)(bits >> 10 & 31);
    const float fraction = (float)(bits & 1023);
    const float v = exponent == 31  ? (fraction != 0 ? NAN : INFINITY)
                    : exponent == 0 ? ldexpf(fraction, -24)
                                    : ldexpf(1024 + fraction, exponent - 25);
    return bits >> 15 & 1 ? -v : v;
}

/* The value of a float of 16, 32 or 64 bits. false: a float cannot hold it. */
static bool float_of(uint64_t bits, int bytes, float *out)
{
    const uint32_t low = (uint32_t)bits;
    double wide;
    if (bytes == 2) return *out = half_of(bits), true;
    if (bytes == 4) return memcpy(out, &low, sizeof *out), true;
    memcpy(&wide, &bits, sizeof wide);
    *out = (float)wide;
    return isfinite(*out) || !isfinite(wide);
}

/* An integer of 32 or 64 bits as a float; false: a float cannot hold it. */
static bool float_of_integer(uint64_t bits, io_number n, float *out)
{
    const bool below_0 = n.kind == 'i' && bits >> (8 * n.bytes - 1);
    const uint64_t size = !below_0 ? bits : n.bytes == 8 ? 0 - bits : ((uint64_t)1 << 32) - bits;
    const float v = (float)size;
    if (!(v < 0x1p64f) || (uint64_t)v != size) return false;
    *out = below_0 ? -v : v;
    return true;
}

/* The error for the number at p. */
static peft_status refuse(const char *who, io_number n, uint64_t bits)
{
    double wide;
    char text[32];
    if (n.kind == 'i' && n.bytes == 4) wide = (double)(int32_t)bits;
    else if (n.kind == 'i') wide = (double)(int64_t)bits;
    else wide = (double)bits;
    if (n.kind == 'f') memcpy(&wide, &bits, sizeof wide);
    return io_fail(PEFT_E_UNSUPPORTED, "%s: the value %s of type %c%d does not fit a float without loss; save the "
                   "picture with values of at most 16777216, or as floats", who, peft_sys_opt_number(text, wide),
                   n.kind,
                   8 * n.bytes);
}

peft_status io_samples_convert(const char *who, io_number number, const uint8_t *from, int64_t count, void *to)
{
    const io_type type = io_samples_type(number);
    const size_t bytes = (size_t)number.bytes;
    if (type == IO_U8) return memcpy(to, from, (size_t)count), PEFT_OK;
    for (int64_t i = 0; i < count; i++, from += bytes) {
        const uint64_t bits = bits_at(from, number);
        if (number.kind == 'i' && number.bytes == 1) ((int16_t *)to)[i] = (int8_t)bits;
        else if (type != IO_F32) ((uint16_t *)to)[i] = (uint16_t)bits;                 /* i16 by its bits */
        else if (number.kind == 'f' ? !float_of(bits, number.bytes, (float *)to + i)
                                    : !float_of_integer(bits, number, (float *)to + i))
            return refuse(who, number, bits);
    }
    return PEFT_OK;
}
