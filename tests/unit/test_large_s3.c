/* The object store in S3 against an upstream that answers what a test says, or fails. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backends/large/s3/s3.h"
#include "tests/support/mock_upstream.h"
#include "tests/support/object_run.h"
#include "tests/support/server_process.h"

#define TEXT     "the bytes of an object that has thirty-nine"
#define TEXT_LEN (sizeof(TEXT) - 1)
#define TIMEOUT  (US_PER_S / 4)
#define MIB      ((size_t)1 << 20)

static struct mock_upstream *mock;
static struct object_store *store;

static void open_store(const char *parameters, int64_t timeout_us)
{
	char url[200], error[300];
	struct s3_config config = {
		.url = url, .access_key = "who", .secret_key = "secret", .timeout_us = timeout_us};

	mock = mock_open();
	(void)snprintf(url, sizeof(url), "s3://values/p?endpoint=%s%s", mock_url(mock), parameters);
	store = s3_store_open(&config, error, sizeof(error));
	cr_assert(store, "%s", error);
}

static struct mock_reply answer(int status, const char *headers, const char *body)
{
	return (struct mock_reply){
		.behaviour = MOCK_ANSWER, .status = status, .headers = headers, .body = body};
}

/* No other server removes anything. */
static void open_alone(const char *parameters, int64_t timeout_us)
{
	open_store(parameters, timeout_us);
	mock_at(mock, "HEAD /values/p/removing/", answer(404, NULL, NULL));
	mock_at(mock, "PUT /values/p/removing/", answer(200, NULL, NULL));
	mock_at(mock, "DELETE /values/p/removing/", answer(204, NULL, NULL));
}

static void open_all(void)
{
	open_alone("", TIMEOUT);
}

static void close_all(void)
{
	mock_always(mock, (struct mock_reply){.behaviour = MOCK_RESET});
	store->ops->close(store);
	mock_close(mock);
}

static struct mock_reply fails(enum mock_behaviour behaviour)
{
	return (struct mock_reply){.behaviour = behaviour};
}

static struct mock_reply refusal(int status, const char *code)
{
	static char bodies[8][200];
	static unsigned next;
	char *body = bodies[next++ % 8];

	(void)snprintf(body, sizeof(bodies[0]), "<Error><Code>%s</Code></Error>", code);
	return answer(status, NULL, body);
}

static double gauge(const char *name)
{
	struct backend_gauge gauges[BACKEND_GAUGES_MAX];
	size_t count = store->ops->gauges(store, gauges, BACKEND_GAUGES_MAX);

	for (size_t i = 0; i < count; i++)
		if (strcmp(gauges[i].name, name) == 0)
			return gauges[i].value;
	cr_assert(false, "no gauge %s", name);
	return 0;
}

static void expect_head(unsigned i, const char *text)
{
	char *head = mock_head(mock, i);

	cr_assert(head, "there is no request %u", i);
	cr_expect(strcasestr(head, text), "request %u lacks %s:\n%s", i, text, head);
	free(head);
}

static const char *detail_of(const struct object_request *request)
{
	return request->detail ? request->detail : "";
}

/* A request for an object with the bytes `content`. */
static struct object_request request_of(const char *content, size_t len)
{
	struct object_request request = {.len_bytes = len, .file = -1};
	struct sha256_ctx hash;

	sha256_init(&hash);
	sha256_update(&hash, len, (const uint8_t *)content);
	sha256_digest(&hash, sizeof(request.sha256), request.sha256);
	return request;
}

static struct object_request put_request(const char *content, size_t len)
{
	struct object_request request = request_of(content, len);

	request.file = memfd_create("value", MFD_CLOEXEC);
	cr_assert(request.file >= 0 && write(request.file, content, len) == (ssize_t)len);
	return request;
}

static enum cache_status put_text(struct object_request *request)
{
	*request = put_request(TEXT, TEXT_LEN);
	enum cache_status status = object_run(store, store->ops->put, request);
	(void)close(request->file);
	return status;
}

struct received {
	char bytes[200];
	size_t len;
};

static bool receive(void *user, const char *bytes, size_t len)
{
	struct received *received = user;

	cr_assert(received->len + len < sizeof(received->bytes));
	memcpy(received->bytes + received->len, bytes, len);
	received->len += len;
	return true;
}

/* Reads a part of the object with the bytes TEXT. */
static enum cache_status get_part(uint64_t offset, uint64_t len, struct received *ret,
				  const char **ret_detail)
{
	struct object_request request = request_of(TEXT, TEXT_LEN);

	*ret = (struct received){0};
	cr_assert_eq(object_run(store, store->ops->open, &request), CACHE_OK);
	cr_expect_eq(request.body->len_bytes, TEXT_LEN);
	enum cache_status status = object_read(request.body, offset, len, receive, ret, ret_detail);
	cache_body_release(request.body);
	return status;
}

static enum cache_status get_text(struct received *ret, const char **ret_detail)
{
	return get_part(0, TEXT_LEN, ret, ret_detail);
}

TestSuite(s3, .init = open_all, .fini = close_all);

/* ---- PUT ---- */

Test(s3, puts_under_the_name_of_the_hash_which_it_signs)
{
	struct object_request request;
	char *body;

	mock_always(mock, answer(200, "ETag: \"x\"\r\n", NULL));
	cr_assert_eq(put_text(&request), CACHE_OK, "%s", detail_of(&request));
	expect_head(0, "PUT /values/p/");
	expect_head(0, "Content-Length: 43\r\n");
	expect_head(0, "Authorization: AWS4-HMAC-SHA256 Credential=who/");
	expect_head(0, "X-Amz-Content-Sha256: ");
	expect_head(0, "Content-Type: application/octet-stream");
	char *head = mock_head(mock, 0);
	cr_expect_eq(memcmp(head + 14, strcasestr(head, "X-Amz-Content-Sha256: ") + 22, 64), 0);
	free(head);
	body = mock_body(mock, 0);
	cr_expect_str_eq(body, TEXT);
	free(body);
	cr_expect_eq(gauge("puts"), 1);
	cr_expect_eq(gauge("sent_bytes"), TEXT_LEN);
}

Test(s3, tries_again_what_may_succeed)
{
	struct object_request request;

	mock_always(mock, answer(200, NULL, NULL));
	mock_next(mock, 1, refusal(503, "SlowDown"));
	cr_expect_eq(put_text(&request), CACHE_OK, "%s", detail_of(&request));
	mock_next(mock, 1, fails(MOCK_RESET));
	cr_expect_eq(put_text(&request), CACHE_OK, "%s", detail_of(&request));
	mock_next(mock, 1, refusal(500, "InternalError"));
	cr_expect_eq(put_text(&request), CACHE_OK, "%s", detail_of(&request));
	cr_expect_eq(mock_requests(mock), 6 + 3);
	cr_expect(gauge("retries") >= 2); /* libcurl may see to a reset by itself */
	cr_expect_eq(gauge("failures_throttled"), 1);
}

Test(s3, says_what_to_change_and_does_not_try_again)
{
	struct object_request request;

	mock_always(mock, refusal(403, "SignatureDoesNotMatch"));
	cr_expect_eq(put_text(&request), CACHE_UNAVAILABLE);
	cr_expect(strstr(detail_of(&request), "STEADYCACHE_LARGE_SECRET_KEY"));
	mock_always(mock, refusal(404, "NoSuchBucket"));
	cr_expect_eq(put_text(&request), CACHE_UNAVAILABLE);
	cr_expect(strstr(detail_of(&request), "bucket"));
	mock_always(mock, refusal(507, "XMinioStorageFull"));
	cr_expect_eq(put_text(&request), CACHE_NO_SPACE);
	cr_expect_eq(mock_requests(mock), 3);
	cr_expect_eq(gauge("failures_auth"), 1);
}

Test(s3, waits_as_long_as_the_store_asks_for_or_tells_how_long)
{
	struct object_request request;

	mock_always(mock,
		    answer(503, "Retry-After: 7\r\n", "<Error><Code>SlowDown</Code></Error>"));
	cr_expect_eq(put_text(&request), CACHE_UNAVAILABLE);
	cr_expect_eq(request.retry_after_s, 7);
	cr_expect_eq(mock_requests(mock), 1);
}

/* ---- Readers ---- */

Test(s3, gives_the_whole_and_parts)
{
	struct received got;
	const char *detail;

	mock_always(mock, answer(200, "ETag: \"x\"\r\n", TEXT));
	cr_assert_eq(get_text(&got, &detail), CACHE_OK, "%s", detail);
	cr_expect_eq(got.len, TEXT_LEN);
	cr_expect_eq(memcmp(got.bytes, TEXT, TEXT_LEN), 0);
	mock_always(mock, answer(206, "Content-Range: bytes 4-8/43\r\n", "bytes"));
	cr_assert_eq(get_part(4, 5, &got, &detail), CACHE_OK, "%s", detail);
	expect_head(1, "Range: bytes=4-8\r\n");
	cr_expect_eq(got.len, 5);
	mock_forget(mock);
	cr_assert_eq(get_part(4, 0, &got, &detail), CACHE_OK);
	cr_expect_eq(mock_requests(mock), 0);
}

Test(s3, never_gives_other_bytes_as_the_whole)
{
	static const char other[] = "the bytes of an object that has THIRTY-nine";
	struct received got;
	const char *detail = NULL;

	mock_always(mock, answer(200, NULL, other));
	cr_expect_eq(get_text(&got, &detail), CACHE_CORRUPT);
	cr_expect(got.len < TEXT_LEN, "all bytes were given");
	cr_expect(strstr(detail, "other bytes"), "%s", detail);
	cr_expect_eq(gauge("damaged"), 1);
}

Test(s3, notices_a_wrong_length_a_missing_object_and_a_part_that_is_none)
{
	struct received got;
	const char *detail = NULL;

	mock_always(mock, answer(200, NULL, TEXT "!"));
	cr_expect_eq(get_text(&got, &detail), CACHE_CORRUPT);
	cr_expect(strstr(detail, "length"), "%s", detail);
	mock_always(mock, refusal(404, "NoSuchKey"));
	cr_expect_eq(get_text(&got, &detail), CACHE_CORRUPT);
	cr_expect(strstr(detail, "does not have the bytes"), "%s", detail);
	mock_always(mock, answer(200, NULL, TEXT));
	cr_expect_eq(get_part(4, 5, &got, &detail), CACHE_UNAVAILABLE);
	cr_expect(strstr(detail, "Range"), "%s", detail);
	mock_always(mock, answer(206, "Content-Range: bytes 4-8/99\r\n", "bytes"));
	cr_expect_eq(get_part(4, 5, &got, &detail), CACHE_CORRUPT);
	mock_always(mock, refusal(416, "InvalidRange"));
	cr_expect_eq(get_part(4, 5, &got, &detail), CACHE_CORRUPT);
	mock_always(mock, refusal(404, "NoSuchBucket"));
	cr_expect_eq(get_text(&got, &detail), CACHE_UNAVAILABLE);
	cr_expect_eq(got.len, 0);
}

Test(s3, goes_on_where_a_download_broke_off)
{
	struct received got;
	const char *detail = NULL;

	mock_always(mock,
		    answer(206, "ETag: \"x\"\r\nContent-Range: bytes 21-42/43\r\n", &TEXT[21]));
	mock_next(mock, 1,
		  (struct mock_reply){.behaviour = MOCK_TRUNCATE,
				      .status = 200,
				      .headers = "ETag: \"x\"\r\n",
				      .body = TEXT});
	cr_assert_eq(get_text(&got, &detail), CACHE_OK, "%s", detail);
	cr_expect_eq(memcmp(got.bytes, TEXT, TEXT_LEN), 0);
	expect_head(1, "Range: bytes=21-42\r\n");
	expect_head(1, "If-Match: \"x\"\r\n");
	cr_expect_eq(gauge("downloads_continued"), 1);
}

Test(s3, goes_on_with_the_same_bytes_put_again)
{
	struct received got;
	const char *detail = NULL;

	const struct mock_reply script[] = {
		{.behaviour = MOCK_TRUNCATE,
		 .status = 200,
		 .headers = "ETag: \"x\"\r\n",
		 .body = TEXT},
		refusal(412, "PreconditionFailed"),
		answer(206, "Content-Range: bytes 21-42/43\r\n", &TEXT[21]),
	};

	mock_script(mock, script, 3);
	cr_assert_eq(get_text(&got, &detail), CACHE_OK, "%s", detail);
	cr_expect_eq(memcmp(got.bytes, TEXT, TEXT_LEN), 0);
	char *head = mock_head(mock, 2);
	cr_expect_null(strcasestr(head, "If-Match"));
	free(head);
	/* The bytes of a part have no hash to tell. */
	mock_always(mock, refusal(412, "PreconditionFailed"));
	cr_expect_eq(get_part(4, 5, &got, &detail), CACHE_UNAVAILABLE);
	cr_expect(strstr(detail, "put again"), "%s", detail);
}

Test(s3, a_reader_may_be_closed_at_any_time)
{
	struct object_request request = request_of(TEXT, TEXT_LEN);

	for (unsigned i = 0; i < 200; i++) {
		mock_always(mock, i % 2 ? answer(200, NULL, TEXT) : fails(MOCK_HANG));
		cr_assert_eq(object_run(store, store->ops->open, &request), CACHE_OK);
		struct body_reader *reader =
			request.body->ops->open(request.body, 0, TEXT_LEN, NULL, NULL);
		cache_body_release(request.body);
		if (i % 3 == 0)
			nap_ms(1);
		reader->ops->close(reader);
	}
	while (gauge("readers") > 0 || gauge("in_flight") > 0)
		nap_ms(1);
}

static void set_flag(void *user)
{
	atomic_store((atomic_bool *)user, true);
}

/* A value of `len` bytes of the letter x, ended by a NUL. */
static char *make_text(size_t len)
{
	char *text = malloc(len + 1);

	cr_assert(text);
	memset(text, 'x', len);
	text[len] = '\0';
	return text;
}

Test(s3_one_connection, a_reader_that_stands_still_lets_others_pass, .fini = close_all)
{
	size_t len = 16 * MIB; /* more than the kernel and the ring take */
	char *text = make_text(len);
	static char range[100];
	char room[65536];
	size_t got = 0, sum = 0;
	atomic_bool woken = false;

	open_alone("&connections=1", 10 * US_PER_S);
	struct object_request request = request_of(text, len);
	mock_always(mock, answer(200, "ETag: \"x\"\r\n", text));
	cr_assert_eq(object_run(store, store->ops->open, &request), CACHE_OK);
	struct body_reader *reader =
		request.body->ops->open(request.body, 0, len, set_flag, &woken);
	while (gauge("received_bytes") < 200000)
		nap_ms(1);
	nap_ms(20);
	double held = gauge("received_bytes");
	cr_expect(held <= 256 * 1024, "%f bytes are held for a reader that takes none", held);
	/* Others get the connection, and the reader its rest. */
	mock_always(mock, answer(200, NULL, "<ListBucketResult/>"));
	struct object_request check = {0};
	cr_expect_eq(object_run(store, store->ops->check, &check), CACHE_OK);
	(void)snprintf(range, sizeof(range), "Content-Range: bytes %.0f-%zu/%zu\r\n", held, len - 1,
		       len);
	mock_always(mock, answer(206, range, text + (size_t)held));
	for (;;) {
		atomic_store(&woken, false);
		enum body_step step = reader->ops->read(reader, room, sizeof(room), &got);
		if (step == BODY_STEP_BYTES)
			sum += got;
		else if (step != BODY_STEP_WAIT)
			break;
		else
			while (!atomic_load(&woken))
				nap_ms(1);
	}
	cr_expect_eq(sum, len, "%s", reader->detail);
	reader->ops->close(reader);
	cache_body_release(request.body);
	free(text);
}

/* ---- A store that fails ---- */

static enum cache_status check(const char **ret_detail)
{
	struct object_request request = {0};
	enum cache_status status = object_run(store, store->ops->check, &request);

	*ret_detail = detail_of(&request);
	return status;
}

Test(s3, a_silent_store_fails_in_time_then_at_once_and_is_back_within_a_second)
{
	struct received got;
	const char *detail = NULL;
	int64_t from_us = monotonic_now_us();

	mock_always(mock, fails(MOCK_HANG));
	cr_expect_eq(check(&detail), CACHE_TIMEOUT);
	cr_expect(strstr(detail, "--large-timeout"), "%s", detail);
	cr_expect(monotonic_now_us() - from_us < 3 * TIMEOUT);
	cr_expect_eq(get_text(&got, &detail), CACHE_TIMEOUT);
	for (unsigned i = 0; i < 3; i++)
		(void)check(&detail);
	from_us = monotonic_now_us();
	cr_expect_eq(check(&detail), CACHE_UNAVAILABLE);
	cr_expect_eq(get_text(&got, &detail), CACHE_UNAVAILABLE);
	cr_expect(monotonic_now_us() - from_us < TIMEOUT / 2);
	cr_expect_eq(gauge("breaker_opened"), 1);
	mock_always(mock, answer(200, NULL, "<ListBucketResult/>"));
	from_us = monotonic_now_us();
	while (check(&detail) != CACHE_OK && monotonic_now_us() - from_us < 5 * US_PER_S)
		nap_ms(5);
	cr_expect(monotonic_now_us() - from_us < US_PER_S);
}

Test(s3, a_store_that_is_down_cannot_be_reached)
{
	struct object_request request;
	const char *detail = NULL;

	mock_go_down(mock);
	cr_expect_eq(put_text(&request), CACHE_UNAVAILABLE);
	cr_expect(strstr(detail_of(&request), "endpoint="), "%s", detail_of(&request));
	mock_come_back(mock);
	mock_always(mock, answer(200, NULL, "<ListBucketResult/>"));
	int64_t from_us = monotonic_now_us();
	while (check(&detail) != CACHE_OK && monotonic_now_us() - from_us < 5 * US_PER_S)
		nap_ms(5);
	cr_expect(monotonic_now_us() - from_us < US_PER_S);
}

/* ---- LIST and REMOVE ---- */

#define NAME(c)                                                                                    \
	c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c  \
		c c c c c c c c c c c c c c c c c c c
#define OBJECT(name)                                                                               \
	"<Contents><Key>" name "</Key><LastModified>2026-11-30T17:49:42.000Z</LastModified>"       \
	"<Size>7</Size></Contents>"

Test(s3, lists_our_names_in_pages_and_no_others)
{
	struct object_info objects[10];
	struct object_request request = {.max = 10, .objects = objects};

	mock_always(mock, answer(200, "Date: Mon, 30 Nov 2026 18:00:00 GMT\r\n",
				 "<ListBucketResult><IsTruncated>true</IsTruncated>"
				 "<EncodingType>url</EncodingType>" OBJECT("p/a%2Bz")
					 OBJECT("p/" NAME("a")) OBJECT("p/" NAME("G"))
						 OBJECT("p/b+c%26") "</ListBucketResult>"));
	cr_assert_eq(object_run(store, store->ops->list, &request), CACHE_OK);
	cr_assert_eq(request.object_count, 1);
	cr_expect_eq(objects[0].sha256[31], 0xaa);
	cr_expect_eq(objects[0].len_bytes, 7);
	cr_expect_eq(objects[0].put_at_us, INT64_C(1796060982000000));
	cr_expect_eq(request.now_us, INT64_C(1796061600000000));
	cr_expect_not(request.complete);
	expect_head(0, "&max-keys=10&prefix=p%2F HTTP");
	mock_always(mock, answer(200, NULL,
				 "<ListBucketResult><IsTruncated>true</IsTruncated>"
				 "<NextContinuationToken>a/=</NextContinuationToken>"
				 "</ListBucketResult>"));
	cr_assert_eq(object_run(store, store->ops->list, &request), CACHE_OK);
	expect_head(1, "&start-after=p%2Fb%2Bc%26 HTTP");
	cr_expect_eq(request.object_count, 0);
	mock_always(mock, answer(200, NULL, "<ListBucketResult/>"));
	cr_assert_eq(object_run(store, store->ops->list, &request), CACHE_OK);
	expect_head(2, "&continuation-token=a%2F%3D HTTP");
	cr_expect(request.complete);
}

Test(s3, a_listing_that_is_cut_is_no_listing)
{
	struct object_info objects[10];
	struct object_request request = {.max = 10, .objects = objects};

	mock_always(mock, answer(200, NULL, "<html><body>welcome</body></html>"));
	cr_expect_eq(object_run(store, store->ops->list, &request), CACHE_UNAVAILABLE);
	cr_expect_eq(mock_requests(mock), 1);
	mock_always(
		mock,
		answer(200, NULL,
		       "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>p/" NAME(
			       "a") "</Key></Contents></ListBucketResult>"));
	cr_expect_eq(object_run(store, store->ops->list, &request), CACHE_UNAVAILABLE);
	mock_always(mock, answer(200, NULL,
				 "<ListBucketResult><IsTruncated>false</IsTruncated>" OBJECT(
					 "p/" NAME("a"))));
	cr_expect_eq(object_run(store, store->ops->list, &request), CACHE_UNAVAILABLE);
	mock_always(mock, (struct mock_reply){.behaviour = MOCK_TRUNCATE,
					      .status = 200,
					      .body = "<ListBucketResult></ListBucketResult>"});
	cr_expect_neq(object_run(store, store->ops->list, &request), CACHE_OK);
}

Test(s3, removes_what_is_old_enough)
{
	struct object_request request = request_of(TEXT, TEXT_LEN);

	request.put_before_us = INT64_C(1796061600000000);
	mock_always(mock, answer(200, "Last-Modified: Mon, 30 Nov 2026 18:00:00 GMT\r\n", NULL));
	cr_expect_eq(object_run(store, store->ops->remove, &request), CACHE_PRECONDITION_FAILED);
	cr_expect_eq(mock_requests(mock), 3);
	mock_always(mock, answer(200, "Last-Modified: Mon, 30 Nov 2026 17:59:59 GMT\r\n", NULL));
	cr_expect_eq(object_run(store, store->ops->remove, &request), CACHE_OK);
	expect_head(3, "PUT /values/p/removing/");
	expect_head(4, "HEAD /values/p/");
	expect_head(5, "DELETE /values/p/");
	expect_head(6, "DELETE /values/p/removing/");
	mock_always(mock, answer(404, NULL, NULL));
	cr_expect_eq(object_run(store, store->ops->remove, &request), CACHE_OK);
	cr_expect_eq(mock_requests(mock), 10);
	/* A store that takes no marker is not asked to remove. */
	mock_at(mock, "PUT /values/p/removing/", refusal(403, "AccessDenied"));
	cr_expect_eq(object_run(store, store->ops->remove, &request), CACHE_UNAVAILABLE);
	cr_expect_eq(mock_requests(mock), 11);
}

/* Waits for all that has arrived at the mock. */
static void await_requests(unsigned count)
{
	while (mock_requests(mock) < count)
		nap_ms(1);
}

static void count_done(struct object_request *request)
{
	atomic_fetch_add((atomic_uint *)request->user, 1);
}

Test(s3_turns, a_put_waits_for_a_removal_and_a_removal_gives_way_to_a_put, .fini = close_all)
{
	struct object_request removal = request_of(TEXT, TEXT_LEN), second = removal;
	struct object_request put = put_request(TEXT, TEXT_LEN);
	atomic_uint done = 0;

	open_alone("", 20 * US_PER_S);
	removal.put_before_us = second.put_before_us = INT64_MAX;
	removal.user = put.user = &done;
	removal.done = put.done = count_done;
	mock_always(mock, fails(MOCK_HANG));
	store->ops->remove(store, &removal);
	await_requests(2);
	store->ops->put(store, &put);
	nap_ms(20);
	cr_expect_eq(mock_requests(mock), 2);
	mock_always(mock, answer(200, "Last-Modified: Mon, 30 Nov 2026 18:00:00 GMT\r\n", NULL));
	while (atomic_load(&done) < 2)
		nap_ms(1);
	cr_expect_eq(removal.status, CACHE_OK);
	cr_expect_eq(put.status, CACHE_OK);
	unsigned last = mock_requests(mock) - 1;
	expect_head(last - 3, "DELETE /values/p/");
	expect_head(last - 2, "DELETE /values/p/removing/");
	expect_head(last - 1, "PUT /values/p/");
	mock_always(mock, fails(MOCK_HANG));
	atomic_store(&done, 0);
	store->ops->put(store, &put);
	await_requests(last + 2);
	cr_expect_eq(object_run(store, store->ops->remove, &second), CACHE_PRECONDITION_FAILED);
	mock_always(mock, answer(200, NULL, NULL));
	while (atomic_load(&done) < 1)
		nap_ms(1);
	(void)close(put.file);
}

Test(s3_turns, a_put_waits_for_the_removal_of_another_server_and_puts_again, .fini = close_all)
{
	struct object_request request;
	const struct mock_reply script[] = {
		answer(200, NULL, NULL), /* the object */
		answer(200,
		       "Last-Modified: Mon, 30 Nov 2026 18:00:00 GMT\r\n"
		       "Date: Mon, 30 Nov 2026 18:00:02 GMT\r\n",
		       NULL),            /* the marker */
		answer(404, NULL, NULL), /* it has gone */
		answer(404, NULL, NULL), /* and so has the object */
		answer(200, NULL, NULL), /* it is put again */
		answer(404, NULL, NULL),
	};

	open_store("", 20 * US_PER_S);
	mock_script(mock, script, 6);
	cr_expect_eq(put_text(&request), CACHE_OK, "%s", detail_of(&request));
	cr_expect_eq(mock_requests(mock), 6);
	expect_head(1, "HEAD /values/p/removing/");
	expect_head(3, "HEAD /values/p/");
	expect_head(4, "PUT /values/p/");
}

Test(s3_turns, a_marker_of_a_server_that_died_is_removed, .fini = close_all)
{
	struct object_request request;
	const struct mock_reply script[] = {
		answer(200, NULL, NULL),
		answer(200,
		       "Last-Modified: Mon, 30 Nov 2026 18:00:00 GMT\r\n"
		       "Date: Mon, 30 Nov 2026 18:02:00 GMT\r\n",
		       NULL),
		answer(204, NULL, NULL),
		answer(200, NULL, NULL),
	};

	open_store("", 20 * US_PER_S);
	mock_script(mock, script, 4);
	cr_expect_eq(put_text(&request), CACHE_OK, "%s", detail_of(&request));
	expect_head(2, "DELETE /values/p/removing/");
	cr_expect_eq(mock_requests(mock), 4);
}

Test(s3, aborts_uploads_that_were_left_a_day_ago)
{
#define UPLOAD(name, id, at)                                                                       \
	"<Upload><Key>" name "</Key><UploadId>" id "</UploadId><Initiated>" at                     \
	"</Initiated></Upload>"
	struct object_info objects[10];
	struct object_request request = {.max = 10, .objects = objects};
	const struct mock_reply script[] = {
		answer(200, "Date: Mon, 30 Nov 2026 18:00:00 GMT\r\n", "<ListBucketResult/>"),
		answer(200, NULL,
		       "<ListMultipartUploadsResult>" UPLOAD("p/" NAME("a"), "old",
							     "2026-11-29T17:59:59.000Z")
			       UPLOAD("p/" NAME("a"), "young", "2026-11-29T18:00:01.000Z") UPLOAD(
				       "p/other", "foreign",
				       "2026-01-01T00:00:00.000Z") "</ListMultipartUploadsResult>"),
	};

	mock_always(mock, answer(204, NULL, NULL));
	mock_script(mock, script, 2);
	cr_assert_eq(object_run(store, store->ops->list, &request), CACHE_OK);
	while (gauge("uploads_aborted") < 1)
		nap_ms(1);
	expect_head(1, "&uploads= HTTP");
	expect_head(2, "DELETE /values/p/aaaa");
	expect_head(2, "?uploadId=old HTTP");
	/* Not with every sweep. */
	mock_always(mock, answer(200, NULL, "<ListBucketResult/>"));
	request.position[0] = '\0';
	cr_assert_eq(object_run(store, store->ops->list, &request), CACHE_OK);
	nap_ms(20);
	cr_expect_eq(mock_requests(mock), 4);
}

/* ---- Parts ---- */

/* What every request of an upload takes for a success. */
#define UPLOAD_HEADERS "ETag: \"x\"\r\n"
#define UPLOAD_BODY                                                                                \
	"<InitiateMultipartUploadResult><UploadId>up/1</UploadId>"                                 \
	"</InitiateMultipartUploadResult>"

static enum cache_status put_large(struct object_request *request)
{
	*request = (struct object_request){.len_bytes = 5 * MIB + 1};
	request->file = memfd_create("value", MFD_CLOEXEC);
	cr_assert(request->file >= 0 && ftruncate(request->file, (off_t)request->len_bytes) == 0);
	enum cache_status status = object_run(store, store->ops->put, request);
	(void)close(request->file);
	return status;
}

static unsigned count_heads(const char *text)
{
	unsigned found = 0;

	for (unsigned i = 0; i < mock_requests(mock); i++) {
		char *head = mock_head(mock, i);

		found += head && strstr(head, text) != NULL;
		free(head);
	}
	return found;
}

Test(s3_parted, puts_in_parts, .fini = close_all)
{
	struct object_request request;

	open_alone("&part-mb=5", 20 * US_PER_S);
	mock_always(mock, answer(200, UPLOAD_HEADERS, UPLOAD_BODY));
	cr_assert_eq(put_large(&request), CACHE_OK, "%s", detail_of(&request));
	cr_expect_eq(mock_requests(mock), 4 + 1);
	expect_head(0, "POST /values/p/");
	expect_head(0, "?uploads= HTTP");
	expect_head(3, "?uploadId=up%2F1 HTTP");
	cr_expect_eq(count_heads("?partNumber=1&uploadId=up%2F1 HTTP"), 1);
	cr_expect_eq(count_heads("?partNumber=2&uploadId=up%2F1 HTTP"), 1);
	cr_expect_eq(mock_count(mock, "<Part><PartNumber>2</PartNumber><ETag>\"x\"</ETag></Part>"),
		     1);
}

Test(s3_parted, a_completion_is_a_success_only_if_the_store_says_so, .fini = close_all)
{
	struct object_request request;
	struct mock_reply good = answer(200, UPLOAD_HEADERS, UPLOAD_BODY);
	struct mock_reply script[] = {
		good,
		good,
		good,
		/* 200, and an error; then the answer is lost, and the upload gone. */
		refusal(200, "InternalError"),
		fails(MOCK_RESET),
		refusal(404, "NoSuchUpload"),
		/* HEAD of the object */
		answer(200, "X: y\r\n", NULL),
	};

	open_alone("&part-mb=5", 20 * US_PER_S);
	mock_always(mock, answer(204, NULL, NULL));
	mock_script(mock, script, 6);
	mock_next(mock, 1, fails(MOCK_RESET));
	cr_expect_eq(put_large(&request), CACHE_UNAVAILABLE);
	cr_expect_eq(count_heads("HEAD "), 1 + 1);
	mock_forget(mock);
	script[3] = refusal(403, "AccessDenied");
	mock_script(mock, script, 4);
	cr_expect_eq(put_large(&request), CACHE_UNAVAILABLE);
	cr_expect(strstr(detail_of(&request), "right to"), "%s", detail_of(&request));
}

Test(s3_parted, aborts_an_upload_that_fails, .fini = close_all)
{
	struct object_request request;

	open_alone("&part-mb=5", 20 * US_PER_S);
	/* Whatever begins an upload, and no part of one. */
	mock_always(mock, answer(200, NULL, UPLOAD_BODY));
	cr_expect_eq(put_large(&request), CACHE_UNAVAILABLE);
	while (count_heads("DELETE /values/p/") == 0)
		nap_ms(1);
	cr_expect_eq(count_heads("?uploadId=up%2F1 HTTP"), 1);
	cr_expect_eq(gauge("puts"), 0);
}
