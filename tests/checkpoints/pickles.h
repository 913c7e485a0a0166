/* SPDX-License-Identifier: Apache-2.0
 * pickles.h -- parts of pickles as text literals, and the opening of files in memory, for the tests of torch.save's
 * files. */
#ifndef PICKLES_H
#define PICKLES_H
#include "core/format/torch/torch.h"
#include "tiny_files.h"
#include "torch_file.h"

/* Parts of pickles. The storage "0" has 6 floats in all files here. */
#define STORAGE(class, elements) "(X\7\0\0\0storagec" class "\nX\1\0\0\0" "0X\3\0\0\0cpuK" elements "tQ"
#define FLOATS STORAGE("torch\nFloatStorage", "\6")
#define REBUILD "ctorch._utils\n_rebuild_tensor_v2\n"
/* A row-major tensor [2, 3] with its function and arguments; END closes the arguments. */
#define END "\x89NtR"
#define TENSOR REBUILD "(" FLOATS "K\0K\2K\3\x86K\3K\1\x86" END
#define NAME(length, name) "X" length "\0\0\0" name
#define A NAME("\1", "a")
#define ONE(value) "\x80\2}" A value "s."                       /* {"a": value} */

static const float values[6] = { 0, 1, 2, 3, 4, 5 };

/* Opens a copy of exactly this size, so that the sanitizer sees reads beyond the end. */
static inline peft_status open_copy(peft_context *ctx, const bytes *file, void **copy, pf_st **st)
{
    pf_map *const no_map = NULL;
    *copy = malloc(file->size ? file->size : 1);
    memcpy(*copy, file->data, file->size);
    return pf_torch_open(ctx, no_map, *copy, file->size, st);
}

#endif
