/* SPDX-License-Identifier: Apache-2.0
 * errors.h -- errors and warnings of the programs: one line on standard error, "PROGRAM: message". */
#ifndef ERRORS_H
#define ERRORS_H
#include <peft/peft.h>

extern const char *program_name;                              /* main sets it first */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));    /* exits with status 1 */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));            /* an error; goes on */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void must(peft_status s);                                     /* unless s is PEFT_OK: fails with peft_last_error() */
void *check_alloc(void *memory);                              /* returns memory; fails with "out of memory" on NULL */
void *grow_by_one(void *items, int64_t count, size_t size);   /* an array of `count` elements; room for one more */
#endif
