/* SPDX-License-Identifier: Apache-2.0
 * test_zip_files.c -- zip files with bytes in front or unsupported compression methods; zips that are read after a
 * fork. */
#include "io_files.h"
#include <peft/io.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>

enum { MEMBERS = 8 };

/* Writes z.zip with MEMBERS images of two classes, of the widths 40, 41, ... */
static void make_zip(void)
{
    unsigned char *data[MEMBERS];
    char name[MEMBERS][16];
    entry e[MEMBERS];
    for (int i = 0; i < MEMBERS; i++) {
        size_t size;
        save_picture(in_folder("p.png"), 40 + i, 30, 3, (unsigned)i);
        data[i] = read_bytes(in_folder("p.png"), &size);
        snprintf(name[i], sizeof name[i], "%c/%d.png", i % 2 ? 'b' : 'a', i);
        e[i] = (entry){ name[i], data[i], size };
    }
    zip_make(in_folder("z.zip"), e, MEMBERS);
    for (int i = 0; i < MEMBERS; i++) free(data[i]);
}

START_TEST(bytes_before_the_archive_are_skipped)
{
    static unsigned char file[1 << 16];
    size_t size;
    peft_dataset *d;
    peft_image *im;
    make_zip();
    unsigned char *zip = read_bytes(in_folder("z.zip"), &size);
    const char head[] = "#!/bin/sh\nPK\5\6 exit\n";
    memcpy(file, head, sizeof head);
    memcpy(file + sizeof head, zip, size);
    write_bytes(in_folder("y.zip"), file, sizeof head + size);
    free(zip);
    ok(peft_dataset_open_zip(io_ctx, in_folder("y.zip"), NULL, &d));
    ck_assert_int_eq(peft_dataset_count(d), MEMBERS);
    for (int64_t i = 0; i < MEMBERS; i++) {
        ok(peft_dataset_load(d, i, &im));
        peft_image_free(im);
    }
    peft_dataset_free(d);
    fails(PEFT_E_IO, "not a regular file", peft_dataset_open_zip(io_ctx, io_folder, NULL, &d));
}
END_TEST

/* The number of the compression method is set in the central directory's entry (byte 10) and in the local header (byte
 * 8). */
START_TEST(unsupported_compression_methods_are_named)
{
    static const struct { int method; const char *name; } methods[] = { { 9, "Deflate64" }, { 98, "PPMd" },
                                                                        { 77, "77" } };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        size_t size;
        peft_dataset *d = NULL;
        make_zip();
        unsigned char *zip = read_bytes(in_folder("z.zip"), &size), *directory_entry = memmem(zip, size, "PK\1\2", 4);
        directory_entry[10] = zip[8] = (unsigned char)methods[i].method;
        write_bytes(in_folder("z.zip"), zip, size);
        free(zip);
        fails(PEFT_E_UNSUPPORTED, methods[i].name, peft_dataset_open_zip(io_ctx, in_folder("z.zip"), NULL, &d));
        ck_assert_ptr_nonnull(strstr(peft_last_error(), "a/0.png"));
        ck_assert_ptr_null(d);
    }
}
END_TEST

/* Loads all images `rounds` times; returns how many loads failed or gave a wrong width. */
static int load_all(const peft_dataset *d, int rounds)
{
    int failures = 0;
    for (int k = 0; k < rounds; k++)
        for (int64_t i = 0; i < MEMBERS; i++) {
            peft_image *im;
            if (peft_dataset_load(d, i, &im)) {
                failures++;
                continue;
            }
            failures += peft_image_width(im) < 40 || peft_image_width(im) >= 40 + MEMBERS;
            peft_image_free(im);
        }
    return failures;
}

/* Waits for a child, which no signal may kill. */
static int exit_status_of(pid_t child)
{
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status), "the child was killed by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

/* Parent and children read one archive, opened before the fork, at the same time. */
START_TEST(forked_processes_read_one_archive)
{
    enum { CHILDREN = 3, ROUNDS = 200 };
    pid_t child[CHILDREN];
    peft_dataset *d;
    make_zip();
    ok(peft_dataset_open_zip(io_ctx, in_folder("z.zip"), NULL, &d));
    for (int i = 0; i < CHILDREN; i++)
        if (!(child[i] = fork())) _exit(load_all(d, ROUNDS) > 0);
    ck_assert_int_eq(load_all(d, ROUNDS), 0);
    for (int i = 0; i < CHILDREN; i++) ck_assert_int_eq(exit_status_of(child[i]), 0);
    peft_dataset_free(d);
}
END_TEST

typedef struct reader { const peft_dataset *d; atomic_bool stop; } reader;

static void *read_until_stopped(void *user)
{
    reader *r = user;
    while (!atomic_load(&r->stop)) load_all(r->d, 1);
    return NULL;
}

/* Returns NULL if all loads succeeded. */
static void *read_twice(void *user)
{
    reader *r = user;
    return load_all(r->d, 2) ? user : NULL;
}

/* The fork happens while another thread may hold the archive's lock: threads of the child can still read. */
START_TEST(a_fork_during_a_read_leaves_the_archive_usable)
{
#ifdef __SANITIZE_ADDRESS__
    return;                                         /* the child may inherit a held lock of the sanitizer's allocator */
#endif
    pthread_t thread;
    reader r;
    peft_dataset *d;
    make_zip();
    ok(peft_dataset_open_zip(io_ctx, in_folder("z.zip"), NULL, &d));
    r.d = d;
    atomic_init(&r.stop, false);
    ck_assert_int_eq(pthread_create(&thread, NULL, read_until_stopped, &r), 0);
    for (int i = 0; i < 40; i++) {
        usleep(500);
        pid_t child = fork();
        if (!child) {
            pthread_t other;
            void *failed;
            alarm(60);
            if (pthread_create(&other, NULL, read_twice, &r)) _exit(2);
            const int failures = load_all(d, 2);
            pthread_join(other, &failed);
            _exit(failures || failed);
        }
        ck_assert_int_eq(exit_status_of(child), 0);
    }
    atomic_store(&r.stop, true);
    pthread_join(thread, NULL);
    peft_dataset_free(d);
}
END_TEST

IO_SUITE_MAIN("zip_files", bytes_before_the_archive_are_skipped, unsupported_compression_methods_are_named,
              forked_processes_read_one_archive, a_fork_during_a_read_leaves_the_archive_usable)
