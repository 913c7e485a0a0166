/* SPDX-License-Identifier: Apache-2.0
 * blas.c -- opens the system's BLAS by dlopen; see blas.h. The build defines the two names that are tried in turn,
 * PK_BLAS_FIRST and PK_BLAS_SECOND: sonames for a BLAS in the system's folders, so that the machine that runs the
 * library may have another one than the machine that built it, else paths. */
#include "blas.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

#ifdef PF_REAL_DOUBLE
#define GEMM_SYMBOL cblas_dgemm
#else
#define GEMM_SYMBOL cblas_sgemm
#endif

#ifdef PK_BLAS_LINKED
const char *pk_blas_load(void) { return NULL; }
pk_blas_gemm *pk_blas_product(void) { return GEMM_SYMBOL; }
#else
#define QUOTED_(x) #x
#define QUOTED(macro) QUOTED_(macro)                        /* what the macro stands for, as a string */

static _Atomic(pk_blas_gemm *) product;                     /* NULL: not opened */

/* Opens the library of that name and returns its product; NULL: *reason says why not. */
static pk_blas_gemm *open_blas(const char *name, char *reason, size_t capacity)
{
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    void *symbol = library ? dlsym(library, QUOTED(GEMM_SYMBOL)) : NULL;
    const char *error = symbol ? NULL : dlerror();
    if (symbol) return (pk_blas_gemm *)symbol;
    snprintf(reason, capacity, "%s", error ? error : name);
    if (library) dlclose(library);
    return NULL;
}

const char *pk_blas_load(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char reason[256];
    if (atomic_load(&product)) return NULL;
    pthread_mutex_lock(&lock);
    pk_blas_gemm *found = open_blas(PK_BLAS_FIRST, reason, sizeof reason);
    if (!found) {
        char unused[256];                                   /* the reason reported is that of the first failure */
        found = open_blas(PK_BLAS_SECOND, unused, sizeof unused);
    }
    atomic_store(&product, found);
    pthread_mutex_unlock(&lock);
    return found ? NULL : reason;
}

pk_blas_gemm *pk_blas_product(void) { return atomic_load(&product); }
#endif
