/* SPDX-License-Identifier: Apache-2.0
 * text.c -- io_text_decode: makes UTF-8 of the encodings in which spreadsheets write tables. */
#include "io/csv/csv.h"
#include <peft/sys/content.h>

/* The characters of the bytes 0x80 to 0x9f in Windows-1252; 0: not used. The others are those of Unicode. */
static const uint16_t windows_1252[32] = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
    0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017d, 0,
    0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
    0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178 };

/* Writes a character as UTF-8; returns the number of bytes, 1 to 4. */
static size_t put_character(uint32_t c, char *to)
{
    const int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;     /* bytes behind the first */
    static const unsigned char first[4] = { 0, 0xc0, 0xe0, 0xf0 };
    for (int i = more; i > 0; i--, c >>= 6) to[i] = (char)(0x80 | (c & 0x3f));
    to[0] = (char)(first[more] | c);
    return (size_t)more + 1;
}

/* Two bytes as a number; high: the index of the upper one. */
static uint32_t unit(const uint8_t *two, int high) { return (uint32_t)two[high] << 8 | two[!high]; }

/* The number of bytes of the byte order mark of UTF-16. */
static size_t mark_of_utf16(const uint8_t *data, size_t size)
{
    return size >= 2 && (!memcmp(data, "\xff\xfe", 2) || !memcmp(data, "\xfe\xff", 2)) ? 2 : 0;
}

/* Whether a text of `count` characters is UTF-16 whose upper bytes have this index: they are mostly 0, and where they
 * are, the lower bytes are letters, signs, tabs or line ends. */
static bool looks_like_utf16(const uint8_t *data, size_t count, int high)
{
    size_t plain = 0;
    for (size_t i = 0; i < count; i++) {
        const uint32_t c = unit(data + 2 * i, high);
        if (c < 0x20 && c != '\t' && c != '\r' && c != '\n') return false;
        plain += c < 0x100;
    }
    return 2 * plain > count;
}

/* Without a mark the first characters decide: column names have mostly letters of ASCII. */
bool io_is_utf16(const uint8_t *data, size_t size, int *high)
{
    enum { FEWEST = 4, MOST = 400 };                          /* characters that are looked at */
    const size_t count = size / 2 < MOST ? size / 2 : MOST;
    if (mark_of_utf16(data, size)) {
        *high = *data == 0xff;
        return true;
    }
    for (*high = 0; *high < 2 && count >= FEWEST; ++*high)
        if (looks_like_utf16(data, count, *high)) return true;
    return false;
}

/* Converts UTF-16 behind its byte order mark to `to`, which has room for 3 bytes for each two. */
static peft_status from_utf16(const char *path, const uint8_t *data, size_t size, int high, char *to)
{
    if (size % 2) return io_fail(PEFT_E_FORMAT, "%s: UTF-16 with an odd number of bytes: the file was cut short", path);
    for (size_t i = mark_of_utf16(data, size); i < size; i += 2) {
        uint32_t c = unit(data + i, high);
        if (c >= 0xd800 && c < 0xdc00 && i + 2 < size) {
            const uint32_t second = unit(data + i + 2, high);
            if (second >= 0xdc00 && second < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (second - 0xdc00);
                i += 2;
            }
        }
        if (!c || (c >= 0xd800 && c < 0xe000))
            return io_fail(PEFT_E_FORMAT, "%s: byte %zu: %s; save the table as CSV in UTF-8", path, i,
                           c ? "half a character of UTF-16" : "a zero character");
        to += put_character(c, to);
    }
    *to = 0;
    return PEFT_OK;
}

/* Converts Windows-1252 to `to`, which has room for 3 bytes for each. */
static peft_status from_windows(const char *path, const uint8_t *data, size_t size, char *to)
{
    for (size_t i = 0; i < size; i++) {
        const uint32_t c = data[i] >= 0x80 && data[i] < 0xa0 ? windows_1252[data[i] - 0x80] : data[i];
        if (!c && data[i])
            return io_fail(PEFT_E_FORMAT, "%s: byte %zu is 0x%02x, which neither UTF-8 nor Windows-1252 has; save the "
                           "table as CSV in UTF-8", path, i, data[i]);
        to += put_character(c, to);
    }
    *to = 0;
    return PEFT_OK;
}

/* Whether a 0-terminated text is UTF-8. *line: the line, from 1, of the first byte that is not. */
static bool is_utf8(const char *text, int64_t *line)
{
    *line = 1;
    for (int bytes; *text; text += bytes) {
        *line += *text == '\n';
        if (!(bytes = io_utf8_bytes(text))) return false;
    }
    return true;
}

/* Converts to `to`; the encoding is one that needs it. high: of UTF-16, else -1. */
static peft_status convert(const char *path, const uint8_t *data, size_t size, int high, char *to)
{
    return high >= 0 ? from_utf16(path, data, size, high, to) : from_windows(path, data, size, to);
}

peft_status io_text_decode(peft_context *ctx, const char *path, uint8_t *data, size_t size, char **text)
{
    int order;
    const int high = io_is_utf16(data, size, &order) ? order : -1;
    const char *kind = size ? peft_sys_content_kind(data, size) : NULL;
    const size_t mark = size >= 3 && !memcmp(data, "\xef\xbb\xbf", 3) ? 3 : 0;      /* of UTF-8 */
    int64_t line;
    peft_status s = PEFT_OK;
    if (high < 0 && memchr(data, 0, size) && kind)
        s = io_fail(PEFT_E_FORMAT, "%s: expected a table, a text with the names of its columns in the first line, but "
                    "the file is %s", path, kind);
    else if (high < 0 && memchr(data, 0, size))
        s = io_fail(PEFT_E_FORMAT, "%s: not a text (it has a zero byte); expected a table in UTF-8, in UTF-16, or "
                    "in Windows-1252; save it as CSV in UTF-8", path);
    if (!s && high < 0 && is_utf8((const char *)data + mark, &line)) {
        memmove(data, data + mark, size - mark + 1);
        *text = (char *)data;
        return PEFT_OK;
    }
    char *to = s ? NULL : io_alloc(ctx, (int64_t)size + 1, 3);
    if (!s && !to) s = io_nomem(path);
    if (!s) s = convert(path, data, size, high, to);
    if (!s && high >= 0 && !mark_of_utf16(data, size))
        io_warn(ctx, "%s: UTF-16 without a byte order mark; if its letters are wrong, save it as CSV in UTF-8", path);
    if (!s && high < 0)
        io_warn(ctx, "%s: line %lld is not UTF-8; the table is read as Windows-1252. If its letters are wrong, save it "
                "as CSV in UTF-8", path, (long long)line);
    peft_sys_free(ctx, data);
    if (s) peft_sys_free(ctx, to);
    else *text = to;
    return s;
}
