/* SPDX-License-Identifier: Apache-2.0
 * maps.h -- a prediction and a truth as masks of classes, their surfaces, and the distances between these. */
#ifndef PF_SEGMENTATION_MAPS_H
#define PF_SEGMENTATION_MAPS_H
#include <peft/segmentation.h>
#include "core/base/context.h"
#include "core/base/error.h"
#include "core/base/tensor.h"

enum { PF_PREDICTED, PF_TRUTH };

/* Maps [d,h,w]; a map [h,w] is [h,1,w], whose second axis has no neighbours (flat). */
typedef struct pf_maps_pair {
    const peft_tensor *map[2];         /* PF_PREDICTED, PF_TRUTH */
    bool targets;                      /* [.., classes] of 0 and 1; else class numbers */
    bool flat;
    int64_t classes, size[3], pixels;
    double spacing[3];
} pf_maps_pair;

/* Checks two maps and describes them. who: the public function, for messages. */
peft_status pf_maps_pair_make(pf_maps_pair *p, const char *who, const peft_tensor *predicted, const peft_tensor *truth,
                              int64_t classes, bool targets, const double *spacing);

/* Element i of a map, of any of the types that pf_maps_pair_make lets pass. */
static inline int64_t pf_map_value(const peft_tensor *t, int64_t i)
{
    switch (t->type) {
    case PEFT_U8: return ((const uint8_t *)t->data)[i];
    case PEFT_I64: return ((const int64_t *)t->data)[i];
    default: return (int64_t)((const float *)t->data)[i];
    }
}
/* Is the pixel judged for class c, and does map `which` have class c there? */
static inline bool pf_map_judged(const pf_maps_pair *p, int64_t pixel, int64_t c)
{
    return pf_map_value(p->map[PF_TRUTH], p->targets ? pixel * p->classes + c : pixel) != -1;
}
static inline bool pf_map_has(const pf_maps_pair *p, int which, int64_t pixel, int64_t c)
{
    if (!pf_map_judged(p, pixel, c)) return false;
    const int64_t v = pf_map_value(p->map[which], p->targets ? pixel * p->classes + c : pixel);
    return p->targets ? v == 1 : v == c;
}

/* The surfaces of all classes in one map: those of class c are the pixels at[first[c]] .. at[first[c + 1] - 1],
 * ascending. */
typedef struct pf_surfaces { int64_t *at, *first; } pf_surfaces;
peft_status pf_surfaces_make(pf_surfaces *s, peft_context *ctx, const pf_maps_pair *p, int which);
void        pf_surfaces_free(pf_surfaces *s, peft_context *ctx);

/* Writes the distance of each of m pixels from the nearest of n others to distance [m]. Both ascend and are not
 * empty. */
peft_status pf_nearest_distances(peft_context *ctx, const pf_maps_pair *p, const int64_t *from, int64_t m,
                                 const int64_t *to, int64_t n, double *distance);
#endif
