/* SPDX-License-Identifier: Apache-2.0
 * samples.h -- the numbers that files hold, and their conversion to samples of an image: no value is lost in
 * silence. */
#ifndef IO_SAMPLES_H
#define IO_SAMPLES_H
#include "io/image/image.h"

/* A type of numbers in a file. kind: 'u' unsigned, 'i' signed, 'f' floating-point. */
typedef struct io_number { char kind; int bytes; bool little; } io_number;
/* The type of samples that hold such numbers: u8, u16, i16 as they are, i8 as i16, all others as float. IO_TYPES: no
 * type of numbers that is read (f16, f32 and f64 are; f128 is not). */
io_type io_samples_type(io_number number);
/* Converts count numbers, not aligned, to samples of io_samples_type. PEFT_E_UNSUPPORTED, with a message that begins
 * with `who`: an integer that a float cannot hold (beyond 2^24, unless divisible), or an f64 beyond a float's range.
 * f64 are rounded to float. */
peft_status io_samples_convert(const char *who, io_number number, const uint8_t *from, int64_t count, void *to);
#endif
