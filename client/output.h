/* Bytes and lines on the way out. */
#ifndef STEADYCACHE_CLIENT_OUTPUT_H
#define STEADYCACHE_CLIENT_OUTPUT_H

#include <stdio.h>

/* For jansson: numbers with as many digits as the server sends (a time has 16). */
#define CLIENT_JSON (JSON_COMPACT | JSON_REAL_PRECISION(16))

#include "backends/base/slice.h"

/* Writes all of it; false with errno. */
bool output_write(int fd, struct slice bytes);

/* The end of a command after errno told that `name` could not be written: says so, and returns
 * CLIENT_LOCAL; but a closed pipe ends the process by SIGPIPE, silently, as it ends every filter.
 */
int output_failed(const char *name);

/* Flushes stdout. CLIENT_DONE, or as output_failed. */
int output_finish(void);

/* Text from outside for a person: control bytes and what is not UTF-8 as \xHH, "\" as "\\", so that
 * it can neither move the cursor nor hide in a list. */
void output_escaped(FILE *out, struct slice text);

/* "1.5 MiB" and the like. `ret` is returned. */
const char *output_size(double bytes, char ret[16]);

#endif
