/* SPDX-License-Identifier: Apache-2.0
 * csv.h -- reads a table (CSV, TSV) into cells: its encoding, its separators and quotes. */
#ifndef IO_CSV_H
#define IO_CSV_H
#include "io/words.h"

/* Whether bytes, perhaps the first of a file, are UTF-16: they begin with its byte order mark, or, without one, are
 * mostly characters below 256. *high: the index of the upper byte in each two, 0 or 1. */
bool io_is_utf16(const uint8_t *data, size_t size, int *high);

/* Makes a 0-terminated text in UTF-8 of a file's bytes, which end with a 0 behind data[size - 1]: UTF-8, UTF-16, or
 * Windows-1252 where the bytes are no UTF-8, with a warning. Takes ownership of data, also on
 * failure; the caller frees *text. path: for messages. PEFT_E_FORMAT: a zero byte, half a character of UTF-16, a byte
 * that neither encoding has; a spreadsheet. */
peft_status io_text_decode(peft_context *ctx, const char *path, uint8_t *data, size_t size, char **text);

/* The cells of a table; row 0 is the one with the names of the columns. Blanks around a cell are not part of it. */
typedef struct io_csv {
    peft_context *ctx;
    char *text;                                               /* the memory of all cells */
    char **cell;                                              /* [rows, columns] */
    int64_t *line;                                            /* [rows]: the line, from 1, in which the row begins */
    int64_t rows, columns;
} io_csv;

/* Reads a text by the rules of RFC 4180, with lines that end in LF, CRLF or CR. Rows without text are left
 * out, and so are lines that begin with # before the names of the columns.
 * delimiter: ',', ';' or a tab between cells; 0: the one of these that the first line has most of, or that a line
 * "sep=;" in front names. Takes ownership of text, also on failure; io_csv_clear frees the cells, also after one.
 * PEFT_E_FORMAT: a quote that is not closed, or text behind it; a row that has more or fewer cells than columns.
 * PEFT_E_UNSUPPORTED: more than 2^24 rows. */
peft_status io_csv_read(peft_context *ctx, const char *path, char *text, char delimiter, io_csv *out);
void        io_csv_clear(io_csv *c);
static inline const char *io_csv_cell(const io_csv *c, int64_t row, int64_t column)
{
    return c->cell[row * c->columns + column];
}
#endif
