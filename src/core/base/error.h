/* SPDX-License-Identifier: Apache-2.0
 * error.h -- sets the thread's last error message (peft_last_error). This needs no memory and cannot fail. */
#ifndef PF_ERROR_H
#define PF_ERROR_H
#include <peft/status.h>

/* Sets this thread's message, one line, and returns s. The message names the argument, what was given and what was
 * expected. No %f or %g, whose decimal point depends on the locale: see pf_print_float. Of a text of more than 1023
 * bytes the middle is replaced by "...". */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3), cold))
#endif
peft_status pf_fail(peft_status s, const char *format, ...);
peft_status pf_nomem(const char *what, size_t bytes);         /* PEFT_E_NOMEM: "what: no memory for ..." */
/* Puts "WHERE: " in front of this thread's message, for a caller that knows the file or the tensor: WHERE is the
 * formatted text. Does nothing if the message begins with it already. Returns s. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3), cold))
#endif
peft_status pf_prefix_error(peft_status s, const char *format, ...);

/* Tell why a callback of the application failed: call pf_clear_failure before the callback, pf_last_failure after it.
 * The result is the status of this thread's last pf_fail in between, whose message is still set; PEFT_OK: none. */
void        pf_clear_failure(void);
peft_status pf_last_failure(void);

/* Returns from the calling function with the status of a call that failed. */
#define PF_TRY(call) do { peft_status pf_s_ = (call); if (pf_s_) return pf_s_; } while (0)
#endif
