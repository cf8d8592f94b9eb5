#include "base/token_line.h"

#include <math.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

#define RATE_MAX_PER_S 1e6
/* The year 9999; later dates would have five digits. */
#define EXPIRES_MAX_S INT64_C(253402300799)

void token_digest(struct slice token, uint8_t ret[static TOKEN_DIGEST_BYTES])
{
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, token.len, (const uint8_t *)token.data);
	sha256_digest(&sha, TOKEN_DIGEST_BYTES, ret);
}

/* ---- Parts of texts ---- */

/* Cuts off what precedes the first `separator` in `*rest`, or all of it. */
static struct slice cut(struct slice *rest, char separator)
{
	const char *end = rest->len > 0 ? memchr(rest->data, separator, rest->len) : NULL;
	struct slice part = {.data = rest->data,
			     .len = end ? (size_t)(end - rest->data) : rest->len};
	size_t taken = part.len + (end != NULL);

	rest->data += taken;
	rest->len -= taken;
	return part;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
	       c == '.' || c == '-';
}

/* ---- Patterns ---- */

/* Backtracks only to the last '*': what an earlier one has matched never has to change. */
static bool match_pattern(struct slice pattern, struct slice name)
{
	size_t p = 0;
	size_t n = 0;
	size_t star = SIZE_MAX; /* after the last '*' */
	size_t star_n = 0;      /* where its match ends in the name */

	while (n < name.len) {
		if (p < pattern.len && pattern.data[p] == '*') {
			star = ++p;
			star_n = n;
		} else if (p < pattern.len && pattern.data[p] == name.data[n]) {
			p++;
			n++;
		} else if (star != SIZE_MAX) {
			p = star;
			n = ++star_n;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.data[p] == '*')
		p++;
	return p == pattern.len;
}

bool token_patterns_match(struct slice patterns, struct slice name)
{
	while (patterns.len > 0)
		if (match_pattern(cut(&patterns, ','), name))
			return true;
	return false;
}

/* ---- The fields ---- */

static const char *read_name(struct slice text, struct token_line *ret)
{
	bool good = text.len > 0 && text.len <= TOKEN_NAME_MAX_LEN;

	for (size_t i = 0; i < text.len; i++)
		good = good && is_name_character(text.data[i]);
	ret->name = text;
	return good ? NULL : "name must be 1 to 64 letters, digits, '_', '.' or '-'";
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static const char *read_digest(struct slice text, struct token_line *ret)
{
	bool good = text.len == sizeof(ret->digest) * 2;

	for (size_t i = 0; good && i < sizeof(ret->digest); i++) {
		int high = hex_digit(text.data[2 * i]);
		int low = hex_digit(text.data[2 * i + 1]);

		good = high >= 0 && low >= 0;
		ret->digest[i] = (uint8_t)((unsigned)high << 4 | ((unsigned)low & 15U));
	}
	return good ? NULL
		    : "sha256 must be the 64 hex digits of the token's SHA-256 (not the token)";
}

static const enum token_right all_rights[] = {TOKEN_READ, TOKEN_WRITE, TOKEN_ADMIN};

const char *token_right_name(enum token_right right)
{
	if (right == TOKEN_READ)
		return "read";
	return right == TOKEN_WRITE ? "write" : "admin";
}

static const char *read_rights(struct slice text, struct token_line *ret)
{
	bool good = text.len > 0 && text.data[text.len - 1] != ',';

	while (good && text.len > 0) {
		struct slice word = cut(&text, ',');
		unsigned right = 0;

		for (size_t i = 0; i < sizeof(all_rights) / sizeof(all_rights[0]); i++)
			if (slice_equal(word, slice_of(token_right_name(all_rights[i]))))
				right = all_rights[i];
		ret->rights |= right;
		good = right != 0;
	}
	return good ? NULL
		    : "rights must be read, write, admin, or several of them with commas between "
		      "them";
}

static const char *read_namespaces(struct slice text, struct token_line *ret)
{
	bool good = text.len > 0;
	char before = ',';

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		good = good && (is_name_character(c) || c == '*' || (c == ',' && before != ','));
		before = c;
	}
	ret->namespaces = text;
	return good && before != ','
		       ? NULL
		       : "namespaces must be names with commas between them, in which * stands for "
			 "any characters";
}

/* The whole slice is a number of plain digits with at most one point. */
static bool read_number(struct slice text, double *ret)
{
	char copy[32];
	size_t points = 0;

	if (text.len == 0 || text.len >= sizeof(copy))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!is_digit(text.data[i]) && (text.data[i] != '.' || ++points > 1))
			return false;
		copy[i] = text.data[i];
	}
	copy[text.len] = '\0';
	*ret = strtod(copy, NULL);
	return is_digit(copy[0]);
}

static const char *read_rate(struct slice text, struct token_line *ret)
{
	static const char wrong[] =
		"rate must be REQUESTS or REQUESTS:BURST, requests a second from "
		"0.001 to 1000000 and how many may come at once, at least 1";
	bool has_burst = text.len > 0 && memchr(text.data, ':', text.len) != NULL;
	struct slice rate = cut(&text, ':');

	if (!read_number(rate, &ret->rate_per_s) || ret->rate_per_s < 0.001 ||
	    ret->rate_per_s > RATE_MAX_PER_S)
		return wrong;
	ret->burst = ceil(ret->rate_per_s);
	if (has_burst && (!read_number(text, &ret->burst) || ret->burst < 1 ||
			  ret->burst > RATE_MAX_PER_S || ret->burst != trunc(ret->burst)))
		return wrong;
	return NULL;
}

/* A '0' in `form` stands for a digit, any other character for itself. */
static bool has_form(const char *text, const char *form)
{
	for (; *form; form++, text++)
		if (*form == '0' ? !is_digit(*text) : *text != *form)
			return false;
	return *text == '\0';
}

/* The number that `count` digits make. */
static int number_at(const char *digits, size_t count)
{
	int number = 0;

	for (size_t i = 0; i < count; i++)
		number = number * 10 + (digits[i] - '0');
	return number;
}

static bool read_time(const char *text, int64_t *ret_s)
{
	bool is_date = has_form(text, "0000-00-00");
	bool has_seconds = has_form(text, "0000-00-00T00:00:00Z");

	if (!is_date && !has_seconds && !has_form(text, "0000-00-00T00:00Z")) {
		*ret_s = strtoll(text, NULL, 10);
		return strspn(text, "0123456789") == strlen(text);
	}
	struct tm given = {
		.tm_year = number_at(text, 4) - 1900,
		.tm_mon = number_at(text + 5, 2) - 1,
		.tm_mday = number_at(text + 8, 2),
		.tm_hour = is_date ? 0 : number_at(text + 11, 2),
		.tm_min = is_date ? 0 : number_at(text + 14, 2),
		.tm_sec = has_seconds ? number_at(text + 17, 2) : 0,
	};
	struct tm real = given;

	/* timegm turns the 31st of February into another day. */
	*ret_s = timegm(&real);
	return real.tm_mon == given.tm_mon && real.tm_mday == given.tm_mday &&
	       real.tm_hour == given.tm_hour && real.tm_min == given.tm_min &&
	       real.tm_sec == given.tm_sec;
}

static const char *read_expires(struct slice text, struct token_line *ret)
{
	char copy[24] = "";
	int64_t at_s = 0;

	if (text.len > 0 && text.len < sizeof(copy))
		memcpy(copy, text.data, text.len);
	if (!copy[0] || strlen(copy) != text.len || !read_time(copy, &at_s) || at_s < 1 ||
	    at_s > EXPIRES_MAX_S)
		return "expires must be a date or time in UTC, such as 2027-01-31 or "
		       "2027-01-31T12:00:00Z, or Unix seconds";
	ret->expires_at_us = at_s * US_PER_S;
	return NULL;
}

static const struct field {
	const char *name;
	bool required;
	const char *(*read)(struct slice text, struct token_line *ret); /* what is wrong, or NULL */
} fields[] = {
	{"name", true, read_name},     {"sha256", true, read_digest},
	{"rights", true, read_rights}, {"namespaces", true, read_namespaces},
	{"rate", false, read_rate},    {"expires", false, read_expires},
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static bool fail(char *error, size_t error_size, const char *name, const char *problem)
{
	(void)snprintf(error, error_size, "%s%s", name, problem);
	return false;
}

/* One "name=value"; sets its bit in `*seen`. */
static bool read_field(struct slice text, struct token_line *ret, unsigned *seen, char *error,
		       size_t error_size)
{
	struct slice value = text;
	struct slice name = cut(&value, '=');

	for (unsigned i = 0; i < FIELDS; i++) {
		if (!slice_equal(name, slice_of(fields[i].name)) || name.len == text.len)
			continue;
		if (*seen & 1U << i)
			return fail(error, error_size, fields[i].name, " stands there twice");
		*seen |= 1U << i;
		const char *problem = fields[i].read(value, ret);
		return !problem || fail(error, error_size, "", problem);
	}
	if (slice_starts_with(text, slice_of("sc_")))
		return fail(error, error_size, "",
			    "it is a token itself; only the line that was printed below it, "
			    "name=..., goes here");
	return fail(error, error_size, "",
		    "a field is none of name=, sha256=, rights=, namespaces=, rate= and expires=");
}

bool token_line_parse(struct slice line, struct token_line *ret, char *error, size_t error_size)
{
	unsigned seen = 0;

	*ret = (struct token_line){0};
	while (line.len > 0) {
		size_t len = 0;

		while (len < line.len && line.data[len] != ' ' && line.data[len] != '\t')
			len++;
		if (len > 0 && !read_field((struct slice){.data = line.data, .len = len}, ret,
					   &seen, error, error_size))
			return false;
		len += len < line.len;
		line.data += len;
		line.len -= len;
	}
	for (unsigned i = 0; i < FIELDS; i++)
		if (fields[i].required && !(seen & 1U << i))
			return fail(error, error_size, fields[i].name, "= is missing");
	return true;
}
