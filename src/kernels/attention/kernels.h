/* SPDX-License-Identifier: Apache-2.0
 * kernels.h -- defines attention and its gradient under the names pk_<forward>_<isa> and pk_<backward>_<isa>. A
 * file that includes it has chosen the form of the factors (block.h). */
#ifndef PK_ATTENTION_KERNELS_H
#define PK_ATTENTION_KERNELS_H
#include "backward.h"
#include "forward.h"

#define PK_ATTENTION_KERNELS(forward, backward) \
    void PK_NAME(forward)(const pk_attention *a, int64_t sample, int64_t head, void *work); \
    void PK_NAME(backward)(const pk_attention_grad *g, int64_t sample, int64_t head, void *work); \
    void PK_NAME(forward)(const pk_attention *a, int64_t sample, int64_t head, void *work) \
    { \
        attention_forward(a, sample, head, work); \
    } \
    void PK_NAME(backward)(const pk_attention_grad *g, int64_t sample, int64_t head, void *work) \
    { \
        attention_backward(g, sample, head, work); \
    }
#endif
