/* SipHash-2-4 (Aumasson and Bernstein, 2012, https://www.aumasson.jp/siphash/): without its key
 * nobody can find names with the same hash. */
#ifndef STEADYCACHE_PLUGIN_LMDB_SIPHASH_H
#define STEADYCACHE_PLUGIN_LMDB_SIPHASH_H

#include <stdint.h>

#include <steadycache/driver.h>

/* Of the `count` parts, one after the other. */
uint64_t siphash(const unsigned char secret[16], const struct slice *parts, size_t count);

#endif
