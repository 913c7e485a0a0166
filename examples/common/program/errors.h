/* SPDX-License-Identifier: Apache-2.0
 * errors.h -- how a program fails and warns: one line on standard error, behind the program's name. */
#ifndef ERRORS_H
#define ERRORS_H
#include <peft/peft.h>

extern const char *program_name;                              /* set first in main */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));    /* status 1 */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void must(peft_status s);                                     /* fails with the library's last message */
void *need(void *memory);                                     /* fails on NULL */
#endif
