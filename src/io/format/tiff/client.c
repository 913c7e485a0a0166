/* SPDX-License-Identifier: Apache-2.0
 * client.c -- io_tiff_open: gives libtiff a file in memory or an open one, and takes its messages, so that nothing
 * is printed. */
#include "io/format/tiff/tiff.h"
#include <stdio.h>

/* Callbacks of libtiff. */
static tmsize_t read_bytes(thandle_t handle, void *to, tmsize_t n)
{
    io_tiff *t = handle;
    const uint64_t left = t->position < t->size ? t->size - t->position : 0;
    const uint64_t part = n < 0 ? 0 : (uint64_t)n < left ? (uint64_t)n : left;
    int64_t got = (int64_t)part;
    if (!t->data) got = io_read_part(t->fd, to, (size_t)part, t->position);
    else if (part) memcpy(to, t->data + t->position, (size_t)part);
    if (got > 0) t->position += (uint64_t)got;
    return (tmsize_t)got;
}

static tmsize_t write_nothing(thandle_t handle, void *from, tmsize_t n)
{
    (void)handle, (void)from, (void)n;
    return -1;
}

static toff_t seek(thandle_t handle, toff_t offset, int from)
{
    io_tiff *t = handle;
    t->position = offset + (from == SEEK_CUR ? t->position : from == SEEK_END ? t->size : 0);
    return t->position;
}

static int close_nothing(thandle_t handle) { return (void)handle, 0; }
static toff_t size_of(thandle_t handle) { return ((io_tiff *)handle)->size; }

/* Keeps the first message. The result 1 stops libtiff from printing it. */
static int keep_error(TIFF *tif, void *user, const char *module, const char *format, va_list args)
{
    io_tiff *t = user;
    (void)tif, (void)module;
    if (!*t->message) vsnprintf(t->message, sizeof t->message, format, args);
    return 1;
}

/* Most warnings are of tags that change no pixel: they go to the log, as information. While pixels are decoded a
 * warning is of damaged data, but for that of an old form of LZW. */
static int keep_warning(TIFF *tif, void *user, const char *module, const char *format, va_list args)
{
    enum { INFORMATION = 2 };
    io_tiff *t = user;
    char text[200], line[220];
    if (t->strict && !strstr(format, "Old-style LZW")) return keep_error(tif, user, module, format, args);
    vsnprintf(text, sizeof text, format, args);
    snprintf(line, sizeof line, "TIFF: %s", text);
    peft_sys_log(t->ctx, INFORMATION, line);
    return 1;
}

peft_status io_tiff_failed(const io_tiff *t, const char *what)
{
    static const char name[] = "TIFF: ";                      /* of the file, by which libtiff begins some messages */
    const char *why = *t->message ? t->message : what;
    if (!strncmp(why, name, sizeof name - 1)) why += sizeof name - 1;
    return io_fail(PEFT_E_FORMAT, "%s%s; the file is damaged, cut short or of a kind that libtiff does not read: fetch "
                   "it again, or save it as PNG", name, why);
}

peft_status io_tiff_open(const io_encoded *f, io_tiff **out)
{
    enum { TABLES = 16 << 20 };                               /* bytes of the largest table of tags, tiles or strips */
    io_tiff *t = io_alloc(f->ctx, 1, sizeof *t);
    TIFFOpenOptions *options = t ? TIFFOpenOptionsAlloc() : NULL;
    if (!options) {
        peft_sys_free(f->ctx, t);
        return io_nomem("TIFF");
    }
    t->ctx = f->ctx;
    t->data = f->data;
    t->fd = f->fd;
    t->size = f->size;
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, f->options->max_bytes < TABLES ? TABLES : f->options->max_bytes);
    TIFFOpenOptionsSetErrorHandlerExtR(options, keep_error, t);
    TIFFOpenOptionsSetWarningHandlerExtR(options, keep_warning, t);
    /* m: without mapping the file */
    t->tif = TIFFClientOpenExt("TIFF", "rm", t, read_bytes, write_nothing, seek, close_nothing, size_of, NULL, NULL,
                               options);
    TIFFOpenOptionsFree(options);
    peft_status s = t->tif ? PEFT_OK : io_tiff_failed(t, "the header is damaged");
    if (s) io_tiff_close(t);
    else *out = t;
    return s;
}

void io_tiff_close(io_tiff *t)
{
    if (t->tif) TIFFClose(t->tif);
    peft_sys_free(t->ctx, t);
}
