/* Output of bytes and lines. */
#ifndef STEADYCACHE_CLIENT_OUTPUT_H
#define STEADYCACHE_CLIENT_OUTPUT_H

#include <stdio.h>

#include <jansson.h>

#include "base/slice.h"

/* For jansson: numbers with as many digits as the server sends (a time has 16). */
#define CLIENT_JSON (JSON_COMPACT | JSON_REAL_PRECISION(16))

/* Prints "steadycache: " and a sentence on stderr. Returns `code`. */
int client_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes all bytes; false with errno. */
bool output_write(int fd, struct slice bytes);

/* Ends a command after `name` could not be written (errno): prints the error and returns
 * CLIENT_LOCAL. If a pipe was closed, it ends the process silently by SIGPIPE, as every filter
 * ends. */
int output_failed(const char *name);

/* Flushes stdout. CLIENT_DONE, or as output_failed. */
int output_finish(void);

/* Prints text from outside for a person: characters that control the terminal (C0, DEL, C1), change
 * direction, break the line or have no width, and bytes that are not UTF-8, become \xHH, and "\"
 * becomes "\\". So the text can neither move the cursor nor hide in a list. */
void output_escaped(FILE *out, struct slice text);

/* One line of JSON on stdout; the characters that output_escaped escapes become \uHHHH. `flags` are
 * jansson's. */
void output_json(const json_t *document, size_t flags);

/* "1.5 MiB" and the like. Returns `ret`. */
const char *output_size(double bytes, char ret[16]);

#endif
