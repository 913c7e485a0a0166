/* SPDX-License-Identifier: Apache-2.0
 * list.h -- list_line: reads the lines of a list of images (`name class`); list.c makes a data set of them. */
#ifndef IO_LIST_H
#define IO_LIST_H
#include "io/dataset/dataset.h"

typedef enum list_result { LIST_END, LIST_LINE, LIST_BAD } list_result;
typedef struct list_line {
    const char *next;                                         /* the text not read yet; set by the caller at first */
    bool numbers_optional;                                    /* set by the caller: lines of a name alone count too */
    int64_t number;                                           /* of this line, from 1 */
    const char *name;                                         /* name_length characters, without the quotes around it */
    size_t name_length;
    bool quoted;                                              /* the name stands in quotes */
    const char *value;                                        /* the first of the numbers after the name */
    int64_t values;                                           /* how many numbers there are; 0: none */
    const char *problem;                                      /* for LIST_BAD: what is wrong with the line */
} list_line;

/* Reads the next line that is neither empty nor a comment (#). */
list_result list_next(list_line *l);
/* Reads the number at *value and moves *value to the next one; false: it does not fit in int64_t. */
bool        list_value(const char **value, int64_t *out);
/* A copy of the name in memory of ctx, with doubled quotes made single and backslashes made slashes; NULL: no
 * memory. */
char       *list_name(peft_context *ctx, const list_line *l);
#endif
