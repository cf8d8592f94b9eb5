#include "backends/large/s3/leftovers.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/large/s3/call.h"
#include "backends/large/s3/wire.h"
#include "backends/large/s3/xml.h"

#define INTERVAL_US (3600 * US_PER_S)
#define AGE_US      (24 * INTERVAL_US)
#define UPLOADS_MAX 100 /* that are looked at in an hour */
#define ID_SIZE     1024

struct upload {
	char key[S3_KEY_SIZE];
	char id[ID_SIZE];
};

/* A look at them: one listing, then an abort after the other. */
struct look {
	struct s3_call call; /* first */
	int64_t now_us;      /* the store's */
	struct upload uploads[UPLOADS_MAX];
	size_t count, at;
	char key[S3_XML_TEXT_MAX_LEN + 1], id[S3_XML_TEXT_MAX_LEN + 1], since[64];
};

static void add_upload(struct look *look)
{
	struct upload *upload = look->uploads + look->count;
	uint8_t sha256[SHA256_BYTES];
	int64_t since_us = s3_xml_time_us(look->since);
	int len = 0;
	char *key = curl_easy_unescape(NULL, look->key, 0, &len);

	if (look->count < UPLOADS_MAX && key && since_us >= 0 && since_us + AGE_US < look->now_us &&
	    look->id[0] && strlen(look->id) < ID_SIZE &&
	    s3_wire_read_key(&look->call.store->url, key, sha256)) {
		(void)s3_xml_copy(upload->key, sizeof(upload->key), key);
		(void)s3_xml_copy(upload->id, sizeof(upload->id), look->id);
		look->count++;
	}
	curl_free(key);
}

static void take(void *user, const char *path, const char *text)
{
	struct look *look = user;

	if (strcmp(path, "ListMultipartUploadsResult/Upload/Key") == 0)
		(void)s3_xml_copy(look->key, sizeof(look->key), text);
	else if (strcmp(path, "ListMultipartUploadsResult/Upload/UploadId") == 0)
		(void)s3_xml_copy(look->id, sizeof(look->id), text);
	else if (strcmp(path, "ListMultipartUploadsResult/Upload/Initiated") == 0)
		(void)s3_xml_copy(look->since, sizeof(look->since), text);
	else if (strcmp(path, "ListMultipartUploadsResult/Upload") == 0)
		add_upload(look);
}

static void abort_next(struct look *look);

static void on_aborted(struct s3_call *call, const struct s3_verdict *verdict)
{
	if (verdict->status == CACHE_OK)
		s3_count(call->store, S3_COUNT_ABORTED, 1);
	abort_next((struct look *)call);
}

static void abort_next(struct look *look)
{
	struct s3_store *store = look->call.store;

	if (look->at == look->count || store->hurry_until_us < INT64_MAX) {
		free(look);
		return;
	}
	const struct upload *upload = &look->uploads[look->at++];
	look->call = (struct s3_call){
		.method = "DELETE", .file = -1, .key = upload->key, .done = on_aborted};
	buffer_append(&look->call.query, SLICE("uploadId="));
	s3_wire_encode(&look->call.query, upload->id);
	s3_call_start(store, &look->call);
}

static void on_listed(struct s3_call *call, const struct s3_verdict *verdict)
{
	struct look *look = (struct look *)call;

	if (verdict->status == CACHE_UNSUPPORTED)
		call->store->leftovers_at_us = INT64_MAX;
	if (verdict->status == CACHE_OK)
		(void)s3_xml_read(call->exchange.outcome.answer, take, look);
	abort_next(look);
}

void s3_leftovers_look(struct s3_store *store, int64_t now_us)
{
	struct look *look;

	if (store->io.now_us < store->leftovers_at_us || store->hurry_until_us < INT64_MAX)
		return;
	store->leftovers_at_us = store->io.now_us + INTERVAL_US;
	look = calloc(1, sizeof(*look));
	if (!look)
		return;
	look->now_us = now_us;
	look->call =
		(struct s3_call){.method = "GET", .file = -1, .has_xml = true, .done = on_listed};
	buffer_append(&look->call.query, SLICE("encoding-type=url&max-uploads=1000&prefix="));
	s3_wire_encode(&look->call.query, store->url.prefix);
	buffer_append(&look->call.query, SLICE("&uploads="));
	s3_call_start(store, &look->call);
}
