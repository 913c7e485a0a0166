/* SPDX-License-Identifier: Apache-2.0
 * opt_values.c -- functions of peft/sys/method.h for a method's init: the adapter's state, the values of its options,
 * and refusing one of them. */
#include <string.h>
#include "core/adapt/adapter.h"

void *peft_sys_state(peft_adapter *a) { return a->state; }

/* The method's table of options. If it has no row for name, which is a mistake in the method, the adapter's status is
 * set. */
static const pf_opt *table_for(const peft_adapter *a, const char *name)
{
    static const pf_opt no_options[] = { { 0 } };
    const pf_opt *table = a->method->opts ? a->method->opts : no_options, *o = table;
    while (o->name && strcmp(o->name, name)) o++;
    if (!o->name && !a->status)
        ((peft_adapter *)a)->status = pf_fail(PEFT_E_INVALID, "method '%s' reads an option '%s', which its table opts "
                                              "does not have", a->method->name, name);
    return table;
}

int64_t peft_sys_opt_int(const peft_adapter *a, const char *name)
{
    return pf_options_int(a->options, table_for(a, name), name);
}
double peft_sys_opt_float(const peft_adapter *a, const char *name)
{
    return pf_options_float(a->options, table_for(a, name), name);
}
const char *peft_sys_opt_string(const peft_adapter *a, const char *name)
{
    return pf_options_string(a->options, table_for(a, name), name);
}

void peft_sys_reject_option(peft_adapter *a, const char *option, const char *expected)
{
    if (a->status) return;
    a->status = pf_fail(PEFT_E_OPTION, "option '%s' of method '%s': given '%s', expected %s", option, a->method->name,
                        peft_sys_opt_string(a, option), expected);
}
