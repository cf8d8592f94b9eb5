#include "handlers/json/json_number.h"

/* Larger exponents are equivalent to this one: no number of that many digits has another
 * meaning. */
#define EXPONENT_MAX INT64_C(1000000000)

static const char *skip_digits(const char *at, const char *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

size_t json_number_len(const char *from, const char *end)
{
	const char *at = from;
	const char *part;

	at += at < end && *at == '-';
	part = at;
	at = skip_digits(at, end);
	if (at == part || (*part == '0' && at > part + 1))
		return 0;
	if (at < end && *at == '.') {
		part = ++at;
		at = skip_digits(at, end);
		if (at == part)
			return 0;
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		at++;
		at += at < end && (*at == '+' || *at == '-');
		part = at;
		at = skip_digits(at, end);
		if (at == part)
			return 0;
	}
	return (size_t)(at - from);
}

/* The parts of a number that json_number_len has accepted. */
struct parts {
	bool is_negative;
	struct slice whole, fraction; /* digits */
	int64_t exponent;
};

static struct parts split(struct slice text)
{
	const char *at = text.data;
	const char *end = at + text.len;
	struct parts parts = {.is_negative = *at == '-'};

	at += parts.is_negative;
	parts.whole.data = at;
	at = skip_digits(at, end);
	parts.whole.len = (size_t)(at - parts.whole.data);
	if (at < end && *at == '.') {
		parts.fraction.data = ++at;
		at = skip_digits(at, end);
		parts.fraction.len = (size_t)(at - parts.fraction.data);
	}
	if (at == end)
		return parts;
	at++;
	bool is_small = *at == '-';
	for (at += *at == '-' || *at == '+'; at < end; at++)
		if (parts.exponent < EXPONENT_MAX)
			parts.exponent = parts.exponent * 10 + (*at - '0');
	if (is_small)
		parts.exponent = -parts.exponent;
	return parts;
}

/* Appends a digit to *number. False: the result would exceed `max`. */
static bool push_digit(int64_t *number, int digit, int64_t max)
{
	if (*number > (max - digit) / 10)
		return false;
	*number = *number * 10 + digit;
	return true;
}

bool json_number_scaled(struct slice text, int scale, int64_t max, int64_t *ret, bool *ret_exact)
{
	int64_t number = 0;
	bool rounds_up = false;
	bool is_zero = true;

	if (!json_number_is(text))
		return false;
	struct parts parts = split(text);
	size_t count = parts.whole.len + parts.fraction.len;
	/* This many digits belong to the result; the rest is rounded away. */
	int64_t kept = (int64_t)parts.whole.len + parts.exponent + scale;
	*ret_exact = true;
	for (size_t i = 0; i < count; i++) {
		int digit = (i < parts.whole.len ? parts.whole.data[i]
						 : parts.fraction.data[i - parts.whole.len]) -
			    '0';

		is_zero &= digit == 0;
		if ((int64_t)i < kept) {
			if (!push_digit(&number, digit, max))
				return false;
			continue;
		}
		if ((int64_t)i == kept)
			rounds_up = digit >= 5;
		*ret_exact &= digit == 0;
	}
	for (int64_t i = (int64_t)count; number > 0 && i < kept; i++)
		if (!push_digit(&number, 0, max))
			return false;
	number += rounds_up;
	if (number > max || (parts.is_negative && !is_zero))
		return false;
	*ret = number;
	return true;
}

bool json_number_whole(struct slice text, int64_t max, int64_t *ret)
{
	int64_t number = 0;
	bool is_exact = false;

	if (!json_number_scaled(text, 0, max, &number, &is_exact) || !is_exact)
		return false;
	*ret = number;
	return true;
}
