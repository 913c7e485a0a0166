/* SPDX-License-Identifier: Apache-2.0
 * kinds.c -- what a file is that cannot be read as a picture, by its first bytes, and what the user can do about it. */
#include "io/format/formats.h"

#define OTHER_PNM "a PNM file in text or of single bits (P1 to P4); convert it to PNG or to binary PNM (P5, P6)"
#define NIFTI "a NIfTI volume, or its header; save its slices as 16-bit PNG, or pass them to peft_image_from_buffer"
#define MAGIC(bytes) bytes, sizeof bytes - 1
static const struct { size_t at; const char *magic; size_t length; const char *what; } kinds[] = {
    { 8, MAGIC("WEBP"), "a WebP picture; convert it to PNG (dwebp IN -o OUT.png)" },
    { 0, MAGIC("GIF8"), "a GIF picture; convert it to PNG" },
    { 0, MAGIC("II*\0"), "a TIFF file; convert each of its pictures to PNG, 16 bits where it has them" },
    { 0, MAGIC("MM\0*"), "a TIFF file; convert each of its pictures to PNG, 16 bits where it has them" },
    { 0, MAGIC("II+\0"), "a BigTIFF file; convert each of its pictures to PNG, 16 bits where it has them" },
    { 0, MAGIC("MM\0+"), "a BigTIFF file; convert each of its pictures to PNG, 16 bits where it has them" },
    { 0, MAGIC("BM"), "a BMP picture; convert it to PNG" },
    { 128, MAGIC("DICM"), "a DICOM file; convert its frames to PNG (dcmj2pnm +on2 keeps 16 bits), and say the range of "
                         "their samples in the preprocessing (range=lo:hi)" },
    { 344, MAGIC("n+1\0"), NIFTI },
    { 344, MAGIC("ni1\0"), NIFTI },
    { 4, MAGIC("n+2\0"), NIFTI },
    { 0, MAGIC("\x1f\x8b"), "a gzip file (such as a compressed NIfTI volume); unpack it" },
    { 0, MAGIC("\0\0\0\x0cjP  "), "a JPEG 2000 picture; convert it to PNG" },
    { 0, MAGIC("\xff\x4f\xff\x51"), "a JPEG 2000 picture; convert it to PNG" },
    { 0, MAGIC("\xff\x0a"), "a JPEG XL picture; convert it to PNG (djxl IN OUT.png)" },
    { 0, MAGIC("\0\0\0\x0cJXL "), "a JPEG XL picture; convert it to PNG (djxl IN OUT.png)" },
    { 4, MAGIC("ftypavif"), "an AVIF picture; convert it to PNG" },
    { 4, MAGIC("ftyp"), "a HEIF picture or an MP4 video; convert its pictures to PNG" },
    { 0, MAGIC("version https://git-lfs"), "a pointer of Git LFS, not the file itself; fetch it with: git lfs pull" },
    { 0, MAGIC("P1"), OTHER_PNM },
    { 0, MAGIC("P2"), OTHER_PNM },
    { 0, MAGIC("P3"), OTHER_PNM },
    { 0, MAGIC("P4"), OTHER_PNM },
    { 0, MAGIC("P7\n"), "a PAM file; convert it to PNG" },
    { 0, MAGIC("Pf\n"), "a PFM file of floating-point samples; save it as a 16-bit PNG" },
    { 0, MAGIC("PF\n"), "a PFM file of floating-point samples; save it as a 16-bit PNG" },
    { 0, MAGIC("PK\3\4"), "a zip archive; unpack it, or open it as a data set" },
    { 0, MAGIC("\x89HDF\r\n"), "an HDF5 file (such as MATLAB 7.3); save its pictures as PNG" },
    { 0, MAGIC("MATLAB 5.0"), "a MATLAB file; save its pictures as PNG" },
    { 0, MAGIC("%PDF"), "a PDF document; save its pictures as PNG" },
    { 0, MAGIC("8BPS"), "a Photoshop file; convert it to PNG" },
    { 0, MAGIC("\x80\x02"), "a Python pickle (such as a PyTorch checkpoint), not a picture" },
    { 0, MAGIC("\0\5\x16\7"), "a macOS companion file (its name begins with ._), not a picture; delete it" },
};

/* Whether the data begin with word, in either case of letters, after blanks and a byte order mark. */
static bool begins(const uint8_t *data, size_t size, const char *word)
{
    while (size && (*data <= ' ' || *data >= 0x80)) data++, size--;           /* blanks, byte order mark */
    for (; *word; word++, data++, size--)
        if (!size || (*data | 0x20) != (*word | 0x20)) return false;
    return true;
}

const char *io_what_it_is(const uint8_t *data, size_t size)
{
    if (!size) return "an empty file; fetch or copy it again";
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (size >= kinds[i].at + kinds[i].length && !memcmp(data + kinds[i].at, kinds[i].magic, kinds[i].length))
            return kinds[i].what;
    if (begins(data, size, "<svg")) return "an SVG drawing; convert it to PNG";
    if (begins(data, size, "<!doctype") || begins(data, size, "<html") || begins(data, size, "<?xml"))
        return "an HTML or XML page (a failed download often leaves one); fetch the file again";
    bool zeros = true;
    for (size_t i = 0; i < size && zeros; i++) zeros = !data[i];
    if (zeros) return "all bytes are zero; copy the file again";
    return NULL;
}
