/* SPDX-License-Identifier: Apache-2.0
 * test_write_file.c -- the one way files are written, where the target is unusual or the file system refuses. */
#include "suite.h"
#include <peft/file.h>
#include <peft/io.h>
#include "core/os/file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/peft-write-XXXXXX", path[100];

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    snprintf(path, sizeof path, "%s/file", folder);
    umask(022);
}

static void teardown(void)
{
    char command[100];
    pf_file_fault = NULL;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void write_ok(const char *to, const char *text)
{
    ck_assert_msg(peft_write_file(to, text, strlen(text)) == PEFT_OK, "%s", peft_last_error());
}

static void expect_error(peft_status got, peft_status want, const char *word)
{
    ck_assert_msg(got == want, "%s, expected %s: %s", peft_status_name(got), peft_status_name(want), peft_last_error());
    ck_assert_msg(strstr(peft_last_error(), word), "'%s' lacks '%s'", peft_last_error(), word);
}

static void expect_text(const char *of, const char *text)
{
    char got[100] = "";
    FILE *f = fopen(of, "r");
    ck_assert_msg(f != NULL, "%s: %s", of, strerror(errno));
    size_t n = fread(got, 1, sizeof got - 1, f);
    fclose(f);
    ck_assert_str_eq(got, text);
    ck_assert_uint_eq(n, strlen(text));
}

static mode_t mode_of(const char *of)
{
    struct stat s;
    ck_assert_int_eq(lstat(of, &s), 0);
    return s.st_mode;
}

static int files_in_folder(void)
{
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; (e = readdir(d)); ) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

START_TEST(permissions_stay)
{
    static const mode_t modes[] = { 0600, 0640, 0666, 0755, 0400, 0200, 02750 };
    setup();
    write_ok(path, "new");
    ck_assert_uint_eq(mode_of(path), S_IFREG | 0644);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        ck_assert_int_eq(chmod(path, modes[i]), 0);
        write_ok(path, "again");
        ck_assert_uint_eq(mode_of(path), S_IFREG | modes[i]);
    }
    ck_assert_int_eq(chmod(path, 0600), 0);
    write_ok(path, "");
    expect_text(path, "");
    ck_assert_int_eq(files_in_folder(), 1);
    expect_error(peft_write_file(NULL, "x", 1), PEFT_E_INVALID, "path");
    expect_error(peft_write_file(path, NULL, 1), PEFT_E_INVALID, "data");
    ck_assert_int_eq(peft_write_file(path, NULL, 0), PEFT_OK);
    teardown();
}
END_TEST

static int chmods;
static int refuse_chmod(const char *call)
{
    chmods += !strcmp(call, "chmod");
    return strcmp(call, "chmod") ? 0 : EPERM;
}

/* As exFAT and CIFS do where the files belong to another user. */
START_TEST(chmod_is_refused)
{
    setup();
    write_ok(path, "one");
    pf_file_fault = refuse_chmod;
    write_ok(path, "two");                           /* the mode is right: it is not asked for */
    ck_assert_int_eq(chmods, 0);
    chmod(path, 0666);
    write_ok(path, "three");
    ck_assert_int_eq(chmods, 1);
    ck_assert_uint_eq(mode_of(path), S_IFREG | 0644);            /* never wider than it was */
    chmod(path, 0600);
    write_ok(path, "four");
    ck_assert_uint_eq(mode_of(path), S_IFREG | 0600);
    expect_text(path, "four");
    teardown();
}
END_TEST

static int folder_syncs;
static int refuse_folder_sync(const char *call)
{
    static int syncs;
    if (strcmp(call, "fsync") || ++syncs % 2) return 0;
    folder_syncs++;
    return EINVAL;
}

START_TEST(folders_without_sync)
{
    setup();
    pf_file_fault = refuse_folder_sync;
    write_ok(path, "there");
    ck_assert_int_eq(folder_syncs, 1);
    expect_text(path, "there");
    teardown();
}
END_TEST

START_TEST(links_are_followed)
{
    setup();
    ck_assert_int_eq(mkdir("real", 0755), 0);
    ck_assert_int_eq(symlink("real/data", "link"), 0);
    ck_assert_int_eq(symlink("link", "second"), 0);
    write_ok("second", "made");                      /* the file is not there yet */
    expect_text("real/data", "made");
    chmod("real/data", 0600);
    write_ok("second", "replaced");
    expect_text("real/data", "replaced");
    ck_assert_uint_eq(mode_of("real/data"), S_IFREG | 0600);
    ck_assert(S_ISLNK(mode_of("link")) && S_ISLNK(mode_of("second")));
    snprintf(path, sizeof path, "%s/real/data", folder);
    ck_assert_int_eq(symlink(path, "absolute"), 0);
    write_ok("absolute", "too");
    expect_text("real/data", "too");
    ck_assert_int_eq(symlink("circle", "circle"), 0);
    expect_error(peft_write_file("circle", "x", 1), PEFT_E_IO, "circle: more than 40 symbolic links");
    ck_assert_int_eq(symlink("nowhere/file", "lost"), 0);
    expect_error(peft_write_file("lost", "x", 1), PEFT_E_IO, "No such file");
    teardown();
}
END_TEST

START_TEST(only_files_are_replaced)
{
    struct stat s;
    setup();
    ck_assert_int_eq(mkfifo("pipe", 0600), 0);
    expect_error(peft_write_file("pipe", "x", 1), PEFT_E_IO, "pipe: is a pipe");
    ck_assert(S_ISFIFO(mode_of("pipe")));
    expect_error(peft_write_file(folder, "x", 1), PEFT_E_IO, "a folder");
    ck_assert_int_eq(symlink("/dev/null", "null"), 0);
    expect_error(peft_write_file("null", "x", 1), PEFT_E_IO, "a device");
    expect_error(peft_write_file("/dev/null", "x", 1), PEFT_E_IO, "a device");
    ck_assert(!stat("/dev/null", &s) && S_ISCHR(s.st_mode));
    ck_assert_int_eq(files_in_folder(), 2);
    teardown();
}
END_TEST

/* A process that writes path and stops in the middle. */
static pid_t half_a_writer(int ready[2])
{
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child) {
        char c;
        ck_assert_int_eq(read(ready[0], &c, 1), 1);
        return child;
    }
    peft_context *ctx;
    pf_writer *w;
    if (peft_context_create(NULL, NULL, NULL, &ctx) || pf_writer_open(ctx, path, &w) || pf_writer_write(w, "half", 4)
        || write(ready[1], "x", 1) != 1) _exit(1);
    for (;;) pause();
}

static void end(pid_t child)
{
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

START_TEST(left_overs_go)
{
    int ready[2];
    setup();
    write_ok("file.tmp.draft", "not ours");
    write_ok(path, "old");
    pid_t first = half_a_writer(ready), second = half_a_writer(ready), third = half_a_writer(ready);
    ck_assert_int_eq(files_in_folder(), 5);
    write_ok(path, "new");                           /* all three live */
    ck_assert_int_eq(files_in_folder(), 5);
    end(first), end(third);
    write_ok(path, "newer");
    ck_assert_int_eq(files_in_folder(), 3);          /* the file, the draft, and what the second still writes */
    end(second);
    write_ok(path, "newest");
    ck_assert_int_eq(files_in_folder(), 2);
    expect_text(path, "newest");
    expect_text("file.tmp.draft", "not ours");
    ck_assert_int_eq(mkfifo("file.tmp.0", 0600), 0);             /* no file: stepped over */
    ck_assert_int_eq(symlink("file.tmp.draft", "file.tmp.1"), 0);
    write_ok(path, "last");
    ck_assert(S_ISFIFO(mode_of("file.tmp.0")) && S_ISLNK(mode_of("file.tmp.1")));
    expect_text("file.tmp.draft", "not ours");
    ck_assert_int_eq(files_in_folder(), 4);
    teardown();
}
END_TEST

/* What stands in the middle of a long path matters less than why it failed. */
START_TEST(long_paths)
{
    char longer[3000] = "";
    setup();
    while (strlen(longer) < 2000) strcat(longer, "a-folder-of-forty-letters-in-its-long-name/");
    strcat(longer, "last");
    expect_error(peft_write_file(longer, "x", 1), PEFT_E_IO,
                 "/last: cannot create a temporary file beside it: No such");
    ck_assert_int_eq(strncmp(peft_last_error(), longer, 300), 0);
    ck_assert_ptr_nonnull(strstr(peft_last_error(), "..."));
    pf_within(PEFT_E_IO, "%s", longer);              /* the path is not said twice */
    ck_assert_ptr_eq(strstr(peft_last_error() + 1, "..."), strstr(peft_last_error(), "..."));
    expect_error(peft_write_file("no/file", "x", 1), PEFT_E_IO, "no/file: cannot create");
    char before[200];
    snprintf(before, sizeof before, "%s", peft_last_error());
    pf_within(PEFT_E_IO, "no/file");
    pf_within(PEFT_E_IO, "no");
    ck_assert_str_eq(peft_last_error(), before);
    pf_within(PEFT_E_IO, "n");
    ck_assert_int_eq(strncmp(peft_last_error(), "n: no/file: cannot", 18), 0);
    teardown();
}
END_TEST

/* libpeft-io writes the same way and shortens the same paths. */
START_TEST(pictures)
{
    static const uint8_t grey[4] = { 1, 2, 3, 4 };
    char longer[3000] = "";
    peft_context *ctx;
    peft_image *im;
    setup();
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    ck_assert_int_eq(peft_image_from_buffer(ctx, grey, 2, 2, 1, 8, 0, &im), PEFT_OK);
    write_ok(path, "old");
    chmod(path, 0600);
    ck_assert_int_eq(peft_image_save_png(im, path), PEFT_OK);
    ck_assert_uint_eq(mode_of(path), S_IFREG | 0600);
    ck_assert_int_eq(mkfifo("pipe", 0600), 0);
    expect_error(peft_image_save_png(im, "pipe"), PEFT_E_IO, "pipe: is a pipe");
    ck_assert(S_ISFIFO(mode_of("pipe")));
    peft_image_free(im);
    while (strlen(longer) < 2000) strcat(longer, "a-folder-of-forty-letters-in-its-long-name/");
    expect_error(peft_image_load(ctx, longer, NULL, &im), PEFT_E_IO, "in-its-long-name/: open: No such file");
    peft_context_free(ctx);
    teardown();
}
END_TEST

SUITE_MAIN("write_file", permissions_stay, chmod_is_refused, folders_without_sync, links_are_followed,
           only_files_are_replaced, left_overs_go, long_paths, pictures)
