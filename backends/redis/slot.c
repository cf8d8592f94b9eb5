/* The slot is a CRC of 16 bits modulo 16384: the polynomial x^16 + x^12 + x^5 + 1 (0x1021), the
 * highest bit first, begun with 0 and not inverted at the end. The catalogues of CRCs name it
 * CRC-16/XMODEM, after the protocol XMODEM-CRC; the Redis Cluster Specification ("Key distribution
 * model") prescribes it. Its check value, the CRC of "123456789", is 0x31C3. */
#include "backends/redis/slot.h"

#include <stdint.h>
#include <stdio.h>
#include <xxhash.h>

#include "base/invariant.h"
#include "store/namespace.h"

/* Of a nibble n: the CRC of n * x^12. Two steps of four bits each take a byte. */
static const uint16_t of_nibble[16] = {
	0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50A5, 0x60C6, 0x70E7,
	0x8108, 0x9129, 0xA14A, 0xB16B, 0xC18C, 0xD1AD, 0xE1CE, 0xF1EF,
};

static uint16_t add_nibble(uint16_t crc, unsigned nibble)
{
	return (uint16_t)((crc << 4) ^ of_nibble[((crc >> 12) ^ nibble) & 15]);
}

static uint16_t add_bytes(uint16_t crc, struct slice bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned byte = (unsigned char)bytes.data[i];

		crc = add_nibble(crc, byte >> 4);
		crc = add_nibble(crc, byte & 15);
	}
	return crc;
}

static unsigned slot_of_crc(uint16_t crc)
{
	return crc % REDIS_SLOTS;
}

unsigned redis_slot_of(struct slice bytes)
{
	return slot_of_crc(add_bytes(0, bytes));
}

/* With as many digits as it takes each slot of 16384 is met: by five digits most of all CRCs are,
 * by six all. */
unsigned redis_slot_pick(struct slice name, unsigned index, unsigned count, unsigned *ret_slot)
{
	char text[16];
	unsigned begin = redis_slot_begin(index, count);
	unsigned end = redis_slot_begin(index + 1, count);
	int len = snprintf(text, sizeof(text), ":%u.", index);
	uint16_t start =
		add_bytes(add_bytes(0, name), (struct slice){.data = text, .len = (size_t)len});

	for (unsigned number = 0;; number++) {
		INVARIANT(number < 10 * 1000 * 1000);
		len = snprintf(text, sizeof(text), "%u", number);
		*ret_slot = slot_of_crc(
			add_bytes(start, (struct slice){.data = text, .len = (size_t)len}));
		if (*ret_slot >= begin && *ret_slot < end)
			return number;
	}
}

unsigned redis_slot_part_of(struct slice key, unsigned count)
{
	return (unsigned)(XXH3_64bits(key.data, key.len) % count);
}
