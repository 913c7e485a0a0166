/* SPDX-License-Identifier: Apache-2.0
 * kinds.c -- files that are no images, or images of a kind that is not read: known by their first bytes, named, with
 * what to do. */
#include "io/image.h"

#define TEXT_PNM "a PNM file of text or bits (P1 to P4); convert it to PNG, or to one of bytes (P5, P6)"
#define SIGN(bytes) bytes, sizeof bytes - 1
static const struct { size_t at; const char *sign; size_t length; const char *what; } kinds[] = {
    { 8, SIGN("WEBP"), "a WebP picture; convert it to PNG (dwebp IN -o OUT.png)" },
    { 0, SIGN("GIF8"), "a GIF picture; convert it to PNG" },
    { 0, SIGN("II*\0"), "a TIFF file; convert each of its pictures to PNG, 16 bits where it has them" },
    { 0, SIGN("MM\0*"), "a TIFF file; convert each of its pictures to PNG, 16 bits where it has them" },
    { 0, SIGN("II+\0"), "a BigTIFF file; convert each of its pictures to PNG, 16 bits where it has them" },
    { 0, SIGN("MM\0+"), "a BigTIFF file; convert each of its pictures to PNG, 16 bits where it has them" },
    { 0, SIGN("BM"), "a BMP picture; convert it to PNG" },
    { 128, SIGN("DICM"), "a DICOM file; convert its frames to PNG (dcmj2pnm +on2 keeps 16 bits), and say the range of "
                         "their samples in the preprocessing (range=lo:hi)" },
    { 344, SIGN("n+1\0"), "a NIfTI volume; save its slices as 16-bit PNG, or hand them over as buffers" },
    { 344, SIGN("ni1\0"), "the header of a NIfTI volume; save its slices as 16-bit PNG, or hand them over as buffers" },
    { 4, SIGN("n+2\0"), "a NIfTI volume; save its slices as 16-bit PNG, or hand them over as buffers" },
    { 0, SIGN("\x1f\x8b"), "a gzip file (a compressed NIfTI volume, for one); unpack it" },
    { 0, SIGN("\0\0\0\x0cjP  "), "a JPEG 2000 picture; convert it to PNG" },
    { 0, SIGN("\xff\x4f\xff\x51"), "a JPEG 2000 picture; convert it to PNG" },
    { 0, SIGN("\xff\x0a"), "a JPEG XL picture; convert it to PNG (djxl IN OUT.png)" },
    { 0, SIGN("\0\0\0\x0cJXL "), "a JPEG XL picture; convert it to PNG (djxl IN OUT.png)" },
    { 4, SIGN("ftypavif"), "an AVIF picture; convert it to PNG" },
    { 4, SIGN("ftyp"), "a HEIF picture or a film; convert its pictures to PNG" },
    { 0, SIGN("version https://git-lfs"), "a pointer of Git LFS, not the file itself; fetch it with: git lfs pull" },
    { 0, SIGN("P1"), TEXT_PNM },
    { 0, SIGN("P2"), TEXT_PNM },
    { 0, SIGN("P3"), TEXT_PNM },
    { 0, SIGN("P4"), TEXT_PNM },
    { 0, SIGN("P7\n"), "a PAM file; convert it to PNG" },
    { 0, SIGN("Pf\n"), "a PFM file of floating-point samples; save it as a 16-bit PNG" },
    { 0, SIGN("PF\n"), "a PFM file of floating-point samples; save it as a 16-bit PNG" },
    { 0, SIGN("PK\3\4"), "a zip archive; unpack it, or open it as a data set" },
    { 0, SIGN("\x93NUMPY"), "a NumPy array; save it as 8- or 16-bit PNG" },
    { 0, SIGN("\x89HDF\r\n"), "an HDF5 file (MATLAB 7.3, for one); save its pictures as PNG" },
    { 0, SIGN("MATLAB 5.0"), "a MATLAB file; save its pictures as PNG" },
    { 0, SIGN("%PDF"), "a PDF document; save its pictures as PNG" },
    { 0, SIGN("8BPS"), "a Photoshop file; convert it to PNG" },
    { 0, SIGN("\x80\x02"), "a Python pickle (of PyTorch, for one), not a picture" },
    { 0, SIGN("\0\5\x16\7"), "a macOS companion file (its name begins with ._), not a picture; delete it" },
};

/* Whether text without regard to blanks at the start and to case begins so. */
static bool begins(const uint8_t *data, size_t size, const char *word)
{
    while (size && (*data <= ' ' || *data >= 0x80)) data++, size--;           /* a byte order mark, too */
    for (; *word; word++, data++, size--)
        if (!size || (*data | 0x20) != (*word | 0x20)) return false;
    return true;
}

const char *io_what_it_is(const uint8_t *data, size_t size)
{
    if (!size) return "an empty file; fetch or copy it again";
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (size >= kinds[i].at + kinds[i].length && !memcmp(data + kinds[i].at, kinds[i].sign, kinds[i].length))
            return kinds[i].what;
    if (begins(data, size, "<svg")) return "an SVG drawing; convert it to PNG";
    if (begins(data, size, "<!doctype") || begins(data, size, "<html") || begins(data, size, "<?xml"))
        return "an HTML or XML page (of an error, where the file was downloaded); fetch the file again";
    bool zeros = true;
    for (size_t i = 0; i < size && zeros; i++) zeros = !data[i];
    if (zeros) return "nothing but zeros; copy the file again";
    return "neither PNG nor JPEG nor PNM (P5, P6); convert it to PNG";
}
