/* Bytes and lines on the way out. */
#ifndef STEADYCACHE_CLIENT_OUTPUT_H
#define STEADYCACHE_CLIENT_OUTPUT_H

#include <stdio.h>

#include <jansson.h>

#include "base/slice.h"

/* For jansson: numbers with as many digits as the server sends (a time has 16). */
#define CLIENT_JSON (JSON_COMPACT | JSON_REAL_PRECISION(16))

/* "steadycache: " and a sentence, on stderr. Returns `code`. */
int client_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes all of it; false with errno. */
bool output_write(int fd, struct slice bytes);

/* The end of a command after errno told that `name` could not be written: says so, and returns
 * CLIENT_LOCAL; but a closed pipe ends the process by SIGPIPE, silently, as it ends every filter.
 */
int output_failed(const char *name);

/* Flushes stdout. CLIENT_DONE, or as output_failed. */
int output_finish(void);

/* Text from outside for a person: as \xHH what controls the terminal (C0, DEL, C1), turns or breaks
 * the line, has no width, or is no UTF-8, and "\" as "\\". So it can neither move the cursor nor
 * hide in a list. */
void output_escaped(FILE *out, struct slice text);
/* ... a sentence of our own that may hold such text: "\" stays as it is. */
void output_sentence(FILE *out, struct slice text);

/* One line of JSON on stdout; what output_escaped escapes is \uHHHH in it. `flags` as jansson has
 * them. */
void output_json(const json_t *document, size_t flags);

/* "1.5 MiB" and the like. `ret` is returned. */
const char *output_size(double bytes, char ret[16]);

#endif
