/* Secrets from files, as Docker, Kubernetes and systemd provide them: a variable NAME_FILE names
 * the file of the option whose variable is NAME. */
#ifndef STEADYCACHE_SERVER_SECRET_FILE_H
#define STEADYCACHE_SERVER_SECRET_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* Reads the first line of the file that the variable `name` + "_FILE" names into `ret`, which lives
 * as long as the process. NULL if the variable is unset. False, with a sentence in `error`: there
 * is no such line. Call it before threads start. */
bool secret_file_read(const char *name, const char **ret, char *error, size_t error_size);

/* The path of the file from which secret_file_read read `secret`; NULL if it did not (or `secret`
 * is NULL). */
const char *secret_file_path(const char *secret);

#endif
