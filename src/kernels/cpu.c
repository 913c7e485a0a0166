/* SPDX-License-Identifier: Apache-2.0
 * cpu.c -- the kernel tables, one for each instruction set, and the choice of the one that this CPU can run. Each
 * instruction set contains the next one (AMX, AVX-512 with VNNI and BF16, with VNNI, without, AVX2, ref), so a CPU can
 * run one table and all tables behind it. */
#include <stdlib.h>
#include <string.h>
#include "names.h"
#include "ref/int8.h"

#if defined(PK_SIMD) && !defined(PF_REAL_DOUBLE)
#define HAVE_SIMD 1
#include <cpuid.h>
#endif

/* Rows of the tile (pk_product.mr) of the micro-kernels of each instruction set. */
enum { MR_ref = 4, MR_avx2 = 6, MR_avx512 = 14, MR_avx512_vnni = 14, MR_avx512_bf16 = 14, MR_avx512_amx = 32 };

/* The parts of GEMM that are named after an instruction set: the products by f32 FMAs of panels as they are, of panels
 * rounded to bf16 (rounded/rounded.h; X3: of both parts of an element) and of panels of whole numbers (whole/whole.h),
 * those by VDPBF16PS, and those by VPDPBUSD. `most` is the most lanes of a piece of K, 768 elements in int8. */
#define TYPES(prefix, suffix) { prefix##real##suffix, prefix##f16##suffix, prefix##bf16##suffix }
#define ATTENTION(suffix) .attention = pk_attention_##suffix, .attention_grad = pk_attention_grad_##suffix
/* The arithmetic of attention, and of the other products for which an arithmetic is not meant. */
#define REST(attention, others) .attention_compute = PK_COMPUTE_##attention, .rest = PK_COMPUTE_##others
#define LANES(isa, per, elements, lanes, most, multiple) \
    .name = #isa, .mr = MR_##isa, .per_lane = per, .block = elements, .block_lanes = lanes, .kc = most, .step = multiple
#define PRODUCT_F32(isa, most) { LANES(isa, 1, 1, 1, most, 16), REST(F32, F32), \
    .micro = pk_micro_##isa, .fmas = pk_fmas_##isa, ATTENTION(isa), \
    .pack_a = pk_pack_a_##isa, .pack_b = TYPES(pk_pack_b_, _##isa) }
#define PRODUCT_ROUNDED(isa, most) { LANES(isa, 1, 1, 1, most, 16), REST(BF16, BF16), \
    .micro = pk_micro_##isa, .fmas = pk_fmas_##isa, ATTENTION(rounded_##isa), \
    .pack_a = pk_pack_a_rounded_##isa, .pack_b = TYPES(pk_pack_b_, _rounded_##isa) }
#define PRODUCT_ROUNDED_X3(isa) { LANES(isa, 1, 1, 3, 192, 48), REST(F32, BF16X3), \
    .micro = pk_micro_##isa, .fmas = pk_fmas_##isa, \
    .pack_a = pk_pack_a_rounded_x3_##isa, .pack_b = TYPES(pk_pack_b_, _rounded_x3_##isa) }
#define PRODUCT_PAIRS(isa, most) { LANES(isa, 2, 2, 1, most, 16), REST(BF16, BF16), \
    .micro = pk_micro_pairs_##isa, .fmas = pk_dots_##isa, ATTENTION(pairs_##isa), \
    .pack_a = pk_pack_pairs_a_##isa, .pack_b = TYPES(pk_pack_pairs_b_, _##isa) }
#define PRODUCT_PAIRS_X3(isa) { LANES(isa, 2, 2, 3, 192, 48), REST(F32, BF16X3), \
    .micro = pk_micro_pairs_##isa, .fmas = pk_dots_##isa, \
    .pack_a = pk_pack_pairs_x3_a_##isa, .pack_b = TYPES(pk_pack_pairs_x3_b_, _##isa) }
#define PRODUCT_WHOLE(isa) { LANES(isa, 1, 64, 64, 768, 64), .header = PK_INT8_HEADER, \
    REST(BF16, F32), .micro = pk_micro_whole_##isa, .fmas = pk_fmas_##isa, \
    .pack_a = pk_pack_a_whole_##isa, .pack_b = TYPES(pk_pack_b_, _whole_##isa), \
    .pack_int8 = pk_pack_int8_whole_##isa }
#define PRODUCT_BYTES(isa) { LANES(isa, 4, 64, 16, 192, 16), .header = PK_INT8_HEADER, \
    REST(BF16, F32), .micro = pk_micro_bytes_##isa, .fmas = pk_dots_bytes_##isa, \
    .pack_a = pk_pack_bytes_a_##isa, .pack_b = TYPES(pk_pack_bytes_b_, _##isa), \
    .pack_int8 = pk_pack_bytes_int8_##isa }
/* Products by tiles, 16 lanes at a time (tiles/micro.c). In bf16 a panel of A, one of B and a tile take 36 KiB. */
#define TILES(isa) .enter = pk_enter_tiles_##isa, .leave = pk_leave_tiles_##isa
#define PRODUCT_TILES(isa, isa_pairs) { LANES(isa, 2, 32, 16, 128, 16), REST(BF16, BF16), TILES(isa), \
    .micro = pk_micro_tiles_##isa, .fmas = pk_dots_tiles_##isa, ATTENTION(pairs_##isa_pairs), \
    .pack_a = pk_pack_tiles_a_##isa, .pack_b = TYPES(pk_pack_tiles_b_, _##isa) }
#define PRODUCT_TILES_X3(isa) { LANES(isa, 2, 32, 48, 144, 48), REST(F32, BF16X3), TILES(isa), \
    .micro = pk_micro_tiles_##isa, .fmas = pk_dots_tiles_##isa, \
    .pack_a = pk_pack_tiles_x3_a_##isa, .pack_b = TYPES(pk_pack_tiles_x3_b_, _##isa) }
#define PRODUCT_TILES_BYTES(isa, isa_bytes) { LANES(isa, 4, 64, 16, 192, 16), .header = PK_INT8_HEADER, \
    REST(BF16, F32), .micro = pk_micro_tiles_bytes_##isa, .fmas = pk_dots_tiles_bytes_##isa, \
    TILES(isa), \
    .pack_a = pk_pack_tiles_bytes_a_##isa, .pack_b = TYPES(pk_pack_bytes_b_, _##isa_bytes), \
    .pack_int8 = pk_pack_bytes_int8_##isa_bytes }
#define CONVERSIONS(isa) .widen = TYPES(pk_widen_, _##isa), .epilogue = pk_epilogue_##isa
#define DECLARE_TYPES(declare, prefix, suffix) \
    declare(prefix##real##suffix) declare(prefix##f16##suffix) declare(prefix##bf16##suffix)
#define DECLARE_PACK_A(name) \
    void name(pk_real *panels, const pk_real *a, int64_t row, int64_t col, int64_t m, int64_t k);
#define DECLARE_PACK_B(name) \
    void name(pk_real *panels, const void *b, int64_t row, int64_t col, int64_t k, int64_t n);
#define DECLARE_PACK_INT8(name) \
    void name(pk_real *panels, const int8_t *b, int64_t stride, const float *scales, int64_t scale_stride, int64_t k, \
              int64_t n);
#define DECLARE_WIDEN(name) void name(pk_real *to, const void *from, int64_t n);
#define DECLARE_MICRO(name) void name(int64_t k, const pk_real *a, const pk_real *b, pk_real *c, int64_t c_row, int m, \
                                      int n, const pk_real *initial, pk_micro_prefetch *prefetch);
#define DECLARE_ATTENTION(suffix) \
    void pk_attention_##suffix(const pk_attention *a, int64_t sample, int64_t head, void *work); \
    void pk_attention_grad_##suffix(const pk_attention_grad *g, int64_t sample, int64_t head, void *work);
#define DECLARE_GEMM_PARTS(isa) \
    DECLARE_ATTENTION(isa) DECLARE_ATTENTION(rounded_##isa) \
    DECLARE_PACK_A(pk_pack_a_##isa) DECLARE_PACK_A(pk_pack_a_rounded_##isa) \
    DECLARE_PACK_A(pk_pack_a_rounded_x3_##isa) DECLARE_TYPES(DECLARE_PACK_B, pk_pack_b_, _rounded_x3_##isa) \
    DECLARE_PACK_A(pk_pack_a_whole_##isa) DECLARE_TYPES(DECLARE_PACK_B, pk_pack_b_, _whole_##isa) \
    DECLARE_TYPES(DECLARE_PACK_B, pk_pack_b_, _##isa) DECLARE_TYPES(DECLARE_PACK_B, pk_pack_b_, _rounded_##isa) \
    DECLARE_TYPES(DECLARE_WIDEN, pk_widen_, _##isa) DECLARE_MICRO(pk_micro_##isa) \
    DECLARE_MICRO(pk_micro_whole_##isa) DECLARE_PACK_INT8(pk_pack_int8_whole_##isa) \
    void pk_epilogue_##isa(const pk_table *t, const pk_gemm *g, pk_real *tile, int64_t i, int64_t j, int m, int n); \
    double pk_fmas_##isa(int64_t rounds);

DECLARE_GEMM_PARTS(ref)
static const pk_table table_ref = {
    .name = "ref", .vector = 1, .mr = MR_ref, .nr = 8, CONVERSIONS(ref),
    .product = { PRODUCT_F32(ref, 256), PRODUCT_ROUNDED_X3(ref), PRODUCT_ROUNDED(ref, 256), PRODUCT_WHOLE(ref) },
#define PK_KERNEL(name, args) .name = pk_##name##_ref,
#include "kernels.def"
#undef PK_KERNEL
};

#if HAVE_SIMD
DECLARE_GEMM_PARTS(avx2)
static const pk_table table_avx2 = {
    .name = "avx2", .vector = 8, .mr = MR_avx2, .nr = 16, CONVERSIONS(avx2),
    .product = { PRODUCT_F32(avx2, 256), PRODUCT_ROUNDED_X3(avx2), PRODUCT_ROUNDED(avx2, 256),
                 PRODUCT_WHOLE(avx2) },
#define PK_KERNEL(name, args) .name = pk_##name##_avx2,
#include "kernels.def"
#undef PK_KERNEL
};

/* The tables of AVX-512 differ in the products alone. */
DECLARE_GEMM_PARTS(avx512)
#define TABLE_AVX512(isa) .name = #isa, .vector = 16, .mr = MR_avx512, .nr = 32, CONVERSIONS(avx512)
#define PK_KERNEL(name, args) .name = pk_##name##_avx512,
static const pk_table table_avx512 = {
    TABLE_AVX512(avx512),
    .product = { PRODUCT_F32(avx512, 192), PRODUCT_ROUNDED_X3(avx512), PRODUCT_ROUNDED(avx512, 192),
                 PRODUCT_WHOLE(avx512) },
#include "kernels.def"
};

DECLARE_PACK_A(pk_pack_bytes_a_avx512_vnni)
DECLARE_TYPES(DECLARE_PACK_B, pk_pack_bytes_b_, _avx512_vnni)
DECLARE_PACK_INT8(pk_pack_bytes_int8_avx512_vnni)
DECLARE_MICRO(pk_micro_bytes_avx512_vnni)
double pk_dots_bytes_avx512_vnni(int64_t rounds);
static const pk_table table_avx512_vnni = {
    TABLE_AVX512(avx512_vnni),
    .product = { PRODUCT_F32(avx512, 192), PRODUCT_ROUNDED_X3(avx512), PRODUCT_ROUNDED(avx512, 192),
                 PRODUCT_BYTES(avx512_vnni) },
#include "kernels.def"
};

DECLARE_ATTENTION(pairs_avx512_bf16)
DECLARE_PACK_A(pk_pack_pairs_a_avx512_bf16)
DECLARE_PACK_A(pk_pack_pairs_x3_a_avx512_bf16)
DECLARE_TYPES(DECLARE_PACK_B, pk_pack_pairs_b_, _avx512_bf16)
DECLARE_TYPES(DECLARE_PACK_B, pk_pack_pairs_x3_b_, _avx512_bf16)
DECLARE_MICRO(pk_micro_pairs_avx512_bf16)
double pk_dots_avx512_bf16(int64_t rounds);
static const pk_table table_avx512_bf16 = {
    TABLE_AVX512(avx512_bf16),
    .product = { PRODUCT_F32(avx512, 192), PRODUCT_PAIRS_X3(avx512_bf16), PRODUCT_PAIRS(avx512_bf16, 192),
                 PRODUCT_BYTES(avx512_vnni) },
#include "kernels.def"
};

#if defined(PK_TILES)
DECLARE_PACK_A(pk_pack_tiles_a_avx512_amx)
DECLARE_PACK_A(pk_pack_tiles_x3_a_avx512_amx)
DECLARE_PACK_A(pk_pack_tiles_bytes_a_avx512_amx)
DECLARE_TYPES(DECLARE_PACK_B, pk_pack_tiles_b_, _avx512_amx)
DECLARE_TYPES(DECLARE_PACK_B, pk_pack_tiles_x3_b_, _avx512_amx)
DECLARE_MICRO(pk_micro_tiles_avx512_amx)
DECLARE_MICRO(pk_micro_tiles_bytes_avx512_amx)
double pk_dots_tiles_avx512_amx(int64_t rounds);
double pk_dots_tiles_bytes_avx512_amx(int64_t rounds);
void pk_enter_tiles_avx512_amx(pk_tiles *host);
void pk_leave_tiles_avx512_amx(const pk_tiles *host);
static const pk_table table_avx512_amx = {
    TABLE_AVX512(avx512_amx),
    .product = { PRODUCT_F32(avx512, 192), PRODUCT_TILES_X3(avx512_amx),
                 PRODUCT_TILES(avx512_amx, avx512_bf16), PRODUCT_TILES_BYTES(avx512_amx, avx512_vnni) },
#include "kernels.def"
};
#define WITH_TILES(x) x,
#else
#define WITH_TILES(x)                       /* the assembler does not know the instructions */
#endif
#undef PK_KERNEL

/* best first */
static const pk_table *const tables[] = { WITH_TILES(&table_avx512_amx) &table_avx512_bf16, &table_avx512_vnni,
                                          &table_avx512, &table_avx2, &table_ref };
static const char *const names[] = { WITH_TILES("avx512_amx") "avx512_bf16", "avx512_vnni", "avx512", "avx2", "ref",
                                     NULL };
enum { WITH_TILES(AVX512_AMX) AVX512_BF16, AVX512_VNNI, AVX512, AVX2, REF };         /* indices in both */

/* The index of the best table for a CPU with AVX512_BF16: that of tiles if the CPU has AMX-TILE, AMX-BF16 and AMX-INT8
 * (bits 24, 22, 25 of edx in leaf 7) and the system can save tiles (bits 17, 18 of XCR0). */
static int best_with_bf16(unsigned leaf_7_edx, unsigned xcr0)
{
#if defined(PK_EMULATED_TILES)
    return (void)leaf_7_edx, (void)xcr0, AVX512_AMX;
#elif defined(PK_TILES)
    const unsigned amx = 1u << 22 | 1u << 24 | 1u << 25, saved = 1u << 17 | 1u << 18;
    if ((leaf_7_edx & amx) == amx && (xcr0 & saved) == saved) return AVX512_AMX;
#endif
    return (void)leaf_7_edx, (void)xcr0, AVX512_BF16;
}

/* Index in `tables` of the best one whose instructions the CPU has (CPUID) and whose registers the operating system
 * saves on a thread switch (XCR0). */
static int best_supported(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return REF;
    if (!(c & bit_OSXSAVE) || !(c & bit_AVX) || !(c & bit_FMA)) return REF;
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & 0x6) != 0x6) return REF;                                 /* bits 1, 2: the system saves xmm and ymm */
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2)) return REF;
    const unsigned need = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
    if ((b & need) != need || (low & 0xe6) != 0xe6) return AVX2;        /* and bits 5 to 7: opmask, zmm */
    if (!(c & bit_AVX512VNNI)) return AVX512;
    const unsigned bf16 = 1u << 5, leaf_7_edx = d;                      /* of eax in leaf 7, subleaf 1 */
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & bf16) ? best_with_bf16(leaf_7_edx, low) : AVX512_VNNI;
}
#else
static const pk_table *const tables[] = { &table_ref };
static const char *const names[] = { "ref", NULL };
static int best_supported(void) { return 0; }
#endif

#define TABLES ((int)(sizeof tables / sizeof *tables))

/* The result of best_supported: the index of the first table that this CPU can run. It is stored, as CPUID is slow in
 * virtual machines. Threads that race store the same value. */
static int first_usable(void)
{
    static atomic_int stored;                                           /* 1 + index; 0: not known yet */
    int value = atomic_load_explicit(&stored, memory_order_relaxed);
    if (!value) {
        value = 1 + best_supported();
        atomic_store_explicit(&stored, value, memory_order_relaxed);
    }
    return value - 1;
}

/* The table of that name, if this CPU can run it; else NULL. */
static const pk_table *usable_table(const char *isa)
{
    for (int i = first_usable(); i < TABLES; i++)
        if (!strcmp(isa, names[i])) return tables[i];
    return NULL;
}

const pk_table *pk_find(const char *isa)
{
    if (isa && strcmp(isa, "auto")) return usable_table(isa);
    const char *requested = getenv("PEFT_ISA");
    const pk_table *t = requested ? usable_table(requested) : NULL;
    return t ? t : tables[first_usable()];
}

const pk_table *pk_permitted(const pk_table *t, pk_compute compute)
{
#if HAVE_SIMD
    if (t->product[compute].enter && pk_tiles_refusal()) return &table_avx512_bf16;
#endif
    (void)compute;
    return t;
}

const char *const *pk_isas(void)
{
    return names + first_usable();
}
