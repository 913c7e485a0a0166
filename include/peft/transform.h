/* SPDX-License-Identifier: Apache-2.0
 * transform.h -- transforms: the preprocessing and the training augmentations that turn an image into network input,
 * described by a text of settings. Part of libpeft-io; see io.h for what all of it shares: ownership, threads, memory,
 * options. */
#ifndef PEFT_TRANSFORM_H
#define PEFT_TRANSFORM_H
#include <peft/image.h>
#include <peft/options.h>
PEFT_BEGIN_DECLS

typedef struct peft_transform peft_transform;

/* Makes a transform from a text such as "size=224,resize=shorter". The settings, with their defaults:
 *   size=224              height and width of the output [3, height, width] in pixels: N for a square, or HxW; grey is
 *                         repeated three times
 *   resize=squash         how the image, of h x w pixels, is resized before the centre of that size is cropped (outside
 *                         of the image the crop is black). Below, A = floor(height / crop_pct) and
 *                         B = floor(width / crop_pct), of the output. squash: to A x B
 *     or shorter          in proportion, so that it just covers A x B. Square output: the shorter side becomes A, the
 *                         longer one floor(A * longer / shorter), as in torchvision. Else both sides are divided by
 *                         min(h / A, w / B) and rounded half to even, as in timm's ResizeKeepRatio
 *     or longest          in proportion, so that it just fits into A x B: both sides are divided by max(h / A, w / B)
 *                         and rounded half to even, to at least 1 (open_clip's resize_mode longest)
 *     or longest_mean     the same, but outside of the image the crop has the mean colour (timm's crop_mode border)
 *     or none             no resizing
 *     or N                the shorter side becomes N pixels, the longer one floor(N * longer / shorter)
 *     or HxW              height H and width W
 *   crop_pct=1            side of the crop over the resized side, in (0, 1]; 0.875 by default where the text has
 *                         resize=shorter
 *   crop_offset=round     how the offset of the centre crop is rounded: round, half to even (torchvision, timm), or
 *                         floor (transformers)
 *   interpolation=bicubic or bilinear, nearest, box, hamming, lanczos
 *   resize_order=pillow13 which pass of the resize comes first: as in Pillow 13.0, or pillow12 as before 12.2 (the
 *                         horizontal one)
 *   range=full            which samples become 0..1: full, all that the type holds. A 16-bit image whose largest sample
 *                         is below 8192 then gives a warning, once for each transform.
 *     or lo:hi            samples lo..hi become 0..1, those outside are clipped: range=0:4095 for 12-bit samples in
 *                         16-bit images, range=-1000:400 for Hounsfield units
 *     or pA:pB            lo and hi are percentiles of the image itself, for p1:p99 the 1st and the 99th: of all its
 *                         samples, all channels together, before any crop, with linear interpolation in double (as
 *                         numpy.percentile for a float64 array). If both are equal, samples up to that value become
 *                         0 and larger ones 1, so that an image of one value is black.
 *                         The range is applied before the resize, with results of 16 bits. Signed, float and
 *                         rescaled images need a range (PEFT_E_INVALID without); with one, NaN and infinite samples
 *                         are refused (PEFT_E_NONFINITE).
 *   alpha=drop            alpha is ignored; or white: the image is composited over white (transformers since 5.21)
 *   grey=false            true: colour becomes luma (ITU-R 601) first
 *   mean=0.5:0.5:0.5  std=0.5:0.5:0.5   output = (sample / largest sample - mean) / std for red, green and blue; one
 *                         value stands for all three. PEFT_E_OPTION if they are for samples in 0..255: divide them
 *                         by 255
 * Augmentations, for training only:
 *   random_crop=false     true: a random box, resized to size, takes the place of resize
 *   scale=0.08:1  ratio=0.75:1.3333333333333333   area of this box over the image's (uniform); its width / height
 *                         (log-uniform)
 *   flip=0                probability of a left-right flip
 *   brightness=0  contrast=0  saturation=0   b draws a factor uniformly from [max(0, 1 - b), 1 + b]; the three changes
 *                         are applied in random order
 *   pad=0                 the image is shifted by up to pad pixels in each direction
 *   pad_mode=zero         what fills the gap of the shift: zero (black) or reflect (the mirrored image)
 *   erase=0               probability that a box is overwritten, after everything else (torchvision's RandomErasing)
 *   erase_area=0.02:0.33  erase_ratio=0.3:3.3   area of this box over the input's (uniform); its height / width
 *                         (log-uniform)
 *   erase_fill=mean       what the box is filled with: mean, the mean colour (input 0); random, input drawn from the
 *                         standard normal distribution; uniform, samples drawn uniformly from 0..255
 * A text that gives all settings above but crop_offset, resize_order, range and alpha is one that an earlier version
 * printed. It keeps its meaning, so that models saved then predict as before: squash ignores crop_pct, crop_pct may
 * exceed 1, the horizontal pass comes first, erase_ratio is width / height, and erase_fill=random draws uniformly. */
PEFT_API PEFT_NODISCARD peft_status peft_transform_parse(peft_context *ctx, const char *text, peft_transform **out);
PEFT_API const peft_option *peft_transform_option(size_t i);   /* row i of the settings (options.h); NULL: none */
/* The same with the settings of text over those of base (NULL: the defaults). base is, for instance, a backbone's note
 * "preprocess", and text what the user changes. A resize in text resets crop_pct too. A size in text without a resize
 * scales the N or HxW of base in proportion: size=384 over size=224,resize=256 gives resize=439; size=384x512, which is
 * not square, gives resize=shorter,crop_pct=0.875. */
PEFT_API PEFT_NODISCARD peft_status
peft_transform_parse_over(peft_context *ctx, const char *base, const char *text, peft_transform **out);
/* All settings, in a fixed order. peft_transform_parse makes an equal transform of this text; model files hold it in
 * the note "preprocess". */
PEFT_API const char *peft_transform_text(const peft_transform *t);            /* NULL for NULL */
PEFT_API void        peft_transform_free(peft_transform *t);
/* Height and width of the output in pixels; size: its side, -1 if it is not square. 0 for NULL. */
PEFT_API int64_t     peft_transform_height(const peft_transform *t);
PEFT_API int64_t     peft_transform_width(const peft_transform *t);
PEFT_API int64_t     peft_transform_size(const peft_transform *t);
/* Applies the transform without augmentations. out: [3, height, width] floats of the caller. PEFT_E_INVALID: the image
 * needs a range, or the range lies beyond the values that samples of its type can have. PEFT_E_NONFINITE: a NaN or
 * infinite sample. */
PEFT_API PEFT_NODISCARD peft_status
peft_transform_apply(const peft_transform *t, const peft_image *im, float *out);
/* What the network sees of an image of width x height pixels, without augmentations: left, top, right and bottom edge
 * of the output in pixels of the image, 0 being the image's left or upper edge. Output pixel (y,x) covers the part of
 * the box that is 1 / width wide and 1 / height high; the box reaches beyond the image where a crop does.
 * PEFT_E_INVALID: a side below 1. */
PEFT_API PEFT_NODISCARD peft_status
peft_transform_box(const peft_transform *t, int64_t width, int64_t height, double box[4]);
/* Applies the transform with its augmentations. Their random numbers depend on (seed, epoch, sample) alone. */
PEFT_API PEFT_NODISCARD peft_status
peft_transform_apply_train(const peft_transform *t, const peft_image *im, uint64_t seed, int64_t epoch, int64_t sample,
                           float *out);

PEFT_END_DECLS
#endif
