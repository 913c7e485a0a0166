/* SPDX-License-Identifier: Apache-2.0
 * error.c -- the thread's last message and the names of the statuses. The message lives in a fixed buffer of the
 * thread, so that a failure for lack of memory can be told like any other. */
#include "core/base/error.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ROOM 1024
#define LONGEST 8192                                  /* built aside: two of the longest paths fit */
#define HEAD 400                                      /* of a text that is shortened, so much of its beginning stays */
static _Thread_local char message[ROOM];
static _Thread_local peft_status recorded;            /* of the last failure since pf_error_watch */

static bool inside_character(char c) { return ((unsigned char)c & 0xC0) == 0x80; }

/* Makes text[n] the message, in one line: control characters, which names from a hostile file may hold, become '?'. A
 * text that does not fit loses its middle, as a rule that of a long path: it begins with what it is about and ends with
 * the reason. No UTF-8 sequence is cut. */
static void keep(const char *text, size_t n)
{
    if (n < ROOM) memcpy(message, text, n + 1);
    else {
        size_t head = HEAD, tail = n - (ROOM - HEAD - 4);
        while (head > HEAD - 4 && inside_character(text[head])) head--;
        while (tail < n && inside_character(text[tail])) tail++;
        memcpy(message, text, head);
        memcpy(message + head, "...", 3);
        memcpy(message + head + 3, text + tail, n - tail + 1);
    }
    for (char *c = message; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F) *c = '?';
}

/* What of the text was built; wanted is what vsnprintf said. */
static size_t built(int wanted) { return wanted < LONGEST ? (size_t)wanted : LONGEST - 1; }

/* Both build the text aside first: an argument may be the message itself. */
peft_status pf_fail(peft_status s, const char *format, ...)
{
    char text[LONGEST];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    recorded = s;
    if (n < 0) n = snprintf(text, sizeof text, "%s", peft_status_name(s));
    keep(text, built(n));
    return s;
}

peft_status pf_nomem(const char *what, size_t bytes)
{
    return pf_fail(PEFT_E_NOMEM, "%s: no memory for %zu bytes", what, bytes);
}

/* The message begins with `where` already (or with a file in that folder), or with its beginning when it was
 * shortened. */
static bool says(const char *where, size_t n)
{
    if (n < ROOM && !strncmp(message, where, n) && (message[n] == ':' || message[n] == '/')) return true;
    return n > HEAD && !strncmp(message, where, HEAD - 4) && strstr(message + HEAD - 4, "...");
}

peft_status pf_within(peft_status s, const char *format, ...)
{
    char text[LONGEST];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0 || says(text, built(n))) return s;
    size_t at = built(n) < LONGEST - ROOM - 2 ? built(n) : LONGEST - ROOM - 2;
    keep(text, built((int)at + snprintf(text + at, sizeof text - at, ": %s", message)));
    return s;
}

void pf_error_watch(void) { recorded = PEFT_OK; }
peft_status pf_error_seen(void) { return recorded; }

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
