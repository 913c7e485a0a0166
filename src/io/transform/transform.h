/* SPDX-License-Identifier: Apache-2.0
 * transform.h -- the struct behind peft_transform; loaders and predictors keep a reference to one. */
#ifndef IO_TRANSFORM_H
#define IO_TRANSFORM_H
#include "io/transform/recipe.h"

struct peft_transform {
    peft_context *ctx;
    atomic_int refs;
    atomic_bool warned_of_dark;                               /* the warning of a dark image was given (window.c) */
    io_recipe recipe;
    char *text;                                               /* recipe printed, for peft_transform_text */
};
/* Returns t, with one more reference. */
static inline peft_transform *io_transform_retain(peft_transform *t)
{
    io_retain(&t->refs);
    return t;
}
#endif
