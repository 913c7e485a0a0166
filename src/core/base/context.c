/* SPDX-License-Identifier: Apache-2.0
 * context.c -- creation, settings and queries of the context (context.h). Every object made from a context holds a
 * reference to it. */
#include "core/base/context.h"
#include "core/base/cores.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The default allocator. Large blocks (memory of graphs, packed operands, weights) get huge pages, as a matrix product
 * touches many pages one after another. */
static void *default_alloc(size_t size, size_t align, void *user)
{
    const size_t huge = (size_t)2 << 20;
    void *p;
    (void)user;
    bool large = size >= 2 * huge;
    if (posix_memalign(&p, large ? huge : align, size)) return NULL;
    if (large) madvise(p, size / huge * huge, MADV_HUGEPAGE);          /* a hint, which may fail */
    return p;
}

static void default_release(void *ptr, size_t size, void *user)
{
    (void)size, (void)user;
    free(ptr);
}

/* Finds the kernels of that name. asked_by, here and below: the argument or environment variable that names them, for
 * the message. */
static peft_status find_kernels(const char *isa, const char *asked_by, const pk_table **out)
{
    const pk_table *t = pk_find(isa);
    if (!t) {
        char known[128] = "";
        size_t n = 0;
        for (const char *const *name = pk_isas(); *name && n < sizeof known; name++)
            n += (size_t)snprintf(known + n, sizeof known - n, ", %s", *name);
        return pf_fail(PEFT_E_UNSUPPORTED, "%s is '%s'; this CPU and build have auto%s", asked_by, isa, known);
    }
    *out = t;
    return PEFT_OK;
}

/* Finds the kind of matrix product of that name; cblas only if a BLAS can be opened. */
static peft_status find_gemm(const char *kind, const char *asked_by, pk_gemm_kind *out)
{
    static const struct { const char *name; pk_gemm_kind kind; } kinds[] = {
        { "auto", PK_GEMM_AUTO }, { "own", PK_GEMM_OWN }, { "cblas", PK_GEMM_CBLAS } };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kind, kinds[i].name)) {
            const char *why = kinds[i].kind == PK_GEMM_CBLAS ? pk_blas_load() : NULL;
            if (why)
                return pf_fail(PEFT_E_UNSUPPORTED, "%s is '%s', and no BLAS can be opened: %s; install one (Debian: "
                               "libopenblas0), or use own", asked_by, kind, why);
            *out = kinds[i].kind;
            return PEFT_OK;
        }
    return pf_fail(PEFT_E_INVALID, "%s is '%s'; expected auto, own or cblas", asked_by, kind);
}

/* The default log, for errors and warnings. One write a line, so that the lines of several threads do not mix. */
static void log_to_stderr(int level, const char *message, void *user)
{
    char line[1200];
    (void)user;
    int n = snprintf(line, sizeof line, "libpeft: %s: %s\n", level == PF_LOG_ERROR ? "error" : "warning",
                     message);
    /* the `if` only uses the result of write, which compilers ask for: a log that cannot be written is no error */
    if (n < 0 || write(STDERR_FILENO, line, (size_t)n < sizeof line ? (size_t)n : sizeof line) < 0) return;
}

void pf_context_bare(peft_context *ctx)
{
    *ctx = (peft_context){ .alloc = default_alloc, .release = default_release, .log = log_to_stderr,
                           .log_level = PF_LOG_WARNING };
    atomic_init(&ctx->refs, 1);
}

peft_status pf_context_make(peft_alloc_fn alloc, peft_free_fn release, void *user,
                            const struct peft_method *const *built_in, peft_context **out)
{
    if (!out) return pf_fail(PEFT_E_INVALID, "peft_context_create: out is NULL");
    if (!alloc != !release)
        return pf_fail(PEFT_E_INVALID, "peft_context_create: %s is NULL and %s is not; give both or neither",
                       alloc ? "release" : "alloc", alloc ? "alloc" : "release");
    /* The context is first made on the stack, so that pf_alloc can allocate and count its block like any other. */
    peft_context boot;
    pf_context_bare(&boot);
    boot.built_in = built_in;
    if (alloc) boot.alloc = alloc, boot.release = release, boot.user = user;
    const char *isa = getenv("PEFT_ISA"), *gemm = getenv("PEFT_GEMM");
    PF_TRY(find_kernels(isa && *isa ? isa : "auto", "peft_context_create: environment variable PEFT_ISA",
                        &boot.kernels));
    boot.isa_by = isa && *isa && strcmp(isa, "auto") ? "PEFT_ISA" : NULL;
    PF_TRY(find_gemm(gemm && *gemm ? gemm : "auto", "peft_context_create: environment variable PEFT_GEMM", &boot.gemm));
    boot.gemm_by = boot.gemm == PK_GEMM_AUTO ? NULL : "PEFT_GEMM";
    peft_context *ctx = pf_alloc(&boot, sizeof *ctx);
    if (!ctx) return pf_nomem("context", sizeof *ctx);
    *ctx = boot;
    *out = ctx;
    return PEFT_OK;
}

peft_context *pf_context_retain(peft_context *ctx)
{
    atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
    return ctx;
}

void peft_context_free(peft_context *ctx)
{
    if (!ctx || atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) != 1) return;
    peft_context last = *ctx;               /* pf_free needs a context after ctx itself is freed */
    for (pf_registered *method = last.methods, *next; method; method = next) {
        next = method->next;
        pf_free(&last, method);
    }
    pf_free(&last, ctx);
}

peft_status peft_context_set_threads(peft_context *ctx, int n)
{
    if (!ctx) return pf_fail(PEFT_E_INVALID, "peft_context_set_threads: ctx is NULL");
    if (n < 0 || n > PF_MOST_THREADS)
        return pf_fail(PEFT_E_INVALID, "peft_context_set_threads: n is %d; expected 0 (all cores) to %d", n,
                       PF_MOST_THREADS);
    ctx->threads = n;
    return PEFT_OK;
}

peft_status peft_context_share_threads(peft_context *ctx, int share)
{
    if (!ctx) return pf_fail(PEFT_E_INVALID, "peft_context_share_threads: ctx is NULL");
    if (share != 0 && share != 1)
        return pf_fail(PEFT_E_INVALID, "peft_context_share_threads: share is %d; expected 0 (a pool for each session "
                       "and trainer) or 1 (one pool)", share);
    ctx->share = share;
    return PEFT_OK;
}

peft_status peft_context_set_pool(peft_context *ctx, peft_pool_fn fn, void *user)
{
    if (!ctx) return pf_fail(PEFT_E_INVALID, "peft_context_set_pool: ctx is NULL");
    ctx->pool = fn, ctx->pool_user = user;
    return PEFT_OK;
}

peft_status peft_context_set_seed(peft_context *ctx, uint64_t seed)
{
    if (!ctx) return pf_fail(PEFT_E_INVALID, "peft_context_set_seed: ctx is NULL");
    ctx->seed = seed;
    return PEFT_OK;
}

peft_status peft_context_set_isa(peft_context *ctx, const char *isa)
{
    if (!ctx || !isa) return pf_fail(PEFT_E_INVALID, "peft_context_set_isa: %s is NULL", ctx ? "isa" : "ctx");
    PF_TRY(find_kernels(isa, "peft_context_set_isa: isa", &ctx->kernels));
    ctx->isa_by = strcmp(isa, "auto") ? "peft_context_set_isa" : NULL;
    return PEFT_OK;
}

peft_status peft_context_set_gemm(peft_context *ctx, const char *kind)
{
    if (!ctx || !kind) return pf_fail(PEFT_E_INVALID, "peft_context_set_gemm: %s is NULL", ctx ? "kind" : "ctx");
    PF_TRY(find_gemm(kind, "peft_context_set_gemm: kind", &ctx->gemm));
    ctx->gemm_by = ctx->gemm == PK_GEMM_AUTO ? NULL : "peft_context_set_gemm";
    return PEFT_OK;
}

peft_status peft_context_set_log(peft_context *ctx, peft_log_fn fn, void *user, int max_level)
{
    if (!ctx) return pf_fail(PEFT_E_INVALID, "peft_context_set_log: ctx is NULL");
    if (max_level < PF_LOG_ERROR || max_level > PF_LOG_DEBUG)
        return pf_fail(PEFT_E_INVALID, "peft_context_set_log: max_level is %d; expected 0 (errors) to 3 (debug)",
                       max_level);
    ctx->log = fn, ctx->log_user = user, ctx->log_level = max_level;
    return PEFT_OK;
}

int pf_context_threads(const peft_context *ctx) { return ctx->threads ? ctx->threads : pf_usable_cores(); }

/* Also warns if products will be slow because no BLAS can be opened. */
pk_gemm_kind pf_context_gemm(peft_context *ctx)
{
    const pk_gemm_kind kind = pk_gemm_chosen(ctx->kernels, ctx->gemm, PK_COMPUTE_F32);
    const bool plain_c = ctx->kernels->vector == 1;       /* kernels without vector instructions */
    /* pk_blas_load returns NULL or the reason why there is no BLAS */
    const char *why = plain_c && ctx->gemm == PK_GEMM_AUTO && kind == PK_GEMM_OWN ? pk_blas_load() : NULL;
    if (why) pf_warn(ctx, "matrices are multiplied by plain C, which is slow: no BLAS can be opened (%s)", why);
    return kind;
}

void pf_log(peft_context *ctx, int level, const char *format, ...)
{
    if (!ctx->log || level > ctx->log_level) return;
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0) return;
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F) *c = '?';         /* one line, as for error messages */
    ctx->log(level, text, ctx->log_user);
}

uint64_t peft_context_seed(const peft_context *ctx) { return ctx ? ctx->seed : 0; }
const char *peft_context_isa(const peft_context *ctx) { return ctx ? ctx->kernels->name : ""; }
size_t peft_context_memory_used(const peft_context *ctx) { return ctx ? atomic_load(&ctx->used) : 0; }
size_t peft_context_memory_peak(const peft_context *ctx) { return ctx ? atomic_load(&ctx->peak) : 0; }
