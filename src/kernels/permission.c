/* SPDX-License-Identifier: Apache-2.0
 * permission.c -- asks Linux for the tile registers of AMX (pk_permitted in pk.h). The kernel (5.16 and later) gives
 * them to a process that asks, because they make the frame of a signal 8 KiB larger: it refuses if a thread's alternate
 * signal stack has no room for that, and refuses smaller stacks from then on. */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include "pk.h"

#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>

/* of asm/prctl.h and of the state components of XSAVE */
enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };

static const char *refusal;

static void ask(void)
{
    if (!syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA)) return;
    refusal = errno == ENOSPC ? "the system refuses tiles: a thread's signal stack (sigaltstack) is too small for them"
            : errno == EPERM || errno == EACCES ? "the system refuses tiles: this process may not ask for them"
                                                : "the system has no tiles for programs (Linux 5.16 and later do)";
}

const char *pk_tiles_refusal(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, ask);
    return refusal;
}
#else
const char *pk_tiles_refusal(void) { return "no tiles on this system"; }
#endif
