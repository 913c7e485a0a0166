/* SPDX-License-Identifier: Apache-2.0
 * options.h -- option tables and settings, for all that is configured by name=value. A row of a table gives the name of
 * an option, its type, bounds, default and help. Numbers as text, and lists of names, for options and messages. */
#ifndef PF_OPTIONS_H
#define PF_OPTIONS_H
#include <peft/options.h>
#include <peft/sys/option.h>
#include "core/base/context.h"

typedef peft_option pf_opt;                                   /* a row of a table; a row without a name ends it */
enum { PF_OPTION_LONGEST = 1 << 18 };    /* most bytes of a name or value: each fits in the metadata of a file */

/* Checks that every name in o (NULL: no settings) is in the table, and that its value is of the row's type and within
 * its bounds. PEFT_E_OPTION names the option, the value and the bounds, and for an unknown name the nearest known one
 * ("did you mean"). who begins the message: "method 'ept'". */
peft_status pf_options_check(const peft_options *o, const pf_opt *table, const char *who);

/* The value of an option: the setting, else the default of its row. The name must be in the table, and o checked. */
int64_t     pf_options_int   (const peft_options *o, const pf_opt *table, const char *name);
/* Of a row of type 'x': height and width, equal for a single number; both 0 for the word 0. */
void        pf_options_sides (const peft_options *o, const pf_opt *table, const char *name, int64_t *height,
                              int64_t *width);
double      pf_options_float (const peft_options *o, const pf_opt *table, const char *name);
const char *pf_options_string(const peft_options *o, const pf_opt *table, const char *name);  /* valid as long as o */
bool        pf_options_has   (const peft_options *o, const char *name);
const char *pf_options_setting(const peft_options *o, const char *name);  /* what was set; NULL: not set */
/* Whether two texts are the same value for this row: 1e-3 and 0.001, yes and true, in a text [1, 2.5] and 1,2.50. */
bool        pf_option_same(const pf_opt *row, const char *a, const char *b);

/* Row i of a table (NULL: an empty one); NULL: after the last. */
const pf_opt *pf_option_at(const pf_opt *table, size_t i);

size_t      pf_options_count(const peft_options *o);
const char *pf_options_name (const peft_options *o, size_t i);
/* The value of setting i as text: exact, and the same in every locale. Valid until it is set again. */
const char *pf_options_value(const peft_options *o, size_t i);
/* Copies the settings; o is not NULL, and *out has its context. */
peft_status pf_options_copy (const peft_options *o, peft_options **out);

/* Numbers as text, in the C locale whatever the program's locale is. */
bool pf_parse_int(const char *s, int64_t *out);               /* the whole text is a number */
bool pf_parse_float(const char *s, double *out);
void pf_print_float(char *text, size_t capacity, double v);       /* the fewest digits that give v again */
void pf_print_digits(char *text, size_t capacity, double v, int digits);          /* rounded to digits, as by %.*g */
/* Finds word in a list of words separated by the character `between`. NULL: not there. list may be NULL. */
const char *pf_find_word(const char *list, const char *word, char between);
/* Whether word is in a list of words separated by blanks. */
bool pf_has_word(const char *list, const char *word);
/* Joins names for a message: with between ", " and last " or " it writes "a, b or c". Returns text. */
const char *pf_names_text(const char *const *names, size_t n, const char *between, const char *last, char *text,
                          size_t capacity);
/* The candidate with the least edit distance to name; NULL: all differ too much for a typing error. */
const char *pf_nearest(const char *name, const char *const *candidates, size_t n);
#endif
