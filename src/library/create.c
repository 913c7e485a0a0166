/* SPDX-License-Identifier: Apache-2.0
 * create.c -- a context is made here, above all other floors, because it is given the table of built-in methods: the
 * core finds methods in its context and names none. */
#include "core/base/context.h"
#include "methods/methods.h"

peft_status peft_context_create(peft_alloc_fn alloc, peft_free_fn release, void *user, peft_context **out)
{
    return pf_context_make(alloc, release, user, pf_methods, out);
}
