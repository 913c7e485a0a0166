/* SPDX-License-Identifier: Apache-2.0
 * list.h -- the lines of a list file. */
#ifndef IO_LIST_H
#define IO_LIST_H
#include "io/dataset.h"

typedef enum list_found { LIST_END, LIST_LINE, LIST_BAD } list_found;
typedef struct list_line {
    const char *next;                                         /* begins as the text */
    int64_t number;                                           /* of this line, from 1 */
    const char *name, *value, *wrong;                         /* value: the first of the numbers; wrong: of LIST_BAD */
    size_t name_length;
    int64_t values;
    bool quoted;
} list_line;

/* The next line that is neither empty nor a comment (#). */
list_found list_next(list_line *l);
/* The number at *at, which moves to the next one; false: it does not fit. */
bool       list_value(const char **at, int64_t *out);
/* The name without quotes, backslashes as slashes; NULL: no memory. */
char      *list_name(const list_line *l);
#endif
