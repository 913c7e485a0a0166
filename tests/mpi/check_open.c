/* SPDX-License-Identifier: Apache-2.0
 * check_open.c -- peft_mpi_open and peft_mpi_free in a process that no mpirun has started; each case has a process of
 * its own, as MPI is initialised once.   check_open finalised|level|launcher */
#include <mpi.h>
#include <peft/mpi.h>
#include <stdio.h>
#include <string.h>

static int given_level = MPI_THREAD_FUNNELED;

/* In place of the MPI library's: tells another level. */
int MPI_Init_thread(int *argc, char ***argv, int required, int *provided)
{
    const int returned = PMPI_Init_thread(argc, argv, required, provided);
    if (*provided > given_level) *provided = given_level;
    return returned;
}

/* 0 if opening fails with this status and message. */
static int refused(peft_status expected, const char *message)
{
    peft_mpi *m = NULL;
    const peft_status s = peft_mpi_open(NULL, &m);
    if (s == expected && strstr(peft_last_error(), message) && !m) return 0;
    printf("status %d, message %s\n", s, s ? peft_last_error() : "none");
    return 1;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    peft_mpi *m;
    if (!strcmp(what, "finalised")) {
        if (peft_mpi_open(NULL, &m)) return 1;
        MPI_Finalize();
        peft_mpi_free(m);                                  /* MPI ends a process that calls it now */
        return refused(PEFT_E_STATE, "MPI has been finalised");
    }
    if (!strcmp(what, "level")) {
        given_level = MPI_THREAD_SINGLE;
        return refused(PEFT_E_UNSUPPORTED, "MPI_THREAD_FUNNELED");
    }
    return strcmp(what, "launcher") || refused(PEFT_E_STATE, "one of 3 processes");
}
