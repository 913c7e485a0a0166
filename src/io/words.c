/* SPDX-License-Identifier: Apache-2.0
 * words.c -- words in the names of files, folders and columns (words.h). */
#include "io/words.h"

char io_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

bool io_same_word(const char *a, const char *b)
{
    while (*a && io_lower(*a) == io_lower(*b)) a++, b++;
    return io_lower(*a) == io_lower(*b);
}

bool io_ends_in(const char *path, const char *ending)
{
    const char *dot = strrchr(path, '.');
    return dot && io_same_word(dot, ending);
}

int io_utf8_bytes(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    const int following = *s < 0x80 ? 0 : *s >= 0xc2 && *s < 0xe0 ? 1 : *s >= 0xe0 && *s < 0xf0 ? 2
                        : *s >= 0xf0 && *s < 0xf5 ? 3 : -1;                  /* bytes that follow *s; -1: not UTF-8 */
    if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) || (*s == 0xf0 && s[1] < 0x90) ||
        (*s == 0xf4 && s[1] > 0x8f))
        return 0;                                             /* overlong, a surrogate, or above U+10FFFF */
    for (int i = 1; i <= following; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    return following + 1;
}

bool io_is_plain_text(const char *text)
{
    while (*text) {
        const unsigned char c = (unsigned char)*text;
        const int bytes = io_utf8_bytes(text);
        if (!bytes || c < 0x20 || c == 0x7f) return false;
        text += bytes;
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    const io_named *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    if (order) return order;
    return x->i < y->i ? -1 : x->i > y->i;
}

void io_sort_named(io_named *item, int64_t count)
{
    if (count) qsort(item, (size_t)count, sizeof *item, by_name);
}

static const struct { const char *name, *split; } splits[] = {
    { "train", "train" }, { "training", "train" }, { "val", "val" }, { "valid", "val" }, { "validation", "val" },
    { "test", "test" },   { "testing", "test" } };

const char *io_split_of(const char *name)
{
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++)
        if (io_same_word(name, splits[i].name)) return splits[i].split;
    return NULL;
}

peft_status io_check_split(const char *split)
{
    if (!split || io_split_of(split)) return PEFT_OK;
    return io_fail(PEFT_E_INVALID, "data set: split '%.40s', expected train (training), val (valid, validation) or "
                   "test (testing)", split);
}
