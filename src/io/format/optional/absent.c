/* SPDX-License-Identifier: Apache-2.0
 * absent.c -- the rows of formats.def whose library this build was made without: files are recognised, and the error
 * names the library. A build with all libraries has none of them. */
#include "io/format/formats.h"
#include "io/format/optional/signature.h"

#ifndef IO_HAS_TIFF
const io_format io_format_tiff = { .name = "TIFF", .endings = IO_TIFF_ENDINGS, .probe = io_is_tiff,
                                   .missing = "libtiff (Debian: libtiff-dev)" };
#endif
#ifndef IO_HAS_WEBP
const io_format io_format_webp = { .name = "WebP", .endings = IO_WEBP_ENDINGS, .probe = io_is_webp,
                                   .missing = "libwebp (Debian: libwebp-dev)" };
#endif
