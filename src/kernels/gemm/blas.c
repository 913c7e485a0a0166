/* SPDX-License-Identifier: Apache-2.0
 * blas.c -- where the BLAS comes from; see blas.h. The build gives the two names that are tried: PK_BLAS_FIRST is the
 * soname of a BLAS in the system's folders (whoever runs may have another one there), the path of one elsewhere. */
#include "blas.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

#ifdef PF_REAL_DOUBLE
#define SYMBOL cblas_dgemm
#else
#define SYMBOL cblas_sgemm
#endif

#ifdef PK_BLAS_LINKED
const char *pk_blas_load(void) { return NULL; }
pk_blas_gemm *pk_blas_product(void) { return SYMBOL; }
#else
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

static _Atomic(pk_blas_gemm *) product;

static pk_blas_gemm *open_named(const char *name, char *why, size_t room)
{
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    void *symbol = library ? dlsym(library, TEXT(SYMBOL)) : NULL;
    const char *error = symbol ? NULL : dlerror();
    if (symbol) return (pk_blas_gemm *)symbol;
    snprintf(why, room, "%s", error ? error : name);
    if (library) dlclose(library);
    return NULL;
}

const char *pk_blas_load(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char why[256];
    if (atomic_load(&product)) return NULL;
    pthread_mutex_lock(&lock);
    pk_blas_gemm *found = open_named(PK_BLAS_FIRST, why, sizeof why);
    if (!found) {
        char second[256];
        found = open_named(PK_BLAS_SECOND, second, sizeof second);      /* the first failure is the one to tell */
    }
    atomic_store(&product, found);
    pthread_mutex_unlock(&lock);
    return found ? NULL : why;
}

pk_blas_gemm *pk_blas_product(void) { return atomic_load(&product); }
#endif
