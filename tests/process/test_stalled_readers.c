/* The cost of readers that stop reading: readers of one value share it, and its memory is freed
 * when they have left. */
#include "tests/process/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

PROCESS_SUITE(stalled_readers);

#define VALUE_BYTES ((size_t)20 << 20)
#define READERS     16

static void put_value(int number)
{
	char *value = malloc(VALUE_BYTES);
	char target[32];

	memset(value, 'a' + number % 26, VALUE_BYTES);
	(void)snprintf(target, sizeof(target), "/cache/ns/%d", number);
	expect_status(http_put(scene.client, target, ((struct slice){value, VALUE_BYTES})), 201);
	free(value);
}

/* A connection with small buffers. */
static void open_stalled(struct raw_socket *reader)
{
	int room = 4096;

	cr_assert(raw_open(reader, scene.server.url));
	(void)setsockopt(reader->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
}

/* Reads the beginning of value `number` and no more; returns the status. */
static int stall(struct raw_socket *reader, int number)
{
	open_stalled(reader);
	cr_assert(raw_send_text(reader, "GET /cache/ns/%d HTTP/1.1\r\nHost: localhost\r\n\r\n",
				number));
	cr_assert(raw_await(reader, "\r\n\r\n", 60000));
	return atoi(reader->received + strlen("HTTP/1.1 "));
}

static void share_one(const char *backend)
{
	struct raw_socket readers[READERS];

	scene_env(backend);
	scene_start();
	put_value(0);
	long before_kib = server_anonymous_kib(&scene.server);
	for (int i = 0; i < READERS; i++)
		cr_assert_eq(stall(&readers[i], 0), 200);
	long stalled_kib = server_anonymous_kib(&scene.server);
	/* One copy, or two if two began to read it at once; not one each. */
	cr_expect_lt(stalled_kib - before_kib, 3 * (long)VALUE_BYTES / 1024, "%ld KiB",
		     stalled_kib);
	for (int i = 0; i < READERS; i++)
		raw_close(&readers[i]);
#ifndef __SANITIZE_ADDRESS__ /* which keeps freed memory for a while */
	cr_expect(await_condition(server_anonymous_kib(&scene.server) <
					  before_kib + (long)VALUE_BYTES / 2048,
				  20000),
		  "%ld KiB, before %ld", server_anonymous_kib(&scene.server), before_kib);
#endif
	scene_stop();
}

Test(stalled_readers, of_one_value_share_it_sqlite)
{
	share_one("STEADYCACHE_BACKEND=sqlite");
}

Test(stalled_readers, of_one_value_share_it_memory)
{
	share_one("STEADYCACHE_BACKEND=memory");
}

/* A JSON answer is made for each reader: at most 512 MB of them at a time, and then service
 * continues. */
Test(stalled_readers, of_answers_in_json_have_a_bound)
{
	enum { ANSWERS = 22 };
	const char *body = "{\"cache_name\":\"ns\",\"key\":\"0\"}";
	struct raw_socket readers[ANSWERS];
	char *value = malloc(VALUE_BYTES);
	int refused = 0;

	scene_env("STEADYCACHE_BACKEND=memory");
	scene_start();
	memset(value, 0xFF, VALUE_BYTES); /* a third longer in base64 */
	expect_status(http_put(scene.client, "/cache/ns/0", ((struct slice){value, VALUE_BYTES})),
		      201);
	free(value);
	for (int i = 0; i < ANSWERS; i++) {
		open_stalled(&readers[i]);
		cr_assert(raw_send_text(&readers[i],
					"POST /api/get HTTP/1.1\r\nHost: localhost\r\n"
					"Content-Length: %zu\r\n\r\n%s",
					strlen(body), body));
		cr_assert(raw_await(&readers[i], "\r\n\r\n", 60000));
		int status = atoi(readers[i].received + strlen("HTTP/1.1 "));
		cr_assert(status == 200 || status == 503, "status %d", status);
		refused += status == 503;
	}
	cr_expect(refused >= 2 && refused < ANSWERS / 2, "%d", refused);
	for (int i = 0; i < ANSWERS; i++)
		raw_close(&readers[i]);
	cr_expect(await_condition(http_post_json(scene.client, "/api/get", body)->status == 200,
				  20000));
	scene_stop();
}
