/* SPDX-License-Identifier: Apache-2.0
 * error.c -- the thread's last error message and the names of the statuses. The message is stored in a fixed buffer of
 * the thread, so that it can be set when there is no memory. */
#include "core/base/error.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    MESSAGE_BYTES = 1024,                             /* of the message with its final 0 */
    TEXT_BYTES = 8192,                                /* of a text before it is shortened: two long paths */
    HEAD_BYTES = 400,                                 /* kept of the beginning of a text that is shortened */
    MOST_CUT = 4                                      /* bytes of the head left out so as to cut no UTF-8 sequence */
};
static _Thread_local char message[MESSAGE_BYTES];
static _Thread_local peft_status last_failure;        /* status of the last pf_fail since pf_clear_failure */

/* Whether c is not the first byte of a UTF-8 sequence, but one behind it: its upper two bits are 10. */
static bool continues_character(char c) { return ((unsigned char)c & 0xC0) == 0x80; }

/* Makes the n bytes of text the message. Control characters, which may come from names in a hostile file, become '?',
 * so that it is one line. Of a text that does not fit the middle is replaced by "...": the beginning says what it is
 * about, the end gives the reason. No UTF-8 sequence is cut. */
static void set_message(const char *text, size_t n)
{
    if (n < MESSAGE_BYTES) memcpy(message, text, n + 1);
    else {
        /* head: bytes kept of the beginning; tail: index where the part kept of the end begins. The sizeof is that of
         * "..." and the final 0. */
        size_t head = HEAD_BYTES, tail = n - (MESSAGE_BYTES - HEAD_BYTES - sizeof "...");
        while (head > HEAD_BYTES - MOST_CUT && continues_character(text[head])) head--;
        while (tail < n && continues_character(text[tail])) tail++;
        memcpy(message, text, head);
        memcpy(message + head, "...", 3);
        memcpy(message + head + 3, text + tail, n - tail + 1);
    }
    for (char *c = message; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F) *c = '?';
}

/* The bytes that vsnprintf stored in a buffer of TEXT_BYTES, given its result. */
static size_t stored_length(int wanted) { return wanted < TEXT_BYTES ? (size_t)wanted : TEXT_BYTES - 1; }

/* The text is built in a buffer first, as an argument may be the message itself; the same in pf_prefix_error. */
peft_status pf_fail(peft_status s, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    last_failure = s;
    if (n < 0) n = snprintf(text, sizeof text, "%s", peft_status_name(s));      /* vsnprintf failed */
    set_message(text, stored_length(n));
    return s;
}

peft_status pf_nomem(const char *what, size_t bytes)
{
    return pf_fail(PEFT_E_NOMEM, "%s: no memory for %zu bytes", what, bytes);
}

/* Whether the message begins with the n bytes of `where` already, and ':' or '/' (a file in that folder) follows. A
 * message that was shortened has only the beginning of a long `where`; then that beginning is compared. */
static bool has_prefix(const char *where, size_t n)
{
    if (n < MESSAGE_BYTES && !strncmp(message, where, n) && (message[n] == ':' || message[n] == '/')) return true;
    const size_t head = HEAD_BYTES - MOST_CUT;
    return n > HEAD_BYTES && !strncmp(message, where, head) && strstr(message + head, "...");
}

/* The new message is the formatted text, ": " and the old message. */
peft_status pf_prefix_error(peft_status s, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0 || has_prefix(text, stored_length(n))) return s;
    const size_t most = TEXT_BYTES - MESSAGE_BYTES - 2;       /* leaves space for ": " and the message */
    const size_t length = stored_length(n) < most ? stored_length(n) : most;
    set_message(text, stored_length((int)length + snprintf(text + length, sizeof text - length, ": %s", message)));
    return s;
}

void pf_clear_failure(void) { last_failure = PEFT_OK; }
peft_status pf_last_failure(void) { return last_failure; }

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
