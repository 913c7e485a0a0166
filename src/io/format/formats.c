/* SPDX-License-Identifier: Apache-2.0
 * formats.c -- the table of the picture formats in formats.def, searched by a file's first bytes or by its name. */
#include <peft/sys/content.h>
#include "io/format/formats.h"
#include "io/words.h"
#include <stdio.h>

static const io_format *const formats[] = {
#define IO_FORMAT(name) &io_format_##name,
#include "io/format/formats.def"
#undef IO_FORMAT
};
enum { FORMATS = sizeof formats / sizeof *formats };

const io_format *io_format_of(const uint8_t *data, size_t size)
{
    for (int i = 0; i < FORMATS; i++)
        if (formats[i]->probe(data, size)) return formats[i];
    return NULL;
}

const char *peft_image_format(const void *data, size_t size)
{
    const io_format *format = data ? io_format_of(data, size) : NULL;
    return format ? format->name : NULL;
}

/* Whether name[length] ends with "." and the n lower case letters of ending, in upper or lower case. */
static bool has_ending(const char *name, size_t length, const char *ending, size_t n)
{
    if (length < n + 1 || name[length - n - 1] != '.') return false;
    for (size_t i = 0; i < n; i++)
        if (io_lower(name[length - n + i]) != ending[i]) return false;
    return true;
}

/* The bytes of the ending that a name has of this format, with its dot; 0: none. */
static size_t ending_of(const io_format *format, const char *name)
{
    const size_t length = strlen(name);
    size_t longest = 0;
    for (const char *ending = format->endings; *ending;) {    /* such as "jpg|jpeg" */
        const size_t n = strcspn(ending, "|");
        if (has_ending(name, length, ending, n) && n + 1 > longest) longest = n + 1;
        ending += n + (ending[n] == '|');                     /* behind the ending and its separator */
    }
    return longest;
}

size_t io_image_ending(const char *name)
{
    size_t longest = 0;
    for (int i = 0; i < FORMATS; i++) {
        const size_t n = ending_of(formats[i], name);
        if (n > longest) longest = n;
    }
    return longest;
}

bool io_is_image_name(const char *name) { return io_image_ending(name) > 0; }

bool io_may_be_unnamed(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    return !(dot && dot[1 + strspn(dot + 1, "0123456789")]) && !io_same_word(name, "DICOMDIR");
}

bool io_may_be_dicom(const char *path) { return ending_of(&io_format_dicom, path) || io_may_be_unnamed(path); }

bool io_is_unnamed_head(const uint8_t *head, size_t size)
{
    return size >= IO_UNNAMED_HEAD && io_format_of(head, size) == &io_format_dicom;
}

bool io_is_unnamed_image(peft_context *ctx, const char *path)
{
    uint8_t *head;
    size_t size;
    if (!io_may_be_unnamed(path) || io_read_head(ctx, path, IO_UNNAMED_HEAD, &head, &size)) return false;
    const bool found = io_is_unnamed_head(head, size);
    peft_sys_free(ctx, head);
    return found;
}

const char *io_image_endings(char *text, size_t size)
{
    size_t used = 0;
    *text = 0;
    for (int i = 0; i < FORMATS; i++)
        for (const char *ending = formats[i]->endings; *ending && used < size;) {
            const size_t n = strcspn(ending, "|");
            const bool last = i == FORMATS - 1 && !ending[n];
            used += (size_t)snprintf(text + used, size - used, "%s.%.*s", !used ? "" : last ? " or " : ", ", (int)n,
                                     ending);
            ending += n + (ending[n] == '|');
        }
    return text;
}

peft_status io_no_format(const uint8_t *data, size_t size)
{
    const char *kind = peft_sys_content_kind(data, size);     /* "a TIFF file; convert it to PNG"; NULL: unknown */
    char names[200] = "";                                     /* " neither PNG nor JPEG nor ..." */
    size_t used = 0;
    if (kind) return io_fail(PEFT_E_FORMAT, "image: %s", kind);
    for (int i = 0; i < FORMATS && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, " %s %s", i ? "nor" : "neither", formats[i]->name);
    return io_fail(PEFT_E_FORMAT, "image:%s; convert it to PNG", names);
}
