/* SPDX-License-Identifier: Apache-2.0
 * float_mode.h -- the mode in which this thread's floating-point unit computes. A host program may have set another one
 * (a library built with -ffast-math makes subnormal numbers zero in the thread that loads it; fesetround changes the
 * rounding), and results must not depend on it: whatever computes does so in the default mode and gives the caller's
 * back afterwards. */
#ifndef PK_FLOAT_MODE_H
#define PK_FLOAT_MODE_H
#include <stdint.h>

typedef struct pk_float_mode { uint64_t bits; } pk_float_mode;

/* Sets nearest rounding, subnormal numbers as they are, no traps; returns what was set. */
static inline pk_float_mode pk_float_default(void)
{
    pk_float_mode old = { 0 };
#if defined(__x86_64__)
    uint32_t mode, standard = 0x1f80;
    __asm__ volatile("stmxcsr %0" : "=m"(mode));
    old.bits = mode;
    if ((mode & ~UINT32_C(0x3f)) != standard) __asm__ volatile("ldmxcsr %0" : : "m"(standard) : "memory");
#elif defined(__aarch64__)
    __asm__ volatile("mrs %0, fpcr" : "=r"(old.bits));
    if (old.bits) __asm__ volatile("msr fpcr, %0" : : "r"(UINT64_C(0)) : "memory");
#endif
    return old;
}

static inline void pk_float_restore(const pk_float_mode *old)
{
#if defined(__x86_64__)
    uint32_t mode = (uint32_t)old->bits;
    __asm__ volatile("ldmxcsr %0" : : "m"(mode) : "memory");
#elif defined(__aarch64__)
    if (old->bits) __asm__ volatile("msr fpcr, %0" : : "r"(old->bits) : "memory");
#else
    (void)old;
#endif
}

/* As the first statement of a function: its whole body computes in the default mode, however it returns. Calls of the
 * program's own functions (callbacks) belong outside. */
#define PK_FLOAT_SCOPE \
    pk_float_mode pk_scope_ __attribute__((cleanup(pk_float_restore), unused)) = pk_float_default()
#endif
