/* The sockets that a server listens on: those of --listen, or those that a service manager passed
 * on. */
#ifndef STEADYCACHE_SERVER_LISTENERS_H
#define STEADYCACHE_SERVER_LISTENERS_H

#include "base/option.h"
#include "server/http/listen.h"
#include "server/http/listen_unix.h"

#define LISTENERS_MAX 16
/* Room for the hosts of all, with a blank between two. */
#define LISTENERS_HOSTS_SIZE 1024

struct listener {
	int fd; /* -1: not open */
	bool is_unix;
	bool is_passed_on;             /* by a service manager, whose it stays */
	struct listen_address address; /* of TCP */
	struct listen_unix place;      /* of a Unix socket that is not passed on */
	char name[300];                /* as the log tells it */
};

struct listeners {
	size_t count;
	struct listener all[LISTENERS_MAX];
	char hosts[LISTENERS_HOSTS_SIZE]; /* of --listen; a name among them may be in Host */
};

/* Reads what is to be opened, and takes what was passed on. False with a sentence in `error`. Once,
 * before threads start. */
bool listeners_read(struct listeners *listeners, const struct option_list *listen, char *error,
		    size_t error_size);

/* Whether only this machine can reach all of them, and of Unix sockets only the owner of the file.
 */
bool listeners_are_local(const struct listeners *listeners);
/* Whether there is a Unix socket. */
bool listeners_have_unix(const struct listeners *listeners);

/* Opens those that are not. False with a sentence in `error`, and none is open. */
bool listeners_open(struct listeners *listeners, char *error, size_t error_size);

/* Closes the sockets, unless their descriptors were given away, and removes the files. */
void listeners_close(struct listeners *listeners);
/* Gives a descriptor away: the caller's from now on. */
int listeners_give(struct listener *listener);

#endif
