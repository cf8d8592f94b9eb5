/* What readers cost that do not read on: those of one value share it, and what they held goes back
 * when they have left. */
#include "tests/process/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

PROCESS_SUITE(stalled_readers);

#define VALUE_BYTES ((size_t)20 << 20)
#define READERS     16

/* Anonymous memory in KiB: pages of the database file are the system's. */
static long held_kib(void)
{
	char path[64], line[200];
	long kib = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)scene.server.pid);
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		(void)sscanf(line, "RssAnon: %ld", &kib);
	if (file)
		(void)fclose(file);
	return kib;
}

static void put_value(int number)
{
	char *value = malloc(VALUE_BYTES);
	char target[32];

	memset(value, 'a' + number % 26, VALUE_BYTES);
	(void)snprintf(target, sizeof(target), "/cache/ns/%d", number);
	expect_status(http_put(scene.client, target, ((struct slice){value, VALUE_BYTES})), 201);
	free(value);
}

/* Reads the beginning of value `number` and no more: the status. */
static int stall(struct raw_socket *reader, int number)
{
	int room = 4096;

	cr_assert(raw_open(reader, scene.server.url));
	(void)setsockopt(reader->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
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
	long before_kib = held_kib();
	for (int i = 0; i < READERS; i++)
		cr_assert_eq(stall(&readers[i], 0), 200);
	long stalled_kib = held_kib();
	/* One copy, or two where two began to read it at once; not one each. */
	cr_expect_lt(stalled_kib - before_kib, 3 * (long)VALUE_BYTES / 1024, "%ld KiB",
		     stalled_kib);
	for (int i = 0; i < READERS; i++)
		raw_close(&readers[i]);
	cr_expect(await_condition(held_kib() < before_kib + (long)VALUE_BYTES / 2048, 20000),
		  "%ld KiB, before %ld", held_kib(), before_kib);
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
