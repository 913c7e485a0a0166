/* SPDX-License-Identifier: Apache-2.0
 * content.c -- tells the kind of a file by its first bytes, for error messages: by the table of marks in content.def,
 * and by code for kinds without fixed bytes (zip archives by their first entry, text). */
#include <peft/sys/content.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct mark { size_t at; const char *bytes; size_t length; const char *kind; } mark;
#define MARK(at, bytes, kind) { at, bytes, sizeof bytes - 1, kind },

#define ZIP "a zip archive (unpack it, or open it as a data set)"
#define PYTORCH "(convert it to safetensors in Python: safetensors.torch.save_file of its state dict)"

static const mark marks[] = {
#include "core/os/content.def"
};

static bool has(const uint8_t *d, size_t size, size_t at, const char *bytes, size_t length)
{
    return size >= at + length && !memcmp(d + at, bytes, length);
}

/* Whether text, in lower case, stands at d[at], whatever the case there. */
static bool says(const uint8_t *d, size_t size, size_t at, const char *text)
{
    size_t n = strlen(text);
    if (size < at + n) return false;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = d[at + i];
        if (c >= 'A' && c <= 'Z') c = (uint8_t)(c + 32);
        if (c != (uint8_t)text[i]) return false;
    }
    return true;
}

/* The first entry's name tells whose archive it is. */
static const char *zip_kind(const uint8_t *d, size_t size)
{
    size_t n = size >= 30 ? (size_t)d[26] | (size_t)d[27] << 8 : 0;
    if (size < 30 + n) return ZIP;
    const char *name = (const char *)d + 30;
    if ((n > 9 && !memcmp(name + n - 9, "/data.pkl", 9)) || (n > 11 && !memcmp(name + n - 11, "/.data/seri", 11)))
        return "a PyTorch checkpoint " PYTORCH;
    if (n > 4 && !memcmp(name + n - 4, ".npy", 4)) return "a numpy archive (.npz)";
    return ZIP;
}

/* Text that is meant for a browser or a program; blanks and a byte order mark may stand in front. */
static const char *text_kind(const uint8_t *d, size_t size)
{
    size_t at = has(d, size, 0, "\xef\xbb\xbf", 3) ? 3 : 0;
    while (at < size && (d[at] == ' ' || (d[at] >= '\t' && d[at] <= '\r'))) at++;
    if (says(d, size, at, "<!doctype html") || says(d, size, at, "<html"))
        return "a web page (HTML): the download gave a page, perhaps of a login, in place of the file";
    if (says(d, size, at, "<svg")) return "an SVG drawing (convert it to PNG)";
    if (says(d, size, at, "<?xml")) return "XML text, perhaps the error message of a download";
    if (at < size && d[at] == '{')
        return "JSON text (a configuration, an index of shards, or the error message of a download)";
    return NULL;
}

const char *peft_sys_content_kind(const void *data, size_t size)
{
    const uint8_t *d = data;
    if (!size || !d) return "empty (0 bytes)";
    if (has(d, size, 0, "PK\3\4", 4)) return zip_kind(d, size);
    if (size > 2 && d[0] == 0x80 && d[1] >= 2 && d[1] <= 5)
        return "a Python pickle, such as an old PyTorch checkpoint " PYTORCH;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (has(d, size, marks[i].at, marks[i].bytes, marks[i].length)) return marks[i].kind;
    static const uint8_t zeros[64];
    if (has(d, size, 0, (const char *)zeros, sizeof zeros))
        return "zeros at its beginning, as of a download that was not finished (fetch it again)";
    return text_kind(d, size);
}
