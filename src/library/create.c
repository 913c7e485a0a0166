/* SPDX-License-Identifier: Apache-2.0
 * create.c -- peft_context_create. The function is defined above src/core, because it gives each context the table of
 * built-in methods (src/methods), which the core does not refer to. */
#include "core/base/context.h"
#include "methods/methods.h"

peft_status peft_context_create(peft_alloc_fn alloc, peft_free_fn release, void *user, peft_context **out)
{
    return pf_context_make(alloc, release, user, pf_methods, out);
}
