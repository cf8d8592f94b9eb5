/* Secrets from files, as Docker, Kubernetes and systemd hand them over: a variable NAME_FILE names
 * the file of the option whose variable is NAME. */
#ifndef STEADYCACHE_SERVER_SECRET_FILE_H
#define STEADYCACHE_SERVER_SECRET_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* The first line of the file that the variable `name` + "_FILE" names, in `ret`: it lives as long
 * as the process. NULL where the variable is unset. False, with a sentence in `error`: there is no
 * such line. To be called before threads start. */
bool secret_file_read(const char *name, const char **ret, char *error, size_t error_size);

/* The path of the file that `secret` was read from by secret_file_read; NULL where it was not (or
 * is NULL). */
const char *secret_file_path(const char *secret);

#endif
