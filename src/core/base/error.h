/* SPDX-License-Identifier: Apache-2.0
 * error.h -- the thread's last message. Recording an error needs no memory and cannot fail. */
#ifndef PF_ERROR_H
#define PF_ERROR_H
#include <peft/status.h>

/* Sets this thread's message (one line, C-locale-free formats: no %f/%g of user data) and returns s. The message
 * names the argument, what was given and what was expected. A text of more than 1023 bytes loses its middle. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3), cold))
#endif
peft_status pf_fail(peft_status s, const char *format, ...);
peft_status pf_nomem(const char *what, size_t bytes);         /* PEFT_E_NOMEM with its message */
/* Keeps the message, puts "where: " in front unless it stands there: for a caller that knows the file or the tensor.
 * Returns s. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3), cold))
#endif
peft_status pf_within(peft_status s, const char *format, ...);

/* What a callback of the program's failed of: the status of the thread's last failure between the two calls, whose
 * message still stands; PEFT_OK: nothing failed. */
void        pf_error_watch(void);
peft_status pf_error_seen(void);

#define PF_TRY(call) do { peft_status pf_s_ = (call); if (pf_s_) return pf_s_; } while (0)
#endif
