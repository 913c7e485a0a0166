/* SPDX-License-Identifier: Apache-2.0
 * formats.c -- the table of picture formats, and the choice of one by a file's first bytes or by its name. */
#include <peft/sys/content.h>
#include "io/format/formats.h"
#include <stdio.h>

static const io_format *const formats[] = {
#define IO_FORMAT(name) &io_format_##name,
#include "io/format/formats.def"
#undef IO_FORMAT
};
enum { FORMATS = sizeof formats / sizeof *formats, LONGEST_ENDING = 8 };

const io_format *io_format_of(const uint8_t *data, size_t size)
{
    for (int i = 0; i < FORMATS; i++)
        if (formats[i]->probe(data, size)) return formats[i];
    return NULL;
}

bool io_is_image_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    char ending[LONGEST_ENDING + 1];
    const size_t n = dot ? strlen(dot + 1) : 0;
    if (!n || n > LONGEST_ENDING) return false;
    for (size_t i = 0; i < n; i++) ending[i] = (char)(dot[i + 1] >= 'A' && dot[i + 1] <= 'Z' ? dot[i + 1] | 0x20
                                                                                              : dot[i + 1]);
    for (int i = 0; i < FORMATS; i++)
        if (peft_sys_opt_choice(formats[i]->endings, ending, n) >= 0) return true;
    return false;
}

const char *io_image_endings(char *text, size_t room)
{
    size_t at = 0;
    *text = 0;
    for (int i = 0; i < FORMATS; i++)
        for (const char *p = formats[i]->endings; *p && at < room;) {
            const size_t n = strcspn(p, "|");
            const bool last = i == FORMATS - 1 && !p[n];
            at += (size_t)snprintf(text + at, room - at, "%s.%.*s", !at ? "" : last ? " or " : ", ", (int)n, p);
            p += n + (p[n] == '|');
        }
    return text;
}

peft_status io_no_format(const uint8_t *data, size_t size)
{
    const char *what = peft_sys_content_kind(data, size);
    char names[200] = "";
    size_t at = 0;
    if (what) return io_fail(PEFT_E_FORMAT, "image: %s", what);
    for (int i = 0; i < FORMATS && at < sizeof names; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, " %s %s", i ? "nor" : "neither", formats[i]->name);
    return io_fail(PEFT_E_FORMAT, "image:%s; convert it to PNG", names);
}
