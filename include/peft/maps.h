/* SPDX-License-Identifier: Apache-2.0
 * peft/maps.h -- maps over an image that show what a model looks at. A map [h,w] has a number for each cell of a grid
 * of equal squares that covers the image the network sees: cell (y,x) covers rows y H/h .. (y+1) H/h - 1 and columns
 * x W/w .. (x+1) W/w - 1 of its H x W pixels. With every kind but occlusion a cell is a patch.
 *
 * A map tells how a model computes, not what is right; the kinds answer different questions and may disagree.
 *
 * kind=rollout: attention roll-out (Abnar and Zuidema, ACL 2020, eq. 1). A_l [t,t] is the softmax of block l, its heads
 *     fused by "fuse": mean (as in the paper), max or min. With A'_l = (A_l + I) / 2, each row divided by its sum,
 *     R = A'_last .. A'_first. The map is a row of R at the patches: "row" class is the class token's; mean is the mean
 *     of the rows of all patches; auto is class where the model's feature reads the class token, else mean. Entries are
 *     >= 0 and add up to at most 1; they depend on no class. "first" and "last": the blocks, -1 is the last one.
 *     "discard": this share of the entries of each A_l, the smallest, is set to 0 first.
 *     Rows and columns of A_l are the network's own tokens: class token, registers, patches. Tokens, keys and logits
 *     that a method adds (vpt, prefix, ept, ..) take part in the softmax, and their columns are left out: attention on
 *     them counts as attention on nothing in the image, so that the residual, I, weighs more.
 * kind=ept: how much of its attention a patch gives to the embedded prompts of method ept (insert=concat): the tap
 *     "sink_mass.N" of session.h at the patches, as a mean over the blocks from "first" to "last" that have prompts.
 *     From 0 to 1; in a head the output of attention is scaled by 1 minus that share. It depends on no class.
 * kind=cam: Grad-CAM (Selvaraju et al., ICCV 2017, eq. 1 and 2) of the normed input of attention in "block" (norm1; -1:
 *     the last one), as pytorch-grad-cam does for ViTs: with a_pk element k of patch p there and y the logit of the
 *     class, map_p = max(0, sum_k a_pk mean_q dy/da_qk), q over all patches. "rectify"=false: without max(0, ..).
 * kind=occlusion: Zeiler and Fergus (ECCV 2014). A square of side "patch" moves over the image by steps of "stride"
 *     (both in pixels; 0: the network's patch side) and is filled by "fill": mean, the mean of each channel of the
 *     image; zero, 0 in the normalised image, the mean of the training images; blur, the mean of the square of side
 *     "patch" around each pixel. What counts is the drop of the class's "score", that of the whole image minus that of
 *     the occluded one: probability or logit. A pixel's drop is the mean over the squares that cover it, a cell of side
 *     "stride" has the mean of its pixels. "stride" divides H and W and is at most "patch". Positive: the cell speaks
 *     for the class. Each image takes about H W / stride^2 predictions.
 *
 * All is computed in f32, sums of a map in double. Results have the same bits for any number of threads, any "batch"
 * and any number of images in a call. A peft_maps is used by one thread at a time. It reads the model's and its
 * adapters' current values in each call, as a session does (session.h has the table of locks). */
#ifndef PEFT_MAPS_H
#define PEFT_MAPS_H
#include <peft/adapter.h>
PEFT_BEGIN_DECLS

typedef struct peft_maps peft_maps;

/* The name of kind i, "rollout", ..; NULL: after the last. */
PEFT_API const char *peft_maps_kind_name(size_t i);
/* The options that it reads beside those of all kinds, names separated by blanks; NULL: after the last. */
PEFT_API const char *peft_maps_kind_options(size_t i);
/* 1 if its maps are of a class; else, and after the last, 0. */
PEFT_API int         peft_maps_kind_of_class(size_t i);
/* A line about it; NULL: after the last. */
PEFT_API const char *peft_maps_kind_summary(size_t i);
/* Compiles the model for one kind of map. Options, o may be NULL: "kind" (rollout), "batch" (images, or occluded
 * images, that are computed at a time; 1), "threads" (0: the context's), "multi_label" (false; true: a probability is
 * the sigmoid of one logit, and a class must be named), and those of the kinds above. PEFT_E_OPTION: an option of
 * another kind, or a value out of range. PEFT_E_UNSUPPORTED, with the reason: head=none; a head of maps
 * (peft_model_output) with cam and occlusion; a method with a network of its own (fpt) with all but occlusion; kind=ept
 * without prompts in these blocks; a method that needs further inputs (fpt with side_input=given) with any kind.
 * Memory: the arena of the graph; with rollout also batch * blocks * tokens^2 floats, with cam 2 * batch * tokens *
 * width floats and the values that the backward pass reads from "block" on. */
PEFT_API PEFT_NODISCARD peft_status peft_maps_create(peft_model *m, const peft_options *o, peft_maps **out);
PEFT_API void               peft_maps_free(peft_maps *s);
PEFT_API const peft_option *peft_maps_option(size_t i);                  /* NULL: after the last */
PEFT_API void               peft_maps_size(const peft_maps *s, int64_t *h, int64_t *w);
PEFT_API size_t             peft_maps_memory(const peft_maps *s);        /* bytes of all memory that s uses */

/* Called after each batch with the predictions done so far, of how many; another result than 0 stops the call. */
typedef int (*peft_maps_fn)(int64_t done, int64_t of, void *user);
/* images [n,3,H,W] f32, as for peft_session_predict, n >= 1. classes [n]: the class that each map is of, 0 to classes
 * - 1, or -1 for the predicted one (the largest logit, the first of equal ones); NULL: the predicted one of each. Must
 * be NULL for kinds that depend on no class. maps [n,h,w] f32. chosen [n]: the class of each map, may be NULL; -1 for
 * kinds without one. progress may be NULL. PEFT_E_INVALID: a class out of range, or with multi_label=true not named;
 * PEFT_E_NONFINITE: a logit or a map is NaN or Inf; PEFT_E_CANCELLED: progress stopped it; maps then holds the maps of
 * the images before. */
PEFT_API PEFT_NODISCARD peft_status
peft_maps_compute(peft_maps *s, const peft_tensor *images, const int64_t *classes, peft_tensor *maps, int64_t *chosen,
                  peft_maps_fn progress, void *user);

PEFT_END_DECLS
#endif
