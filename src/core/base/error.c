/* SPDX-License-Identifier: Apache-2.0
 * error.c -- the thread's last message and the names of the statuses. The message lives in a fixed buffer of the
 * thread, so that a failure for lack of memory can be told like any other. */
#include "core/base/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ROOM 1024
static _Thread_local char message[ROOM];

/* Makes text[ROOM] one line: control characters, which names from a hostile file may hold, become '?'. A text that
 * did not fit (wanted is its full length) ends in "...", not inside a UTF-8 sequence. */
static void tidy(char *text, int wanted)
{
    if (wanted >= ROOM) {
        size_t end = ROOM - 4;
        while (end > ROOM - 8 && ((unsigned char)text[end] & 0xC0) == 0x80) end--;
        memcpy(text + end, "...", 4);
    }
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F) *c = '?';
}

/* Both build the text aside first: an argument may be the message itself. */
peft_status pf_fail(peft_status s, const char *format, ...)
{
    char text[ROOM];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0) snprintf(text, sizeof text, "%s", peft_status_name(s));
    tidy(text, n);
    memcpy(message, text, strlen(text) + 1);
    return s;
}

peft_status pf_nomem(const char *what, size_t bytes)
{
    return pf_fail(PEFT_E_NOMEM, "%s: no memory for %zu bytes", what, bytes);
}

peft_status pf_within(peft_status s, const char *format, ...)
{
    char text[ROOM];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0) return s;
    if (n < ROOM) n += snprintf(text + n, sizeof text - (size_t)n, ": %s", message);
    tidy(text, n);
    memcpy(message, text, strlen(text) + 1);
    return s;
}

const char *peft_last_error(void) { return message; }
peft_status peft_set_error(peft_status s, const char *text) { return pf_fail(s, "%s", text ? text : ""); }

#define STATUSES(row) \
    row(PEFT_OK) row(PEFT_E_INVALID) row(PEFT_E_NOMEM) row(PEFT_E_IO) row(PEFT_E_FORMAT) row(PEFT_E_SHAPE) \
    row(PEFT_E_DTYPE) row(PEFT_E_NOTFOUND) row(PEFT_E_OPTION) row(PEFT_E_STATE) row(PEFT_E_UNSUPPORTED) \
    row(PEFT_E_MISMATCH) row(PEFT_E_CANCELLED) row(PEFT_E_NONFINITE) row(PEFT_E_INTERNAL)

const char *peft_status_name(peft_status s)
{
#define ROW(code) case code: return #code;
    switch (s) { STATUSES(ROW) }
#undef ROW
    return "unknown status";
}
