/* SPDX-License-Identifier: Apache-2.0
 * keys.c -- reads settings from a text into the members of a struct and prints them, by a table of peft_opt_key: the
 * settings of libpeft-io (transforms, loaders). */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "core/options/options.h"
#include "core/options/text.h"
#include "core/options/value.h"

enum { MOST_KEYS = 64, LONGEST_TEXT = 200 };     /* rows of a table; bytes of a name or value */

/* What a value of the key must be. */
static pf_opt_domain domain_of(const peft_opt_key *k)
{
    return (pf_opt_domain){ k->option.type, k->option.lo, k->option.hi, k->choices };
}

/* Stores a text in its member, an array of hi bytes. Refuses one that is longer. */
static peft_status store_text(const peft_opt_key *k, const pf_setting *setting, const char *who, char *values)
{
    const size_t capacity = (size_t)k->option.hi;
    if (pf_setting_value(setting, values + k->offset, capacity)) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "%s: the value of option '%s' has %zu bytes, the limit is %zu", who, k->option.name,
                   setting->value_length, capacity - 1);
}

/* Refuses a name that is not in the table, with the names that are. */
static peft_status refuse_name(const peft_opt_key *keys, const char *name, const char *who)
{
    const char *known[MOST_KEYS];
    size_t n = 0;
    for (; keys[n].option.name && n < MOST_KEYS; n++) known[n] = keys[n].option.name;
    return pf_name_refuse(who, name, known, n);
}

/* Is text the word none, for an option without a default? It says that the option is not given. */
static bool means_not_given(const peft_opt_key *k, const char *text)
{
    return !*k->option.fallback && !strcmp(text, "none");
}

/* Stores one setting in its member of values. Bit i of *seen: key i was given. */
static peft_status store_setting(const peft_opt_key *keys, const pf_setting *setting, const char *who, char *values,
                                 uint64_t *seen)
{
    char name[LONGEST_TEXT], text[LONGEST_TEXT];
    const peft_opt_key *k = keys;
    pf_value v;
    if (setting->error) return pf_setting_refuse(PEFT_E_OPTION, who, setting);
    const size_t shown = setting->name_length < LONGEST_TEXT ? setting->name_length : LONGEST_TEXT;
    snprintf(name, sizeof name, "%.*s", (int)shown, setting->name);
    while (k->option.name && strcmp(k->option.name, name)) k++;
    if (!k->option.name) return refuse_name(keys, name, who);
    const pf_opt_domain domain = domain_of(k);
    const bool is_text = k->option.type == 's';
    const bool whole = is_text || pf_setting_value(setting, text, sizeof text);
    if (!is_text && whole && means_not_given(k, text)) return PEFT_OK;
    if (!is_text && (!whole || !pf_value_read(&domain, text, &v)))
        return pf_value_refuse(&domain, who, k->option.name, text);
    const uint64_t bit = (uint64_t)1 << (k - keys);
    if (*seen & bit)
        return pf_fail(PEFT_E_OPTION, "%s: option '%s' is given twice; expected once", who, k->option.name);
    *seen |= bit;
    if (is_text) return store_text(k, setting, who, values);
    memcpy(values + k->offset, &v, pf_value_size(k->option.type));
    return PEFT_OK;
}

/* Row i of the table; NULL: after the last, or no table. */
const peft_option *peft_sys_opt_row(const peft_opt_key *keys, size_t i)
{
    for (; keys && keys->option.name; keys++, i--) if (!i) return &keys->option;
    return NULL;
}

/* Sets the members of values to the defaults of their rows; an empty default leaves its member as it is. */
peft_status peft_sys_opt_defaults(const peft_opt_key *keys, void *values)
{
    PK_FLOAT_SCOPE;
    pf_value v;
    if (!keys || !values) return pf_fail(PEFT_E_INVALID, "peft_sys_opt_defaults: %s is NULL", keys ? "values" : "keys");
    for (const peft_opt_key *k = keys; k->option.name; k++) {
        const pf_opt_domain domain = domain_of(k);
        if (!*k->option.fallback) continue;
        if (k->option.type == 's') {
            snprintf((char *)values + k->offset, (size_t)k->option.hi, "%s", k->option.fallback);
            continue;
        }
        if (!pf_value_read(&domain, k->option.fallback, &v))
            return pf_fail(PEFT_E_INVALID, "option '%s': its default '%s' is not a value of its row", k->option.name,
                           k->option.fallback);
        memcpy((char *)values + k->offset, &v, pf_value_size(k->option.type));
    }
    return PEFT_OK;
}

/* Reads the settings of text (NULL: none) into values; a member whose option is not set stays as it is. */
peft_status peft_sys_opt_read(const peft_opt_key *keys, const char *text, const char *who, void *values, uint64_t *seen)
{
    PK_FLOAT_SCOPE;
    pf_setting setting;
    uint64_t found = 0;
    peft_status s = PEFT_OK;
    if (!keys || !who || !values)
        return pf_fail(PEFT_E_INVALID, "peft_sys_opt_read: %s is NULL", !keys ? "keys" : !who ? "who" : "values");
    while (text && !s && pf_setting_next(&text, &setting)) s = store_setting(keys, &setting, who, values, &found);
    if (seen) *seen = found;
    return s;
}

/* Appends `more` to text, cut to capacity; *length is the length of the whole text, as snprintf counts it. */
static void append(const char *more, char *text, size_t capacity, size_t *length)
{
    const bool fits = *length < capacity;
    *length += (size_t)snprintf(fits ? text + *length : NULL, fits ? capacity - *length : 0, "%s", more);
}

/* Appends a text in quotes, with \ before each quote and each \ in it. */
static void append_quoted(const char *member, char *text, size_t capacity, size_t *length)
{
    append("\"", text, capacity, length);
    for (; *member; member++) {
        if (*member == '"' || *member == '\\') append("\\", text, capacity, length);
        append((char[]){ *member, 0 }, text, capacity, length);
    }
    append("\"", text, capacity, length);
}

/* Prints all members as "name=value,name=value", cut to capacity. Returns the length of the whole text, as snprintf
 * does. */
size_t peft_sys_opt_print(const peft_opt_key *keys, const void *values, char *text, size_t capacity)
{
    PK_FLOAT_SCOPE;
    size_t length = 0;
    for (const peft_opt_key *k = keys; k->option.name; k++) {
        char value[128];
        pf_value v;
        const pf_opt_domain domain = domain_of(k);
        const char *member = (const char *)values + k->offset;
        if (k != keys) append(",", text, capacity, &length);
        append(k->option.name, text, capacity, &length);
        append("=", text, capacity, &length);
        if (k->option.type == 's') {
            append_quoted(member, text, capacity, &length);
            continue;
        }
        memcpy(&v, member, pf_value_size(k->option.type));
        pf_value_print(&domain, &v, value, sizeof value);
        append(value, text, capacity, &length);
    }
    return length;
}
