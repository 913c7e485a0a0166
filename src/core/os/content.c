/* SPDX-License-Identifier: Apache-2.0
 * content.c -- what a file is that is not what was expected, told by its first bytes. A table of marks; an entry's text
 * ends in what to do about it. */
#include "core/os/content.h"
#include <stdbool.h>
#include <string.h>

typedef struct mark { size_t at; const char *bytes; size_t length; const char *kind; } mark;
#define MARK(at, bytes, kind) { at, bytes, sizeof bytes - 1, kind }

#define PYTORCH "(convert it to safetensors in Python: safetensors.torch.save_file of its state dict)"

/* The first that fits is taken: the more special ones stand first. */
static const mark marks[] = {
    MARK(0, "version https://git-lfs.github.com/spec/", "a git-lfs pointer, not the file itself (fetch that with "
         "'git lfs pull', or download the file from its page)"),
    MARK(128, "DICM", "a DICOM file (convert its picture to PNG, 16 bits where it has more than 8)"),
    MARK(344, "n+1\0", "a NIfTI volume (save its slices as PNG)"),
    MARK(344, "ni1\0", "a NIfTI header (save the volume's slices as PNG)"),
    MARK(0, "\x93NUMPY", "a numpy array (.npy)"),
    MARK(0, "\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes (convert it to safetensors in Python)"),
    MARK(0, "GGUF", "a GGUF file (use the original weights as safetensors)"),
    MARK(4, "TFL3", "a TensorFlow Lite model (use the original weights as safetensors)"),
    MARK(0, "\x1f\x8b\x08", "compressed by gzip (unpack it with gunzip; .nii.gz is a NIfTI volume)"),
    MARK(0, "\x28\xb5\x2f\xfd", "compressed by zstd (unpack it first)"),
    MARK(0, "\xfd" "7zXZ\0", "compressed by xz (unpack it first)"),
    MARK(0, "BZh", "compressed by bzip2 (unpack it first)"),
    MARK(0, "7z\xbc\xaf\x27\x1c", "a 7z archive (unpack it first)"),
    MARK(0, "Rar!\x1a\7", "a RAR archive (unpack it first)"),
    MARK(257, "ustar", "a tar archive (unpack it first)"),
    MARK(0, "%PDF-", "a PDF document"),
    MARK(0, "\x89PNG\r\n\x1a\n", "a PNG picture"),
    MARK(0, "\xff\xd8\xff", "a JPEG picture"),
    MARK(0, "GIF87a", "a GIF picture (convert it to PNG)"),
    MARK(0, "GIF89a", "a GIF picture (convert it to PNG)"),
    MARK(8, "WEBP", "a WebP picture (convert it to PNG)"),
    MARK(0, "II*\0", "a TIFF picture (convert it to PNG)"),
    MARK(0, "MM\0*", "a TIFF picture (convert it to PNG)"),
    MARK(0, "II+\0", "a BigTIFF picture (convert it to PNG)"),
    MARK(4, "ftypavif", "an AVIF picture (convert it to PNG)"),
    MARK(4, "ftypheic", "a HEIC picture (convert it to PNG)"),
    MARK(0, "\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture (convert it to PNG)"),
};

static bool has(const uint8_t *d, size_t size, size_t at, const char *bytes, size_t length)
{
    return size >= at + length && !memcmp(d + at, bytes, length);
}

/* Whether text, in lower case, stands at d[at], whatever the case there. */
static bool says(const uint8_t *d, size_t size, size_t at, const char *text)
{
    size_t n = strlen(text);
    if (size < at + n) return false;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = d[at + i];
        if (c >= 'A' && c <= 'Z') c = (uint8_t)(c + 32);
        if (c != (uint8_t)text[i]) return false;
    }
    return true;
}

/* The first entry's name tells whose archive it is. */
static const char *zip_kind(const uint8_t *d, size_t size)
{
    size_t n = size >= 30 ? (size_t)d[26] | (size_t)d[27] << 8 : 0;
    if (size < 30 + n) return "a zip archive";
    const char *name = (const char *)d + 30;
    if ((n > 9 && !memcmp(name + n - 9, "/data.pkl", 9)) || (n > 11 && !memcmp(name + n - 11, "/.data/seri", 11)))
        return "a PyTorch checkpoint " PYTORCH;
    if (n > 4 && !memcmp(name + n - 4, ".npy", 4)) return "a numpy archive (.npz)";
    return "a zip archive";
}

/* Text that is meant for a browser or a program; blanks and a byte order mark may stand in front. */
static const char *text_kind(const uint8_t *d, size_t size)
{
    size_t at = has(d, size, 0, "\xef\xbb\xbf", 3) ? 3 : 0;
    while (at < size && (d[at] == ' ' || (d[at] >= '\t' && d[at] <= '\r'))) at++;
    if (says(d, size, at, "<!doctype html") || says(d, size, at, "<html"))
        return "a web page (HTML): the download gave a page, perhaps of a login, in place of the file";
    if (says(d, size, at, "<?xml")) return "XML text, perhaps the error message of a download";
    if (at < size && d[at] == '{')
        return "JSON text (a configuration, an index of shards, or the error message of a download)";
    return NULL;
}

const char *pf_content_kind(const void *data, size_t size)
{
    const uint8_t *d = data;
    if (!size || !d) return "empty (0 bytes)";
    if (has(d, size, 0, "PK\3\4", 4)) return zip_kind(d, size);
    if (size > 2 && d[0] == 0x80 && d[1] >= 2 && d[1] <= 5)
        return "a Python pickle, such as an old PyTorch checkpoint " PYTORCH;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (has(d, size, marks[i].at, marks[i].bytes, marks[i].length)) return marks[i].kind;
    static const uint8_t zeros[64];
    if (has(d, size, 0, (const char *)zeros, sizeof zeros))
        return "zeros at its beginning, as of a download that was not finished (fetch it again)";
    return text_kind(d, size);
}
