#include "tests/support/fake_request.h"

#include <stdlib.h>
#include <strings.h>

static const char *find(const struct fake_pair *pairs, const char *name, bool any_case)
{
	for (; pairs->name; pairs++)
		if ((any_case ? strcasecmp(pairs->name, name) : strcmp(pairs->name, name)) == 0)
			return pairs->value;
	return NULL;
}

static const char *find_header(const struct request *request, const char *name)
{
	const struct fake_request *fake = request->source_user;

	return find(fake->headers, name, true);
}

static const char *find_query(const struct request *request, const char *name)
{
	const struct fake_request *fake = request->source_user;

	return find(fake->queries, name, false);
}

static const struct request_source fake_source = {.header = find_header, .query = find_query};

static void put_pair(struct fake_pair *pairs, const char *name, const char *value)
{
	size_t i = 0;

	while (pairs[i].name && strcasecmp(pairs[i].name, name) != 0)
		i++;
	if (i == FAKE_PAIRS_MAX)
		abort();
	pairs[i] = (struct fake_pair){.name = name, .value = value};
}

void fake_request_init(struct fake_request *fake, const struct handler_context *context)
{
	memset(fake, 0, sizeof(*fake));
	fake->request.context = context;
	fake->request.source = &fake_source;
	fake->request.source_user = fake;
	fake->request.method = HTTP_GET;
	fake->response = (struct response){.status = 200};
}

void fake_request_header(struct fake_request *fake, const char *name, const char *value)
{
	put_pair(fake->headers, name, value);
}

void fake_request_query(struct fake_request *fake, const char *name, const char *value)
{
	put_pair(fake->queries, name, value);
}

void fake_request_body(struct fake_request *fake, struct slice bytes, const char *content_type)
{
	fake->request.body = cache_value_create(bytes.len, slice_of(content_type));
	if (!fake->request.body)
		abort();
	if (bytes.len > 0)
		memcpy(cache_value_data(fake->request.body), bytes.data, bytes.len);
}

void fake_request_deinit(struct fake_request *fake)
{
	cache_value_release(fake->request.body);
	fake->request.body = NULL;
	buffer_deinit(&fake->response.buffer);
	cache_value_release(fake->response.value);
	fake->response = (struct response){.status = 200};
}
