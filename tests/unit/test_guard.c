/* Which bytes of a connection reach the HTTP library, whatever the pieces they arrive in. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/http/guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_HEAD     ((size_t)4096)
#define HOST         "Host: h\r\n"
#define GET          "GET /a HTTP/1.1\r\n" HOST
#define PUT          "PUT /cache/n/k HTTP/1.1\r\n" HOST

/* ---- A connection ---- */

/* The client's bytes, in pieces: the kernel has one of them at a time. */
struct wire {
	const char *bytes;
	size_t len, at;
	size_t left; /* of the current piece */
};

static ssize_t read_wire(void *user, void *room, size_t size)
{
	struct wire *wire = user;
	size_t len = wire->left < size ? wire->left : size;

	if (wire->at == wire->len)
		return 0;
	if (wire->left == 0) {
		errno = EAGAIN;
		return -1;
	}
	memcpy(room, wire->bytes + wire->at, len);
	wire->at += len;
	wire->left -= len;
	return (ssize_t)len;
}

/* What the library got, with a mark at the end of each request and of the connection. */
struct outcome {
	char text[32768];
	size_t len;
	unsigned requests, status;
};

static void append(struct outcome *outcome, const char *bytes, size_t len)
{
	cr_assert_lt(outcome->len + len, sizeof(outcome->text));
	memcpy(outcome->text + outcome->len, bytes, len);
	outcome->len += len;
	outcome->text[outcome->len] = '\0';
}

/* The body of a request, without the framing that the guard adds. */
static void append_body(struct outcome *outcome, const char *bytes, size_t len)
{
	char *end = NULL;

	for (size_t at = 0; at < len;) {
		size_t size = strtoul(bytes + at, &end, 16);

		cr_assert(end > bytes + at && memcmp(end, "\r\n", 2) == 0, "no chunk: %.*s",
			  (int)(len - at), bytes + at);
		at = (size_t)(end + 2 - bytes);
		append(outcome, bytes + at, size);
		cr_assert_eq(memcmp(bytes + at + size, "\r\n", 2), 0);
		at += size + 2;
		if (size == 0)
			cr_assert_eq(at, len, "bytes behind the last chunk");
	}
}

/* A request is over for the library: it is answered, unless the guard has refused it. */
static void end_request(struct guard *guard, struct outcome *outcome, const char *got, size_t len)
{
	const char *body = memmem(got, len, "\r\n\r\n", 4);
	const char *body_lf = memmem(got, len, "\n\n", 2);
	size_t head = body_lf && (!body || body_lf < body) ? (size_t)(body_lf + 2 - got)
							   : (size_t)(body + 4 - got);

	outcome->requests++;
	outcome->status = guard->is_refused ? guard->head.status : 200;
	append(outcome, got, head);
	if (guard->head.content_length == LENGTH_UNKNOWN && !guard->is_refused)
		append_body(outcome, got + head, len - head);
	else if (!guard->is_refused)
		append(outcome, got + head, len - head);
	/* What is known of a head is true of the one that the library has. */
	if (guard->head.query_at > 0)
		cr_assert_eq(got[guard->head.target_at + guard->head.query_at], QUERY_MARK);
	if (head == len)
		cr_assert_eq(guard->head.content_length, 0);
	append(outcome, "|", 1);
}

static unsigned acknowledged;
static bool can_acknowledge = true;

static bool acknowledge(void *user)
{
	(void)user;
	acknowledged++;
	return can_acknowledge;
}

/* Lets the bytes arrive in pieces of `piece`, and the library read with room for `room`.
 * `is_record`: reads that are not filled say nothing, as with TLS. */
static void run(struct outcome *outcome, struct slice bytes, size_t piece, size_t room,
		bool is_record)
{
	static char got[65536];
	struct wire wire = {.bytes = bytes.data, .len = bytes.len};
	const struct guard_source source = {.read = read_wire,
					    .user = &wire,
					    .nothing_yet = -1,
					    .short_means_empty = !is_record,
					    .acknowledge = acknowledge};
	struct guard guard;
	size_t len = 0;
	/* The kernel reports each piece once, the list reports what was held back. */
	bool is_ready = true;

	*outcome = (struct outcome){0};
	guard_init(&guard, MAX_HEAD, is_record, NULL);
	for (;;) {
		if (!is_ready && guard.wake.list)
			is_ready = true;
		if (!is_ready && wire.left == 0 && wire.at < wire.len)
			is_ready = true;
		if (!is_ready)
			break;
		if (wire.left == 0)
			wire.left = wire.len - wire.at < piece ? wire.len - wire.at : piece;
		ssize_t now = guard_receive(&guard, &source, got + len, room);
		is_ready = now == (ssize_t)room || (is_record && now > 0);
		if (now == 0)
			break;
		if (now > 0)
			len += (size_t)now;
		if (guard.state < GUARD_COMPLETE || guard.pending_len > 0 || guard.head_left > 0 ||
		    len == 0)
			continue;
		end_request(&guard, outcome, got, len);
		if (guard.is_refused)
			break;
		len = 0;
		guard_end_request(&guard);
	}
	cr_assert(outcome->status != 200 || wire.left == 0 || guard.state != GUARD_HEAD,
		  "bytes that came were left lying");
	guard_deinit(&guard);
}

/* Runs it whole, and in every other way. */
static struct outcome *run_all(struct slice bytes)
{
	static struct outcome whole, other;
	static const size_t pieces[] = {1, 2, 3, 7, 16, 100, 1000};
	static const size_t rooms[] = {1, 5, 19, 21, 64, 300, 4096};

	run(&whole, bytes, bytes.len, 8192, false);
	for (size_t i = 0; i < COUNT(pieces); i++)
		for (size_t j = 0; j < COUNT(rooms); j++)
			for (int is_record = 0; is_record < 2; is_record++) {
				run(&other, bytes, pieces[i], rooms[j], is_record);
				cr_assert_eq(other.status, whole.status,
					     "%u, in pieces of %zu for %zu: %u\n%s", whole.status,
					     pieces[i], rooms[j], other.status, bytes.data);
				cr_assert_eq(other.requests, whole.requests);
				cr_assert_str_eq(other.text, whole.text, "in pieces of %zu for %zu",
						 pieces[i], rooms[j]);
			}
	for (size_t split = 1; split < bytes.len && bytes.len < 600; split++) {
		run(&other, bytes, split, 8192, false);
		cr_assert_str_eq(other.text, whole.text, "in pieces of %zu", split);
		cr_assert_eq(other.status, whole.status);
	}
	return &whole;
}

static void expect_passed(const char *bytes, unsigned requests, const char *wanted)
{
	const struct outcome *outcome = run_all(slice_of(bytes));

	cr_assert_eq(outcome->status, 200, "%u: %s", outcome->status, bytes);
	cr_assert_eq(outcome->requests, requests, "%u requests: %s", outcome->requests, bytes);
	cr_assert_str_eq(outcome->text, wanted);
}

/* It is the last request, and nothing after it is passed on. */
static void expect_refused(struct slice bytes, unsigned status)
{
	const struct outcome *outcome = run_all(bytes);

	cr_assert_eq(outcome->status, status, "%u, not %u: %s", outcome->status, status,
		     bytes.data);
	cr_assert_null(strstr(outcome->text, "victim"), "passed on: %s", outcome->text);
}

/* ---- Valid requests ---- */

Test(guard, good_requests_pass)
{
	expect_passed(GET "\r\n", 1, GET "\r\n|");
	expect_passed(GET "A: b\r\nX-Empty:\r\nT:\t\t x\ty \r\n\r\n", 1,
		      GET "A: b\r\nX-Empty:\r\nT:\t\t x\ty \r\n\r\n|");
	expect_passed("GET /a HTTP/1.0\r\n\r\n", 1, "GET /a HTTP/1.0\r\n\r\n|");
	expect_passed("GET http://h/a HTTP/1.1\r\n" HOST "\r\n", 1,
		      "GET http://h/a HTTP/1.1\r\n" HOST "\r\n|");
	expect_passed("PROPFIND /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", 1,
		      "PROPFIND /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n|");
	expect_passed("GET /a HTTP/1.1\nHost: [::1]:8080\n\n", 1,
		      "GET /a HTTP/1.1\nHost: [::1]:8080\n\n|");
}

Test(guard, bodies_pass)
{
	expect_passed(PUT "Content-Length: 5\r\n\r\nhello", 1,
		      PUT "Content-Length: 5\r\n\r\nhello|");
	expect_passed(PUT "Content-Length: 0\r\n\r\n", 1, PUT "Content-Length: 0\r\n\r\n|");
	expect_passed(PUT "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 1,
		      PUT "Transfer-Encoding: Chunked\r\n\r\nhello|");
	expect_passed(PUT "Transfer-Encoding: chunked\r\n\r\n0005;a=b;c=\"d;\"\r\nhello\r\n"
			  "A \t;x\r\n, world!!!\r\n000\r\nTrailer: x\r\nEtag:\r\n\r\n",
		      1, PUT "Transfer-Encoding: chunked\r\n\r\nhello, world!!!|");
}

Test(guard, one_request_after_the_other_passes)
{
	expect_passed(GET "\r\n" GET "\r\n", 2, GET "\r\n|" GET "\r\n|");
	expect_passed(PUT "Content-Length: 5\r\n\r\nhello" GET "\r\n" PUT
			  "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n" GET "\r\n",
		      4,
		      PUT "Content-Length: 5\r\n\r\nhello|" GET "\r\n|" PUT
			  "Transfer-Encoding: chunked\r\n\r\nx|" GET "\r\n|");
	/* RFC 9112, 2.2: empty lines before a request. */
	expect_passed("\r\n\n" GET "\r\n\r\n\r\n" GET "\r\n", 2, GET "\r\n|" GET "\r\n|");
}

/* The library would split the query, and store or copy what nobody reads. */
Test(guard, the_library_gets_what_it_can_hold)
{
	expect_passed("GET /a?b=c&d=e?f HTTP/1.1\r\n" HOST "\r\n", 1,
		      "GET /a\x01"
		      "b=c&d=e\x01"
		      "f HTTP/1.1\r\n" HOST "\r\n|");
	expect_passed("GET /a HTTP/1.1\r\nCookie: a=b; c=d\r\n" HOST
		      "User-Agent: x\r\nAccept: */*\r\n"
		      "Lease: y\r\nreferer: z\r\n\r\n" GET "\r\n",
		      2, "GET /a HTTP/1.1\r\n" HOST "Lease: y\r\n\r\n|" GET "\r\n|");
	/* The library would take the blanks for a part of the number. */
	expect_passed(PUT "Content-Length: 5 \t\r\n\r\nhello", 1,
		      PUT "Content-Length:   5\r\n\r\nhello|");
}

static void fill(char *text, size_t size, const char *start, char byte, size_t count,
		 const char *end)
{
	size_t len = strlen(start);

	cr_assert_lt(len + count + strlen(end), size);
	memcpy(text, start, len);
	memset(text + len, byte, count);
	memcpy(text + len + count, end, strlen(end) + 1);
}

Test(guard, large_bodies_pass)
{
	static char text[32768];

	fill(text, sizeof(text), PUT "Content-Length: 6000\r\n\r\n", 'b', 6000, "");
	cr_assert_eq(run_all(slice_of(text))->len, strlen(text) + 1);
	fill(text, sizeof(text), PUT "Transfer-Encoding: chunked\r\n\r\n1770\r\n", 'b', 6000,
	     "\r\n0\r\n\r\n");
	cr_assert_eq(run_all(slice_of(text))->status, 200);
}

/* ---- Invalid requests ---- */

#define VICTIM "GET /victim HTTP/1.1\r\n" HOST "\r\n"

Test(guard, heads_that_can_be_read_in_two_ways_are_refused)
{
	static const char *const heads[] = {
		GET "Content-Le: 5\r\n ngth\r\n\r\n" VICTIM,
		PUT "Content-Length: 100\r\n \r\n\r\n" VICTIM,
		GET "Authorizat: Bearer x\r\n\tion\r\n\r\n",
		"GET /a HTTP/1.1\r\n " HOST "\r\n",
		GET ": x\r\n\r\n" VICTIM,
		GET "no colon\r\n\r\n" VICTIM,
		GET "A : b\r\n\r\n",
		GET "A\t: b\r\n\r\n",
		GET "A(b): c\r\n\r\n",
		GET "\x80: c\r\n\r\n",
		GET "A: b\rc\r\n\r\n",
		GET "A: b\r\r\n\r\n",
		GET "\r\r\n\r\n" VICTIM,
		GET "A: b\x01"
		    "c\r\n\r\n",
		GET "A: b\x7f\r\n\r\n",
		PUT "Content-Length: abc\r\n\r\n" VICTIM,
		PUT "Content-Length: -1\r\n\r\n" VICTIM,
		PUT "Content-Length: +5\r\n\r\nhello" VICTIM,
		PUT "Content-Length:\r\n\r\n" VICTIM,
		PUT "Content-Length: 5, 5\r\n\r\nhello" VICTIM,
		PUT "Content-Length: 5 5\r\n\r\nhello" VICTIM,
		PUT "Content-Length: 0x5\r\n\r\nhello" VICTIM,
		PUT "Content-Length: 99999999999999999999\r\n\r\nhello" VICTIM,
		PUT "Content-Length: 5\r\ncontent-length: 5\r\n\r\nhello" VICTIM,
		PUT "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" VICTIM,
		PUT
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" VICTIM,
		"PUT /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" VICTIM,
		"GET /a HTTP/1.1\r\n\r\n" VICTIM,
		GET HOST "\r\n" VICTIM,
		"GET /a HTTP/1.1\r\nHost: a b\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: a@b\r\n\r\n",
		"GET  /a HTTP/1.1\r\n" HOST "\r\n",
		"GET /a  HTTP/1.1\r\n" HOST "\r\n",
		"GET /a HTTP/1.1 \r\n" HOST "\r\n",
		" GET /a HTTP/1.1\r\n" HOST "\r\n",
		"GET /a b HTTP/1.1\r\n" HOST "\r\n",
		"GET\t/a HTTP/1.1\r\n" HOST "\r\n",
		"GET /\x01 HTTP/1.1\r\n" HOST "\r\n",
		"GET ?a HTTP/1.1\r\n" HOST "\r\n",
		"GET /a\r\n" HOST "\r\n",
		"GET\r\n" HOST "\r\n",
		"G(T /a HTTP/1.1\r\n" HOST "\r\n",
		"GET /a http/1.1\r\n" HOST "\r\n",
		"GET /a HTTP/1.10\r\n" HOST "\r\n",
		"GET /a HTTP/x.1\r\n" HOST "\r\n",
	};

	for (size_t i = 0; i < COUNT(heads); i++)
		expect_refused(slice_of(heads[i]), 400);
	expect_refused(SLICE(GET "\0A: b\r\n\r\n" VICTIM), 400);
	expect_refused(SLICE(GET "A: b\0c\r\n\r\n"), 400);
	expect_refused(SLICE(PUT "Content-Length: 161\0 99\r\n\r\n" VICTIM), 400);
	expect_refused(SLICE("GET /a\0b HTTP/1.1\r\n" HOST "\r\n"), 400);
}

Test(guard, what_the_server_does_not_speak_is_refused)
{
	expect_refused(SLICE(PUT "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" VICTIM), 501);
	expect_refused(SLICE(PUT "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" VICTIM), 501);
	expect_refused(SLICE(PUT "Transfer-Encoding:\r\n\r\n" VICTIM), 501);
	expect_refused(SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
	expect_refused(SLICE("GET /a HTTP/0.9\r\n\r\n"), 505);
}

Test(guard, broken_chunks_are_refused)
{
	static const char *const bodies[] = {
		"2;\nxx\r\n0\r\n\r\n",
		"2\nxx\r\n0\r\n\r\n",
		"2\r\nxx\n0\r\n\r\n",
		"2\r\nxx\r\n0\n\r\n",
		"2\r\nxx\r\n0\r\n\n",
		"2\r\nxxx\r\n0\r\n\r\n",
		"0x2\r\nxx\r\n",
		"-2\r\nxx\r\n",
		"+2\r\nxx\r\n",
		" 2\r\nxx\r\n",
		"2 \r\nxx\r\n",
		"\r\nxx\r\n",
		";a\r\nxx\r\n",
		"2;a\x01\r\nxx\r\n",
		"2;a\rb\r\nxx\r\n",
		"2\rx\nxx\r\n",
		"00000000000000002\r\n",
		"g\r\n",
		"0\r\nno colon\r\n\r\n",
		"0\r\n: x\r\n\r\n",
		"0\r\nA : x\r\n\r\n",
		"0\r\n folded\r\n\r\n",
		"0\r\nA: b\nC: d\r\n\r\n",
		"0\r\nA: b\x02\r\n\r\n",
		"0\r\n\rx\r\n",
	};
	char text[400];

	for (size_t i = 0; i < COUNT(bodies); i++) {
		(void)snprintf(text, sizeof(text),
			       PUT "Transfer-Encoding: chunked\r\n\r\n%s" VICTIM, bodies[i]);
		expect_refused(slice_of(text), 400);
	}
}

Test(guard, extensions_and_trailers_have_a_bound)
{
	static char text[32768];

	fill(text, sizeof(text), PUT "Transfer-Encoding: chunked\r\n\r\n2;", 'e', 9000,
	     "\r\nxx\r\n0\r\n\r\n");
	expect_refused(slice_of(text), 400);
	fill(text, sizeof(text), PUT "Transfer-Encoding: chunked\r\n\r\n0\r\nA: ", 't', 9000,
	     "\r\n\r\n");
	expect_refused(slice_of(text), 400);
}

/* They are dropped, and a client that sends nothing else must not keep the loop busy for ever. */
Test(guard, empty_lines_before_a_request_have_a_bound)
{
	static char text[32768];

	fill(text, sizeof(text), "\r\n", '\n', 1000, GET "\r\n");
	cr_assert_eq(run_all(slice_of(text))->status, 200);
	fill(text, sizeof(text), "\r\n", '\n', 1100, GET "\r\n");
	expect_refused(slice_of(text), 400);
	fill(text, sizeof(text), GET "\r\n", '\n', 20000, VICTIM);
	cr_assert_eq(run_all(slice_of(text))->status, 400);
}

Test(guard, what_is_too_long_is_refused)
{
	static char text[32768];
	size_t len = 0;

	fill(text, sizeof(text), "GET /", 'u', 2 * MAX_HEAD, " HTTP/1.1\r\n" HOST "\r\n" VICTIM);
	expect_refused(slice_of(text), 414);
	fill(text, sizeof(text), GET "A: ", 'h', 2 * MAX_HEAD, "\r\n\r\n" VICTIM);
	expect_refused(slice_of(text), 431);
	/* Small fields, for which the library needs more memory than they have bytes. */
	len = (size_t)sprintf(text, GET);
	for (int i = 0; i < 100; i++)
		len += (size_t)sprintf(text + len, "A:\r\n");
	(void)sprintf(text + len, "\r\n%s", VICTIM);
	expect_refused(slice_of(text), 431);
	/* Exactly what fits. */
	size_t room = MAX_HEAD - strlen("GET / HTTP/1.1\r\n" HOST "\r\n") - HEAD_FIELD_BYTES;
	fill(text, sizeof(text), "GET /", 'u', room, " HTTP/1.1\r\n" HOST "\r\n");
	cr_assert_eq(run_all(slice_of(text))->status, 200);
	fill(text, sizeof(text), "GET /", 'u', room + 1, " HTTP/1.1\r\n" HOST "\r\n");
	expect_refused(slice_of(text), 431);
}

/* So that its answer has the form of its path, its id, and a body only if it may. */
Test(guard, something_stands_for_a_head_that_was_refused)
{
	const struct outcome *outcome = run_all(
		SLICE("HEAD /api/get?q HTTP/1.1\r\nX-Request-Id: mine\r\n" HOST HOST "\r\n"));

	cr_assert_str_eq(outcome->text, "HEAD /api/get HTTP/1.1\r\nHost: localhost\r\n"
					"X-Request-Id: mine\r\n\r\n|");
	/* A value that continues on the next line is not used. */
	outcome = run_all(SLICE(GET "X-Request-Id: mine\r\n folded\r\n\r\n"));
	cr_assert_str_eq(outcome->text, "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n|");
	outcome = run_all(SLICE("POST /a?query HTTP/1.1\r\nContent-Length: 5\r\nX : y\r\n\r\n"));
	cr_assert_str_eq(outcome->text, "POST /a HTTP/1.1\r\nHost: localhost\r\n\r\n|");
	outcome = run_all(SLICE("\x16\x03\x01 nothing\r\n"));
	cr_assert_str_eq(outcome->text, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n|");
}

Test(guard, good_requests_before_a_bad_one_pass)
{
	const struct outcome *outcome = run_all(SLICE(GET "\r\n" GET "A : b\r\n\r\n" VICTIM));

	cr_assert_eq(outcome->requests, 2);
	cr_assert_eq(outcome->status, 400);
	cr_assert_eq(memcmp(outcome->text, GET "\r\n|", sizeof(GET "\r\n|") - 1), 0);
}

/* ---- The rest of an unwanted body ---- */

Test(guard, a_body_in_chunks_can_be_ended)
{
	static const char sent[] = PUT "Transfer-Encoding: chunked\r\n\r\nfffff\r\nhello";
	struct wire wire = {.bytes = sent, .len = sizeof(sent), .left = sizeof(sent) - 1};
	const struct guard_source source = {.read = read_wire,
					    .user = &wire,
					    .nothing_yet = -1,
					    .short_means_empty = true,
					    .acknowledge = acknowledge};
	static const char first[] = PUT "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
	struct guard guard;
	char got[512];

	guard_init(&guard, MAX_HEAD, false, &wire);
	ssize_t len = guard_receive(&guard, &source, got, sizeof(got));
	cr_assert_eq((size_t)len, sizeof(first) - 1);
	cr_assert_eq(memcmp(got, first, (size_t)len), 0);
	cr_assert(!wake_list_has_any());
	guard_end_body(&guard);
	/* The client may send nothing more for a while: the event loop is woken. */
	struct epoll_event event;
	cr_assert_eq(wake_list_take(&event, 1), 1);
	cr_assert_eq(event.data.ptr, &wire);
	len = guard_receive(&guard, &source, got, sizeof(got));
	cr_assert_eq(len, 5);
	cr_assert_eq(memcmp(got, "0\r\n\r\n", 5), 0);
	wire.left = 1;
	cr_assert_eq(guard_receive(&guard, &source, got, sizeof(got)), -1, "bytes behind the end");
	guard_end_request(&guard);
	cr_assert_eq(guard_receive(&guard, &source, got, sizeof(got)), -1, "another request");
	guard_deinit(&guard);
}

#define LONG_LINE  "Content-Length: 100000000\r\n"
#define LONG_CODED "Transfer-Encoding:chunked\r\n"

Test(guard, a_long_body_can_be_ended)
{
	static const char sent[] = PUT LONG_LINE "\r\nhello";
	static const char first[] = PUT LONG_CODED "\r\n00000005\r\nhello\r\n";
	struct wire wire = {.bytes = sent, .len = sizeof(sent), .left = sizeof(sent) - 1};
	const struct guard_source source = {.read = read_wire,
					    .user = &wire,
					    .nothing_yet = -1,
					    .short_means_empty = true,
					    .acknowledge = acknowledge};
	struct guard guard;
	char got[512];

	guard_init(&guard, MAX_HEAD, false, &wire);
	ssize_t len = guard_receive(&guard, &source, got, sizeof(got));
	cr_assert_eq((size_t)len, sizeof(first) - 1, "%.*s", (int)len, got);
	cr_assert_eq(memcmp(got, first, (size_t)len), 0, "%.*s", (int)len, got);
	cr_assert_eq(guard.head.content_length, 100000000);
	guard_end_body(&guard);
	len = guard_receive(&guard, &source, got, sizeof(got));
	cr_assert_eq(len, 5);
	cr_assert_eq(memcmp(got, "0\r\n\r\n", 5), 0);
	guard_end_request(&guard);
	wire.left = 1;
	cr_assert_eq(guard_receive(&guard, &source, got, sizeof(got)), -1, "another request");
	guard_deinit(&guard);
}

/* A long body, in pieces of another size each time, and the next request behind it. */
struct stream {
	const char *head;
	size_t head_len, body_left, round;
	bool is_over;
};

static ssize_t read_long(void *user, void *room, size_t size)
{
	struct stream *stream = user;
	size_t len = stream->round++ % 7 * 5003 + 1;

	if (len > size)
		len = size;
	if (stream->round % 5 == 0 || stream->is_over) {
		errno = EAGAIN;
		return -1;
	}
	if (stream->head_len > 0) {
		len = len < stream->head_len ? len : stream->head_len;
		memcpy(room, stream->head, len);
		stream->head += len;
		stream->head_len -= len;
		return (ssize_t)len;
	}
	if (stream->body_left > 0) {
		len = len < stream->body_left ? len : stream->body_left;
		memset(room, 'x', len);
		stream->body_left -= len;
		if (stream->body_left > 0 || size - len < sizeof(GET "\r\n") - 1)
			return (ssize_t)len;
		room = (char *)room + len;
	} else {
		len = 0;
	}
	memcpy(room, GET "\r\n", sizeof(GET "\r\n") - 1);
	stream->is_over = true;
	return (ssize_t)(len + sizeof(GET "\r\n") - 1);
}

Test(guard, a_long_body_is_passed_on_whole)
{
	static char head[] = PUT LONG_LINE "\r\n";
	struct stream stream = {.head = head, .head_len = sizeof(head) - 1, .body_left = 100000000};
	const struct guard_source source = {.read = read_long,
					    .user = &stream,
					    .nothing_yet = -1,
					    .short_means_empty = false,
					    .acknowledge = acknowledge};
	struct guard guard;
	char *got = malloc(110000000);
	size_t len = 0;

	guard_init(&guard, MAX_HEAD, true, &stream);
	for (size_t round = 0; guard.state != GUARD_COMPLETE || guard.pending_len > 0; round++) {
		ssize_t more =
			guard_receive(&guard, &source, got + len,
				      round % 97 == 5 ? round % 40 + 1 : 9000 + round % 24000);

		len += more > 0 ? (size_t)more : 0;
		cr_assert_lt(len, 110000000 - 40000);
	}
	cr_assert_eq(memcmp(got, PUT LONG_CODED "\r\n", sizeof(head) - 1), 0);
	size_t at = sizeof(head) - 1;
	size_t body = 0;
	for (size_t size = 1; size > 0;) {
		char *end = NULL;

		size = strtoul(got + at, &end, 16);
		cr_assert_eq(memcmp(end, "\r\n", 2), 0);
		at = (size_t)(end + 2 - got);
		cr_assert_eq(memcmp(got + at + size, "\r\n", 2), 0);
		for (size_t i = 0; i < size; i += 100)
			cr_assert_eq(got[at + i], 'x');
		at += size + 2;
		body += size;
	}
	cr_assert_eq(body, 100000000);
	cr_assert_eq(at, len);
	guard_end_request(&guard);
	for (len = 0; len < sizeof(GET "\r\n") - 1;) {
		ssize_t more = guard_receive(&guard, &source, got + len, 1000);

		len += more > 0 ? (size_t)more : 0;
	}
	cr_assert_eq(memcmp(got, GET "\r\n", len), 0);
	guard_deinit(&guard);
	free(got);
}

/* ---- Acknowledgements ---- */

/* How often it is asked for one if the bytes arrive in pieces of `piece`. */
static unsigned asked_for(const char *bytes, size_t piece)
{
	struct outcome outcome;

	acknowledged = 0;
	run(&outcome, slice_of(bytes), piece, 4096, false);
	return acknowledged;
}

Test(guard, what_came_of_a_request_is_acknowledged_if_the_rest_is_missing)
{
	static const char put[] = PUT "Content-Length: 5\r\n\r\n";
	const size_t head_len = sizeof(put) - 1;

	cr_expect_eq(asked_for(GET "\r\n", 4096), 0, "there is no rest");
	cr_expect_eq(asked_for(PUT "Content-Length: 5\r\n\r\nhello", 4096), 0);
	cr_expect_eq(asked_for(PUT "Content-Length: 5\r\n\r\nhello" GET "\r\n", 4096), 0);
	cr_expect_eq(asked_for(PUT "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 4096),
		     0);
	cr_expect_eq(asked_for(PUT "Content-Length: 5\r\n\r\nhello", head_len), 1,
		     "the body comes behind the head");
	cr_expect_eq(asked_for(PUT "Content-Length: 5\r\n\r\nhello", head_len + 4), 1, "its end");
	cr_expect_eq(asked_for(PUT "Content-Length: 5\r\n\r\nhello", head_len - 1), 1,
		     "the end of the head");
	cr_expect_eq(asked_for(PUT "Content-Length: 5\r\n\r\nhello", 1), head_len + 4);
	can_acknowledge = false;
	cr_expect_eq(asked_for(PUT "Content-Length: 5\r\n\r\nhello", 1), 1,
		     "it cannot, and is not asked again");
	can_acknowledge = true;
}
