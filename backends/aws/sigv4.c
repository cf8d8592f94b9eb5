/* libcurl's CURLOPT_AWS_SIGV4 does not do: 7.88 signs queries in the order in which they are sent,
 * and a body that it reads through a callback (an upload, a write that may not be repeated) as if
 * it were empty; S3's X-Amz-Content-Sha256 is missing. */
#include "backends/aws/sigv4.h"

#include <ctype.h>
#include <nettle/hmac.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/hex.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define STAMP     sizeof("20130524T000000Z")
#define DAY_LEN   8
#define OWN_LINES 4 /* of headers: host and three of X-Amz- */

/* ---- Hashes ---- */

static void to_hex(const uint8_t digest[SHA256_DIGEST_SIZE], char ret[SIGV4_HASH_SIZE])
{
	hex_write(digest, SHA256_DIGEST_SIZE, ret);
	ret[SIGV4_HASH_SIZE - 1] = '\0';
}

void sigv4_hash(struct slice body, char ret[SIGV4_HASH_SIZE])
{
	struct sha256_ctx context;
	uint8_t digest[SHA256_DIGEST_SIZE];

	sha256_init(&context);
	if (body.len > 0)
		sha256_update(&context, body.len, (const uint8_t *)body.data);
	sha256_digest(&context, sizeof digest, digest);
	to_hex(digest, ret);
}

/* Replaces `key` by the HMAC of `text` with it. */
static void chain(uint8_t key[SHA256_DIGEST_SIZE], size_t key_len, const uint8_t *key_bytes,
		  struct slice text)
{
	struct hmac_sha256_ctx context;

	hmac_sha256_set_key(&context, key_len, key_bytes);
	hmac_sha256_update(&context, text.len, (const uint8_t *)text.data);
	hmac_sha256_digest(&context, SHA256_DIGEST_SIZE, key);
	explicit_bzero(&context, sizeof context);
}

static void sign_text(const struct sigv4_request *request, const struct aws_keys *keys,
		      struct slice day, struct slice text, char ret[SIGV4_HASH_SIZE])
{
	struct slice steps[] = {day, slice_of(request->region), slice_of(request->service),
				SLICE("aws4_request"), text};
	char first[4 + sizeof keys->secret_key] = "AWS4";
	size_t secret_len = strnlen(keys->secret_key, sizeof keys->secret_key);
	uint8_t key[SHA256_DIGEST_SIZE];

	memcpy(first + 4, keys->secret_key, secret_len);
	chain(key, 4 + secret_len, (const uint8_t *)first, steps[0]);
	for (size_t i = 1; i < sizeof steps / sizeof *steps; i++)
		chain(key, sizeof key, key, steps[i]);
	to_hex(key, ret);
	explicit_bzero(first, sizeof first);
	explicit_bzero(key, sizeof key);
}

/* ---- Path and query ---- */

void sigv4_encode(struct slice bytes, bool keeps_slashes, struct buffer *out)
{
	static const char digits[] = "0123456789ABCDEF";

	if (!buffer_reserve(out, 3 * bytes.len))
		return;
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char c = (unsigned char)bytes.data[i];
		bool is_unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				     (c >= '0' && c <= '9') || strchr("-._~", c);

		if ((is_unreserved && c != '\0') || (c == '/' && keeps_slashes)) {
			out->data[out->len++] = (char)c;
			continue;
		}
		out->data[out->len++] = '%';
		out->data[out->len++] = digits[c >> 4];
		out->data[out->len++] = digits[c & 15];
	}
}

/* Takes the first piece of `text`, up to `separator`, which goes too. */
static struct slice cut(struct slice *text, char separator)
{
	const char *end = text->len > 0 ? memchr(text->data, separator, text->len) : NULL;
	struct slice piece = {.data = text->data,
			      .len = end ? (size_t)(end - text->data) : text->len};
	size_t gone = end ? piece.len + 1 : piece.len;

	*text = (struct slice){.data = text->len > 0 ? text->data + gone : NULL,
			       .len = text->len - gone};
	return piece;
}

/* The path without empty pieces, "." and "..", which is the canonical one of all services but S3.
 */
static void append_normal_path(struct slice path, struct buffer *out)
{
	bool ends_with_slash = path.len > 0 && path.data[path.len - 1] == '/';
	struct buffer normal = {0};

	for (struct slice rest = path; rest.len > 0;) {
		struct slice piece = cut(&rest, '/');

		if (piece.len == 0 || slice_equal(piece, SLICE(".")))
			continue;
		if (slice_equal(piece, SLICE(".."))) {
			while (normal.len > 0 && normal.data[--normal.len] != '/')
				;
			continue;
		}
		buffer_append_char(&normal, '/');
		buffer_append(&normal, piece);
	}
	if (ends_with_slash || normal.len == 0)
		buffer_append_char(&normal, '/');
	sigv4_encode(buffer_bytes(&normal), true, out);
	out->failed |= normal.failed;
	buffer_deinit(&normal);
}

struct pair {
	struct slice name, value;
	size_t place; /* order of those with equal names */
};

static int compare_names(const void *a, const void *b)
{
	const struct pair *left = a, *right = b;
	int order = slice_compare(left->name, right->name);

	if (order != 0)
		return order;
	return (left->place > right->place) - (left->place < right->place);
}

static int compare_pairs(const void *a, const void *b)
{
	const struct pair *left = a, *right = b;
	int order = slice_compare(left->name, right->name);

	return order != 0 ? order : slice_compare(left->value, right->value);
}

static size_t count_bytes(struct slice text, char wanted)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.data[i] == wanted;
	return count;
}

static void append_query(struct slice query, struct buffer *out)
{
	size_t count = 0;

	if (query.len == 0)
		return;
	struct pair *pairs = calloc(count_bytes(query, '&') + 1, sizeof *pairs);
	if (!pairs) {
		out->failed = true;
		return;
	}
	while (query.len > 0) {
		struct slice value = cut(&query, '&');
		struct slice name = cut(&value, '=');

		if (name.len > 0)
			pairs[count++] = (struct pair){.name = name, .value = value};
	}
	qsort(pairs, count, sizeof *pairs, compare_pairs);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buffer_append_char(out, '&');
		buffer_append(out, pairs[i].name);
		buffer_append_char(out, '=');
		buffer_append(out, pairs[i].value);
	}
	free(pairs);
}

/* ---- Headers ---- */

static void append_lower(struct slice name, struct buffer *out)
{
	for (size_t i = 0; i < name.len; i++)
		buffer_append_char(out, (char)tolower((unsigned char)name.data[i]));
}

/* The value without blanks at its ends, with one in place of several. */
static void append_value(struct slice value, struct buffer *out)
{
	bool is_first = true;

	while (value.len > 0) {
		struct slice word = cut(&value, ' ');

		if (word.len == 0)
			continue;
		if (!is_first)
			buffer_append_char(out, ' ');
		buffer_append(out, word);
		is_first = false;
	}
}

/* Appends "name:value" lines in the order of names, and the names to `names`. */
static void append_headers(struct slice lines, struct slice host, struct buffer *out,
			   struct buffer *names)
{
	struct buffer lower = {0};
	struct pair *pairs = calloc(count_bytes(lines, '\0') + OWN_LINES, sizeof *pairs);
	size_t count = 0;

	/* Room before there are pointers into it: it does not move. */
	if (!pairs || !buffer_reserve(&lower, lines.len + sizeof("host"))) {
		out->failed = true;
		goto out;
	}
	pairs[count++] = (struct pair){.name = SLICE("host"), .value = host};
	while (lines.len > 0) {
		struct slice value = cut(&lines, '\0');
		struct slice name = cut(&value, ':');
		size_t start = lower.len;

		append_lower(name, &lower);
		pairs[count] = (struct pair){
			.name = {.data = lower.data + start, .len = lower.len - start},
			.value = value,
			.place = count,
		};
		count++;
	}
	qsort(pairs, count, sizeof *pairs, compare_names);
	for (size_t i = 0; i < count; i++) {
		bool continues = i > 0 && slice_equal(pairs[i].name, pairs[i - 1].name);

		if (!continues) {
			buffer_append(out, i > 0 ? SLICE("\n") : SLICE(""));
			buffer_append(out, pairs[i].name);
			buffer_append(names, i > 0 ? SLICE(";") : SLICE(""));
			buffer_append(names, pairs[i].name);
		}
		buffer_append_char(out, continues ? ',' : ':');
		append_value(pairs[i].value, out);
	}
	buffer_append_char(out, '\n');
out:
	free(pairs);
	buffer_deinit(&lower);
}

/* ---- The whole ---- */

static bool format_stamp(int64_t now_us, char ret[STAMP])
{
	time_t seconds = (time_t)(now_us / US_PER_S);
	struct tm parts;

	return gmtime_r(&seconds, &parts) && strftime(ret, STAMP, "%Y%m%dT%H%M%SZ", &parts) > 0;
}

static void append_canonical(const struct sigv4_request *request, struct slice lines,
			     struct buffer *out, struct buffer *names)
{
	buffer_append(out, slice_of(request->method));
	buffer_append_char(out, '\n');
	if (request->encodes_path_twice)
		append_normal_path(request->path, out);
	else
		buffer_append(out, request->path);
	buffer_append_char(out, '\n');
	append_query(request->query, out);
	buffer_append_char(out, '\n');
	append_headers(lines, request->host, out, names);
	buffer_append_char(out, '\n');
	buffer_append(out, buffer_bytes(names));
	buffer_append_char(out, '\n');
	buffer_append(out, slice_of(request->payload_hash));
}

static void append_line(struct buffer *out, const char *name, const char *value)
{
	buffer_append(out, slice_of(name));
	buffer_append(out, slice_of(value));
	buffer_append_char(out, '\0');
}

void sigv4_sign(const struct sigv4_request *request, const struct aws_keys *keys,
		struct buffer *out)
{
	struct buffer lines = {0}, canonical = {0}, names = {0}, text = {0};
	size_t start = out->len;
	char stamp[STAMP] = "", hash[SIGV4_HASH_SIZE], signature[SIGV4_HASH_SIZE];

	if (!format_stamp(request->now_us, stamp)) {
		out->failed = true;
		return;
	}
	append_line(out, "X-Amz-Date: ", stamp);
	if (!request->encodes_path_twice)
		append_line(out, "X-Amz-Content-Sha256: ", request->payload_hash);
	if (keys->session_token[0] != '\0')
		append_line(out, "X-Amz-Security-Token: ", keys->session_token);
	buffer_append(&lines, request->headers);
	if (!out->failed)
		buffer_append(&lines, (struct slice){out->data + start, out->len - start});
	append_canonical(request, buffer_bytes(&lines), &canonical, &names);

	sigv4_hash(buffer_bytes(&canonical), hash);
	buffer_printf(&text, ALGORITHM "\n%s\n%.*s/%s/%s/aws4_request\n%s", stamp, DAY_LEN, stamp,
		      request->region, request->service, hash);
	sign_text(request, keys, (struct slice){stamp, DAY_LEN}, buffer_bytes(&text), signature);
	buffer_printf(out,
		      "Authorization: " ALGORITHM " Credential=%s/%.*s/%s/%s/aws4_request, "
		      "SignedHeaders=%.*s, Signature=%s",
		      keys->access_key, DAY_LEN, stamp, request->region, request->service,
		      (int)names.len, names.data ? names.data : "", signature);
	buffer_append_char(out, '\0');

	out->failed |= lines.failed || canonical.failed || names.failed || text.failed;
	if (lines.data)
		explicit_bzero(lines.data, lines.len); /* the token */
	buffer_deinit(&lines);
	buffer_deinit(&canonical);
	buffer_deinit(&names);
	buffer_deinit(&text);
}
