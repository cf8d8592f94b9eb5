#include "tests/support/mock_upstream.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/mock_worker.h"
#include "tests/support/server_process.h"

#define CONNECTIONS_MAX 512
#define BODIES_MAX      20000
#define PLACES_MAX      8
#define SCRIPT_MAX      64

struct mock_upstream {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int listener; /* -1: down */
	unsigned short port;
	char url[64];
	char key[128];
	pthread_t acceptor;
	bool is_accepting;
	struct mock_reply always, next;
	unsigned next_left;
	struct {
		const char *start;
		struct mock_reply reply;
	} places[PLACES_MAX];
	struct mock_reply script[SCRIPT_MAX];
	size_t script_at, script_len;
	unsigned generation; /* of `always`: a hanging request waits for another one */
	int fds[CONNECTIONS_MAX];
	unsigned open_connections, connections, requests;
	char *bodies[BODIES_MAX], *heads[BODIES_MAX];
	struct mock_store *store;
};

struct connection {
	struct mock_upstream *mock;
	int fd;
	char *data; /* received and not yet used */
	size_t len;
};

/* ---- One connection ---- */

static bool receive_more(struct connection *connection)
{
	char *grown = realloc(connection->data, connection->len + 65537);

	if (!grown)
		abort();
	connection->data = grown;
	ssize_t got = recv(connection->fd, grown + connection->len, 65536, 0);
	if (got <= 0)
		return false;
	connection->len += (size_t)got;
	grown[connection->len] = '\0';
	return true;
}

static void send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		data += sent;
		len -= (size_t)sent;
	}
}

static void send_answer(int fd, int status, const char *headers, const char *body, bool truncate)
{
	char head[1024];
	size_t len = body ? strlen(body) : 0;
	int head_len =
		snprintf(head, sizeof(head), "HTTP/1.1 %d Mock\r\nContent-Length: %zu\r\n%s\r\n",
			 status, len, headers ? headers : "Content-Type: application/json\r\n");

	send_all(fd, head, (size_t)head_len);
	send_all(fd, body, truncate ? len / 2 : len);
}

/* Breaks the connection with a reset. */
static void reset(int fd)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static bool is_authorized(struct mock_upstream *mock, const char *head)
{
	char line[200];

	if (!mock->key[0])
		return true;
	(void)snprintf(line, sizeof(line), "\r\nAuthorization: Bearer %s\r\n", mock->key);
	return strcasestr(head, line) != NULL;
}

/* Keeps head and body; returns what to do with the request. */
static struct mock_reply take_request(struct mock_upstream *mock, const char *head,
				      const char *body, unsigned *generation)
{
	bool has_place = false;

	(void)pthread_mutex_lock(&mock->lock);
	struct mock_reply reply = mock->always;
	if (mock->requests < BODIES_MAX) {
		mock->bodies[mock->requests] = strdup(body);
		mock->heads[mock->requests] = strdup(head);
	}
	mock->requests++;
	for (size_t i = 0; i < PLACES_MAX && mock->places[i].start; i++)
		if (strncmp(head, mock->places[i].start, strlen(mock->places[i].start)) == 0) {
			reply = mock->places[i].reply;
			has_place = true;
		}
	if (!has_place && mock->script_at < mock->script_len) {
		reply = mock->script[mock->script_at++];
	} else if (mock->next_left > 0) {
		mock->next_left--;
		reply = mock->next;
	}
	*generation = mock->generation;
	(void)pthread_mutex_unlock(&mock->lock);
	return reply;
}

static void hang(struct mock_upstream *mock, unsigned generation)
{
	(void)pthread_mutex_lock(&mock->lock);
	while (mock->generation == generation)
		(void)pthread_cond_wait(&mock->changed, &mock->lock);
	(void)pthread_mutex_unlock(&mock->lock);
}

static void serve(struct connection *connection, const struct mock_reply *reply, const char *head,
		  const char *body)
{
	struct mock_upstream *mock = connection->mock;
	bool original = reply->behaviour == MOCK_ORIGINAL;
	int status = 401;
	char *answer = NULL;

	(void)pthread_mutex_lock(&mock->lock);
	if (is_authorized(mock, head))
		answer = mock_store_answer(mock->store, original, head, body, &status);
	(void)pthread_mutex_unlock(&mock->lock);
	if (reply->behaviour == MOCK_RUIN)
		reset(connection->fd);
	else
		send_answer(connection->fd, status, NULL, answer, false);
	free(answer);
}

/* False: the connection ends. */
static bool handle_request(struct connection *connection, const char *head, const char *body)
{
	struct mock_upstream *mock = connection->mock;
	unsigned generation = 0;
	struct mock_reply reply = take_request(mock, head, body, &generation);

	if (reply.delay_ms > 0)
		nap_ms((int)reply.delay_ms);
	switch (reply.behaviour) {
	case MOCK_SERVE:
	case MOCK_ORIGINAL:
		serve(connection, &reply, head, body);
		return true;
	case MOCK_RUIN:
		serve(connection, &reply, head, body);
		return false;
	case MOCK_ANSWER:
		send_answer(connection->fd, reply.status, reply.headers, reply.body, false);
		return true;
	case MOCK_TRUNCATE:
		send_answer(connection->fd, reply.status, reply.headers, reply.body, true);
		return false;
	case MOCK_HANG:
		hang(mock, generation);
		return false;
	case MOCK_RESET:
		reset(connection->fd);
		return false;
	}
	return false;
}

/* Reads one request and handles it; bytes that cannot be a request (a TLS handshake) are rejected
 * at once, as servers do. False: the connection ends. */
static bool run_request(struct connection *connection)
{
	char *end;

	while (!connection->len || !(end = strstr(connection->data, "\r\n\r\n"))) {
		if (!receive_more(connection))
			return false;
		if (connection->data[0] < 'A' || connection->data[0] > 'Z') {
			send_answer(connection->fd, 400, NULL, NULL, false);
			return false;
		}
	}
	size_t head_len = (size_t)(end - connection->data) + 4;
	const char *length = strcasestr(connection->data, "\r\nContent-Length:");
	size_t body_len = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
	const char *expect = strcasestr(connection->data, "\r\nExpect: 100-continue");
	if (expect && expect < end)
		send_all(connection->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	while (connection->len < head_len + body_len)
		if (!receive_more(connection))
			return false;
	char *head = strndup(connection->data, head_len);
	char *body = strndup(connection->data + head_len, body_len);
	connection->len -= head_len + body_len;
	memmove(connection->data, connection->data + head_len + body_len, connection->len + 1);
	bool goes_on = handle_request(connection, head, body);
	free(head);
	free(body);
	return goes_on;
}

static void forget_fd(struct mock_upstream *mock, int fd)
{
	(void)pthread_mutex_lock(&mock->lock);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (mock->fds[i] == fd)
			mock->fds[i] = -1;
	(void)close(fd);
	mock->open_connections--;
	(void)pthread_cond_broadcast(&mock->changed);
	(void)pthread_mutex_unlock(&mock->lock);
}

static void *run_connection(void *arg)
{
	struct connection *connection = arg;

	while (run_request(connection))
		continue;
	forget_fd(connection->mock, connection->fd);
	free(connection->data);
	free(connection);
	return NULL;
}

/* ---- Listening ---- */

static void start_connection(struct mock_upstream *mock, int fd)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	pthread_t thread;
	size_t i = 0;

	(void)pthread_mutex_lock(&mock->lock);
	while (i < CONNECTIONS_MAX && mock->fds[i] >= 0)
		i++;
	if (!connection || i == CONNECTIONS_MAX)
		abort();
	mock->fds[i] = fd;
	mock->open_connections++;
	mock->connections++;
	(void)pthread_mutex_unlock(&mock->lock);
	*connection = (struct connection){.mock = mock, .fd = fd};
	if (pthread_create(&thread, NULL, run_connection, connection) != 0)
		abort();
	(void)pthread_detach(thread);
}

static void *run_acceptor(void *arg)
{
	struct mock_upstream *mock = arg;
	int fd;

	while ((fd = accept4(mock->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		start_connection(mock, fd);
	return NULL;
}

void mock_come_back(struct mock_upstream *mock)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(mock->port),
	};
	socklen_t size = sizeof(address);
	int on = 1;

	mock->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (mock->listener < 0 ||
	    setsockopt(mock->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(mock->listener, (struct sockaddr *)&address, size) != 0 ||
	    listen(mock->listener, 256) != 0 ||
	    getsockname(mock->listener, (struct sockaddr *)&address, &size) != 0 ||
	    pthread_create(&mock->acceptor, NULL, run_acceptor, mock) != 0) {
		perror("mock upstream");
		abort();
	}
	mock->port = ntohs(address.sin_port);
	(void)snprintf(mock->url, sizeof(mock->url), "http://127.0.0.1:%d", mock->port);
}

void mock_go_down(struct mock_upstream *mock)
{
	if (mock->listener < 0)
		return;
	(void)shutdown(mock->listener, SHUT_RDWR);
	(void)pthread_join(mock->acceptor, NULL);
	(void)close(mock->listener);
	mock->listener = -1;
	(void)pthread_mutex_lock(&mock->lock);
	mock->generation++;
	(void)pthread_cond_broadcast(&mock->changed);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (mock->fds[i] >= 0)
			(void)shutdown(mock->fds[i], SHUT_RDWR);
	while (mock->open_connections > 0)
		(void)pthread_cond_wait(&mock->changed, &mock->lock);
	(void)pthread_mutex_unlock(&mock->lock);
}

struct mock_upstream *mock_open(void)
{
	struct mock_upstream *mock = calloc(1, sizeof(*mock));

	if (!mock)
		abort();
	(void)pthread_mutex_init(&mock->lock, NULL);
	(void)pthread_cond_init(&mock->changed, NULL);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		mock->fds[i] = -1;
	mock->store = mock_store_create();
	mock_come_back(mock);
	return mock;
}

void mock_close(struct mock_upstream *mock)
{
	if (!mock)
		return;
	mock_go_down(mock);
	mock_forget(mock);
	mock_store_destroy(mock->store);
	(void)pthread_cond_destroy(&mock->changed);
	(void)pthread_mutex_destroy(&mock->lock);
	free(mock);
}

const char *mock_url(const struct mock_upstream *mock)
{
	return mock->url;
}

/* ---- What tests set and ask ---- */

void mock_always(struct mock_upstream *mock, struct mock_reply reply)
{
	(void)pthread_mutex_lock(&mock->lock);
	mock->always = reply;
	mock->next_left = 0;
	mock->generation++;
	(void)pthread_cond_broadcast(&mock->changed);
	(void)pthread_mutex_unlock(&mock->lock);
}

void mock_script(struct mock_upstream *mock, const struct mock_reply *replies, size_t count)
{
	(void)pthread_mutex_lock(&mock->lock);
	mock->script_at = 0;
	mock->script_len = count < SCRIPT_MAX ? count : SCRIPT_MAX;
	memcpy(mock->script, replies, mock->script_len * sizeof(*replies));
	(void)pthread_mutex_unlock(&mock->lock);
}

void mock_next(struct mock_upstream *mock, unsigned times, struct mock_reply reply)
{
	(void)pthread_mutex_lock(&mock->lock);
	mock->next = reply;
	mock->next_left = times;
	(void)pthread_mutex_unlock(&mock->lock);
}

void mock_at(struct mock_upstream *mock, const char *start, struct mock_reply reply)
{
	size_t i = 0;

	(void)pthread_mutex_lock(&mock->lock);
	while (i < PLACES_MAX && mock->places[i].start && strcmp(mock->places[i].start, start) != 0)
		i++;
	if (i == PLACES_MAX)
		abort();
	mock->places[i].start = start;
	mock->places[i].reply = reply;
	(void)pthread_mutex_unlock(&mock->lock);
}

void mock_set_key(struct mock_upstream *mock, const char *key)
{
	(void)pthread_mutex_lock(&mock->lock);
	(void)snprintf(mock->key, sizeof(mock->key), "%s", key ? key : "");
	(void)pthread_mutex_unlock(&mock->lock);
}

unsigned mock_requests(struct mock_upstream *mock)
{
	(void)pthread_mutex_lock(&mock->lock);
	unsigned count = mock->requests;
	(void)pthread_mutex_unlock(&mock->lock);
	return count;
}

unsigned mock_connections(struct mock_upstream *mock)
{
	(void)pthread_mutex_lock(&mock->lock);
	unsigned count = mock->connections;
	(void)pthread_mutex_unlock(&mock->lock);
	return count;
}

unsigned mock_count(struct mock_upstream *mock, const char *text)
{
	unsigned count = 0;

	(void)pthread_mutex_lock(&mock->lock);
	for (unsigned i = 0; i < mock->requests && i < BODIES_MAX; i++)
		for (const char *at = mock->bodies[i]; (at = strstr(at, text)); at++)
			count++;
	(void)pthread_mutex_unlock(&mock->lock);
	return count;
}

static char *copy_of(struct mock_upstream *mock, char *const *texts, unsigned i)
{
	(void)pthread_mutex_lock(&mock->lock);
	char *copy = i < mock->requests && i < BODIES_MAX ? strdup(texts[i]) : NULL;
	(void)pthread_mutex_unlock(&mock->lock);
	return copy;
}

char *mock_body(struct mock_upstream *mock, unsigned i)
{
	return copy_of(mock, mock->bodies, i);
}

char *mock_head(struct mock_upstream *mock, unsigned i)
{
	return copy_of(mock, mock->heads, i);
}

void mock_forget(struct mock_upstream *mock)
{
	(void)pthread_mutex_lock(&mock->lock);
	for (unsigned i = 0; i < mock->requests && i < BODIES_MAX; i++) {
		free(mock->bodies[i]);
		free(mock->heads[i]);
		mock->bodies[i] = NULL;
		mock->heads[i] = NULL;
	}
	mock->requests = 0;
	mock->connections = 0;
	(void)pthread_mutex_unlock(&mock->lock);
}
