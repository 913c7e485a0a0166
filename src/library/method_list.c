/* SPDX-License-Identifier: Apache-2.0
 * method_list.c -- public listings of the built-in methods: names, summaries, papers, options. */
#include "core/model/model.h"
#include "methods/methods.h"

size_t peft_method_count(void)
{
    size_t n = 0;
    while (pf_methods[n]) n++;
    return n;
}

const char *peft_method_name(size_t i) { return i < peft_method_count() ? pf_methods[i]->name : NULL; }

/* The built-in method of this name; NULL: there is none, or name is NULL. */
static const peft_method *named(const char *name) { return name ? pf_method_in(pf_methods, name) : NULL; }

/* "" for a text that a method leaves out (NULL). */
static const char *text_or_empty(const char *text) { return text ? text : ""; }

const char *peft_method_summary(const char *method)
{
    const peft_method *m = named(method);
    return m ? text_or_empty(m->summary) : NULL;
}

const char *peft_method_paper(const char *method)
{
    const peft_method *m = named(method);
    return m ? text_or_empty(m->paper) : NULL;
}

/* A method with a network of its own needs the head side_encoder; any other method needs no special head: "". */
const char *peft_method_head(const char *method)
{
    const peft_method *m = named(method);
    if (!m) return NULL;
    return m->network ? pf_head_side_encoder.name : "";
}

const peft_option *peft_method_option(const char *method, size_t i)
{
    const peft_method *m = named(method);
    return m ? pf_option_at(m->opts, i) : NULL;
}
