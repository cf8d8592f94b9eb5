#include "backends/large/s3/list.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "backends/large/s3/answer.h"
#include "backends/large/s3/leftovers.h"
#include "backends/large/s3/wire.h"
#include "backends/large/s3/xml.h"

#define PAGE_MAX ((size_t)1000) /* of every store */

struct listing {
	struct s3_errand errand; /* first */
	/* The page while it is read. */
	size_t names;
	char key[S3_XML_TEXT_MAX_LEN + 1], token[S3_XML_TEXT_MAX_LEN + 1];
	char size[32], put_at[64];
	bool is_listing, is_encoded, is_truncated, is_wrong, is_cut;
};

/* Decodes `key` in place if the store encodes names. */
static void decode(const struct listing *listing, char *key)
{
	int len = 0;
	char *plain = listing->is_encoded ? curl_easy_unescape(NULL, key, 0, &len) : NULL;

	if (plain)
		memcpy(key, plain, (size_t)len + 1);
	curl_free(plain);
}

/* False: it does not fit. */
static bool set_position(struct object_request *request, char kind, const char *text)
{
	request->position[0] = kind;
	return s3_xml_copy(request->position + 1, sizeof(request->position) - 1, text);
}

/* The end of <Contents>. */
static void add_object(struct listing *listing)
{
	struct object_request *request = listing->errand.request;
	struct object_info *info = request->objects + request->object_count;
	char *end;

	if (request->object_count == request->max) {
		listing->is_cut = true;
		return;
	}
	decode(listing, listing->key);
	if (s3_wire_read_key(&listing->errand.store->url, listing->key, info->sha256)) {
		info->len_bytes = strtoull(listing->size, &end, 10);
		info->put_at_us = s3_xml_time_us(listing->put_at);
		listing->is_wrong |= *end != '\0' || !listing->size[0] || info->put_at_us < 0;
		request->object_count++;
	}
	listing->names++;
	if (!set_position(request, 'k', listing->key))
		listing->is_wrong = true;
}

static void take(void *user, const char *path, const char *text)
{
	struct listing *listing = user;
	static const char root[] = "ListBucketResult/";

	listing->is_listing |= strcmp(path, "ListBucketResult") == 0;
	if (strncmp(path, root, sizeof(root) - 1) != 0)
		return;
	path += sizeof(root) - 1;
	if (strcmp(path, "IsTruncated") == 0)
		listing->is_truncated = strcmp(text, "true") == 0;
	else if (strcmp(path, "EncodingType") == 0)
		listing->is_encoded = strcmp(text, "url") == 0;
	else if (strcmp(path, "NextContinuationToken") == 0)
		(void)s3_xml_copy(listing->token, sizeof(listing->token), text);
	else if (strcmp(path, "Contents/Key") == 0)
		(void)s3_xml_copy(listing->key, sizeof(listing->key), text);
	else if (strcmp(path, "Contents/Size") == 0)
		(void)s3_xml_copy(listing->size, sizeof(listing->size), text);
	else if (strcmp(path, "Contents/LastModified") == 0)
		(void)s3_xml_copy(listing->put_at, sizeof(listing->put_at), text);
	else if (strcmp(path, "Contents") == 0)
		add_object(listing);
}

/* Reads the page to the request. False: it is none. */
static bool read_page(struct listing *listing, struct slice page)
{
	struct object_request *request = listing->errand.request;
	const char *date = s3_exchange_header(&listing->errand.call.exchange, "Date");
	time_t now_s = date ? curl_getdate(date, NULL) : -1;

	request->object_count = 0;
	if (!s3_xml_read(page, take, listing) || !listing->is_listing || listing->is_wrong)
		return false;
	/* Stores with a Date tell ages by their own clock. */
	request->now_us = now_s > 0 ? (int64_t)now_s * US_PER_S : cache_clock_now_us(&system_clock);
	request->complete = !listing->is_truncated && !listing->is_cut;
	if (request->complete || listing->names > 0)
		return true;
	return listing->token[0] && set_position(request, 't', listing->token);
}

static void on_done(struct s3_call *call, const struct s3_verdict *verdict)
{
	struct listing *listing = (struct listing *)s3_answer_errand(call);
	struct s3_verdict answer = *verdict;

	if (verdict->status == CACHE_OK && !read_page(listing, call->exchange.outcome.answer)) {
		answer = (struct s3_verdict){.status = CACHE_UNAVAILABLE,
					     .sentence =
						     "the object store's listing is not one of S3"};
	} else if (verdict->status == CACHE_OK && listing->errand.request->complete) {
		s3_leftovers_look(listing->errand.store, listing->errand.request->now_us);
	}
	s3_answer(&listing->errand, &answer);
	free(listing);
}

static void start(struct s3_post *post)
{
	struct listing *listing = (struct listing *)post;
	const struct object_request *request = listing->errand.request;
	struct s3_store *store = listing->errand.store;
	struct s3_call *call = &listing->errand.call;

	call->method = "GET";
	call->has_xml = true;
	call->done = on_done;
	buffer_printf(&call->query, "encoding-type=url&list-type=2&max-keys=%zu&prefix=",
		      request->max < PAGE_MAX ? request->max : PAGE_MAX);
	s3_wire_encode(&call->query, store->url.prefix);
	if (request->position[0] == 't')
		buffer_append(&call->query, SLICE("&continuation-token="));
	else if (request->position[0])
		buffer_append(&call->query, SLICE("&start-after="));
	if (request->position[0])
		s3_wire_encode(&call->query, request->position + 1);
	s3_call_start(store, call);
}

void s3_list(struct object_store *store, struct object_request *request)
{
	s3_answer_post((struct s3_store *)store, request, sizeof(struct listing), start);
}
