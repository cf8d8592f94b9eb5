#include "pickle/python_number.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the largest int with PYTHON_INT_DIGITS_MAX digits: 4300 * log(10) / log(256), and one
 * for the sign. */
#define INT_BYTES_MAX 1787

/* Of a double. */
#define FLOAT_DIGITS_MAX 17

/* ---- Ints ---- */

/* An int in base 10^9, the lowest digits first. */
struct decimal {
	uint32_t groups[INT_BYTES_MAX * 3 / 10];
	size_t count;
};

/* decimal = decimal * 256^bytes + added. */
static void decimal_shift(struct decimal *decimal, unsigned bytes, uint32_t added)
{
	uint64_t carry = added;

	for (size_t i = 0; i < decimal->count; i++) {
		carry += (uint64_t)decimal->groups[i] << bytes * 8;
		decimal->groups[i] = (uint32_t)(carry % 1000000000);
		carry /= 1000000000;
	}
	for (; carry > 0; carry /= 1000000000)
		decimal->groups[decimal->count++] = (uint32_t)(carry % 1000000000);
}

bool python_number_int(struct slice bytes, struct buffer *ret)
{
	const unsigned char *data = (const unsigned char *)bytes.data;
	size_t len = bytes.len;
	bool is_negative = len > 0 && data[len - 1] >= 0x80;

	while (len > 0 && data[len - 1] == (is_negative ? 0xff : 0))
		len--;
	if (len > INT_BYTES_MAX)
		return false;

	/* The magnitude: of a negative one the complement, plus 1. */
	unsigned char magnitude[INT_BYTES_MAX + 1];
	unsigned carry = is_negative;
	for (size_t i = 0; i < len; i++) {
		carry += is_negative ? (unsigned char)~data[i] : data[i];
		magnitude[i] = (unsigned char)carry;
		carry >>= 8;
	}
	magnitude[len] = (unsigned char)carry;
	len += carry;

	struct decimal decimal = {.count = 0};
	for (; len % 4 != 0; len--)
		decimal_shift(&decimal, 1, magnitude[len - 1]);
	for (; len > 0; len -= 4)
		decimal_shift(&decimal, 4,
			      (uint32_t)magnitude[len - 1] << 24 |
				      (uint32_t)magnitude[len - 2] << 16 |
				      (uint32_t)magnitude[len - 3] << 8 | magnitude[len - 4]);
	if (decimal.count == 0)
		decimal.groups[decimal.count++] = 0;

	char top[16];
	int top_len = snprintf(top, sizeof(top), "%s%u", is_negative ? "-" : "",
			       decimal.groups[decimal.count - 1]);
	size_t digits = (decimal.count - 1) * 9 + (size_t)top_len - is_negative;
	if (digits > PYTHON_INT_DIGITS_MAX)
		return false;
	buffer_append(ret, (struct slice){.data = top, .len = (size_t)top_len});
	for (size_t i = decimal.count - 1; i > 0; i--)
		buffer_printf(ret, "%09u", decimal.groups[i - 1]);
	return true;
}

/* ---- Floats ---- */

static double half_of(unsigned bits)
{
	unsigned exponent = bits >> 10 & 31, fraction = bits & 0x3ff;
	double size;

	if (exponent == 31)
		size = fraction ? NAN : INFINITY;
	else if (exponent == 0)
		size = ldexp(fraction, -24);
	else
		size = ldexp(fraction + 1024, (int)exponent - 25);
	return bits & 0x8000 ? -size : size;
}

/* Whether the decimal number `text` is closest to the half that has these bits, of all halves. */
static bool gives_half(const char *text, unsigned bits)
{
	unsigned size = bits & 0x7fff;
	double number = fabs(strtod(text, NULL)), is = half_of(size);
	double below = size > 0 ? (half_of(size - 1) + is) / 2 : 0;
	double next = size < 0x7bff ? half_of(size + 1) : 65536;
	bool is_even = (size & 1) == 0;

	return is_even ? number >= below && number <= (is + next) / 2
		       : number > below && number < (is + next) / 2;
}

static bool gives(const char *text, uint64_t bits, size_t size)
{
	double number;
	float single;

	if (size == 2)
		return gives_half(text, (unsigned)bits);
	if (size == 4) {
		uint32_t low = (uint32_t)bits;

		memcpy(&single, &low, sizeof(single));
		return strtof(text, NULL) == single;
	}
	memcpy(&number, &bits, sizeof(number));
	return strtod(text, NULL) == number;
}

static double real_of(uint64_t bits, size_t size)
{
	uint32_t low = (uint32_t)bits;
	double number;
	float single;

	if (size == 2)
		return half_of((unsigned)bits);
	if (size == 4) {
		memcpy(&single, &low, sizeof(single));
		return (double)single;
	}
	memcpy(&number, &bits, sizeof(number));
	return number;
}

/* So many digits are never more than needed: every decimal number of so many comes back from the
 * binary one (FLT_DIG, DBL_DIG), except where that has less precision than usual. */
static int digits_at_least(double number, size_t size)
{
	double usual_from = size == 2 ? 0x1p-14 : size == 4 ? (double)FLT_MIN : DBL_MIN;

	if (fabs(number) < usual_from)
		return 1;
	return size == 2 ? 3 : size == 4 ? FLT_DIG : DBL_DIG;
}

/* Lays out "d.ddde+XX" as repr() does: positional from 1e-4 to below 1e16. */
static void put_digits(const char *scientific, bool is_part, struct buffer *ret)
{
	char digits[FLOAT_DIGITS_MAX + 1];
	size_t count = 0;
	const char *at = scientific;
	bool is_negative = *at == '-';

	/* The decimal point is the locale's. */
	for (at += is_negative; *at != 'e'; at++)
		if (*at >= '0' && *at <= '9')
			digits[count++] = *at;
	while (count > 1 && digits[count - 1] == '0')
		count--;
	digits[count] = '\0';
	int exponent = (int)strtol(at + 1, NULL, 10);
	int rest = (int)count - 1 - exponent; /* digits behind the point */

	if (is_negative)
		buffer_append_char(ret, '-');
	if (exponent < -4 || exponent >= 16)
		buffer_printf(ret, "%c%s%se%c%02d", digits[0], count > 1 ? "." : "", digits + 1,
			      exponent < 0 ? '-' : '+', abs(exponent));
	else if (exponent < 0)
		buffer_printf(ret, "0.%.*s%s", -exponent - 1, "000", digits);
	else if (rest > 0)
		buffer_printf(ret, "%.*s.%s", exponent + 1, digits, digits + exponent + 1);
	else
		buffer_printf(ret, "%s%.*s%s", digits, -rest, "000000000000000",
			      is_part ? "" : ".0");
}

/* A power of two: the numbers above it are twice as far apart as those below it. */
static bool is_edge(uint64_t bits, size_t size)
{
	unsigned fraction_bits = size == 2 ? 10 : size == 4 ? 23 : 52;

	return (bits & ((UINT64_C(1) << fraction_bits) - 1)) == 0;
}

/* Changes "1.562e-02" to "1.563e-02". False: its last digit is 9. */
static bool raise_last_digit(char *scientific)
{
	char *last = strchr(scientific, 'e') - 1;

	if (*last == '9')
		return false;
	(*last)++;
	return true;
}

void python_number_real(uint64_t bits, size_t size, bool is_part, struct buffer *ret)
{
	double number = real_of(bits, size);
	char text[40];

	if (!isfinite(number)) {
		buffer_append(ret, slice_of(isnan(number) ? "nan" : number < 0 ? "-inf" : "inf"));
		return;
	}
	for (int digits = digits_at_least(number, size); digits <= FLOAT_DIGITS_MAX; digits++) {
		(void)snprintf(text, sizeof(text), "%.*e", digits - 1, number);
		if (gives(text, bits, size) ||
		    (is_edge(bits, size) && raise_last_digit(text) && gives(text, bits, size)))
			break;
	}
	put_digits(text, is_part, ret);
}

void python_number_float(double real, struct buffer *ret)
{
	uint64_t bits;

	memcpy(&bits, &real, sizeof(bits));
	python_number_real(bits, sizeof(bits), false, ret);
}
