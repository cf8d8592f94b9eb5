#include "backends/large/dir_name.h"

#include <string.h>

#include "base/hex.h"

void dir_name_of(const uint8_t sha256[SHA256_BYTES], char ret[DIR_NAME_SIZE])
{
	hex_write(sha256, 1, ret);
	ret[2] = '/';
	hex_write(sha256 + 1, SHA256_BYTES - 1, ret + 3);
	ret[DIR_NAME_SIZE - 1] = '\0';
}

void dir_name_of_fan(unsigned fan, char ret[3])
{
	const uint8_t byte = (uint8_t)fan;

	hex_write(&byte, 1, ret);
	ret[2] = '\0';
}

bool dir_name_read(const char *text, uint8_t ret[SHA256_BYTES])
{
	return strlen(text) == 2 * (size_t)SHA256_BYTES && hex_read(text, ret, SHA256_BYTES);
}
