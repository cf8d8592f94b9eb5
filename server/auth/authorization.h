/* The Authorization header: the token of a request, as it is (Bearer, RFC 6750) or as the password
 * of any user name (Basic, RFC 7617), which is all that some build tools can send. */
#ifndef STEADYCACHE_SERVER_AUTHORIZATION_H
#define STEADYCACHE_SERVER_AUTHORIZATION_H

#include <stdbool.h>

#include "base/slice.h"

/* Most bytes of user name, colon and password. */
#define BASIC_MAX_BYTES 4096

enum authorization_scheme {
	AUTHORIZATION_OTHER,
	AUTHORIZATION_BEARER,
	AUTHORIZATION_BASIC,
};

/* The scheme of the header's value, ignoring case. */
enum authorization_scheme authorization_scheme(const char *value);

/* The token in a value with one of both schemes. It may be in `room`, which the caller then clears;
 * it is empty if there is none: nothing follows the scheme; or, of Basic, no base64 in its only
 * canonical form, no colon, no password, or more than the room. Any thread. */
struct slice authorization_token(const char *value, char room[static BASIC_MAX_BYTES]);

#endif
