/* SPDX-License-Identifier: Apache-2.0
 * settings.h -- lists of settings in options such as --trainer: "name=value,name=value". A part between commas without
 * "=" belongs to the value before it: "class_weights=1,2.5,lr=0.1" is two settings. Commas inside [brackets] and
 * "quotes" do not separate settings. */
#ifndef SETTINGS_H
#define SETTINGS_H
#include <peft/peft.h>
#include <stdbool.h>

typedef struct setting { char *name, *value; } setting;
typedef struct settings { setting *item; int count; } settings;

/* Parses text (may be NULL). split_at_blanks: blanks separate settings too, as in the transforms of libpeft-io.
 * list_name: the name of the list in error messages, such as "--trainer". A name given twice is an error. */
settings    read_settings(const char *text, bool split_at_blanks, const char *list_name);
void        free_settings(settings *s);
const char *find_setting(const settings *s, const char *name);           /* the value; NULL: no such setting */
void        set_setting(settings *s, const char *name, const char *value);      /* adds or replaces a setting */
char       *print_settings(const settings *s);                /* as text; to be freed */

peft_options *options_from(peft_context *ctx, const char *text);         /* parsed by the library; text may be NULL */
peft_options *options_of(peft_context *ctx, const settings *s);          /* the settings, one by one */
#endif
