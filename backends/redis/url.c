#include "backends/redis/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "backends/redis/decimal.h"
#include "base/clock.h"
#include "base/slice.h"

#define DEFAULT_PORT    6379
#define DB_MAX          65535
#define CONNECTIONS_MAX 64
#define PARTITIONS_MAX  1024
#define SERVERS_MAX     64
#define PREFIX_MAX_LEN  64
#define SECONDS_MAX     300
#define CONNECT_MIN     0.01
#define TIMEOUT_MIN     0.05

static bool refuse(char *error, size_t error_size, const char *sentence)
{
	(void)snprintf(error, error_size, "the URL of Redis: %s", sentence);
	return false;
}

static struct slice rest_of(struct slice text, size_t from)
{
	return (struct slice){.data = text.data + from, .len = text.len - from};
}

static struct slice first_of(struct slice text, size_t len)
{
	return (struct slice){.data = text.data, .len = len};
}

/* The place of `c`, or the length of `text`. */
static size_t find(struct slice text, char c)
{
	const char *at = text.len > 0 ? memchr(text.data, c, text.len) : NULL;

	return at ? (size_t)(at - text.data) : text.len;
}

static size_t find_last(struct slice text, char c)
{
	for (size_t i = text.len; i > 0; i--)
		if (text.data[i - 1] == c)
			return i - 1;
	return text.len;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* With %XX read; NULL: one is wrong or NUL, or memory is out. */
static char *decode(struct slice text)
{
	char *ret = malloc(text.len + 1);
	size_t len = 0;

	for (size_t i = 0; ret && i < text.len; i++) {
		int c = (unsigned char)text.data[i];

		if (c == '%') {
			bool is_whole = i + 2 < text.len;
			int high = is_whole ? digit_of(text.data[i + 1]) : -1;
			int low = is_whole ? digit_of(text.data[i + 2]) : -1;

			c = high < 0 || low < 0 ? 0 : high * 16 + low;
			i += 2;
		}
		if (c == 0) {
			free(ret);
			return NULL;
		}
		ret[len++] = (char)c;
	}
	if (ret)
		ret[len] = '\0';
	return ret;
}

static bool read_flag(struct slice text, bool *ret)
{
	unsigned number = 0;
	bool is_right = redis_decimal_up_to(text, 1, &number);

	*ret = number == 1;
	return is_right;
}

static bool read_seconds(struct slice text, double min, int64_t *ret)
{
	char copy[16], *end = NULL;

	if (text.len == 0 || text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	double seconds = strspn(copy, "0123456789.") == text.len ? strtod(copy, &end) : -1;
	if (!end || *end != '\0' || !(seconds >= min && seconds <= SECONDS_MAX))
		return false;
	*ret = (int64_t)(seconds * (double)US_PER_S);
	return true;
}

static bool is_prefix(const char *text)
{
	size_t len = strlen(text);

	/* Braces would make a hash tag of their own. */
	return len > 0 && len <= PREFIX_MAX_LEN && !strpbrk(text, "{}");
}

/* ---- The parts ---- */

static bool read_parameter(struct redis_url *url, struct slice name, struct slice value,
			   char *error, size_t error_size)
{
	if (slice_equal(name, SLICE("db")))
		return redis_decimal_up_to(value, DB_MAX, &url->db) ||
		       refuse(error, error_size, "db must be the number of a database");
	if (slice_equal(name, SLICE("connections")))
		return (redis_decimal_up_to(value, CONNECTIONS_MAX, &url->connections) &&
			url->connections > 0) ||
		       refuse(error, error_size, "connections must be a number from 1 to 64");
	if (slice_equal(name, SLICE("timeout")))
		return read_seconds(value, TIMEOUT_MIN, &url->timeout_us) ||
		       refuse(error, error_size, "timeout must be seconds from 0.05 to 300");
	if (slice_equal(name, SLICE("connect_timeout")))
		return read_seconds(value, CONNECT_MIN, &url->connect_timeout_us) ||
		       refuse(error, error_size,
			      "connect_timeout must be seconds from 0.01 to 300");
	if (slice_equal(name, SLICE("cluster")))
		return read_flag(value, &url->is_cluster) ||
		       refuse(error, error_size, "cluster must be 1, or 0");
	if (slice_equal(name, SLICE("partitions")))
		return (redis_decimal_up_to(value, PARTITIONS_MAX, &url->partitions) &&
			url->partitions > 0) ||
		       refuse(error, error_size, "partitions must be a number from 1 to 1024");
	if (!slice_equal(name, SLICE("prefix")))
		return refuse(error, error_size,
			      "behind the ? may stand db, prefix, timeout, connect_timeout, "
			      "connections, cluster and partitions");
	free(url->prefix);
	url->prefix = decode(value);
	return (url->prefix && is_prefix(url->prefix)) ||
	       refuse(error, error_size, "prefix must have 1 to 64 characters, and no braces");
}

static bool read_query(struct redis_url *url, struct slice query, char *error, size_t error_size)
{
	while (query.len > 0) {
		struct slice pair = first_of(query, find(query, '&'));
		size_t equals = find(pair, '=');

		if (!read_parameter(url, first_of(pair, equals),
				    rest_of(pair, equals < pair.len ? equals + 1 : equals), error,
				    error_size))
			return false;
		query = rest_of(query, pair.len < query.len ? pair.len + 1 : pair.len);
	}
	return true;
}

static bool read_credentials(struct redis_url *url, struct slice text, char *error,
			     size_t error_size)
{
	size_t colon = find(text, ':');

	/* Else a server before the @ would be taken for a password, and sent to the one behind it.
	 */
	if (find(text, ',') < text.len)
		return refuse(error, error_size,
			      "user and password stand once, before the first server; a comma in "
			      "them is written %2C");
	if (colon == text.len)
		return refuse(error, error_size,
			      "before the @ stand user:password, or :password; a user whose "
			      "password is in STEADYCACHE_REDIS_PASSWORD is in "
			      "STEADYCACHE_REDIS_USER");
	if (colon > 0)
		url->user = decode(first_of(text, colon));
	url->password = decode(rest_of(text, colon + 1));
	if (!url->password || *url->password == '\0' || (colon > 0 && !url->user))
		return refuse(error, error_size,
			      "user or password is empty or has a % that is not one of %XX");
	return true;
}

/* host, host:port, [v6], [v6]:port */
static bool read_host(struct redis_address *server, struct slice text, char *error,
		      size_t error_size)
{
	bool is_v6 = text.len > 0 && text.data[0] == '[';
	size_t end = is_v6 ? find(text, ']') : find(text, ':');
	struct slice host = is_v6 ? rest_of(first_of(text, end), 1) : first_of(text, end);
	struct slice port = rest_of(text, is_v6 && end < text.len ? end + 1 : end);

	if (host.len == 0 || (is_v6 && end == text.len))
		return refuse(error, error_size, "it has no host");
	for (size_t i = 0; i < host.len; i++)
		if (host.data[i] <= ' ' || host.data[i] > '~')
			return refuse(error, error_size, "its host has a character that none has");
	server->port = DEFAULT_PORT;
	if (port.len > 0 &&
	    (port.data[0] != ':' || !redis_decimal_up_to(rest_of(port, 1), 65535, &server->port) ||
	     server->port == 0))
		return refuse(error, error_size,
			      "its port must be a number from 1 to 65535; a ? in a password is "
			      "written %3F");
	server->host = strndup(host.data, host.len);
	return server->host || refuse(error, error_size, "out of memory");
}

static bool read_hosts(struct redis_url *url, struct slice text, char *error, size_t error_size)
{
	url->servers = calloc(SERVERS_MAX, sizeof(*url->servers));
	if (!url->servers)
		return refuse(error, error_size, "out of memory");
	for (bool is_last = false; !is_last;) {
		struct slice host = first_of(text, find(text, ','));

		if (url->server_count == SERVERS_MAX)
			return refuse(error, error_size, "it has more than 64 servers");
		if (!read_host(&url->servers[url->server_count++], host, error, error_size))
			return false;
		is_last = host.len == text.len;
		text = rest_of(text, is_last ? text.len : host.len + 1);
	}
	return true;
}

static bool read_server(struct redis_url *url, struct slice text, char *error, size_t error_size)
{
	struct slice server = first_of(text, find(text, '/'));
	struct slice db = rest_of(text, server.len < text.len ? server.len + 1 : server.len);
	size_t at = find_last(server, '@');

	if (db.len > 0 && !redis_decimal_up_to(db, DB_MAX, &url->db))
		return refuse(error, error_size,
			      "behind host and port may stand / and the number of a database; a / "
			      "in a password is written %2F");
	if (at < server.len && !read_credentials(url, first_of(server, at), error, error_size))
		return false;
	return read_hosts(url, rest_of(server, at < server.len ? at + 1 : 0), error, error_size);
}

static bool read_path(struct redis_url *url, struct slice text, char *error, size_t error_size)
{
	url->path = decode(text);
	if (!url->path || *url->path != '/')
		return refuse(error, error_size,
			      "unix:// wants the whole path of a socket: unix:///path");
	return strlen(url->path) < sizeof(((struct sockaddr_un *)0)->sun_path) ||
	       refuse(error, error_size, "the path of the socket is too long");
}

/* What is right by itself may not go together. */
static bool check_cluster(struct redis_url *url, char *error, size_t error_size)
{
	if (url->is_cluster && url->path)
		return refuse(error, error_size,
			      "a Cluster has no Unix socket; with cluster=1 it begins with "
			      "redis:// or rediss://");
	if (url->is_cluster && url->db > 0)
		return refuse(error, error_size,
			      "a Cluster has database 0 alone; leave the number out");
	if (!url->is_cluster && url->server_count > 1)
		return refuse(error, error_size,
			      "several servers are the nodes of a Cluster; write ?cluster=1 behind "
			      "them");
	if (!url->is_cluster && url->partitions > 1)
		return refuse(error, error_size,
			      "partitions are for a Cluster; write cluster=1, too");
	if (url->partitions == 0)
		url->partitions = url->is_cluster ? REDIS_URL_PARTITIONS : 1;
	return true;
}

bool redis_url_read(struct redis_url *ret, const char *text, char *error, size_t error_size)
{
	static const struct {
		const char *start;
		bool has_tls, is_path;
	} schemes[] = {
		{"redis://", false, false}, {"rediss://", true, false}, {"unix://", false, true}};

	*ret = (struct redis_url){0};
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t len = strlen(schemes[i].start);

		if (strncasecmp(text, schemes[i].start, len) != 0)
			continue;
		struct slice whole = slice_of(text + len);
		struct slice head = first_of(whole, find(whole, '?'));
		struct slice query = rest_of(whole, head.len < whole.len ? head.len + 1 : head.len);

		ret->has_tls = schemes[i].has_tls;
		if ((schemes[i].is_path ? read_path(ret, head, error, error_size)
					: read_server(ret, head, error, error_size)) &&
		    read_query(ret, query, error, error_size) &&
		    check_cluster(ret, error, error_size))
			return true;
		redis_url_deinit(ret);
		return false;
	}
	return refuse(error, error_size, "it begins with redis://, rediss:// or unix://");
}

void redis_url_deinit(struct redis_url *url)
{
	if (url->password)
		explicit_bzero(url->password, strlen(url->password));
	for (size_t i = 0; i < url->server_count; i++)
		free(url->servers[i].host);
	free(url->servers);
	free(url->path);
	free(url->user);
	free(url->password);
	free(url->prefix);
	*url = (struct redis_url){0};
}
