/* SPDX-License-Identifier: Apache-2.0
 * settings.h -- lists of settings as text: "name=value,name=value". A piece between commas that has no "=" belongs to
 * the value before it, so "class_weights=1,2.5,lr=0.1" is two settings; commas in [brackets] and in "quotes" part
 * nothing. */
#ifndef SETTINGS_H
#define SETTINGS_H
#include <peft/peft.h>
#include <stdbool.h>

typedef struct setting { char *name, *value; } setting;
typedef struct settings { setting *item; int count; } settings;

/* text may be NULL. blanks: they part settings too, as in the texts of libpeft-io. where names the list in errors; a
 * name given twice is refused. */
settings    read_settings(const char *text, bool blanks, const char *where);
void        free_settings(settings *s);
const char *find_setting(const settings *s, const char *name);           /* its value; NULL: not there */
void        set_setting(settings *s, const char *name, const char *value);      /* adds it, or takes its place */
char       *print_settings(const settings *s);                /* the text; to be freed */

peft_options *options_from(peft_context *ctx, const char *text);         /* as the library reads them; text or NULL */
peft_options *options_of(peft_context *ctx, const settings *s);
#endif
