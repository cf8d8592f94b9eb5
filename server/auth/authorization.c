#include "server/auth/authorization.h"

#include <nettle/base64.h>
#include <strings.h>

/* Of "Bearer". */
#define BEARER_LEN 6
/* Of "Basic". */
#define BASIC_LEN 5
/* Base64 that fits into the room, whatever its padding is. */
#define BASIC_MAX_TEXT ((size_t)(BASIC_MAX_BYTES - 1) / 3 * 4)

static bool is_scheme(const char *value, const char *name, size_t len)
{
	return strncasecmp(value, name, len) == 0 && (value[len] == ' ' || value[len] == '\0');
}

enum authorization_scheme authorization_scheme(const char *value)
{
	return is_scheme(value, "Bearer", BEARER_LEN) ? AUTHORIZATION_BEARER
	       : is_scheme(value, "Basic", BASIC_LEN) ? AUTHORIZATION_BASIC
						      : AUTHORIZATION_OTHER;
}

/* The library skips blanks, which base64 in a header cannot contain. */
static bool decode(const char *text, char *room, size_t *ret_len)
{
	struct base64_decode_ctx context;
	size_t len = strlen(text);
	size_t decoded = BASIC_MAX_BYTES;

	if (len > BASIC_MAX_TEXT || strcspn(text, " \t\r\n\v\f") != len)
		return false;
	base64_decode_init(&context);
	bool is_valid = base64_decode_update(&context, &decoded, (uint8_t *)room, len, text) &&
			base64_decode_final(&context);
	explicit_bzero(&context, sizeof(context));
	*ret_len = decoded;
	return is_valid;
}

/* The first colon ends the user name, which cannot contain one; a token can. */
static struct slice password(const char *text, char *room)
{
	size_t len = 0;
	const char *colon = decode(text, room, &len) ? memchr(room, ':', len) : NULL;

	if (!colon)
		return (struct slice){0};
	size_t user_len = (size_t)(colon - room) + 1;
	return (struct slice){.data = room + user_len, .len = len - user_len};
}

struct slice authorization_token(const char *value, char room[static BASIC_MAX_BYTES])
{
	bool is_basic = authorization_scheme(value) == AUTHORIZATION_BASIC;
	const char *text = value + (is_basic ? BASIC_LEN : BEARER_LEN);

	while (*text == ' ')
		text++;
	return is_basic ? password(text, room) : slice_of(text);
}
