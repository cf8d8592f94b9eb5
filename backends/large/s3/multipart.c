#include "backends/large/s3/multipart.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/aws/sigv4.h"
#include "backends/large/s3/marker.h"
#include "backends/large/s3/put.h"
#include "backends/large/s3/wire.h"
#include "backends/large/s3/xml.h"

#define LANES      3
#define STEP_BYTES ((size_t)256 << 10)
#define ID_SIZE    1024
#define TAG_SIZE   128
/* How long a store may take to put parts together, in silence: AWS says "minutes". */
#define COMPLETION_US (180 * US_PER_S)

struct upload;

/* Hashes and sends one part after the other. */
struct lane {
	struct s3_call call; /* first */
	struct s3_timer step;
	struct upload *upload;
	size_t part; /* from 0 */
	uint64_t hashed;
	struct sha256_ctx hash;
	char hex[2 * SHA256_BYTES + 1];
	bool is_busy;
};

struct upload {
	struct s3_errand errand; /* first; its call begins, completes and looks */
	struct lane lanes[LANES];
	char id[ID_SIZE];
	char (*tags)[TAG_SIZE]; /* of the parts */
	size_t parts, next, left;
	struct buffer body; /* of the completion */
	char hash[SIGV4_HASH_SIZE];
	struct s3_verdict verdict; /* of what failed first */
	bool has_failed;
};

static struct upload *upload_of(struct s3_call *call)
{
	return (struct upload *)s3_answer_errand(call);
}

static void free_upload(struct upload *upload)
{
	buffer_deinit(&upload->body);
	free(upload->tags);
	free(upload);
}

/* ---- The end ---- */

static void on_aborted(struct s3_call *call, const struct s3_verdict *verdict)
{
	(void)verdict; /* what is left is found a day later */
	free_upload(upload_of(call));
}

static void add_id(struct upload *upload, struct buffer *query)
{
	buffer_append(query, SLICE("uploadId="));
	s3_wire_encode(query, upload->id);
}

/* Answers with what failed, and removes the parts. */
static void give_up(struct upload *upload)
{
	struct s3_call *call = &upload->errand.call;
	struct s3_store *store = upload->errand.store;

	s3_answer(&upload->errand, &upload->verdict);
	if (!upload->id[0]) {
		free_upload(upload);
		return;
	}
	*call = (struct s3_call){
		.method = "DELETE", .file = -1, .key = upload->errand.key, .done = on_aborted};
	add_id(upload, &call->query);
	s3_call_start(store, call);
}

static void fail(struct upload *upload, const struct s3_verdict *verdict)
{
	if (!upload->has_failed) {
		upload->has_failed = true;
		upload->verdict = *verdict;
		if (verdict->status == CACHE_NOT_FOUND) {
			upload->verdict.status = CACHE_UNAVAILABLE;
			upload->verdict.sentence =
				"the object store lost an upload in parts; try again";
		}
	}
	for (size_t i = 0; i < LANES; i++) {
		struct lane *lane = &upload->lanes[i];

		s3_timer_clear(&upload->errand.store->io, &lane->step);
		s3_call_cancel(&lane->call);
		lane->is_busy = false;
	}
	give_up(upload);
}

static void begin(struct s3_errand *errand);

static void finish(struct s3_errand *errand, const struct s3_verdict *verdict)
{
	s3_answer(errand, verdict);
	free_upload((struct upload *)errand);
}

static void succeed(struct upload *upload)
{
	s3_count(upload->errand.store, S3_COUNT_PUTS, 1);
	s3_marker_settle(&upload->errand, begin, finish);
}

/* ---- Completion ---- */

/* Of HEAD: whether the completion whose answer is missing took place. */
static void on_seen(struct s3_call *call, const struct s3_verdict *verdict)
{
	struct upload *upload = upload_of(call);
	const char *length = s3_exchange_header(&call->exchange, "Content-Length");

	if (verdict->status == CACHE_OK && length &&
	    strtoull(length, NULL, 10) == upload->errand.request->len_bytes)
		succeed(upload);
	else
		fail(upload, verdict->status == CACHE_OK ? &upload->verdict : verdict);
}

static void on_completed(struct s3_call *call, const struct s3_verdict *verdict)
{
	struct upload *upload = upload_of(call);
	unsigned tries = call->tries;

	if (verdict->status == CACHE_OK) {
		succeed(upload);
		return;
	}
	if (verdict->status != CACHE_NOT_FOUND || tries < 2) {
		fail(upload, verdict);
		return;
	}
	/* An earlier try, whose answer we did not get, may have ended the upload. */
	upload->verdict = *verdict;
	*call = (struct s3_call){
		.method = "HEAD", .file = -1, .key = upload->errand.key, .done = on_seen};
	s3_call_start(upload->errand.store, call);
}

static void write_parts(struct upload *upload)
{
	struct buffer *body = &upload->body;

	buffer_append(body, SLICE("<CompleteMultipartUpload>"));
	for (size_t i = 0; i < upload->parts; i++)
		buffer_printf(body, "<Part><PartNumber>%zu</PartNumber><ETag>%s</ETag></Part>",
			      i + 1, upload->tags[i]);
	buffer_append(body, SLICE("</CompleteMultipartUpload>"));
}

static void add_xml_type(struct s3_call *call, struct buffer *lines)
{
	static const char line[] = "Content-Type: application/xml";

	(void)call;
	buffer_append(lines, (struct slice){line, sizeof(line)});
}

static void complete(struct upload *upload)
{
	struct s3_call *call = &upload->errand.call;
	write_parts(upload);
	if (upload->body.failed) {
		struct s3_verdict verdict = {.status = CACHE_NO_MEMORY};

		fail(upload, &verdict);
		return;
	}
	sigv4_hash(buffer_bytes(&upload->body), upload->hash);
	*call = (struct s3_call){
		.method = "POST",
		.key = upload->errand.key,
		.payload_hash = upload->hash,
		.add_headers = add_xml_type,
		.file = -1,
		.body = buffer_bytes(&upload->body),
		.has_xml = true,
		.is_patient = true,
		.is_long = true,
		.timeout_us = upload->errand.store->timeout_us > COMPLETION_US
				      ? upload->errand.store->timeout_us
				      : COMPLETION_US,
		.done = on_completed,
	};
	add_id(upload, &call->query);
	s3_call_start(upload->errand.store, call);
}

/* ---- Parts ---- */

static uint64_t from_of(const struct lane *lane)
{
	return (uint64_t)lane->part * lane->upload->errand.store->url.part_bytes;
}

static uint64_t len_of(const struct lane *lane)
{
	uint64_t left = lane->upload->errand.request->len_bytes - from_of(lane);
	uint64_t part_bytes = lane->upload->errand.store->url.part_bytes;

	return left < part_bytes ? left : part_bytes;
}

static void start_part(struct lane *lane);

/* Keeps the tag of a part, as it is written in XML. */
static bool keep_tag(struct lane *lane)
{
	const char *tag = s3_exchange_header(&lane->call.exchange, "ETag");

	return tag && *tag && !strpbrk(tag, "<>&") &&
	       s3_xml_copy(lane->upload->tags[lane->part], TAG_SIZE, tag);
}

static void on_part(struct s3_call *call, const struct s3_verdict *verdict)
{
	static const struct s3_verdict untagged = {
		.status = CACHE_UNAVAILABLE,
		.sentence = "the object store's answer to a part is not of S3"};
	struct lane *lane = (struct lane *)call;
	struct upload *upload = lane->upload;

	lane->is_busy = false;
	if (verdict->status != CACHE_OK || !keep_tag(lane)) {
		fail(upload, verdict->status != CACHE_OK ? verdict : &untagged);
		return;
	}
	if (--upload->left == 0)
		complete(upload);
	else
		start_part(lane);
}

static void send_part(struct lane *lane)
{
	struct upload *upload = lane->upload;
	struct s3_call *call = &lane->call;

	*call = (struct s3_call){
		.method = "PUT",
		.key = upload->errand.key,
		.payload_hash = lane->hex,
		.file = upload->errand.request->file,
		.from = from_of(lane),
		.len = len_of(lane),
		.is_long = true,
		.is_patient = true,
		.done = on_part,
	};
	buffer_printf(&call->query, "partNumber=%zu&", lane->part + 1);
	add_id(upload, &call->query);
	s3_call_start(upload->errand.store, call);
}

static void on_step(struct s3_timer *timer)
{
	static const struct s3_verdict unreadable = {
		.status = CACHE_INTERNAL, .sentence = "the file of a value cannot be read"};
	struct lane *lane = (struct lane *)((char *)timer - offsetof(struct lane, step));
	struct upload *upload = lane->upload;
	uint8_t bytes[STEP_BYTES];
	uint8_t digest[SHA256_DIGEST_SIZE];
	uint64_t left = len_of(lane) - lane->hashed;
	ssize_t got;

	do
		got = pread(upload->errand.request->file, bytes,
			    left < sizeof(bytes) ? (size_t)left : sizeof(bytes),
			    (off_t)(from_of(lane) + lane->hashed));
	while (got < 0 && errno == EINTR);
	if (got <= 0) {
		fail(upload, &unreadable);
		return;
	}
	sha256_update(&lane->hash, (size_t)got, bytes);
	lane->hashed += (uint64_t)got;
	if (lane->hashed < len_of(lane)) {
		s3_timer_set(&upload->errand.store->io, timer, 0);
		return;
	}
	sha256_digest(&lane->hash, sizeof(digest), digest);
	s3_wire_hex(digest, lane->hex);
	send_part(lane);
}

/* The next part, if there is one. */
static void start_part(struct lane *lane)
{
	struct upload *upload = lane->upload;

	if (upload->next == upload->parts)
		return;
	lane->part = upload->next++;
	lane->hashed = 0;
	lane->is_busy = true;
	sha256_init(&lane->hash);
	lane->step.run = on_step;
	s3_timer_set(&upload->errand.store->io, &lane->step, 0);
}

/* ---- The beginning ---- */

static void take_id(void *user, const char *path, const char *text)
{
	struct upload *upload = user;

	if (strcmp(path, "InitiateMultipartUploadResult/UploadId") == 0)
		(void)s3_xml_copy(upload->id, sizeof(upload->id), text);
}

static void on_begun(struct s3_call *call, const struct s3_verdict *verdict)
{
	static const struct s3_verdict nameless = {
		.status = CACHE_UNAVAILABLE,
		.sentence = "the object store's answer to an upload in parts is not of S3"};
	struct upload *upload = upload_of(call);

	if (verdict->status == CACHE_OK)
		(void)s3_xml_read(call->exchange.outcome.answer, take_id, upload);
	if (verdict->status != CACHE_OK || !upload->id[0]) {
		fail(upload, verdict->status != CACHE_OK ? verdict : &nameless);
		return;
	}
	for (size_t i = 0; i < LANES; i++) {
		upload->lanes[i].upload = upload;
		start_part(&upload->lanes[i]);
	}
}

static void add_type(struct s3_call *call, struct buffer *lines)
{
	(void)call;
	buffer_append(lines, (struct slice){S3_CONTENT_TYPE, sizeof(S3_CONTENT_TYPE)});
}

/* Has its turn. */
static void begin(struct s3_errand *errand)
{
	static const struct s3_verdict no_memory = {.status = CACHE_NO_MEMORY};
	struct upload *upload = (struct upload *)errand;
	struct s3_call *call = &errand->call;
	uint64_t part_bytes = errand->store->url.part_bytes;

	upload->parts = (size_t)((errand->request->len_bytes + part_bytes - 1) / part_bytes);
	upload->left = upload->parts;
	upload->next = 0;
	upload->id[0] = '\0';
	buffer_deinit(&upload->body);
	upload->body = (struct buffer){0};
	free(upload->tags);
	upload->tags = calloc(upload->parts, sizeof(*upload->tags));
	if (!upload->tags) {
		s3_answer(&upload->errand, &no_memory);
		free_upload(upload);
		return;
	}
	*call = (struct s3_call){
		.method = "POST",
		.key = upload->errand.key,
		.add_headers = add_type,
		.file = -1,
		.has_xml = true,
		.done = on_begun,
	};
	buffer_append(&call->query, SLICE("uploads="));
	s3_call_start(upload->errand.store, call);
}

static void take_turn(struct s3_post *post)
{
	s3_answer_take_turn((struct s3_errand *)post, begin);
}

void s3_multipart_put(struct s3_store *store, struct object_request *request)
{
	s3_answer_post(store, request, sizeof(struct upload), take_turn);
}
