#include "server/http/admit_query.h"

#include "handlers/respond/error.h"
#include "server/http/exchange_query.h"

/* Known to all routes. */
#define PRETTY       "pretty"
#define PRETTY_PLACE 31
/* How much of a name an error shows. */
#define SHOWN_NAME_BYTES 100

/* The position of `name` in `known` ("a, b, "), from 0; -1: it is not there. */
static int find_name(const char *known, struct slice name)
{
	for (int place = 0; *known; place++) {
		size_t len = strcspn(known, ",");

		if (slice_equal(name, (struct slice){.data = known, .len = len}))
			return place;
		known += len + 2;
	}
	return -1;
}

/* `is_known`: it is given twice. */
static void refuse_parameter(struct exchange *exchange, struct slice name, const char *known,
			     bool is_known)
{
	char shown[SHOWN_NAME_BYTES + 1];
	size_t len = 0;

	/* Non-ASCII may be cut, or not be UTF-8 at all. */
	for (; len < name.len && len < SHOWN_NAME_BYTES; len++)
		shown[len] = (char)((unsigned char)name.data[len] < 0x80 ? name.data[len] : '?');
	shown[len] = '\0';
	if (is_known)
		respond_error(&exchange->request, &exchange->response, 400,
			      "\"%s\" is given twice; send it once", shown);
	else
		respond_error(&exchange->request, &exchange->response, 400,
			      "\"%s\" is no parameter of this request; it knows %s" PRETTY, shown,
			      known);
}

static int find_parameter(const char *known, struct slice name)
{
	return slice_equal(name, SLICE(PRETTY)) ? PRETTY_PLACE : find_name(known, name);
}

bool admit_query_check(struct exchange *exchange, const char *known)
{
	const char *at = NULL;
	const char *value;
	struct slice name;
	unsigned seen = 0;

	while (exchange_query_next(exchange, &at, &name, &value)) {
		int place = find_parameter(known, name);

		if (place < 0 || (seen >> place & 1) != 0) {
			refuse_parameter(exchange, name, known, place >= 0);
			return false;
		}
		seen |= 1U << place;
	}
	return true;
}

struct slice admit_query_namespace(const struct exchange *exchange, const struct route *route)
{
	const char *at = NULL;
	const char *value;
	struct slice name;
	struct slice ret = slice_of(route->ns_default);
	int best = -1;

	while (exchange_query_next(exchange, &at, &name, &value)) {
		int place = find_name(route->ns_parameters, name);

		if (place < 0 || *value == '\0' || (best >= 0 && place >= best))
			continue;
		best = place;
		ret = slice_of(value);
	}
	return ret;
}
