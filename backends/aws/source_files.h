/* Keys of the shared files. */
#ifndef STEADYCACHE_AWS_SOURCE_FILES_H
#define STEADYCACHE_AWS_SOURCE_FILES_H

#include "backends/aws/source.h"

/* The profile's keys: of the credentials file, or of the configuration file. NULL with a sentence:
 * the profile that AWS_PROFILE names is not there, has no keys or half of them, or a file cannot be
 * read; NULL with an empty one: nothing names keys there. */
struct aws_source *aws_source_files(char *error, size_t error_size);

#endif
