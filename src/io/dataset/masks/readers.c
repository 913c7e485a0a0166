/* SPDX-License-Identifier: Apache-2.0
 * readers.c -- the table of the readers in readers.def, searched by the first bytes of a file. */
#include "io/dataset/masks/readers.h"

const io_mask_reader *io_mask_reader_of(peft_context *ctx, const char *path)
{
    enum { HEAD_BYTES = 4096 };
    static const io_mask_reader *const readers[] = {
#define IO_MASK_READER(name) &io_mask_reader_##name,
#include "io/dataset/masks/readers.def"
#undef IO_MASK_READER
    };
    const size_t count = sizeof readers / sizeof *readers;
    uint8_t *head = NULL;
    size_t size = 0, i = 0;
    if (count > 1 && io_read_head(ctx, path, HEAD_BYTES, &head, &size)) return &io_mask_reader_picture;
    while (readers[i]->probe && !readers[i]->probe(head, size)) i++;
    peft_sys_free(ctx, head);
    return readers[i];
}
