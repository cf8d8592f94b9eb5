#include "backends/redis/lookup.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/thread.h"

struct redis_lookup {
	pthread_mutex_t lock;
	unsigned holders;       /* lock: the asker, the thread */
	bool is_done;           /* lock */
	struct addrinfo *found; /* lock */
	int wake_fd;            /* the thread's; -1: there is none */
	char port[8];
	char host[]; /* NUL-terminated */
};

static struct addrinfo *look_up(const struct redis_lookup *lookup, int flags)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = flags | AI_NUMERICSERV,
	};
	struct addrinfo *found = NULL;

	return getaddrinfo(lookup->host, lookup->port, &hints, &found) == 0 ? found : NULL;
}

static void *run(void *user)
{
	struct redis_lookup *lookup = user;
	const uint64_t one = 1;
	struct addrinfo *found = look_up(lookup, 0);

	(void)pthread_mutex_lock(&lookup->lock);
	lookup->found = found;
	lookup->is_done = true;
	(void)pthread_mutex_unlock(&lookup->lock);
	if (write(lookup->wake_fd, &one, sizeof(one)) < 0)
		(void)0; /* the counter is full: the other end is awake */
	redis_lookup_drop(lookup);
	return NULL;
}

static bool start_thread(struct redis_lookup *lookup, int wake_fd)
{
	pthread_t thread;

	lookup->wake_fd = fcntl(wake_fd, F_DUPFD_CLOEXEC, 0);
	if (lookup->wake_fd < 0)
		return false;
	lookup->holders = 2;
	if (thread_start(&thread, "lookup", run, lookup) != 0) {
		lookup->holders = 1;
		return false;
	}
	(void)pthread_detach(thread);
	return true;
}

struct redis_lookup *redis_lookup_start(const char *host, unsigned port, int wake_fd)
{
	size_t size = strlen(host) + 1;
	struct redis_lookup *lookup = calloc(1, sizeof(*lookup) + size);

	if (!lookup)
		return NULL;
	memcpy(lookup->host, host, size);
	(void)snprintf(lookup->port, sizeof(lookup->port), "%u", port);
	(void)pthread_mutex_init(&lookup->lock, NULL);
	lookup->holders = 1;
	lookup->wake_fd = -1;
	lookup->found = look_up(lookup, strcmp(host, "localhost") == 0 ? 0 : AI_NUMERICHOST);
	lookup->is_done = lookup->found != NULL;
	if (lookup->is_done || start_thread(lookup, wake_fd))
		return lookup;
	redis_lookup_drop(lookup);
	return NULL;
}

bool redis_lookup_take(struct redis_lookup *lookup, struct addrinfo **ret)
{
	(void)pthread_mutex_lock(&lookup->lock);
	bool is_done = lookup->is_done;
	*ret = lookup->found;
	lookup->found = NULL;
	(void)pthread_mutex_unlock(&lookup->lock);
	return is_done;
}

void redis_lookup_drop(struct redis_lookup *lookup)
{
	if (!lookup)
		return;
	(void)pthread_mutex_lock(&lookup->lock);
	bool is_last = --lookup->holders == 0;
	(void)pthread_mutex_unlock(&lookup->lock);
	if (!is_last)
		return;
	if (lookup->found)
		freeaddrinfo(lookup->found);
	if (lookup->wake_fd >= 0)
		(void)close(lookup->wake_fd);
	(void)pthread_mutex_destroy(&lookup->lock);
	free(lookup);
}
