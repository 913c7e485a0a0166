/* SPDX-License-Identifier: Apache-2.0
 * segmenter.h -- segmenters: from an image of any size to the class of each of its pixels, by a model whose head gives
 * a map (patch_linear, seg_linear, setr_pup, ..). The image is resized as a whole, or predicted in tiles that overlap.
 * Part of libpeft-io; see io.h for what all of it shares: ownership, threads, memory, options.
 *
 *   peft_segmenter_create(session, NULL, "mode=tiles,overlap=0.5", &s);
 *   peft_segmenter_labels(s, image, &labels); */
#ifndef PEFT_SEGMENTER_H
#define PEFT_SEGMENTER_H
#include <peft/adaptor.h>
#include <peft/predictor.h>
PEFT_BEGIN_DECLS

/* Used by one thread at a time, which may also call the session between two calls of the segmenter. */
typedef struct peft_segmenter peft_segmenter;

/* Makes a segmenter for the session's model, under the model's context; it keeps session and transform alive.
 * transform: turns pixels into network input; NULL: that of the model, as for peft_predictor_create. H x W below are
 * the pixels of the model's input, [h, w, classes] the shape of its logits (peft_model_output). options, NULL: the
 * defaults:
 *   mode=whole       the transform resizes the whole image. Logits are interpolated bilinearly from the h x w positions
 *                    to the pixels of the image: position i covers the (i + 1)th of h equal parts of the height, as in
 *                    PyTorch's interpolate with align_corners=False
 *     or tiles       parts of H x W pixels, neither enlarged nor reduced, which overlap. Each is prepared as the
 *                    transform says, without its resize and crop; percentiles (range=p1:p99) are those of the whole
 *                    image. Logits are interpolated to the pixels of the tile as above; where tiles overlap, their
 *                    weighted mean is taken. For models that were trained on parts of images of that resolution
 *   overlap=0.5      tiles: the least share of its side that a tile has in common with the one before it, 0 to 0.9.
 *                    Tiles are spread evenly, with the first and the last one at the borders of the image
 *   blend=gaussian   tiles: the weights of a pixel in row y and column x of a tile are the product of two factors, of y
 *                    and of x. S is H in the factor of y, W in that of x. gaussian: exp(-d^2 / (2 (S / 8)^2)), with d
 *                    the distance from the middle of the tile in pixels (nnU-Net, MONAI)
 *     or linear      min(1, d / (overlap * S)), with d the distance from the next edge of the tile
 *     or constant    1
 *   trim=0           tiles: pixels along the edges of a tile that have weight 0, except at the borders of the image;
 *                    at most half of the overlap. If the model's logits at a pixel depend on the input within R pixels
 *                    alone, tiles whose trim is R or more give the logits of a model that sees the whole image at
 *                    once; exactly only if the offsets of tiles are multiples of the patch size and the model has no
 *                    position embedding
 *   border=reflect   tiles: how an image smaller than a tile is padded (equally on both sides): by its mirrored pixels
 *                    without repetition of the border, or edge, by the pixels at the border
 * In all modes the probabilities are those of the resulting logits, by softmax or sigmoid (peft_segmenter_link).
 * Results have the same bits for any number of threads and, without an adaptor, for any batch of the session.
 * PEFT_E_UNSUPPORTED: the head gives one class for the image, or none; more than 256 classes; with mode=whole, a
 * transform that cuts borders off an image of the model's input size (peft_segmenter_rows). PEFT_E_OPTION: an unknown
 * option; trim above half of the overlap; with mode=whole an option of tiles that is not its default. Otherwise fails
 * as peft_predictor_create. */
PEFT_API PEFT_NODISCARD peft_status
peft_segmenter_create(peft_session *s, peft_transform *transform, const char *options, peft_segmenter **out);
/* The same over an adaptor, which adapts to the images that it segments. It is not copied and has to outlive the
 * segmenter. With mode=whole each image is a call of the adaptor (peft_adaptor_predict), whatever its batch; with tiles
 * up to peft_adaptor_batch neighbouring tiles of a row are one, so that results depend on that batch, and on the images
 * before. Fails as peft_segmenter_create. The calls that segment may then also fail with PEFT_E_NONFINITE, where loss
 * or gradients are NaN or Inf (the adaptor may have to be reset), and with PEFT_E_STATE, where the adaptor needs
 * statistics of training images (peft_adaptor_source). */
PEFT_API PEFT_NODISCARD peft_status
peft_segmenter_create_adapting(peft_adaptor *a, peft_transform *transform, const char *options, peft_segmenter **out);
PEFT_API const peft_option *peft_segmenter_option(size_t i);   /* row i of these options (options.h); NULL: none */
PEFT_API void        peft_segmenter_free(peft_segmenter *s);                  /* NULL: does nothing */
PEFT_API int64_t     peft_segmenter_classes(const peft_segmenter *s);         /* 0 for NULL */
/* "softmax": one class a pixel; "sigmoid": each class by itself. NULL for a NULL segmenter. */
PEFT_API const char *peft_segmenter_link(const peft_segmenter *s);
/* How many times the model is applied to an image of width x height pixels: 1 with mode=whole, else the number of
 * tiles. 0 for NULL, and for a side below 1. */
PEFT_API int64_t     peft_segmenter_tiles(const peft_segmenter *s, int64_t width, int64_t height);
/* Bytes that a call needs for an image of this width, of any height, beside the session, the image and its
 * preparation: H * width * (4 * classes + 5) + 4 * batch * h * w * classes, the latter for logits, with the batch of
 * the session or of the adaptor, or 1 with mode=whole. That mode needs 12 (height + width) bytes more, which are not
 * counted. 0 for NULL, and for a width below 1. */
PEFT_API size_t      peft_segmenter_memory(const peft_segmenter *s, int64_t width);

/* Gets the next rows of the image, from the top to the bottom. labels: u8 [rows, width], the class with the largest
 * logit (of equal ones the first); of a single class with link sigmoid, 1 where its probability is at least 0.5, else
 * 0; NULL for several classes with link sigmoid. probabilities: f32 [rows, width, classes], or NULL if none were asked
 * for. Both are valid during the call. The first row of the image has number 0. A status other than PEFT_OK, set by
 * peft_set_error, ends the call that is running, which returns it. */
typedef peft_status (*peft_segmenter_fn)(int64_t first_row, const peft_tensor *labels,
                                         const peft_tensor *probabilities, void *user);
/* Segments an image; fn gets its rows. The memory is that of peft_segmenter_memory.
 * PEFT_E_UNSUPPORTED: with mode=whole, the transform crops more than one pixel of the network's input off the image;
 * the message names settings that do not. PEFT_E_NONFINITE: a logit is NaN or Inf; the message names the tile.
 * Otherwise fails as peft_predictor_images. Rows before the failure have been given to fn. */
PEFT_API PEFT_NODISCARD peft_status
peft_segmenter_rows(peft_segmenter *s, const peft_image *im, int with_probabilities, peft_segmenter_fn fn, void *user);
/* The label map as an image of 1 channel of 8 bits (peft_image_save_png_palette); the caller frees *labels with
 * peft_image_free. PEFT_E_UNSUPPORTED: several classes with link sigmoid, which have no label map. Otherwise fails as
 * peft_segmenter_rows. */
PEFT_API PEFT_NODISCARD peft_status
peft_segmenter_labels(peft_segmenter *s, const peft_image *im, peft_image **labels);
/* Writes the probabilities of all pixels to out, which the caller has made, f32 [height, width, classes].
 * PEFT_E_SHAPE: out has another shape. PEFT_E_DTYPE: another type. Otherwise fails as peft_segmenter_rows. */
PEFT_API PEFT_NODISCARD peft_status
peft_segmenter_probabilities(peft_segmenter *s, const peft_image *im, peft_tensor *out);
/* Writes which labels each pixel has to out, which the caller has made, u8 [height, width, classes]: 1 where the
 * probability of the label is at least its threshold, else 0. thresholds [classes], from 0 to 1; NULL: 0.5 for all.
 * PEFT_E_UNSUPPORTED: link softmax, with which a pixel has one class. PEFT_E_INVALID: another threshold. PEFT_E_SHAPE,
 * PEFT_E_DTYPE: as above. Otherwise fails as peft_segmenter_rows. */
PEFT_API PEFT_NODISCARD peft_status
peft_segmenter_targets(peft_segmenter *s, const peft_image *im, const double *thresholds, peft_tensor *out);

PEFT_END_DECLS
#endif
