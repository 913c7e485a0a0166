/* SPDX-License-Identifier: Apache-2.0
 * table.c -- the source table: a data set from a CSV or TSV file with the names of its columns in the first line. */
#include "io/table/table.h"
#include "io/source/list/list.h"
#include "io/source/source.h"
#include <fcntl.h>
#include <unistd.h>

enum { HEAD_BYTES = 65536 };

/* Reads the first bytes of a file into head [HEAD_BYTES + 1], which then ends with a 0; returns their number, 0 for a
 * file that cannot be read. */
static size_t read_head(const char *path, char *head)
{
    size_t size = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    for (ssize_t n; fd >= 0 && size < HEAD_BYTES && (n = read(fd, head + size, HEAD_BYTES - size)) > 0;)
        size += (size_t)n;
    if (fd >= 0) close(fd);
    head[size] = 0;
    return size;
}

/* Whether the first line, cut at commas, semicolons and tabs, has a cell with a common name of a column. Changes it. */
static bool has_heading(char *line)
{
    line[strcspn(line, "\r\n")] = 0;
    for (char *cell = line, *next; cell; cell = next) {
        next = strpbrk(cell, ",;\t");
        if (next) *next++ = 0;
        if (io_table_is_heading(cell)) return true;
    }
    return false;
}

/* Whether the last cell is a text that ends in a number, such as "Finding 2", and no name of a file. A list begins with
 * such a line too: "image;Finding 1;Finding 2" is the class 2. */
static bool ends_in_text(const char *line)
{
    const size_t length = strcspn(line, "\r\n");
    const char *cell = line + length;
    bool letter = false;
    while (cell > line && !strchr(",;\t", cell[-1])) cell--;
    if (cell == line) return false;
    for (; cell < line + length; cell++) {
        if (*cell == '.' || *cell == '/' || *cell == '\\') return false;
        letter |= !strchr(" -0123456789\"", *cell);
    }
    return letter;
}

/* A table is a file that no list can be: its first line is none of a list, or ends in a cell as above, and has a
 * common name of a column or is "sep=;", or the file is UTF-16. So lists of picture files stay lists. */
static bool probe(const char *path)
{
    char head[HEAD_BYTES + 1];
    const size_t size = read_head(path, head);
    int high;
    if (io_is_utf16((const uint8_t *)head, size, &high)) return true;
    if (memchr(head, 0, size)) return false;
    const bool marked = size >= 3 && !memcmp(head, "\xef\xbb\xbf", 3);     /* the byte order mark of UTF-8 */
    char *const begin = head + (marked ? 3 : 0);
    list_line l = { .next = begin };
    const list_result first = list_next(&l);
    if (first == LIST_END) return false;
    char *line = head + (l.next - head);                      /* behind the line that is none of a list */
    while (line > begin && (line[-1] == '\n' || line[-1] == '\r')) *--line = 0;
    while (line > begin && line[-1] != '\n' && line[-1] != '\r') line--;
    if (first == LIST_LINE && !ends_in_text(line)) return false;
    char word[5] = { 0 };
    memcpy(word, line + (*line == '"'), strnlen(line + (*line == '"'), 4));
    return io_same_word(word, "sep=") || has_heading(line);
}

static peft_status open_table(const io_open_arguments *a, peft_dataset *d)
{
    return io_table_open(a->path, a->options, a->split, d);
}

const io_source io_source_table = { .name = "a table with column names", .probe = probe, .open = open_table };

peft_status peft_dataset_open_table(peft_context *ctx, const char *path, const char *split, const char *options,
                                    peft_dataset **out)
{
    const io_open_arguments a = { .ctx = ctx, .path = path, .split = split, .options = options };
    return io_source_open(&io_source_table, &a, out);
}

const peft_option *peft_dataset_table_option(size_t i) { return io_table_option(i); }
