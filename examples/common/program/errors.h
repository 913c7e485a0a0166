/* SPDX-License-Identifier: Apache-2.0
 * errors.h -- errors and warnings of the programs: one line on standard error, after the program's name. */
#ifndef ERRORS_H
#define ERRORS_H
#include <peft/peft.h>

extern const char *program_name;                              /* set first in main */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));    /* exits with 1 */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void must(peft_status s);                                     /* fails with the library's last message */
void *need(void *memory);                                     /* fails on NULL */
#endif
