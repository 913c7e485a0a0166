/* SPDX-License-Identifier: Apache-2.0
 * test_file.c -- pf_map (reading files) and pf_writer (replacing a file atomically): when a system call fails or the
 * process is killed, the old or the new file is whole and no temporary file remains. */
#include "failing_alloc.h"
#include "core/os/file.h"
#include "core/format/safetensors.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static peft_context *ctx;
static char folder[] = "/tmp/peft-file-XXXXXX", path[100];

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
}

/* Removes all files in the folder but path; returns their number. */
static int remove_other_files(void)
{
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; (e = readdir(d)); ) {
        char other[400];
        if (e->d_name[0] == '.' || !strcmp(e->d_name, "file")) continue;
        snprintf(other, sizeof other, "%s/%s", folder, e->d_name);
        unlink(other);
        n++;
    }
    closedir(d);
    return n;
}

static void teardown(void)
{
    pf_file_fault = NULL;
    remove_other_files();
    unlink(path);
    rmdir(path);
    ck_assert_int_eq(rmdir(folder), 0);
    peft_context_free(ctx);
}

/* The call returned this status and its message contains word. */
static void expect_error(peft_status got, peft_status want, const char *word)
{
    ck_assert_msg(got == want, "%s, expected %s: %s", peft_status_name(got), peft_status_name(want), peft_last_error());
    ck_assert_msg(strstr(peft_last_error(), word), "'%s' lacks '%s'", peft_last_error(), word);
}

/* Writes the file in pieces of 1000 bytes. */
static peft_status save(const char *data, size_t bytes)
{
    pf_writer *w;
    PF_TRY(pf_writer_open(ctx, path, &w));
    for (size_t done = 0; done < bytes; ) {
        size_t n = bytes - done < 1000 ? bytes - done : 1000;
        (void)pf_writer_write(w, data + done, n);            /* pf_writer_commit returns the first error */
        done += n;
    }
    return pf_writer_commit(w);
}

/* The file holds these bytes. */
static void expect_content(const char *data, size_t bytes)
{
    pf_map *m;
    ck_assert_msg(pf_map_open(ctx, path, &m) == PEFT_OK, "%s", peft_last_error());
    ck_assert_uint_eq(pf_map_size(m), bytes);
    ck_assert_int_eq(memcmp(pf_map_data(m), data, bytes), 0);
    pf_map_close(m);
}

START_TEST(only_regular_files_are_mapped)
{
    pf_map *m = NULL;
    setup();
    expect_error(pf_map_open(ctx, path, &m), PEFT_E_IO, "cannot be opened");
    expect_error(pf_map_open(ctx, folder, &m), PEFT_E_IO, "a directory");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    expect_error(pf_map_open(ctx, path, &m), PEFT_E_IO, "a pipe");
    expect_error(save("x", 1), PEFT_E_IO, "not a regular file");
    unlink(path);
    ck_assert_int_eq(save("", 0), PEFT_OK);
    expect_content("", 0);
    ck_assert_int_eq(save("hello", 5), PEFT_OK);
    expect_content("hello", 5);
    ck_assert_ptr_null(m);
    pf_map_close(NULL);
    ck_assert_int_eq(remove_other_files(), 0);
    teardown();
}
END_TEST

static mode_t mode_of(void)
{
    struct stat s;
    ck_assert_int_eq(stat(path, &s), 0);
    return s.st_mode & 07777;
}

START_TEST(a_file_is_replaced_with_its_permissions)
{
    pf_writer *w;
    pf_map *old;
    setup();
    umask(027);
    ck_assert_int_eq(save("one", 3), PEFT_OK);
    ck_assert_uint_eq(mode_of(), 0640);
    ck_assert_int_eq(chmod(path, 0604), 0);
    ck_assert_int_eq(pf_map_open(ctx, path, &old), PEFT_OK);
    ck_assert_int_eq(save("three", 5), PEFT_OK);
    ck_assert_uint_eq(mode_of(), 0604);
    ck_assert_mem_eq(pf_map_data(old), "one", 3);            /* a mapping still reads the replaced file */
    pf_map_close(old);
    ck_assert_int_eq(pf_writer_open(ctx, path, &w), PEFT_OK);
    ck_assert_int_eq(pf_writer_write(w, "lost", 4), PEFT_OK);
    ck_assert_int_eq(access(pf_writer_temporary(w), F_OK), 0);
    pf_writer *second;                                       /* two writers have different temporary files */
    ck_assert_int_eq(pf_writer_open(ctx, path, &second), PEFT_OK);
    ck_assert_str_ne(pf_writer_temporary(w), pf_writer_temporary(second));
    pf_writer_abandon(second);
    pf_writer_abandon(w);
    pf_writer_abandon(NULL);
    expect_content("three", 5);
    ck_assert_int_eq(remove_other_files(), 0);
    unlink(path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    expect_error(save("x", 1), PEFT_E_IO, "not a regular file");
    rmdir(path);
    snprintf(path, sizeof path, "%s/no/file", folder);
    expect_error(save("x", 1), PEFT_E_IO, "No such file");
    snprintf(path, sizeof path, "%s/file", folder);
    teardown();
}
END_TEST

START_TEST(a_path_without_folder_is_written)
{
    pf_writer *w;
    setup();
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(pf_writer_open(ctx, "file", &w), PEFT_OK);
    ck_assert_int_eq(pf_writer_write(w, "here", 4), PEFT_OK);
    ck_assert_int_eq(pf_writer_commit(w), PEFT_OK);
    expect_content("here", 4);
    ck_assert_int_eq(chdir("/"), 0);
    teardown();
}
END_TEST

/* pf_file_fault calls `fault` before every system call on files. Call number fail_call fails with the errno
 * fail_errno. */
static int calls, fail_call, fail_errno;
static const char *failed_call;
static int fault(const char *call)
{
    if (calls++ != fail_call) return 0;
    failed_call = call;
    return fail_errno;
}

/* Each system call of a save fails in turn: the old file remains, except when the last one, fsync of the folder, fails
 * after the rename. EINTR is retried. */
START_TEST(a_failing_system_call_leaves_the_old_file)
{
    static const int errors[] = { EIO, ENOSPC, EACCES, EINTR };
    char old[3000], new[5000];
    int failures = 0;
    memset(old, 'o', sizeof old), memset(new, 'n', sizeof new);
    setup();
    for (size_t e = 0; e < sizeof errors / sizeof *errors; e++)
        for (fail_call = 0; ; fail_call++) {
            pf_file_fault = NULL;
            ck_assert_int_eq(save(old, sizeof old), PEFT_OK);
            pf_file_fault = fault;
            calls = 0, fail_errno = errors[e];
            peft_status s = save(new, sizeof new);
            pf_file_fault = NULL;
            ck_assert_int_eq(remove_other_files(), 0);
            if (calls <= fail_call) break;
            failures++;
            if (fail_errno == EINTR) {
                ck_assert_msg(s == PEFT_OK, "interrupted %s: %s", failed_call, peft_last_error());
                expect_content(new, sizeof new);
                continue;
            }
            bool renamed = !strcmp(failed_call, "fsync") && strstr(peft_last_error(), "folder");
            expect_error(s, PEFT_E_IO, strerror(fail_errno));
            ck_assert_ptr_nonnull(strstr(peft_last_error(), path));
            expect_content(renamed ? new : old, renamed ? sizeof new : sizeof old);
        }
    ck_assert_int_ge(failures, 4 * 11);                      /* 4 errors, at least 11 system calls */
    for (fail_call = 0, fail_errno = EIO; fail_call < 3; fail_call++) {     /* the three system calls of reading */
        pf_map *m = NULL;
        calls = 0;
        pf_file_fault = fault;
        expect_error(pf_map_open(ctx, path, &m), PEFT_E_IO, strerror(EIO));
        ck_assert_ptr_null(m);
    }
    teardown();
}
END_TEST

START_TEST(a_full_disk_leaves_the_old_file)
{
    static char old[1000], new[300000];
    struct rlimit limit = { 100000, 100000 };
    setup();
    ck_assert_int_eq(save(old, sizeof old), PEFT_OK);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    pf_writer *w;
    ck_assert_int_eq(pf_writer_open(ctx, path, &w), PEFT_OK);
    expect_error(pf_writer_write(w, new, sizeof new), PEFT_E_IO, "cannot be written");    /* after a short write */
    expect_error(pf_writer_write(w, new, 1), PEFT_E_IO, "cannot be written");
    ck_assert_int_eq(pf_writer_commit(w), PEFT_E_IO);
    expect_content(old, sizeof old);
    ck_assert_int_eq(remove_other_files(), 0);
    teardown();
}
END_TEST

/* Writes and maps a file; for failing_alloc_loop. */
static peft_status use_file(peft_context *c, void *arg)
{
    pf_writer *w;
    pf_map *m;
    (void)arg;
    PF_TRY(pf_writer_open(c, path, &w));
    peft_status s = pf_writer_write(w, "abc", 3);
    if (s) pf_writer_abandon(w);
    else s = pf_writer_commit(w);
    PF_TRY(s);
    PF_TRY(pf_map_open(c, path, &m));
    pf_map_close(m);
    return PEFT_OK;
}

START_TEST(failed_allocations_leave_no_temporary_file)
{
    setup();
    const long allocations = 5;
    ck_assert_int_eq(failing_alloc_loop(use_file, NULL), allocations);
    ck_assert_int_eq(remove_other_files(), 0);
    teardown();
}
END_TEST

enum { VALUES = 50000 };

/* Writes a file whose values and metadata are all this number. */
static void save_generation(int generation)
{
    static float values[VALUES];
    pf_st_out *out;
    char text[16];
    for (int i = 0; i < VALUES; i++) values[i] = (float)generation;
    snprintf(text, sizeof text, "%d", generation);
    int64_t dims[] = { VALUES };
    if (pf_st_out_create(ctx, &out) || pf_st_out_meta(out, "generation", text)
        || pf_st_out_tensor(out, "values", PEFT_F32, 1, dims, values) || pf_st_out_write(out, path)) _exit(1);
    pf_st_out_free(out);
}

/* Asserts that all values of the file are the number in its metadata; returns it. */
static int generation_of_file(void)
{
    pf_st *st;
    ck_assert_msg(pf_st_open(ctx, path, &st) == PEFT_OK, "%s", peft_last_error());
    int generation = atoi(pf_st_meta(st, "generation"));
    const pf_st_tensor *t = pf_st_find(st, "values");
    for (int i = 0; i < VALUES; i++) {
        float v;
        memcpy(&v, (const char *)t->data + (size_t)i * sizeof v, sizeof v);
        ck_assert(v == (float)generation);
    }
    pf_st_close(st);
    return generation;
}

/* A child process saves endlessly and is killed at a random moment, 50 times. */
START_TEST(a_killed_process_leaves_a_whole_file)
{
    int last = 0, changed = 0;
    unsigned random = 12345;
    setup();
    save_generation(0);
    for (int round = 0; round < 50; round++) {
        pid_t child = fork();
        if (!child)
            for (int generation = last; ; ) save_generation(++generation);
        random = random * 1103515245 + 12345;
        struct timespec pause = { 0, 1000000 + (long)(random >> 8) % 20000000 };
        nanosleep(&pause, NULL);
        kill(child, SIGKILL);
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFSIGNALED(status), "the child could not save");
        int generation = generation_of_file();
        ck_assert_int_ge(generation, last);
        changed += generation > last;
        last = generation;
    }
    ck_assert_int_gt(changed, 5);
    teardown();
}
END_TEST

SUITE_MAIN("file", only_regular_files_are_mapped, a_file_is_replaced_with_its_permissions,
           a_path_without_folder_is_written, a_failing_system_call_leaves_the_old_file, a_full_disk_leaves_the_old_file,
           failed_allocations_leave_no_temporary_file, a_killed_process_leaves_a_whole_file)
