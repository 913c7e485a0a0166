/* SPDX-License-Identifier: Apache-2.0
 * settings.h -- lists of settings in options such as --trainer: "name=value,name=value". A part between commas without
 * "=" belongs to the value before it: "class_weights=1,2.5,lr=0.1" is two settings. Commas inside [brackets] and
 * "quotes" do not separate settings. */
#ifndef SETTINGS_H
#define SETTINGS_H
#include <peft/peft.h>

typedef struct setting { char *name, *value; } setting;
typedef struct settings { setting *item; int count; } settings;

/* Parses text (NULL: no settings). list_name: the name of the list in error messages, such as "--trainer". A name given
 * twice is an error. read_transform_settings also takes blanks as separators, as libpeft-io does in the text of a
 * transform. */
settings    read_settings(const char *text, const char *list_name);
settings    read_transform_settings(const char *text, const char *list_name);
/* The text before the next of the characters `separators` that is not in brackets or quotes, without blanks at both
 * ends, to be freed; *text moves behind the separator. */
char       *next_piece(const char **text, const char *separators);
void        free_settings(settings *s);
const char *find_setting(const settings *s, const char *name);           /* the value; NULL: no such setting */
void        set_setting(settings *s, const char *name, const char *value);      /* adds or replaces a setting */
void        remove_setting(settings *s, const char *name);               /* one that is there */
char       *settings_text(const settings *s);                 /* "name=value,name=value"; to be freed */

/* New objects of type peft_options, which the caller frees; an error ends the program. */
peft_options *empty_options(peft_context *ctx);
peft_options *options_from_text(peft_context *ctx, const char *text);    /* text: "name=value,..."; NULL: no options */
peft_options *options_from_settings(peft_context *ctx, const settings *s);
#endif
