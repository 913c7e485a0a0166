/* SPDX-License-Identifier: Apache-2.0
 * float_mode.h -- sets the floating-point mode of the calling thread to the default and restores it. The host program
 * may have changed it: a library built with -ffast-math flushes subnormal numbers to zero in the thread that loads it,
 * fesetround changes the rounding. Results must not depend on that, so every public function that computes does so in
 * the default mode and restores the caller's mode before it returns. */
#ifndef PK_FLOAT_MODE_H
#define PK_FLOAT_MODE_H
#include <stdint.h>

typedef struct pk_float_mode { uint64_t bits; } pk_float_mode;

/* Sets rounding to nearest, no flush of subnormal numbers, no traps. Returns the previous mode. */
static inline pk_float_mode pk_float_default(void)
{
    pk_float_mode old = { 0 };
#if defined(__x86_64__)
    uint32_t mode, standard = 0x1f80;       /* MXCSR after reset; the low six bits are sticky exception flags */
    uint16_t x87, x87_standard = 0x37f;     /* fesetround sets both; the C library's strtod rounds as the x87 does */
    __asm__ volatile("stmxcsr %0" : "=m"(mode));
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    old.bits = mode | (uint64_t)x87 << 32;
    if ((mode & ~UINT32_C(0x3f)) != standard) __asm__ volatile("ldmxcsr %0" : : "m"(standard) : "memory");
    if (x87 != x87_standard) __asm__ volatile("fldcw %0" : : "m"(x87_standard) : "memory");
#elif defined(__aarch64__)
    __asm__ volatile("mrs %0, fpcr" : "=r"(old.bits));
    if (old.bits) __asm__ volatile("msr fpcr, %0" : : "r"(UINT64_C(0)) : "memory");
#endif
    return old;
}

/* Sets the mode that pk_float_default returned. */
static inline void pk_float_restore(const pk_float_mode *old)
{
#if defined(__x86_64__)
    uint32_t mode = (uint32_t)old->bits;
    uint16_t x87 = (uint16_t)(old->bits >> 32), now;
    __asm__ volatile("ldmxcsr %0" : : "m"(mode) : "memory");
    __asm__ volatile("fnstcw %0" : "=m"(now));
    if (x87 != now) __asm__ volatile("fldcw %0" : : "m"(x87) : "memory");
#elif defined(__aarch64__)
    if (old->bits) __asm__ volatile("msr fpcr, %0" : : "r"(old->bits) : "memory");
#else
    (void)old;
#endif
}

/* As the first statement of a function or block: the rest of it computes in the default mode, however it is left.
 * PK_FLOAT_CALLER is the mode in which the application called the function. A function of the application expects that
 * mode: call it between pk_float_restore of it and pk_float_default. */
#define PK_FLOAT_SCOPE \
    pk_float_mode pk_scope_ __attribute__((cleanup(pk_float_restore), unused)) = pk_float_default()
#define PK_FLOAT_CALLER pk_scope_
#endif
