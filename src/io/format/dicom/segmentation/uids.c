/* SPDX-License-Identifier: Apache-2.0
 * uids.c -- UIDs of digests; see uids.h. */
#include "io/format/dicom/segmentation/uids.h"

/* The digest becomes that of itself and the digest of the data. */
void io_seg_digest_add(io_seg_digest *d, const void *data, size_t size)
{
    char both[129];
    memcpy(both, d->hex, 64);
    peft_sha256(data, size, both + 64);
    peft_sha256(both, 128, d->hex);
}

void io_seg_digest_text(io_seg_digest *d, const char *text) { io_seg_digest_add(d, text, strlen(text)); }

void io_seg_uid(const io_seg_digest *d, char uid[65])
{
    char digits[40];
    uint32_t part[4] = { 0 };
    int n = 0;
    for (int i = 0; i < 32; i++) {
        const char c = d->hex[i];
        part[i / 8] = part[i / 8] << 4 | (uint32_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
    }
    part[1] = (part[1] & 0xffff0fffu) | 0x8000u;              /* version 8 */
    part[2] = (part[2] & 0x3fffffffu) | 0x80000000u;          /* variant */
    while (part[0] | part[1] | part[2] | part[3]) {           /* divides by 10, digit by digit */
        uint64_t rest = 0;
        for (int i = 0; i < 4; i++) {
            rest = rest << 32 | part[i];
            part[i] = (uint32_t)(rest / 10);
            rest %= 10;
        }
        digits[n++] = (char)('0' + rest);
    }
    memcpy(uid, "2.25.", 5);
    for (int i = 0; i < n; i++) uid[5 + i] = digits[n - 1 - i];
    uid[5 + n] = 0;
}
