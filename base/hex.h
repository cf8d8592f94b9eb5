/* Bytes as lower-case hexadecimal digits. */
#ifndef STEADYCACHE_BASE_HEX_H
#define STEADYCACHE_BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes 2 * count digits, no NUL. */
void hex_write(const uint8_t *bytes, size_t count, char *ret);
/* Reads 2 * count digits; false if there are others. */
bool hex_read(const char *text, uint8_t *ret, size_t count);

#endif
