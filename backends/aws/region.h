/* The region, from where AWS' own tools find it. */
#ifndef STEADYCACHE_AWS_REGION_H
#define STEADYCACHE_AWS_REGION_H

#include <stdbool.h>
#include <stddef.h>

/* AWS_REGION, AWS_DEFAULT_REGION, or "region" of the profile in the shared configuration file.
 * False: none of them, or what is set is no name of a region; *ret is "". */
bool aws_region(char *ret, size_t size);

#endif
