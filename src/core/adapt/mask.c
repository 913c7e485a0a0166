/* SPDX-License-Identifier: Apache-2.0
 * mask.c -- peft_sys_declare_mask: a mask of a method, trained or fixed, as one of its options says. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "core/adapt/adapter.h"
#include "core/options/text.h"

/* Reads a list of n numbers 0 and 1 to `to` (NULL: checks it only). Brackets within the list count as commas do. */
static bool read_list(const char *list, pk_real *to, int64_t n)
{
    size_t length;
    int64_t i = 0;
    for (const char *p; (p = pf_list_next(&list, &length)); i++) {
        if (i == n || length != 1 || (*p != '0' && *p != '1')) return false;
        if (to) to[i] = (pk_real)(*p - '0');
    }
    return i == n;
}

/* Bytes of the list of a mask, "[1,0,1]" or "[[1,0],[1,1]]": two for each number, two for each row, and two. */
static int64_t list_bytes(int64_t count, int64_t columns) { return 2 * count + 2 * (count / columns) + 2; }

pf_param *peft_sys_declare_mask(peft_adapter *a, const int64_t *dims, int64_t keep, const char *option,
                                const char *format, ...)
{
    const size_t capacity = sizeof a->mask / sizeof *a->mask;
    const char *value = peft_sys_opt_string(a, option);
    char name[PF_PARAM_NAME_MAX + 1], expected[96];
    va_list ap;
    va_start(ap, format);
    vsnprintf(name, sizeof name, format, ap);                /* one byte more, so that too long a name is refused */
    va_end(ap);
    if (a->status || !strcmp(value, "none")) return NULL;
    if (a->masks == capacity) {
        a->status = pf_fail(PEFT_E_INVALID, "method '%s': declares more than %zu masks", a->method->name, capacity);
        return NULL;
    }
    int ndim = 0;
    while (ndim < PEFT_MAX_DIMS && dims[ndim]) ndim++;
    const int64_t count = pf_dims_count(ndim, dims);
    const bool trained = !strcmp(value, "trained");
    if (!trained && count >= 0 && !read_list(value, NULL, count)) {      /* < 0: refused below */
        snprintf(expected, sizeof expected, "none, trained, or a list of %lld numbers 0 and 1", (long long)count);
        peft_sys_reject_option(a, option, expected);
        return NULL;
    }
    if (trained && count > 0 && list_bytes(count, dims[ndim - 1]) > PF_OPTION_LONGEST) {
        a->status = pf_fail(PEFT_E_OPTION, "%s, option %s: given trained, for a mask of %lld numbers, whose list would "
                            "be longer than %d bytes, so that nothing could be pruned by it; expected fewer numbers",
                            a->method->name, option, (long long)count, PF_OPTION_LONGEST);
        return NULL;
    }
    pf_param *p = trained ? peft_sys_declare(a, dims, "one", "%s", name)
                          : peft_sys_declare_buffer(a, dims, "zero", "%s", name);
    if (!p) return NULL;
    if (!trained) read_list(value, p->value.data, count);
    a->mask[a->masks++] = (pf_mask){ option, p, keep };
    return p;
}
