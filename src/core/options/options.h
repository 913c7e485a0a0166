/* SPDX-License-Identifier: Apache-2.0
 * options.h -- option tables: one row an option; the row is also its documentation, its bounds and its default. */
#ifndef PF_OPTIONS_H
#define PF_OPTIONS_H
#include <peft/options.h>
#include <peft/sys/option.h>
#include "core/base/context.h"

typedef peft_option pf_opt;

/* Every name in o (NULL: none given) is in one of the two tables (b may be NULL), of a type that converts to the
 * row's, inside its bounds; else PEFT_E_OPTION naming the option, the value, the bounds, and for an unknown name the
 * nearest known one ("did you mean"). who is for the message: "method 'ept'". */
peft_status pf_options_check(const peft_options *o, const pf_opt *a, const pf_opt *b, const char *who);

/* Values by name: what was set, else the row's fallback. Only for names in the table and after the check. */
int64_t     pf_options_int   (const peft_options *o, const pf_opt *table, const char *name);
double      pf_options_float (const peft_options *o, const pf_opt *table, const char *name);
const char *pf_options_string(const peft_options *o, const pf_opt *table, const char *name);  /* lives as long as o */
bool        pf_options_has   (const peft_options *o, const char *name);
const char *pf_options_given (const peft_options *o, const char *name);       /* as text; NULL: not set */
/* Do two texts give this row the same value? 1e-3 is 0.001, yes is true, and in a text [1, 2.5] is 1,2.50. */
bool        pf_option_same(const pf_opt *row, const char *a, const char *b);

/* A row as the public listings give it; any out pointer may be NULL. */
void pf_option_row(const pf_opt *row, const char **name, const char **type, const char **fallback, const char **help);

size_t      pf_options_count(const peft_options *o);
const char *pf_options_name (const peft_options *o, size_t i);
/* The value as text, exact (floats round-trip, C locale); lives as long as it is not set again. */
const char *pf_options_value(const peft_options *o, size_t i);
/* o is not NULL; *out has o's context. */
peft_status pf_options_copy (const peft_options *o, peft_options **out);

/* C-locale number parsing and printing, whatever the program's locale. */
bool pf_parse_int(const char *s, int64_t *out);               /* whole string, no blanks */
bool pf_parse_float(const char *s, double *out);
void pf_print_float(char *text, size_t room, double v);       /* as few digits as read back equal */
void pf_print_digits(char *text, size_t room, double v, int digits);          /* rounded, as %.*g writes it */
/* Where word stands in a list of words with the character `between` between two; NULL: nowhere. list may be NULL. */
const char *pf_find_word(const char *list, const char *word, char between);
/* Is word in a list of words with a blank between two? */
bool pf_has_word(const char *list, const char *word);
/* The names one after the other, for messages: "a, b or c" with ", " between and " or " in front of the last. Returns
 * text. */
const char *pf_names_text(const char *const *names, size_t n, const char *between, const char *last, char *text,
                          size_t room);
/* The candidate nearest to name by edit distance when near enough to be a slip, else NULL. */
const char *pf_nearest(const char *name, const char *const *candidates, size_t n);
#endif
