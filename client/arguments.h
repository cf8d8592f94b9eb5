/* Reads a command line against the table: options may stand anywhere, "--" ends them. */
#ifndef STEADYCACHE_CLIENT_ARGUMENTS_H
#define STEADYCACHE_CLIENT_ARGUMENTS_H

#include "client/command.h"

/* Reads what follows the command's name. False after a line on stderr. */
bool arguments_read(struct arguments *arguments, int argc, char **argv);

/* The value as a number from `min` to `max`, or `fallback` if the option is not given. False after
 * a line on stderr. */
bool arguments_number(const struct arguments *arguments, enum client_option_id id, long long min,
		      long long max, long long fallback, long long *ret);

#endif
