#include "tests/support/fake_redis.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define INFO                                                                                       \
	"# Server\r\nredis_version:7.0.15\r\nrun_id:0123456789012345678901234567890123456789\r\n"  \
	"# Memory\r\nmaxmemory_policy:noeviction\r\n# Replication\r\nrole:master\r\n"

void fake_redis_listen(struct fake_redis *fake)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)fake->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(address);
	const int on = 1;

	fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fake->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	cr_assert_eq(bind(fake->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fake->listener, 16), 0);
	cr_assert_eq(getsockname(fake->listener, (struct sockaddr *)&address, &len), 0);
	fake->port = ntohs(address.sin_port);
}

void fake_redis_open(struct fake_redis *fake)
{
	*fake = (struct fake_redis){.info = INFO};
	for (size_t i = 0; i < FAKE_REDIS_CONNECTIONS; i++)
		fake->connections[i].fd = -1;
	fake_redis_listen(fake);
}

static void end(struct fake_redis_connection *connection)
{
	if (connection->fd < 0)
		return;
	close(connection->fd);
	redis_reader_free(connection->reader);
	buffer_deinit(&connection->out);
	*connection = (struct fake_redis_connection){.fd = -1};
}

void fake_redis_hang_up(struct fake_redis *fake)
{
	for (size_t i = 0; i < FAKE_REDIS_CONNECTIONS; i++)
		end(&fake->connections[i]);
}

void fake_redis_stop(struct fake_redis *fake)
{
	fake_redis_hang_up(fake);
	if (fake->listener >= 0)
		close(fake->listener);
	fake->listener = -1;
}

void fake_redis_close(struct fake_redis *fake)
{
	fake_redis_stop(fake);
}

static void take_connections(struct fake_redis *fake)
{
	for (size_t i = 0; i < FAKE_REDIS_CONNECTIONS && fake->listener >= 0; i++) {
		struct fake_redis_connection *free_one = &fake->connections[i];

		if (free_one->fd >= 0)
			continue;
		free_one->fd = accept4(fake->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (free_one->fd < 0)
			return;
		setsockopt(free_one->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
		free_one->reader = redis_reader_create(1U << 26);
		free_one->id = ++fake->last_id;
		fake->accepted++;
	}
}

static void append(struct fake_redis_connection *connection, const char *text)
{
	buffer_append(&connection->out, slice_of(text));
}

static bool is_word(const struct redis_reply *command, size_t i, const char *word)
{
	return i < command->count && strcasecmp(command->elements[i].text.data, word) == 0;
}

static void note(struct fake_redis *fake, const struct redis_reply *command)
{
	char line[400] = "";
	size_t len = 0;

	for (size_t i = 0; i < command->count && len < 100; i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%.60s", i ? " " : "",
					command->elements[i].text.data);
	if (fake->log_count < FAKE_REDIS_LOG)
		snprintf(fake->log[fake->log_count++], sizeof(fake->log[0]), "%.60s", line);
}

/* True: the command was one of the hello. */
static bool greet(struct fake_redis *fake, struct fake_redis_connection *connection,
		  const struct redis_reply *command)
{
	bool is_client = is_word(command, 0, "CLIENT"), is_info = is_word(command, 0, "INFO");
	bool is_function = is_word(command, 0, "FUNCTION");

	if (is_client && is_word(command, 1, "ID")) {
		buffer_printf(&connection->out, ":%ld\r\n", (long)connection->id);
	} else if (is_client && is_word(command, 1, "KILL")) {
		append(connection, ":1\r\n");
	} else if (is_client) {
		append(connection, "+OK\r\n");
	} else if (!is_info && !is_function && !is_word(command, 0, "AUTH") &&
		   !is_word(command, 0, "SELECT") && !is_word(command, 0, "SCRIPT") &&
		   !is_word(command, 0, "PUBLISH")) {
		return false;
	} else if (fake->refusal) {
		append(connection, fake->refusal);
	} else if (is_info) {
		buffer_printf(&connection->out, "$%zu\r\n%s\r\n", strlen(fake->info), fake->info);
	} else if (is_function && fake->lacks_functions) {
		append(connection,
		       "-ERR unknown command 'FUNCTION', with args beginning with:\r\n");
	} else {
		append(connection, "+OK\r\n");
	}
	return true;
}

static void serve(struct fake_redis *fake, struct fake_redis_connection *connection)
{
	struct redis_reply command;
	char bytes[65536];
	ssize_t got;

	while ((got = recv(connection->fd, bytes, sizeof(bytes), 0)) > 0)
		cr_assert(redis_reader_feed(connection->reader,
					    (struct slice){.data = bytes, .len = (size_t)got}));
	if (got == 0) {
		end(connection);
		return;
	}
	while (redis_reader_next(connection->reader, &command) == READ_REPLY) {
		note(fake, &command);
		if (!greet(fake, connection, &command)) {
			const char *reply = fake->answer ? fake->answer(fake, &command) : "+OK\r\n";

			if (reply)
				append(connection, reply);
		}
		redis_reply_deinit(&command);
	}
	size_t left = connection->out.len - connection->sent;
	if (fake->cut > 0 && left > fake->cut)
		left = fake->cut;
	if (left == 0)
		return;
	ssize_t sent =
		send(connection->fd, connection->out.data + connection->sent, left, MSG_NOSIGNAL);
	connection->sent += sent > 0 ? (size_t)sent : 0;
}

void fake_redis_step(struct fake_redis *fake)
{
	if (fake->is_paused)
		return;
	take_connections(fake);
	for (size_t i = 0; i < FAKE_REDIS_CONNECTIONS; i++)
		if (fake->connections[i].fd >= 0)
			serve(fake, &fake->connections[i]);
}

void fake_redis_send(struct fake_redis *fake, struct slice bytes)
{
	for (size_t i = 0; i < FAKE_REDIS_CONNECTIONS; i++)
		if (fake->connections[i].fd >= 0)
			cr_assert_eq(
				send(fake->connections[i].fd, bytes.data, bytes.len, MSG_NOSIGNAL),
				(ssize_t)bytes.len);
}

size_t fake_redis_find(const struct fake_redis *fake, const char *start)
{
	size_t i = 0;

	while (i < fake->log_count && strncasecmp(fake->log[i], start, strlen(start)) != 0)
		i++;
	return i;
}

size_t fake_redis_count(const struct fake_redis *fake, const char *start)
{
	size_t count = 0;

	for (size_t i = 0; i < fake->log_count; i++)
		count += strncasecmp(fake->log[i], start, strlen(start)) == 0;
	return count;
}
