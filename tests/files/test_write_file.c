/* SPDX-License-Identifier: Apache-2.0
 * test_write_file.c -- peft_write_file, which all saving uses, on unusual targets (links, pipes, devices, long paths)
 * and where the file system refuses calls; and that libpeft-io writes images the same way. */
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

static void must_write(const char *to, const char *text)
{
    ck_assert_msg(peft_write_file(to, text, strlen(text)) == PEFT_OK, "%s", peft_last_error());
}

static void expect_error(peft_status got, peft_status want, const char *word)
{
    ck_assert_msg(got == want, "%s, expected %s: %s", peft_status_name(got), peft_status_name(want), peft_last_error());
    ck_assert_msg(strstr(peft_last_error(), word), "'%s' lacks '%s'", peft_last_error(), word);
}

/* The file `of` has this text. */
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

/* Type and permissions of a file; of a link itself, not of its target. */
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

START_TEST(permissions_are_kept)
{
    static const mode_t modes[] = { 0600, 0640, 0666, 0755, 0400, 0200, 02750 };
    setup();
    must_write(path, "new");
    ck_assert_uint_eq(mode_of(path), S_IFREG | 0644);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        ck_assert_int_eq(chmod(path, modes[i]), 0);
        must_write(path, "again");
        ck_assert_uint_eq(mode_of(path), S_IFREG | modes[i]);
    }
    ck_assert_int_eq(chmod(path, 0600), 0);
    must_write(path, "");
    expect_text(path, "");
    ck_assert_int_eq(files_in_folder(), 1);
    expect_error(peft_write_file(NULL, "x", 1), PEFT_E_INVALID, "path");
    expect_error(peft_write_file(path, NULL, 1), PEFT_E_INVALID, "data");
    ck_assert_int_eq(peft_write_file(path, NULL, 0), PEFT_OK);
    teardown();
}
END_TEST

/* Functions for pf_file_fault, which calls them before every system call on files: the call fails with the errno that
 * they return; 0: it is made. */
static int chmods;
static int refuse_chmod(const char *call)
{
    chmods += !strcmp(call, "chmod");
    return strcmp(call, "chmod") ? 0 : EPERM;
}

/* exFAT and CIFS refuse chmod where files belong to another user. */
START_TEST(a_refused_chmod_never_widens_permissions)
{
    setup();
    must_write(path, "one");
    pf_file_fault = refuse_chmod;
    must_write(path, "two");                           /* no chmod: the mode is right already */
    ck_assert_int_eq(chmods, 0);
    chmod(path, 0666);
    must_write(path, "three");
    ck_assert_int_eq(chmods, 1);
    ck_assert_uint_eq(mode_of(path), S_IFREG | 0644);            /* without chmod: 0666 less the umask 022 */
    chmod(path, 0600);
    must_write(path, "four");
    ck_assert_uint_eq(mode_of(path), S_IFREG | 0600);
    expect_text(path, "four");
    teardown();
}
END_TEST

static int folder_syncs;
/* Every second fsync of a save is that of the folder. */
static int refuse_folder_sync(const char *call)
{
    static int syncs;
    if (strcmp(call, "fsync") || ++syncs % 2) return 0;
    folder_syncs++;
    return EINVAL;
}

START_TEST(a_folder_that_cannot_be_synced_is_no_error)
{
    setup();
    pf_file_fault = refuse_folder_sync;
    must_write(path, "there");
    ck_assert_int_eq(folder_syncs, 1);
    expect_text(path, "there");
    teardown();
}
END_TEST

START_TEST(symbolic_links_are_followed)
{
    setup();
    ck_assert_int_eq(mkdir("real", 0755), 0);
    ck_assert_int_eq(symlink("real/data", "link"), 0);
    ck_assert_int_eq(symlink("link", "second"), 0);
    must_write("second", "made");                      /* the link's target does not exist yet */
    expect_text("real/data", "made");
    chmod("real/data", 0600);
    must_write("second", "replaced");
    expect_text("real/data", "replaced");
    ck_assert_uint_eq(mode_of("real/data"), S_IFREG | 0600);
    ck_assert(S_ISLNK(mode_of("link")) && S_ISLNK(mode_of("second")));
    snprintf(path, sizeof path, "%s/real/data", folder);
    ck_assert_int_eq(symlink(path, "absolute"), 0);
    must_write("absolute", "too");
    expect_text("real/data", "too");
    ck_assert_int_eq(symlink("circle", "circle"), 0);
    expect_error(peft_write_file("circle", "x", 1), PEFT_E_IO, "circle: more than 40 symbolic links");
    ck_assert_int_eq(symlink("nowhere/file", "lost"), 0);
    expect_error(peft_write_file("lost", "x", 1), PEFT_E_IO, "No such file");
    teardown();
}
END_TEST

START_TEST(only_regular_files_are_replaced)
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

/* Starts a process that writes half of path and then waits. */
static pid_t start_writer(int ready[2])
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

static void kill_writer(pid_t child)
{
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

START_TEST(temporary_files_of_killed_processes_are_removed)
{
    int ready[2];
    setup();
    must_write("file.tmp.draft", "not ours");
    must_write(path, "old");
    pid_t first = start_writer(ready), second = start_writer(ready), third = start_writer(ready);
    ck_assert_int_eq(files_in_folder(), 5);
    must_write(path, "new");                           /* all three writers are alive */
    ck_assert_int_eq(files_in_folder(), 5);
    kill_writer(first), kill_writer(third);
    must_write(path, "newer");
    ck_assert_int_eq(files_in_folder(), 3);          /* the file, the draft, the second writer's */
    kill_writer(second);
    must_write(path, "newest");
    ck_assert_int_eq(files_in_folder(), 2);
    expect_text(path, "newest");
    expect_text("file.tmp.draft", "not ours");
    ck_assert_int_eq(mkfifo("file.tmp.0", 0600), 0);             /* not regular files: left alone */
    ck_assert_int_eq(symlink("file.tmp.draft", "file.tmp.1"), 0);
    must_write(path, "last");
    ck_assert(S_ISFIFO(mode_of("file.tmp.0")) && S_ISLNK(mode_of("file.tmp.1")));
    expect_text("file.tmp.draft", "not ours");
    ck_assert_int_eq(files_in_folder(), 4);
    teardown();
}
END_TEST

/* Messages shorten a long path in its middle and keep the reason. */
START_TEST(long_paths_are_shortened_in_messages)
{
    char longer[3000] = "", before[1024];
    setup();
    while (strlen(longer) < 2000) strcat(longer, "a-folder-of-forty-letters-in-its-long-name/");
    strcat(longer, "last");
    expect_error(peft_write_file(longer, "x", 1), PEFT_E_IO,
                 "/last: cannot create a temporary file beside it: No such");
    ck_assert_int_eq(strncmp(peft_last_error(), longer, 300), 0);
    ck_assert_ptr_nonnull(strstr(peft_last_error(), "..."));
    snprintf(before, sizeof before, "%s", peft_last_error());
    pf_prefix_error(PEFT_E_IO, "%s", longer);              /* the message names the path already: no second one */
    ck_assert_str_eq(peft_last_error(), before);
    expect_error(peft_write_file("no/file", "x", 1), PEFT_E_IO, "no/file: cannot create");
    snprintf(before, sizeof before, "%s", peft_last_error());
    pf_prefix_error(PEFT_E_IO, "no/file");
    pf_prefix_error(PEFT_E_IO, "no");                /* the folder of no/file */
    ck_assert_str_eq(peft_last_error(), before);
    pf_prefix_error(PEFT_E_IO, "n");                 /* another path, which is put in front */
    ck_assert_int_eq(strncmp(peft_last_error(), "n: no/file: cannot", 18), 0);
    teardown();
}
END_TEST

/* Saving an image keeps permissions, refuses pipes and shortens paths too. */
START_TEST(images_are_written_the_same_way)
{
    static const uint8_t grey[4] = { 1, 2, 3, 4 };
    char longer[3000] = "";
    peft_context *ctx;
    peft_image *im;
    setup();
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    ck_assert_int_eq(peft_image_from_buffer(ctx, grey, 2, 2, 1, 8, 0, &im), PEFT_OK);
    must_write(path, "old");
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

SUITE_MAIN("write_file", permissions_are_kept, a_refused_chmod_never_widens_permissions,
           a_folder_that_cannot_be_synced_is_no_error, symbolic_links_are_followed, only_regular_files_are_replaced,
           temporary_files_of_killed_processes_are_removed, long_paths_are_shortened_in_messages,
           images_are_written_the_same_way)
