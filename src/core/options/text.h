/* SPDX-License-Identifier: Apache-2.0
 * text.h -- settings as text, "name=value,name=value": one syntax for all of them, which options.h states. */
#ifndef PF_OPTIONS_TEXT_H
#define PF_OPTIONS_TEXT_H
#include <peft/sys/option.h>

/* One name=value, where it stands in the text. */
typedef struct pf_setting {
    const char *name, *value;           /* value: with its quotes where it has some */
    size_t name_length, value_length;
    const char *trouble, *at;           /* trouble NULL: well formed; else what is wrong with the text, and where */
} pf_setting;

/* Takes the setting at *text and moves *text behind it; false: there is none left. */
bool pf_setting_next(const char **text, pf_setting *s);
/* The value without quotes, at most room bytes with the 0 at the end (value_length + 1 are enough); false: cut. */
bool pf_setting_value(const pf_setting *s, char *to, size_t room);
/* Returns status; the message says what the trouble is, after "who: ". */
peft_status pf_setting_refuse(peft_status status, const char *who, const pf_setting *s);

/* The next item of a list whose items stand between commas, blanks, brackets and quotes, from *text on; its length in
 * *n, and *text is moved behind it. NULL: there is none left. */
const char *pf_list_next(const char **text, size_t *n);
#endif
