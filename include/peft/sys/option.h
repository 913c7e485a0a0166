/* SPDX-License-Identifier: Apache-2.0
 * peft/sys/option.h -- one row of a table of options: what an option is called, takes and means. Part of the systems
 * interface, whose promise method.h states. */
#ifndef PEFT_SYS_OPTION_H
#define PEFT_SYS_OPTION_H

/* type: 'i' integer, 'f' float, 'b' boolean, 's' text. lo..hi bound 'i' and 'f' (lo == hi: unbounded). fallback is
 * the default as text. A table ends with a NULL name. */
typedef struct peft_opt {
    const char *name;
    char        type;
    const char *fallback;
    double      lo, hi;
    const char *help;
} peft_opt;
#endif
