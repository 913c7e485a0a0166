/* SPDX-License-Identifier: Apache-2.0
 * files.c -- io_files: the store of data sets from folders and lists. Each sample is a file whose path is its name. */
#include "io/dataset/dataset.h"
#include "io/format/formats.h"
#include <peft/file.h>
#include <sys/stat.h>

static peft_status read_file(const peft_dataset *d, int64_t i, const char *options, peft_image **out)
{
    return peft_image_load(d->ctx, d->names.item[i], options, out);
}

static peft_status count_slices(const peft_dataset *d, int64_t i, const char *options, int64_t *slices)
{
    return peft_image_slices(d->ctx, d->names.item[i], options, slices);
}

static peft_status read_bytes(const peft_dataset *d, int64_t i, int64_t limit, uint8_t **data, size_t *size)
{
    if (io_reads_parts(d->names.item[i]))
        return io_fail(PEFT_E_UNSUPPORTED, "%s: is read in parts", d->names.item[i]);
    return io_read_file(d->ctx, d->names.item[i], limit, data, size);
}

/* Links to one file share its device and inode. */
static peft_status locate(const peft_dataset *d, int64_t i, int64_t *size, uint64_t identity[2])
{
    struct stat st;
    *size = -1;
    if (!stat(d->names.item[i], &st)) {
        *size = st.st_size;
        identity[0] = (uint64_t)st.st_dev;
        identity[1] = (uint64_t)st.st_ino;
    }
    return PEFT_OK;
}

/* The file's first bytes, which need not be a picture that can be decoded. */
static peft_status hash(const peft_dataset *d, int64_t i, int64_t bytes, char hex[65])
{
    uint8_t *data;
    size_t size;
    peft_status s = io_read_head(d->ctx, d->names.item[i], bytes, &data, &size);
    if (s) return s;
    peft_sha256(data, size, hex);
    peft_sys_free(d->ctx, data);
    return PEFT_OK;
}

const io_store io_files = {
    .read = read_file, .slices = count_slices, .bytes = read_bytes, .locate = locate, .hash = hash };
