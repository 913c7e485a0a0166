/* SPDX-License-Identifier: Apache-2.0
 * map_list.c -- reads a list of kinds of maps (map_list.h). */
#include "common/maps/map_list.h"
#include "common/program/errors.h"
#include <peft/maps.h>
#include <string.h>

/* The index of the library's kind with this name of n characters; else the program ends. */
static size_t kind_named(const char *flag, const char *name, size_t n)
{
    char known[128] = "";
    size_t i = 0;
    for (const char *k; (k = peft_maps_kind_name(i)); i++) {
        if (strlen(k) == n && !strncmp(k, name, n)) return i;
        if (strlen(known) + strlen(k) + 3 < sizeof known) strcat(strcat(known, i ? ", " : ""), k);
    }
    fail("%s: '%.*s' is no kind of map; expected some of %s, with commas between them", flag, (int)n, name, known);
}

map_list read_map_list(const char *flag, const char *text)
{
    map_list list = { .count = 0 };
    for (const char *p = text; ; p++) {
        const size_t n = strcspn(p, ","), kind = kind_named(flag, p, n);
        for (int j = 0; j < list.count; j++)
            if (list.kind[j] == kind) fail("%s: %s is given twice", flag, peft_maps_kind_name(kind));
        list.kind[list.count++] = kind;                       /* the library has fewer than MOST_KINDS */
        p += n;
        if (!*p) return list;
    }
}
