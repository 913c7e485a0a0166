/* SPDX-License-Identifier: Apache-2.0
 * segmentation.h -- figures of masks: Dice, IoU and distances between surfaces, of a case and a class, computed in
 * double by the calling thread. docs/segmentation.md has the definitions, which are MONAI's.
 *
 * A case is what the figures belong to, such as a picture, a volume or a patient: maps are added to it one by one, and
 * peft_segmentation_case ends it. */
#ifndef PEFT_SEGMENTATION_H
#define PEFT_SEGMENTATION_H
#include <peft/options.h>
#include <peft/tensor.h>
PEFT_BEGIN_DECLS

typedef struct peft_segmentation peft_segmentation;

/* One class in one case. Pixels, or voxels of a volume, that are not judged count nowhere. */
typedef struct peft_segment {
    int64_t judged;                    /* pixels judged for this class, over all maps of the case */
    int64_t truth;                     /* of them in the class */
    int64_t predicted;                 /* predicted to be */
    int64_t both;                      /* both */
    int64_t truth_surface;             /* pixels of the class with a neighbour outside of it; 0 without distances */
    int64_t predicted_surface;         /* the same of the prediction */
    double hd;                         /* Hausdorff distance: the largest distance from a pixel of one surface to the
                                        * nearest of the other one */
    double hd95;                       /* the larger of the 95th percentiles of both directions */
    double surface_distance;           /* mean of the distances of both directions (average symmetric) */
    double extent;                     /* length of the diagonal of the largest map: no distance is larger */
} peft_segment;

/* Makes figures of `classes` classes, or labels. distances 0: counts only, hd, hd95 and surface_distance are NaN. */
PEFT_API PEFT_NODISCARD peft_status
peft_segmentation_create(peft_context *ctx, int64_t classes, int distances, peft_segmentation **out);
PEFT_API void peft_segmentation_free(peft_segmentation *s);

/* Adds maps to the case: predicted and truth [h,w] or [d,h,w], each i64 or u8, with classes 0 to classes - 1; in truth
 * -1 is a pixel that is not judged. spacing: [2] or [3] distances between neighbours along each axis, such as
 * millimetres; NULL: 1. Distances are within a map: give a volume as one. Memory beside the maps: 24 bytes for each
 * pixel of a surface, and 32 for each pixel of a slice [h,w] of a volume, or of a row [w].
 * PEFT_E_DTYPE, PEFT_E_SHAPE: the maps have other types or extents. PEFT_E_INVALID: a label that is no class, or a
 * spacing that is not 1e-6 to 1e6. Nothing is added then. */
PEFT_API PEFT_NODISCARD peft_status
peft_segmentation_add(peft_segmentation *s, const peft_tensor *predicted, const peft_tensor *truth,
                      const double *spacing);
/* The same for several labels: predicted and targets [h,w,classes] or [d,h,w,classes], each f32 or u8, 0 or 1; in
 * targets (f32) -1 is a label that was not judged at this pixel. */
PEFT_API PEFT_NODISCARD peft_status
peft_segmentation_add_targets(peft_segmentation *s, const peft_tensor *predicted, const peft_tensor *targets,
                              const double *spacing);
/* Writes the figures of the case to out [classes] and begins the next case. Distances: infinite if one of truth and
 * prediction has the class and the other has not (in a map), NaN if neither has it. PEFT_E_SHAPE: count is not the
 * number of classes. PEFT_E_STATE: nothing was added. */
PEFT_API PEFT_NODISCARD peft_status peft_segmentation_case(peft_segmentation *s, peft_segment *out, size_t count);

/* A table of one figure, values [n]. Those of [cases,classes] segments, n = cases * classes, are what
 * peft_metrics_values, peft_statistics_bootstrap and peft_statistics_permutation take as scores [cases,classes] (with
 * neither labels nor targets, metrics "mean" and "mean_macro"); NaN is left out there. name: "dice", 2 both / (truth +
 * predicted); "iou", both / (truth + predicted - both); "precision", both / predicted; "recall", both / truth; "hd",
 * "hd95", "surface_distance". Options (NULL: defaults)
 *   absent     dice and iou in a case whose truth lacks the class. ignore: NaN, whatever is predicted (MONAI's
 *              ignore_empty=True); both: NaN if neither has it, else 0; one: 1 if neither has it, else 0
 *              (ignore_empty=False). precision and recall are NaN where their denominator is 0
 *   missing    what an infinite distance becomes. inf: it stays (MONAI); extent: the diagonal of the map; ignore: NaN
 * PEFT_E_NOTFOUND: no such figure. */
PEFT_API PEFT_NODISCARD peft_status
peft_segmentation_values(const peft_segment *segments, int64_t n, const char *name, const peft_options *options,
                         double *values);
PEFT_API const peft_option *peft_segmentation_option(size_t i);       /* row i (options.h); NULL: after the last */

PEFT_END_DECLS
#endif
