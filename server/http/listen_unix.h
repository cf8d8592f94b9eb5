/* A Unix socket to serve on: unix:/path?mode=0660&owner=NAME&group=NAME.
 *
 * The file is there for as long as the server. One that a dead server left is replaced; one of a
 * live server, and anything that is no socket, is refused. Two servers that start at once look one
 * after the other, with a lock on the folder. Nobody can connect before the file has its mode. */
#ifndef STEADYCACHE_SERVER_LISTEN_UNIX_H
#define STEADYCACHE_SERVER_LISTEN_UNIX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Longest path of a socket, with its NUL. */
#define LISTEN_UNIX_PATH_SIZE 108

struct listen_unix {
	char path[LISTEN_UNIX_PATH_SIZE]; /* absolute */
	mode_t mode;                      /* 0600 unless given */
	uid_t owner;                      /* -1: stays */
	gid_t group;                      /* -1: stays */
	/* Of the file, once it is open. */
	dev_t device;
	ino_t inode;
};

/* Whether an address is one of a Unix socket. */
bool listen_unix_is(const char *text);

/* Reads such an address. False with a sentence in `error`. */
bool listen_unix_parse(const char *text, struct listen_unix *ret, char *error, size_t error_size);

/* Opens a listening, close-on-exec socket, or returns -1 with a sentence in `error`. While no other
 * thread makes files: it changes the umask. */
int listen_unix_open(struct listen_unix *place, char *error, size_t error_size);

/* Removes the file, unless it is another one by now. */
void listen_unix_remove(const struct listen_unix *place);

/* Whether the socket `fd` is one whose file gives nobody but its owner access. */
bool listen_unix_is_owners(int fd);

#endif
