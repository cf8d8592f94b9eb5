#include "server/http/listeners.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/life/service_manager.h"

/* ---- Reading ---- */

static void add_host(struct listeners *listeners, const char *host)
{
	size_t len = strlen(listeners->hosts);

	(void)snprintf(listeners->hosts + len, sizeof(listeners->hosts) - len, "%s%s",
		       len > 0 ? " " : "", host);
}

static bool read_one(struct listeners *listeners, const char *text, char *error, size_t error_size)
{
	struct listener *listener = &listeners->all[listeners->count];

	if (listeners->count == LISTENERS_MAX) {
		(void)snprintf(error, error_size,
			       "--listen (STEADYCACHE_LISTEN) may be given %d times",
			       LISTENERS_MAX);
		return false;
	}
	*listener = (struct listener){.fd = -1, .is_unix = listen_unix_is(text)};
	listeners->count++;
	if (listener->is_unix)
		return listen_unix_parse(text, &listener->place, error, error_size);
	if (listen_parse(text, &listener->address)) {
		add_host(listeners, listener->address.host);
		return true;
	}
	(void)snprintf(error, error_size,
		       "--listen (STEADYCACHE_LISTEN) must be host:port, such as 127.0.0.1:8080 or "
		       "[::1]:8080, or unix:/path");
	return false;
}

/* The words of a text. */
static bool read_words(struct listeners *listeners, const char *text, char *error,
		       size_t error_size)
{
	static const char blanks[] = " \t\r\n";
	char copy[600];

	for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
		size_t len = strcspn(text, blanks);

		(void)snprintf(copy, sizeof(copy), "%.*s", (int)len, text);
		if (!read_one(listeners, copy, error, error_size))
			return false;
		text += len;
	}
	return true;
}

static bool take_passed_on(struct listeners *listeners, char *error, size_t error_size)
{
	int fds[LISTENERS_MAX];
	size_t count = 0;

	if (!service_manager_take_sockets(fds, LISTENERS_MAX, &count, error, error_size))
		return false;
	if (count > 0)
		listeners->count = count;
	for (size_t i = 0; i < count; i++) {
		struct listener *listener = &listeners->all[i];

		*listener = (struct listener){.fd = fds[i], .is_passed_on = true};
		listen_describe(fds[i], &listener->address, listener->name, sizeof(listener->name));
		listener->is_unix = listen_unix_is(listener->name);
	}
	return true;
}

bool listeners_read(struct listeners *listeners, const struct option_list *listen, char *error,
		    size_t error_size)
{
	struct listeners passed_on = {0};

	memset(listeners, 0, sizeof(*listeners));
	if (!take_passed_on(&passed_on, error, error_size))
		return false;
	for (size_t i = 0; i < listen->count; i++)
		if (!(listen->are_flags
			      ? read_one(listeners, listen->texts[i], error, error_size)
			      : read_words(listeners, listen->texts[i], error, error_size)) &&
		    passed_on.count == 0)
			return false;
	if (passed_on.count == 0)
		return true;
	/* --listen, which may be anything then, only tells names. */
	memcpy(passed_on.hosts, listeners->hosts, sizeof(passed_on.hosts));
	*listeners = passed_on;
	return true;
}

bool listeners_are_local(const struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++) {
		const struct listener *listener = &listeners->all[i];

		if (!listener->is_unix       ? !listen_is_loopback(&listener->address)
		    : listener->is_passed_on ? !listen_unix_is_owners(listener->fd)
					     : (listener->place.mode & 077) != 0)
			return false;
	}
	return true;
}

bool listeners_have_unix(const struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++)
		if (listeners->all[i].is_unix)
			return true;
	return false;
}

/* ---- Opening and closing ---- */

static bool open_one(struct listener *listener, char *error, size_t error_size)
{
	if (listener->fd >= 0)
		return true;
	if (!listener->is_unix) {
		listener->fd = listen_open(&listener->address, listener->name,
					   sizeof(listener->name), error, error_size);
		return listener->fd >= 0;
	}
	listener->fd = listen_unix_open(&listener->place, error, error_size);
	(void)snprintf(listener->name, sizeof(listener->name), "unix:%s", listener->place.path);
	return listener->fd >= 0;
}

bool listeners_open(struct listeners *listeners, char *error, size_t error_size)
{
	for (size_t i = 0; i < listeners->count; i++)
		if (!open_one(&listeners->all[i], error, error_size)) {
			listeners_close(listeners);
			return false;
		}
	return true;
}

void listeners_close(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++) {
		struct listener *listener = &listeners->all[i];

		if (listener->is_unix && !listener->is_passed_on)
			listen_unix_remove(&listener->place);
		if (listener->fd >= 0)
			(void)close(listener->fd);
		listener->fd = -1;
	}
}

int listeners_give(struct listener *listener)
{
	int fd = listener->fd;

	listener->fd = -1;
	return fd;
}
