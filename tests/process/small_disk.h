/* A disk of a few MB under the scene's data directory, and entries of 64 KB that fill it. */
#ifndef STEADYCACHE_PROCESS_SMALL_DISK_H
#define STEADYCACHE_PROCESS_SMALL_DISK_H

#include "tests/process/scene.h"

#define DISK_MB     6
#define LARGE_BYTES 65536

/* Mounts it in a mount namespace of this process and its children, so it disappears with them.
 * Skips the test if that is not allowed. */
void mount_small_disk(void);
/* The path of a file on it. */
void write_path(char ret[TEMP_PATH_SIZE + 32], const char *name);
/* Writes to a file until no more fits. */
void take_all_space(const char *path);

/* Puts k<number> in `ns`, with a value of LARGE_BYTES. */
const struct http_answer *put_large(int number);
/* Expects it to be as it was put. */
void expect_large(int number);
/* Puts k0, k1, ... until one is refused with 507; returns how many were stored. */
int fill_disk(void);

#endif
