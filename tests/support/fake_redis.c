#include "tests/support/fake_redis.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/temp_dir.h"

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
	if (connection->tls)
		gnutls_deinit(connection->tls);
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
	if (fake->credentials)
		gnutls_certificate_free_credentials(fake->credentials);
	fake->credentials = NULL;
}

/* ---- TLS ---- */

void fake_redis_use_tls(struct fake_redis *fake, const char *ret_path)
{
	const unsigned char address[4] = {127, 0, 0, 1};
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t certificate;
	char text[4096];
	size_t len = sizeof(text);

	cr_assert_geq(gnutls_x509_privkey_init(&key), 0);
	cr_assert_geq(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
						   GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
						   0),
		      0);
	cr_assert_geq(gnutls_x509_crt_init(&certificate), 0);
	gnutls_x509_crt_set_version(certificate, 3);
	gnutls_x509_crt_set_serial(certificate, "\1", 1);
	gnutls_x509_crt_set_activation_time(certificate, time(NULL) - 3600);
	gnutls_x509_crt_set_expiration_time(certificate, time(NULL) + 3600);
	gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS, address,
					     sizeof(address), GNUTLS_FSAN_SET);
	gnutls_x509_crt_set_key(certificate, key);
	cr_assert_geq(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0),
		      0);
	cr_assert_geq(gnutls_x509_crt_export(certificate, GNUTLS_X509_FMT_PEM, text, &len), 0);
	file_write(ret_path, (struct slice){.data = text, .len = len});
	cr_assert_geq(gnutls_certificate_allocate_credentials(&fake->credentials), 0);
	cr_assert_geq(gnutls_certificate_set_x509_key(fake->credentials, &certificate, 1, key), 0);
	gnutls_x509_crt_deinit(certificate);
	gnutls_x509_privkey_deinit(key);
}

static gnutls_session_t begin_tls(const struct fake_redis *fake, int fd)
{
	gnutls_session_t tls;

	cr_assert_geq(gnutls_init(&tls, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL), 0);
	cr_assert_geq(gnutls_set_default_priority(tls), 0);
	cr_assert_geq(gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, fake->credentials), 0);
	gnutls_transport_set_int(tls, fd);
	return tls;
}

static ssize_t read_some(struct fake_redis_connection *connection, char *target, size_t size)
{
	if (!connection->tls)
		return recv(connection->fd, target, size, 0);
	if (!connection->has_shaken_hands && gnutls_handshake(connection->tls) < 0)
		return -1;
	connection->has_shaken_hands = true;
	return gnutls_record_recv(connection->tls, target, size);
}

static ssize_t write_some(const struct fake_redis_connection *connection, const char *bytes,
			  size_t len)
{
	return connection->tls ? gnutls_record_send(connection->tls, bytes, len)
			       : send(connection->fd, bytes, len, MSG_NOSIGNAL);
}

/* ---- Connections ---- */

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
		free_one->tls = fake->credentials ? begin_tls(fake, free_one->fd) : NULL;
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

	while ((got = read_some(connection, bytes, sizeof(bytes))) > 0)
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
	ssize_t sent = write_some(connection, connection->out.data + connection->sent, left);
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
