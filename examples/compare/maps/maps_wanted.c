/* SPDX-License-Identifier: Apache-2.0
 * maps_wanted.c -- which kinds of maps compare --maps asks for, which runs have them, and whether a record has all. */
#include "common/files/text_file.h"
#include "compare/compare_study.h"
#include <peft/maps.h>
#include <stdlib.h>
#include <string.h>

map_list kinds_of_maps(const char *text)
{
    map_list all = { .count = 0 };
    if (strcmp(text, "all")) return read_map_list("--maps", text);
    for (size_t i = 0; peft_maps_kind_name(i); i++) all.kind[all.count++] = i;
    return all;
}

bool run_has_maps(const study *s, int64_t i) { return s->maps.count && i < s->entries; }

bool covers_maps(const study *s, const char *path)
{
    char *text = read_text_file(path, NULL), row[32];
    bool all = text != NULL;
    for (int k = 0; all && k < s->maps.count; k++) {
        snprintf(row, sizeof row, "\n%s,", peft_maps_kind_name(s->maps.kind[k]));
        all = strstr(text, row) != NULL;
    }
    free(text);
    return all;
}
