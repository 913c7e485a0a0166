/* SPDX-License-Identifier: Apache-2.0
 * value.h -- values of settings, by their type: reads them from text, prints them, and refuses them with the same
 * message for all tables. */
#ifndef PF_OPTIONS_VALUE_H
#define PF_OPTIONS_VALUE_H
#include <peft/sys/option.h>

/* What a value must be: its type (a letter, peft/sys/option.h), bounds (lo == hi: none) and words "a|b|c" (NULL:
 * none). */
typedef struct pf_opt_domain { char type; double lo, hi; const char *choices; } pf_opt_domain;
/* A value. Its type says which member it is: 'i' i, 'b' b, 'c' choice (index of the word), 'x' side, 'r' range; 'f' one
 * number of f, '2' two (low:high), '3' three (a:b:c), '4' four (a:b:c:d). */
typedef union pf_value {
    int64_t i; double f[4]; bool b; int choice; peft_opt_side side; peft_opt_range range;
} pf_value;

/* Reads text into *v. false: it is no such value, or out of bounds; *v is not written. For type 's' every text is a
 * value, and *v is not written either. */
bool   pf_value_read(const pf_opt_domain *domain, const char *text, pf_value *v);
size_t pf_value_size(char type);                              /* bytes of the member for that type; 0 for 's' */
void   pf_value_print(const pf_opt_domain *domain, const pf_value *v, char *text, size_t capacity);

/* The functions below read one kind of value from text; false: text is none.
 * An integer; also "1e5" and "3.0", up to 2^53, beyond which a double cannot hold every integer. */
bool pf_value_int(const char *text, int64_t *out);
bool pf_value_bool(const char *text, bool *out);              /* true, 1, yes, on; false, 0, no, off */
/* n numbers a:b:c; for n 3 one number may stand for all three. */
bool pf_value_numbers(const char *text, int n, double *out);
/* N (then *width = 0) or HxW, positive integers in digits alone. */
bool pf_value_sides(const char *text, int64_t *height, int64_t *width);

/* Returns PEFT_E_OPTION: "who: option 'name' is 'text'; expected an integer from 0 to 9", as the domain says. */
peft_status pf_value_refuse(const pf_opt_domain *domain, const char *who, const char *name, const char *text);
/* Returns PEFT_E_OPTION: "who: unknown option 'name'", with the nearest of the n known names, or with all of them. */
peft_status pf_name_refuse(const char *who, const char *name, const char *const *known, size_t n);
#endif
