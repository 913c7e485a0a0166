/* SPDX-License-Identifier: Apache-2.0
 * transform.h -- the preprocessing that makes network input of an image, described by a text. Part of libpeft-io; io.h
 * says what holds for all of it. */
#ifndef PEFT_TRANSFORM_H
#define PEFT_TRANSFORM_H
#include <peft/image.h>
#include <peft/options.h>
PEFT_BEGIN_DECLS

typedef struct peft_transform peft_transform;

/* Names and defaults:
 *   size=224              the output is [3, size, size]; grey is repeated three times
 *   resize=squash         both sides to floor(size / crop_pct), then the centre of size x size
 *     or shorter          the shorter side to floor(size / crop_pct), the longer one in proportion, then the centre
 *     or longest          the longer side to floor(size / crop_pct), the shorter one in proportion, rounded half to
 *                         even, then the centre; what lies outside is black (open_clip's resize_mode longest)
 *     or longest_mean     the same, but outside is the mean colour (timm's crop_mode border)
 *     or none, N, HxW     no resizing; the shorter side to N pixels; height H and width W; then the centre. Where that
 *                         reaches beyond the image it is black.
 *   crop_pct=1            in (0, 1]; the default is 0.875 where the text has resize=shorter; 1 for all others
 *   crop_offset=round     or floor: how the centre's offset is rounded, half to even (torchvision, timm) or down
 *                         (transformers)
 *   interpolation=bicubic or bilinear, nearest, box, hamming, lanczos
 *   resize_order=pillow13 or pillow12: the order of the passes of a resize, as in Pillow 13.0 or in those before 12.2
 *                         (horizontal first)
 *   range=full            or lo:hi: samples lo..hi become 0..1, those outside are clipped. range=0:4095 for 12-bit
 *                         samples in 16-bit images, range=-1000:400 for Hounsfield units. Without it, a 16-bit image
 *                         whose largest sample is below 8192 gives a warning, once for each transform.
 *     or pA:pB            range=p1:p99: lo and hi are the 1st and the 99th percentile of the image itself: of all its
 *                         samples, all channels together, before any crop, with linear interpolation in double
 *                         (numpy.percentile of a float64 array). Where both are the same value, samples up to it
 *                         become 0 and larger ones 1: an image of one value is black.
 *                         Samples are windowed first, to 16 bits. Signed, float and rescaled images are refused
 *                         without a range (PEFT_E_INVALID), NaN and infinite samples always (PEFT_E_NONFINITE).
 *   alpha=drop            or white: transparent pixels are put on white (transformers since 5.21)
 *   grey=false            true: colour becomes luma (ITU-R 601) first
 *   mean=0.5:0.5:0.5  std=0.5:0.5:0.5   out = (sample / largest sample - mean) / std; one value stands for three.
 *                         PEFT_E_OPTION where they are for samples in 0..255: divide them by 255
 * and for training only:
 *   random_crop=false     true: a random box, resized to size, takes the place of resize
 *   scale=0.08:1  ratio=0.75:1.3333333333333333   its area over the image's, its width / height (log-uniform)
 *   flip=0                probability of a left-right flip
 *   brightness=0  contrast=0  saturation=0   b: factors uniform in [max(0, 1 - b), 1 + b], in random order
 *   pad=0  pad_mode=zero or reflect   shifted by up to pad pixels; black or the mirrored picture fills the gap
 *   erase=0               probability that a box is overwritten, after everything else (torchvision's RandomErasing):
 *   erase_area=0.02:0.33  erase_ratio=0.3:3.3   its area over the input's, its height / width (log-uniform)
 *   erase_fill=mean       or random, uniform: the mean colour (input 0), inputs drawn from the standard normal
 *                         distribution, or samples drawn uniformly from 0..255
 * A text with all settings of an earlier version (all above but crop_offset, resize_order, range and alpha) keeps the
 * meaning that it had there, so that saved models predict as before: squash without a crop, crop_pct above 1, the
 * horizontal pass first, erase_ratio as width / height, erase_fill=random as uniform. */
PEFT_API PEFT_NODISCARD peft_status peft_transform_parse(peft_context *ctx, const char *text, peft_transform **out);
PEFT_API const peft_option *peft_transform_option(size_t i);   /* the settings (options.h); NULL: after the last */
/* The settings of text in place of those of base (NULL: the defaults), such as a backbone's note "preprocess" with what
 * the user changes. A resize in text replaces base's crop_pct too; a size in text alone scales base's resize=N or HxW:
 * size=384 over size=224,resize=256 gives resize=439. */
PEFT_API PEFT_NODISCARD peft_status
peft_transform_parse_over(peft_context *ctx, const char *base, const char *text, peft_transform **out);
/* Every setting in a fixed order. Parsing it makes an equal transform, so that a model file can hold it. */
PEFT_API const char *peft_transform_text(const peft_transform *t);            /* NULL: NULL */
PEFT_API void        peft_transform_free(peft_transform *t);
PEFT_API int64_t     peft_transform_size(const peft_transform *t);            /* NULL: 0 */
/* Without augmentations. out: [3, size, size] floats of the caller. PEFT_E_INVALID: an image that needs a range, or a
 * range beyond the values that samples of its type can have. PEFT_E_NONFINITE: a NaN or infinite sample. */
PEFT_API PEFT_NODISCARD peft_status
peft_transform_apply(const peft_transform *t, const peft_image *im, float *out);
/* With the training augmentations, drawn from a generator keyed by (seed, epoch, sample) alone. */
PEFT_API PEFT_NODISCARD peft_status
peft_transform_apply_train(const peft_transform *t, const peft_image *im, uint64_t seed, int64_t epoch, int64_t sample,
                           float *out);

PEFT_END_DECLS
#endif
