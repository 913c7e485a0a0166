/* SPDX-License-Identifier: Apache-2.0
 * grid.h -- the candidates of a search for training settings, as --tune gives them:
 * "lr=1e-3,1e-2,options.length=10,100" names two settings with two values each, whose combinations are four
 * candidates. Candidates are numbered from 0; the last setting changes fastest. */
#ifndef GRID_H
#define GRID_H
#include <stdint.h>

typedef struct dimension { char *name, **value; int64_t values; } dimension;
typedef struct grid { dimension *dimension; int64_t dimensions; } grid;
enum { most_candidates = 1000 };

/* Parses the list; a wrong one ends the program. A comma separates both settings and values: what has no "=" is a
 * value of the setting before it (settings.h). Commas in [brackets] belong to the value. text NULL: no settings. */
grid        read_grid(const char *text);
void        free_grid(grid *g);
int64_t     grid_size(const grid *g);                         /* number of candidates; 1 without settings */
const char *grid_value(const grid *g, int64_t candidate, int64_t dimension);
#endif
