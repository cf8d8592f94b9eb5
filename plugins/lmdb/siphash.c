#include "siphash.h"

struct lanes {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void turn(struct lanes *l, unsigned times)
{
	while (times-- > 0) {
		l->v0 += l->v1;
		l->v1 = rotate(l->v1, 13) ^ l->v0;
		l->v0 = rotate(l->v0, 32);
		l->v2 += l->v3;
		l->v3 = rotate(l->v3, 16) ^ l->v2;
		l->v0 += l->v3;
		l->v3 = rotate(l->v3, 21) ^ l->v0;
		l->v2 += l->v1;
		l->v1 = rotate(l->v1, 17) ^ l->v2;
		l->v2 = rotate(l->v2, 32);
	}
}

static uint64_t word_of(const unsigned char bytes[8])
{
	uint64_t word = 0;

	for (unsigned i = 0; i < 8; i++)
		word |= (uint64_t)bytes[i] << (8 * i);
	return word;
}

static void take(struct lanes *l, uint64_t word)
{
	l->v3 ^= word;
	turn(l, 2);
	l->v0 ^= word;
}

uint64_t siphash(const unsigned char secret[16], const struct slice *parts, size_t count)
{
	uint64_t k0 = word_of(secret), k1 = word_of(secret + 8), total = 0;
	struct lanes l = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
			  k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
	uint64_t word = 0;

	for (size_t part = 0; part < count; part++)
		for (size_t i = 0; i < parts[part].len; i++, total++) {
			word |= (uint64_t)(unsigned char)parts[part].data[i] << (8 * (total % 8));
			if (total % 8 == 7) {
				take(&l, word);
				word = 0;
			}
		}
	take(&l, word | total << 56);
	l.v2 ^= 0xFF;
	turn(&l, 4);
	return l.v0 ^ l.v1 ^ l.v2 ^ l.v3;
}
