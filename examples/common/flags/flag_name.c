/* SPDX-License-Identifier: Apache-2.0
 * flag_name.c -- names of flags as they are on the command line (flags.h). */
#include "flags.h"
#include <stdio.h>
#include <string.h>

flag_name name_of_flag(const flag *f)
{
    flag_name name;
    snprintf(name.text, sizeof name.text, "%s", f->name);
    for (char *c; (c = strchr(name.text, '_')); ) *c = '-';
    return name;
}
