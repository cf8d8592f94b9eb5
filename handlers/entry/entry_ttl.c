#include "handlers/entry/entry_ttl.h"

#include "handlers/respond/error.h"

static bool read_seconds(const struct request *request, struct response *response, const char *name,
			 const char *text, int64_t *ret_s)
{
	int64_t ttl_s = 0;
	size_t digits = 0;

	for (; text[digits] >= '0' && text[digits] <= '9' && digits < 18; digits++)
		ttl_s = ttl_s * 10 + (text[digits] - '0');
	if (digits == 0 || text[digits] != '\0' || ttl_s > TTL_MAX_S) {
		respond_error(
			request, response, 400,
			"\"%s\" must be a whole number of seconds from 0 (never expires) to %lld",
			name, (long long)TTL_MAX_S);
		return false;
	}
	*ret_s = ttl_s;
	return true;
}

bool entry_ttl_read(const struct request *request, struct response *response, int64_t *ret_s)
{
	const char *query = request_query(request, "ttl");
	const char *header = request_header(request, "X-TTL");
	int64_t header_s = 0;

	if (query && !read_seconds(request, response, "ttl", query, ret_s))
		return false;
	if (!header)
		return true;
	if (!read_seconds(request, response, "X-TTL", header, &header_s))
		return false;
	if (query && header_s != *ret_s) {
		respond_error(request, response, 400,
			      "\"ttl\" and \"X-TTL\" contradict each other; send one of them");
		return false;
	}
	*ret_s = header_s;
	return true;
}
