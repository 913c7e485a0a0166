/* SPDX-License-Identifier: Apache-2.0
 * mpi_ranks.c -- makes a program, linked with this file, one that mpirun or srun starts in several processes: sets the
 * functions of common/ranks/ranks.h to those of libpeft-mpi before main begins. */
#include "common/program/errors.h"
#include "common/program/stop.h"
#include "common/ranks/ranks.h"
#include "parallel/rank_files.h"
#include <peft/mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static peft_mpi *mpi;                                         /* NULL: not joined, or left */
static int real_stderr;                                       /* of other ranks than rank 0 */

/* Other ranks than rank 0 print nothing; their messages, most of which rank 0 prints too, are kept in a file. */
static void be_quiet(void)
{
    FILE *kept = tmpfile();
    if (!freopen("/dev/null", "w", stdout) || !kept || (real_stderr = dup(STDERR_FILENO)) < 0 ||
        dup2(fileno(kept), STDERR_FILENO) < 0)
        fail("rank %lld: no file for messages", (long long)peft_mpi_rank(mpi));
    setvbuf(stderr, NULL, _IONBF, 0);
}

/* Prints the messages that were kept, each line behind the number of the rank. */
static void print_kept_messages(void)
{
    char line[2000];
    FILE *kept = fdopen(dup(STDERR_FILENO), "r+");
    if (!kept) return;
    rewind(kept);
    while (fgets(line, sizeof line, kept)) dprintf(real_stderr, "rank %lld: %s", (long long)peft_mpi_rank(mpi), line);
    fclose(kept);
}

/* Called at exit: a rank that has not left ends all others, which would wait for it. An error that rank 0 has too is
 * its to tell, for which the others give it time: it ends them. */
static void end_all(void)
{
    enum { SECONDS = 2, TO_PASS_ON = 200000 };                /* microseconds in which mpirun gets the messages */
    if (!mpi) return;
    fflush(NULL);
    if (peft_mpi_rank(mpi)) {
        remove_rank_files();
        if (!stop_requested) sleep(SECONDS);                  /* a signal ends the sleep */
        if (!stop_requested) print_kept_messages();
    }
    usleep(TO_PASS_ON);
    peft_mpi_abort(mpi, EXIT_FAILURE);
}

static void join(const char **const *paths, int count)
{
    must(peft_mpi_open(NULL, &mpi));
    ranks.rank = peft_mpi_rank(mpi);
    ranks.count = peft_mpi_ranks(mpi);
    atexit(end_all);
    remove_left_files();
    if (peft_mpi_rank(mpi)) {
        be_quiet();
        for (int i = 0; i < count; i++) if (*paths[i]) *paths[i] = own_path(*paths[i]);
    } else printf("%-22s %lld\n", "ranks", (long long)peft_mpi_ranks(mpi));
    must(peft_mpi_agree(mpi, PEFT_OK));                       /* rank 0 writes no file before the others have copies */
}

static void share(peft_trainer *t) { must(peft_mpi_attach(mpi, t)); }

static void part(int64_t count, int64_t *first, int64_t *n) { peft_mpi_part(mpi, count, first, n); }

static bool gather(peft_context *ctx, double *scores, int64_t count, int64_t classes, bool complete)
{
    peft_tensor *t;
    if (peft_mpi_agree(mpi, complete ? PEFT_OK : peft_set_error(PEFT_E_CANCELLED, "stopped"))) return false;
    must(peft_tensor_wrap(ctx, PEFT_F64, 2, (int64_t[]){ count, classes }, scores, &t));
    must(peft_mpi_gather_rows(mpi, t));
    peft_tensor_free(t);
    return true;
}

static peft_status agree(peft_status s) { return peft_mpi_agree(mpi, s); }

static void pass(int64_t from, int64_t to, void *data, int64_t size) { must(peft_mpi_pass(mpi, from, to, data, size)); }

static void failed(void)
{
    enum { SECONDS = 600 };                                   /* rank 0 saves and then ends all */
    if (peft_mpi_rank(mpi)) sleep(SECONDS);
}

/* Prints what this run has sent. */
static void leave(void)
{
    int64_t bytes, rounds, all;
    must(peft_mpi_agree(mpi, PEFT_OK));
    must(peft_mpi_get_int(mpi, "bytes_sent", &bytes));
    must(peft_mpi_get_int(mpi, "rounds", &rounds));
    all = bytes;
    for (int64_t r = 1, other = bytes; r < ranks.count; r++) {
        pass(r, 0, &other, sizeof other);
        all += other;
    }
    printf("%-22s %lld\n", "bytes_sent_by_rank_0", (long long)bytes);
    printf("%-22s %lld\n", "bytes_sent_by_all", (long long)all);
    if (rounds) printf("%-22s %lld\n", "bytes_sent_in_a_round", (long long)(bytes / rounds));
    fflush(stdout);
    if (peft_mpi_rank(mpi)) remove_rank_files();
    peft_mpi *last = mpi;
    mpi = NULL;
    peft_mpi_free(last);
}

__attribute__((constructor)) static void set_functions(void)
{
    ranks = (rank_functions){ .count = 1, .join = join, .share = share, .part = part, .gather = gather,
                              .agree = agree, .pass = pass, .failed = failed, .leave = leave };
}
