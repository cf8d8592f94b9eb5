#include "pickle/python_number.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Bytes of the largest int with PYTHON_INT_DIGITS_MAX digits: 4300 * log(10) / log(256), and one
 * for the sign. */
#define INT_BYTES_MAX 1787

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

/* The shortest digits that give the same double again. Decimal `digits`, without point, `*len` of
 * them; the value is 0.DIGITS * 10^*point. `real` is finite, positive. */
static void shortest(double real, char digits[static 20], size_t *len, int *point)
{
	char text[40];
	/* A normal double keeps any 15 digits, so that shorter ones are these with zeros at their
	 * end. One below has fewer bits. */
	int precision = fpclassify(real) == FP_SUBNORMAL ? 1 : 15;
	int exponent;

	for (;; precision++) {
		(void)snprintf(text, sizeof(text), "%.*e", precision - 1, real);
		if (precision >= 17 || strtod(text, NULL) == real)
			break;
		/* The doubles above a power of two lie twice as far as those below, so that the
		 * next decimal may do where the nearest does not. */
		char *last = strchr(text, 'e') - 1;
		if (frexp(real, &exponent) == 0.5 && *last < '9') {
			(*last)++;
			if (strtod(text, NULL) == real)
				break;
		}
	}

	/* Read without a look at the decimal point, which is the locale's. */
	const char *c = text;
	for (*len = 0; *c != 'e'; c++)
		if (*c >= '0' && *c <= '9')
			digits[(*len)++] = *c;
	*point = (int)strtol(c + 1, NULL, 10) + 1;
	while (*len > 1 && digits[*len - 1] == '0')
		(*len)--;
}

void python_number_float(double real, struct buffer *ret)
{
	if (isnan(real)) {
		buffer_append(ret, SLICE("nan"));
		return;
	}
	if (signbit(real))
		buffer_append_char(ret, '-');
	if (isinf(real) || real == 0) {
		buffer_append(ret, isinf(real) ? SLICE("inf") : SLICE("0.0"));
		return;
	}

	char digits[20] = "";
	size_t len;
	int point;
	shortest(fabs(real), digits, &len, &point);
	if (point > 16 || point < -3) {
		buffer_append_char(ret, digits[0]);
		if (len > 1)
			buffer_append_char(ret, '.');
		buffer_append(ret, (struct slice){.data = digits + 1, .len = len - 1});
		buffer_printf(ret, "e%c%02d", point > 0 ? '+' : '-', abs(point - 1));
		return;
	}
	if (point <= 0)
		buffer_append(ret, (struct slice){.data = "0.000", .len = (size_t)(2 - point)});
	for (size_t i = 0; i < len || (int)i < point; i++) {
		if (point > 0 && (int)i == point)
			buffer_append_char(ret, '.');
		buffer_append(ret,
			      i < len ? (struct slice){.data = &digits[i], .len = 1} : SLICE("0"));
	}
	if (point > 0 && (size_t)point >= len)
		buffer_append(ret, SLICE(".0"));
}
