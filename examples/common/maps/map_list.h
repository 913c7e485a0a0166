/* SPDX-License-Identifier: Apache-2.0
 * map_list.h -- kinds of maps (peft/maps.h) in a list with commas between them, as --kind and --maps take it. */
#ifndef MAP_LIST_H
#define MAP_LIST_H
#include <stddef.h>

enum { MOST_KINDS = 8 };
typedef struct map_list { size_t kind[MOST_KINDS]; int count; } map_list;     /* indices of peft_maps_kind_name */

/* An unknown kind, or one that is given twice, ends the program. flag: the option that gave the list, with "--". */
map_list read_map_list(const char *flag, const char *text);
#endif
