/* SPDX-License-Identifier: Apache-2.0
 * predictor.h -- predictions of pixels: a predictor prepares pixels as the model was trained with them and gives them
 * to a session. Part of libpeft-io; io.h says what holds for all of it.
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

/* Used by one thread at a time, which may use the session too between two calls. */
typedef struct peft_predictor peft_predictor;

/* A predictor of the session's model, under its context; it keeps session and transform alive. transform: how pixels
 * become input; NULL: as the model's note "preprocess" says, else the backbone's (peft_backbone_note).
 * PEFT_E_NOTFOUND: transform is NULL and neither note is there. PEFT_E_MISMATCH: the transform makes images of another
 * side than the model takes. PEFT_E_UNSUPPORTED: the model has no head (head=none). PEFT_E_OPTION: a note is no text of
 * a transform. PEFT_E_INVALID: the model's link (peft_model_link) is neither "softmax" nor "sigmoid". */
PEFT_API PEFT_NODISCARD peft_status
peft_predictor_create(peft_session *s, peft_transform *transform, peft_predictor **out);
PEFT_API void                  peft_predictor_free(peft_predictor *p);
PEFT_API const peft_transform *peft_predictor_transform(const peft_predictor *p);      /* in use; NULL for NULL */
/* What makes probabilities of the logits: "softmax" or "sigmoid", as peft_model_link says, or "softmax" where it says
 * nothing. NULL for NULL. */
PEFT_API const char           *peft_predictor_link(const peft_predictor *p);

/* pixels [n,h,w,c] of any n, h and w; c is 1 (grey) or 3 (RGB, in this order). u8: 0..255; u16: 0..65535; i16 and f32
 * need a transform with a range (range=-1000:400), u16 of fewer bits (range=0:4095) should have one. logits f32
 * [n,classes], or [n,h,w,classes] with a head that predicts a class for each patch (peft_model_output). The n images
 * are predicted in batches of the session's size. The logits have the same bits as those of peft_image_from_buffer,
 * peft_transform_apply and peft_session_predict. After the first call for a size (h, w, c and type) a further call for
 * this size allocates nothing.
 * PEFT_E_SHAPE, PEFT_E_DTYPE: a tensor that does not fit. PEFT_E_NONFINITE: a logit is NaN or Inf; all others are
 * written all the same. Any other failure, such as NaN among the pixels, names the image; of the batches before it the
 * logits are written. */
PEFT_API PEFT_NODISCARD peft_status
peft_predictor_pixels(peft_predictor *p, const peft_tensor *pixels, peft_tensor *logits);
/* The same with class probabilities in place of logits (peft_predictor_link). */
PEFT_API PEFT_NODISCARD peft_status
peft_predictor_pixels_probabilities(peft_predictor *p, const peft_tensor *pixels, peft_tensor *probabilities);
/* The same for n images, which may differ in size, type, alpha and rescale. An image that has another size, type or
 * number of channels than the one before it may need memory. */
PEFT_API PEFT_NODISCARD peft_status
peft_predictor_images(peft_predictor *p, const peft_image *const *images, int64_t n, peft_tensor *logits);
PEFT_API PEFT_NODISCARD peft_status
peft_predictor_images_probabilities(peft_predictor *p, const peft_image *const *images, int64_t n,
                                    peft_tensor *probabilities);

PEFT_END_DECLS
#endif
