/* SPDX-License-Identifier: Apache-2.0
 * find_method.c -- finds methods of a context by name and by index: first the built-in ones, then those that the
 * program registered. */
#include <string.h>
#include "core/adapt/adapter.h"

const peft_method *pf_method_in(const peft_method *const *table, const char *name)
{
    for (; table && *table; table++) if (!strcmp((*table)->name, name)) return *table;
    return NULL;
}

const peft_method *pf_method_find(const peft_context *ctx, const char *name)
{
    const peft_method *m = pf_method_in(ctx->built_in, name);
    for (const pf_registered *r = ctx->methods; r && !m; r = r->next) if (!strcmp(r->method->name, name)) m = r->method;
    return m;
}

/* Method i: i counts down to 0 through the built-in methods and then through the registered ones. */
const peft_method *peft_sys_method(const peft_context *ctx, size_t i)
{
    if (!ctx) return NULL;
    for (const peft_method *const *m = ctx->built_in; m && *m; m++, i--) if (!i) return *m;
    const pf_registered *r = ctx->methods;
    for (; r && i; i--) r = r->next;
    return r ? r->method : NULL;
}
