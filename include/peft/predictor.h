/* SPDX-License-Identifier: Apache-2.0
 * predictor.h -- predictors: from pixels or images to logits or probabilities. A predictor applies the preprocessing
 * that the model was trained with, and runs a session. Part of libpeft-io; see io.h for what all of it shares:
 * ownership, threads, memory, options.
 *
 *   peft_predictor_create(session, NULL, &p);
 *   peft_tensor_wrap(ctx, PEFT_U8, 4, (int64_t[]){ n, height, width, 3 }, rgb, &pixels);
 *   peft_predictor_pixels_probabilities(p, pixels, probabilities); */
#ifndef PEFT_PREDICTOR_H
#define PEFT_PREDICTOR_H
#include <peft/image.h>
#include <peft/session.h>
#include <peft/transform.h>
PEFT_BEGIN_DECLS

/* Used by one thread at a time, which may also call the session between two calls of the predictor. */
typedef struct peft_predictor peft_predictor;

/* Makes a predictor for the session's model, under the model's context; it keeps session and transform alive.
 * transform: turns pixels into network input; NULL: the one that the model's note "preprocess" describes, or, where the
 * model has none, the backbone's note (peft_backbone_note).
 * PEFT_E_NOTFOUND: transform is NULL, and there is no such note. PEFT_E_MISMATCH: the transform makes images of another
 * size than the model takes. PEFT_E_UNSUPPORTED: the model has no head (head=none). PEFT_E_OPTION: the note is not the
 * text of a transform. PEFT_E_INVALID: the model's link (peft_model_link) is neither "softmax" nor "sigmoid". */
PEFT_API PEFT_NODISCARD peft_status
peft_predictor_create(peft_session *s, peft_transform *transform, peft_predictor **out);
PEFT_API void                  peft_predictor_free(peft_predictor *p);
PEFT_API const peft_transform *peft_predictor_transform(const peft_predictor *p);      /* NULL for NULL */
/* The function that turns logits into probabilities: "softmax" or "sigmoid" as peft_model_link returns it; "softmax"
 * where that returns NULL. NULL for a NULL predictor. */
PEFT_API const char           *peft_predictor_link(const peft_predictor *p);

/* Predicts pixels [n,h,w,c] of any n, h and w; c is 1 (grey) or 3 (red, green, blue). u8: 0..255; u16: 0..65535, with a
 * range in the transform if samples have fewer bits (range=0:4095); i16 and f32 need a range (range=-1000:400). logits:
 * f32 [n,classes], or, with a head that predicts a class for each patch, [n,rows,columns,classes] (peft_model_output).
 * The n images are predicted in batches of the session's size. The logits have the same bits as those of
 * peft_image_from_buffer, peft_transform_apply and peft_session_predict. After a call for pixels of one h, w, c and
 * type, further calls for these allocate nothing.
 * PEFT_E_SHAPE, PEFT_E_DTYPE: a tensor that does not fit. PEFT_E_NONFINITE: a logit is NaN or Inf; the logits of all
 * images are written nevertheless. The message of any other failure, such as NaN among the pixels, names the image; the
 * logits of the batches before it are written. */
PEFT_API PEFT_NODISCARD peft_status
peft_predictor_pixels(peft_predictor *p, const peft_tensor *pixels, peft_tensor *logits);
/* The same with class probabilities in place of logits (peft_predictor_link). */
PEFT_API PEFT_NODISCARD peft_status
peft_predictor_pixels_probabilities(peft_predictor *p, const peft_tensor *pixels, peft_tensor *probabilities);
/* The same for n images, which may differ in size, type, alpha and rescale. For a peft_image *im, images is an array
 * const peft_image *images[] = { im }; C compilers warn of &im, whose type is peft_image **. An image with another
 * size, type or number of channels than the one before it may allocate memory. */
PEFT_API PEFT_NODISCARD peft_status
peft_predictor_images(peft_predictor *p, const peft_image *const *images, int64_t n, peft_tensor *logits);
PEFT_API PEFT_NODISCARD peft_status
peft_predictor_images_probabilities(peft_predictor *p, const peft_image *const *images, int64_t n,
                                    peft_tensor *probabilities);

PEFT_END_DECLS
#endif
