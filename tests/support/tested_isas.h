/* SPDX-License-Identifier: Apache-2.0
 * tested_isas.h -- the instruction sets that the loops of a test program cover: all those of this CPU. In a program
 * with emulated tiles it is the set with tiles alone, because the same program without the emulation covers the
 * others. */
#ifndef TESTED_ISAS_H
#define TESTED_ISAS_H
#include <stddef.h>
#include "kernels/pk.h"
#include "suite.h"

/* Names, the best instruction set first, ended by NULL. */
static inline const char *const *tested_isas(void)
{
#ifdef PK_EMULATED_TILES
    static const char *const tiles[] = { "avx512_amx", NULL };
    return tiles;
#else
    return pk_isas();
#endif
}

/* Those for programs that train whole models. With PARTIAL it is the best instruction set alone: such programs take
 * minutes under AddressSanitizer, and the programs of tests/kernels run the kernels of all sets. */
static inline const char *const *tested_isas_of_models(void)
{
    static const char *best[2];
    best[0] = *tested_isas();
    return PARTIAL ? best : tested_isas();
}
#endif
