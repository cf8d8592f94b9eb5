/* The shared files of AWS: sections "[name]" or "[profile name]" with lines "key = value". */
#ifndef STEADYCACHE_AWS_PROFILE_H
#define STEADYCACHE_AWS_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum aws_file { AWS_FILE_CREDENTIALS, AWS_FILE_CONFIG };

/* AWS_PROFILE, AWS_DEFAULT_PROFILE or "default". */
const char *aws_profile_name(void);

/* The path of a shared file: of the environment, or below the home directory. False: there is no
 * home, or the path is too long. */
bool aws_profile_path(enum aws_file file, char *ret, size_t size);

/* The whole of a file, to be freed. NULL, with errno: it cannot be read, or is larger than 1 MiB
 * (EFBIG). */
char *aws_profile_load(const char *path, size_t *ret_len);

/* Whether the text of a file has a section for `profile`. In AWS_FILE_CONFIG its name is
 * "profile NAME", but for "default". */
bool aws_profile_has(struct slice text, enum aws_file file, const char *profile);

/* The value of `key` there; the last one counts. False: there is none, or it is empty. */
bool aws_profile_find(struct slice text, enum aws_file file, const char *profile, const char *key,
		      struct slice *ret);

#endif
