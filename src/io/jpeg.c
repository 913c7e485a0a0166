/* SPDX-License-Identifier: Apache-2.0
 * jpeg.c -- JPEG through TurboJPEG with the accurate integer DCT, so that every build decodes the same pixels. */
#include "io/image.h"
#include <turbojpeg.h>

static peft_status decode_with(tjhandle h, const uint8_t *data, size_t size, const io_limits *limits, peft_image **out)
{
    int width = 0, height = 0, subsampling = -1, space = -1;                  /* not always set with success */
    peft_image *im;
    if (tjDecompressHeader3(h, data, size, &width, &height, &subsampling, &space))
        return io_fail(PEFT_E_FORMAT, "JPEG: %s", tjGetErrorStr2(h));
    if (width < 1 || height < 1 || space < 0) return io_fail(PEFT_E_FORMAT, "JPEG: no picture in the file");
    if (space == TJCS_CMYK || space == TJCS_YCCK)
        return io_fail(PEFT_E_UNSUPPORTED, "JPEG: CMYK colours have no agreed meaning here; convert to RGB or grey");
    int channels = space == TJCS_GRAY ? 1 : 3;
    peft_status s = io_check_limits(limits, width, height, channels, 8);
    if (!s) s = io_image_new(width, height, channels, 8, &im);
    if (s) return s;
    /* A warning (data that end early, for one) would leave part of the picture invented: it is a failure. */
    if (tjDecompress2(h, data, size, (unsigned char *)im->pixels, width, 0, height,
                      channels == 1 ? TJPF_GRAY : TJPF_RGB, TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS)) {
        peft_image_free(im);
        return io_fail(PEFT_E_FORMAT, "JPEG: %s", tjGetErrorStr2(h));
    }
    *out = im;
    return PEFT_OK;
}

peft_status io_jpeg_decode(const uint8_t *data, size_t size, const io_limits *limits, peft_image **out)
{
    tjhandle h = tjInitDecompress();
    if (!h) return io_nomem("JPEG");
    peft_status s = decode_with(h, data, size, limits, out);
    tjDestroy(h);
    return s;
}
