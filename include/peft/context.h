/* SPDX-License-Identifier: Apache-2.0
 * context.h -- the context, under which all other objects are made. It holds the allocator, number of threads, seed,
 * kernels and log.
 *
 * A program may have any number of contexts. Call the setters before objects are made: a session or trainer copies the
 * settings when it is created. No setter may run while another thread uses the context. */
#ifndef PEFT_CONTEXT_H
#define PEFT_CONTEXT_H
#include <peft/status.h>
PEFT_BEGIN_DECLS

typedef struct peft_context peft_context;

/* The program's allocator. alloc returns size bytes at a multiple of align, a power of two, or NULL if it has none; a
 * block at another address is taken for NULL. release gets the same size. Both may be called from several threads at
 * once and must not call the library. */
typedef void *(*peft_alloc_fn)(size_t size, size_t align, void *user);
typedef void  (*peft_free_fn)(void *ptr, size_t size, void *user);

/* message is one text without a line end, borrowed for the call. level: 0 error, 1 warning, 2 information, 3 debug. */
typedef void  (*peft_log_fn)(int level, const char *message, void *user);

/* alloc, release, user all NULL: the C library's allocator. Every object made from the context has a reference to it,
 * so that it exists until the last of them is freed. Defaults: all cores that the process may use, seed 0, warnings and
 * errors on standard error (peft_context_set_log), the fastest kernels for this CPU. The environment variables PEFT_ISA
 * (peft_context_set_isa) and PEFT_GEMM (peft_context_set_gemm) choose others. PEFT_E_INVALID: only one of alloc and
 * release is given. PEFT_E_UNSUPPORTED: this CPU lacks what PEFT_ISA names. */
PEFT_API PEFT_NODISCARD peft_status
peft_context_create(peft_alloc_fn alloc, peft_free_fn release, void *user, peft_context **out);
PEFT_API void peft_context_free(peft_context *ctx);

/* Threads that compute, the calling one among them: 1 to 1024, or 0 for all cores the process may use: those of its
 * affinity mask (taskset), bounded by the CPU quota of its control group (containers), counted when a session or
 * trainer is made. If the system refuses to start some, the others compute and a warning is logged. Results do not
 * depend on the number. PEFT_E_INVALID: out of range. */
PEFT_API PEFT_NODISCARD peft_status peft_context_set_threads(peft_context *ctx, int n);

/* share 1: sessions and trainers that are made from now on share one pool of threads, which starts with the first of
 * them and ends with the last. Those with another number of threads (option "threads", or a later
 * peft_context_set_threads) have another pool. If several of them compute at once, their operations (such as a matrix
 * product) run one after another in the order of the calls, so that no more threads compute than the pool has. Results
 * have the same bits. share 0, the default: each has its own pool. PEFT_E_INVALID: share is neither 0 nor 1. */
PEFT_API PEFT_NODISCARD peft_status peft_context_share_threads(peft_context *ctx, int share);

/* A job of the library, and a function that runs jobs in the program's own pool of threads. It calls job(arg, i) once
 * for each i of 0 .. n-1, in any thread and any order, several at once or not, and returns when all calls have
 * returned. A job never waits for one that has not begun. */
typedef void (*peft_job_fn)(void *arg, int i);
typedef void (*peft_pool_fn)(peft_job_fn job, void *arg, int n, void *user);

/* Sessions and trainers that are made from now on compute in fn's threads and start none themselves, whatever
 * peft_context_share_threads was called with. n is at most their number of threads, which peft_context_set_threads
 * should set to that of fn's pool; with one thread fn is never called. fn is called for each operation, by the thread
 * that called the session or trainer, so by several threads at once where several compute; fn and user have to live
 * until the last of these sessions and trainers is freed. Results have the same bits as with the library's threads. If
 * a session is used in a task of the pool itself, fn is called in that task; a pool in which a task cannot wait for
 * other tasks must then run the jobs in the calling thread. While fn waits it must not use the session or trainer that
 * called it, neither in a job nor in another task that it takes up. Jobs that fn did not run are run by the library in
 * the calling thread. In a process forked after they were made, sessions and trainers compute in the calling thread
 * alone, and fn is not called. fn NULL: the library's own threads again. */
PEFT_API PEFT_NODISCARD peft_status peft_context_set_pool(peft_context *ctx, peft_pool_fn fn, void *user);

/* The seed of all random numbers: initial values, dropout, the order of a loader that has no option seed. The same seed
 * gives the same numbers. */
PEFT_API PEFT_NODISCARD peft_status peft_context_set_seed(peft_context *ctx, uint64_t seed);
PEFT_API uint64_t peft_context_seed(const peft_context *ctx);                  /* 0 for NULL */

/* The instruction set of the kernels: "auto" (the fastest that this CPU has), "ref" (plain C), "avx2", "avx512",
 * "avx512_vnni" (for compute=int8, session.h), "avx512_bf16" (also for compute=bf16), "avx512_amx" (tile registers, for
 * compute=bf16, bf16x3 and int8); these are avx512 in f32. Results differ in rounding between them. avx512_amx: when
 * the first session, trainer or adaptor with such a compute is made, Linux is asked for the tiles on behalf of the
 * process, and refuses small alternate signal stacks from then on (docs/arithmetic.md). PEFT_E_UNSUPPORTED: this CPU or
 * build does not have it, or the name is unknown. */
PEFT_API PEFT_NODISCARD peft_status peft_context_set_isa(peft_context *ctx, const char *isa);

/* The implementation of matrix products: "own" (the library's kernels), "cblas" (the system's BLAS, whose results may
 * depend on its number of threads), "auto" (own if it has kernels for this CPU). The BLAS is loaded when it is first
 * chosen, not before, unless the library was built with PEFT_BLAS=link. PEFT_E_INVALID: another word.
 * PEFT_E_UNSUPPORTED: no BLAS can be loaded. */
PEFT_API PEFT_NODISCARD peft_status peft_context_set_gemm(peft_context *ctx, const char *kind);

/* Messages of level 0 to max_level go to fn with user; fn NULL: no messages. With level 3 each operation of a session
 * or trainer is a message: what it computes, by which kernel, in how many microseconds (docs/verbose.md); with a lower
 * level nothing is measured. Results have the same bits. Until this is called, levels 0 and 1 go to standard error, a
 * line each: "libpeft: warning: ...". fn may be called from any thread that calls the library, and must not call it.
 * PEFT_E_INVALID: max_level is not 0 to 3. */
PEFT_API PEFT_NODISCARD peft_status
peft_context_set_log(peft_context *ctx, peft_log_fn fn, void *user, int max_level);

/* The instruction set in use: "avx2"; never "auto". "" for NULL. */
PEFT_API const char *peft_context_isa(const peft_context *ctx);

/* Bytes that are allocated now under this context, and the largest number so far: all memory of the library and of
 * objects of libpeft-io; without mapped files (backbones), and without what BLAS, the JSON parser, libjpeg, libzip,
 * libtiff, libwebp, zlib or the C library allocate themselves. 0 for NULL. May be called at any time from any
 * thread. */
PEFT_API size_t      peft_context_memory_used(const peft_context *ctx);
PEFT_API size_t      peft_context_memory_peak(const peft_context *ctx);

PEFT_END_DECLS
#endif
