/* SPDX-License-Identifier: Apache-2.0
 * text.h -- splits settings given as text, "name=value, name=value", in the syntax that peft/options.h describes. */
#ifndef PF_OPTIONS_TEXT_H
#define PF_OPTIONS_TEXT_H
#include <peft/sys/option.h>

/* One name=value: pointers into the text. */
typedef struct pf_setting {
    const char *name, *value;           /* value: with its quotes, if any */
    size_t name_length, value_length;
    const char *error, *error_position; /* what is wrong with the text, and where; error NULL: nothing */
} pf_setting;

/* Splits off the setting at *text and moves *text behind it. false: there is none left. */
bool pf_setting_next(const char **text, pf_setting *s);
/* Writes the value without quotes to `to`; value_length + 1 bytes are enough. false: it was cut to capacity. */
bool pf_setting_value(const pf_setting *s, char *to, size_t capacity);
/* Returns status and sets the message to who, ": " and what is wrong. who: the function that was given the text. */
peft_status pf_setting_refuse(peft_status status, const char *who, const pf_setting *s);

/* The next item, of length *n, of a list whose items are separated by commas, blanks, brackets and quotes; *text is
 * moved behind it. NULL: there is none left. */
const char *pf_list_next(const char **text, size_t *n);
#endif
