/* Names of the files of objects, and their ages. */
#ifndef STEADYCACHE_LARGE_DIR_NAME_H
#define STEADYCACHE_LARGE_DIR_NAME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "backends/large/dir_state.h"
#include "base/clock.h"

/* "ab/cdef..." */
void dir_name_of(const uint8_t sha256[SHA256_BYTES], char ret[DIR_NAME_SIZE]);
/* The name of the folder of a fan: "ab" and a NUL. */
void dir_name_of_fan(unsigned fan, char ret[3]);
/* Reads a whole name, "abcdef..." of 64 digits. False: it is none. */
bool dir_name_read(const char *text, uint8_t ret[SHA256_BYTES]);

/* When a file was modified. */
static inline int64_t dir_name_time_us(const struct stat *status)
{
	return (int64_t)status->st_mtim.tv_sec * US_PER_S + status->st_mtim.tv_nsec / 1000;
}

#endif
