/* SPDX-License-Identifier: Apache-2.0
 * list.h -- the lines of a list file. */
#ifndef IO_LIST_H
#define IO_LIST_H
#include "io/dataset/dataset.h"

typedef enum list_found { LIST_END, LIST_LINE, LIST_BAD } list_found;
typedef struct list_line {
    const char *next;                                         /* text not read yet; the caller sets it at first */
    int64_t number;                                           /* of this line, from 1 */
    const char *name, *value, *wrong;                         /* value: the first number; wrong: why LIST_BAD */
    size_t name_length;
    int64_t values;                                           /* how many numbers */
    bool quoted;
} list_line;

/* The next line that is neither empty nor a comment (#). */
list_found list_next(list_line *l);
/* Reads the number at *at and moves *at to the next one; false: it does not fit in int64_t. */
bool       list_value(const char **at, int64_t *out);
/* A copy of the name, in memory of ctx, without its quotes and with slashes for backslashes; NULL: no memory. */
char      *list_name(peft_context *ctx, const list_line *l);
#endif
