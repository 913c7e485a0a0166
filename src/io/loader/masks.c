/* SPDX-License-Identifier: Apache-2.0
 * masks.c -- masks as the labels of a batch. */
#include "io/loader/loader.h"

peft_status io_loader_check_maps(const peft_loader *l, const peft_tensor *t)
{
    const long long batch = l->options.batch;
    const long long height = peft_transform_height(l->transform), width = peft_transform_width(l->transform);
    const long long classes = l->data->masks->classes.count;
    const bool numbers = peft_tensor_dtype(t) == PEFT_I64, several = l->data->masks->options.multilabel;
    char given[IO_TENSOR_TEXT];
    if (!numbers && peft_tensor_dtype(t) != PEFT_F32)
        return io_fail(PEFT_E_DTYPE, "loader: labels: given %s, expected %s, as the data set has masks",
                       io_tensor_text(t, given), several ? "f32 targets" : "i64 class numbers or f32 targets");
    if (numbers && several)
        return io_fail(PEFT_E_DTYPE, "loader: labels are i64; expected f32 targets [n, %lld, %lld, %lld], as a pixel "
                       "of the masks may be of several classes", height, width, classes);
    if (peft_tensor_ndim(t) == (numbers ? 3 : 4) && peft_tensor_dim(t, 0) >= batch && peft_tensor_dim(t, 1) == height &&
        peft_tensor_dim(t, 2) == width && (numbers || peft_tensor_dim(t, 3) == classes))
        return PEFT_OK;
    return io_fail(PEFT_E_SHAPE, "loader: labels: given %s, expected i64 [n, %lld, %lld] or f32 [n, %lld, %lld, %lld], "
                   "n %lld or more, as the data set has masks", io_tensor_text(t, given), height, width, height, width,
                   classes, batch);
}

void io_loader_copy_maps(const peft_loader *l, const io_batch *b, peft_tensor *labels)
{
    const int64_t pixels = b->count * l->pixels;
    if (peft_tensor_dtype(labels) == PEFT_I64) io_mask_write_labels(b->masks, pixels, peft_tensor_data(labels));
    else
        io_mask_write_targets(b->masks, pixels, l->data->masks->classes.count,
                              l->data->masks->options.multilabel, peft_tensor_data(labels));
}
