/* SPDX-License-Identifier: Apache-2.0
 * surfaces.c -- the surface of a class: its pixels with a neighbour (4 in a picture, 6 in a volume) that is not of the
 * class, not judged, or outside of the map. It is the difference of a mask and its erosion, as in MONAI's
 * get_mask_edges. */
#include "core/metrics/segmentation/maps.h"

/* Is the pixel, which is of class c, on its surface? at: its position along the axes. */
static bool on_surface(const pf_maps_pair *p, int which, int64_t pixel, const int64_t *at, int64_t c)
{
    const int64_t step[3] = { p->size[1] * p->size[2], p->size[2], 1 };
    for (int k = 0; k < 3; k++) {
        if (k == 1 && p->flat) continue;
        if (at[k] == 0 || !pf_map_has(p, which, pixel - step[k], c)) return true;
        if (at[k] == p->size[k] - 1 || !pf_map_has(p, which, pixel + step[k], c)) return true;
    }
    return false;
}

/* Counts the surface pixels of each class in count [classes]; at not NULL: writes them from at[count[c]] on. */
static void scan(const pf_maps_pair *p, int which, int64_t *count, int64_t *at)
{
    int64_t pixel = 0, x[3];
    for (x[0] = 0; x[0] < p->size[0]; x[0]++)
        for (x[1] = 0; x[1] < p->size[1]; x[1]++)
            for (x[2] = 0; x[2] < p->size[2]; x[2]++, pixel++) {
                const int64_t only = p->targets ? 0 : pf_map_value(p->map[which], pixel);
                if (only < 0) continue;
                for (int64_t c = only; c <= (p->targets ? p->classes - 1 : only); c++) {
                    if (!pf_map_has(p, which, pixel, c) || !on_surface(p, which, pixel, x, c)) continue;
                    if (at) at[count[c]] = pixel;
                    count[c]++;
                }
            }
}

peft_status pf_surfaces_make(pf_surfaces *s, peft_context *ctx, const pf_maps_pair *p, int which)
{
    const size_t counts = (size_t)(2 * p->classes + 1) * sizeof(int64_t);
    *s = (pf_surfaces){ NULL, pf_alloc_zero(ctx, counts) };
    if (!s->first) return pf_nomem("surfaces of maps", counts);
    int64_t *next = s->first + p->classes + 1;
    scan(p, which, next, NULL);
    for (int64_t c = 0; c < p->classes; c++) {
        s->first[c + 1] = s->first[c] + next[c];
        next[c] = s->first[c];
    }
    const size_t bytes = (size_t)(s->first[p->classes] + 1) * sizeof *s->at;
    s->at = pf_alloc(ctx, bytes);
    if (!s->at) return pf_nomem("surfaces of maps", bytes);
    scan(p, which, next, s->at);
    return PEFT_OK;
}

void pf_surfaces_free(pf_surfaces *s, peft_context *ctx)
{
    pf_free(ctx, s->at);
    pf_free(ctx, s->first);
}
