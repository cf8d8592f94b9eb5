#include "server/http/listen_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SCHEME       "unix:"
#define BACKLOG      1024
#define DEFAULT_MODE 0600

bool listen_unix_is(const char *text)
{
	return strncmp(text, SCHEME, sizeof(SCHEME) - 1) == 0;
}

/* ---- Reading ---- */

static bool fail(char *error, size_t error_size, const char *text, const char *why)
{
	(void)snprintf(error, error_size,
		       "--listen (STEADYCACHE_LISTEN): \"%s\": %s, as in "
		       "unix:/run/steadycache.sock?mode=0660&group=www-data",
		       text, why);
	return false;
}

/* A whole number, or -1. */
static long number_of(const char *text, int base)
{
	char *end = NULL;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	long number = strtol(text, &end, base);
	return *end == '\0' && errno == 0 && number <= INT32_MAX ? number : -1;
}

static bool read_owner(const char *name, uid_t *ret)
{
	const struct passwd *user = getpwnam(name);
	long number = number_of(name, 10);

	if (!user && number < 0)
		return false;
	*ret = user ? user->pw_uid : (uid_t)number;
	return true;
}

static bool read_group(const char *name, gid_t *ret)
{
	const struct group *group = getgrnam(name);
	long number = number_of(name, 10);

	if (!group && number < 0)
		return false;
	*ret = group ? group->gr_gid : (gid_t)number;
	return true;
}

static bool read_mode(const char *text, mode_t *ret)
{
	long mode = number_of(text, 8);

	*ret = (mode_t)mode;
	return mode >= 0 && mode <= 0777;
}

static bool read_parameter(struct listen_unix *ret, const char *text, char *parameter, char *error,
			   size_t error_size)
{
	char *value = strchr(parameter, '=');

	if (value)
		*value++ = '\0';
	else
		value = parameter + strlen(parameter);
	if (strcmp(parameter, "mode") == 0)
		return read_mode(value, &ret->mode) ||
		       fail(error, error_size, text, "the mode must be an octal number up to 0777");
	if (strcmp(parameter, "owner") == 0)
		return read_owner(value, &ret->owner) ||
		       fail(error, error_size, text, "there is no such user");
	if (strcmp(parameter, "group") == 0)
		return read_group(value, &ret->group) ||
		       fail(error, error_size, text, "there is no such group");
	return fail(error, error_size, text, "behind the ? may be mode, owner and group");
}

bool listen_unix_parse(const char *text, struct listen_unix *ret, char *error, size_t error_size)
{
	const char *path = text + sizeof(SCHEME) - 1;
	size_t len = strcspn(path, "?");
	char *rest = NULL;
	char parameters[300] = "";

	*ret = (struct listen_unix){.mode = DEFAULT_MODE, .owner = (uid_t)-1, .group = (gid_t)-1};
	if (*path != '/')
		return fail(error, error_size, text, "the path must begin with /");
	if (len >= sizeof(ret->path) || strlen(path + len) > sizeof(parameters))
		return fail(error, error_size, text, "the path may have 107 bytes");
	memcpy(ret->path, path, len);
	ret->path[len] = '\0';
	if (path[len] == '?')
		(void)snprintf(parameters, sizeof(parameters), "%s", path + len + 1);
	for (char *at = strtok_r(parameters, "&", &rest); at; at = strtok_r(NULL, "&", &rest))
		if (!read_parameter(ret, text, at, error, error_size))
			return false;
	return true;
}

/* ---- Opening ---- */

static struct sockaddr_un address_of(const struct listen_unix *place)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, place->path, strlen(place->path) + 1);
	return address;
}

/* Whether a process listens there. */
static bool is_served(const struct listen_unix *place)
{
	struct sockaddr_un address = address_of(place);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool is_refused = fd >= 0 &&
			  connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 &&
			  errno == ECONNREFUSED;

	if (fd >= 0)
		(void)close(fd);
	return !is_refused;
}

/* Removes what a dead server left. False with a sentence. */
static bool make_way(const struct listen_unix *place, char *error, size_t error_size)
{
	struct stat there;

	if (lstat(place->path, &there) != 0)
		return true;
	if (!S_ISSOCK(there.st_mode))
		(void)snprintf(error, error_size,
			       "cannot listen on %s: there is a file that is no socket; remove it, "
			       "or name another path (--listen)",
			       place->path);
	else if (is_served(place))
		(void)snprintf(error, error_size,
			       "cannot listen on %s: another server does; stop it, or name another "
			       "path (--listen)",
			       place->path);
	else if (unlink(place->path) == 0)
		return true;
	else
		(void)snprintf(error, error_size,
			       "cannot remove %s, which a server that has ended left: %s",
			       place->path, strerror(errno));
	return false;
}

/* The file has its mode before anybody can connect. `*ret_given`: it has its owner and group. */
static bool bind_and_listen(int fd, struct listen_unix *place, bool *ret_given)
{
	struct sockaddr_un address = address_of(place);
	struct stat made;
	mode_t before = umask(0177);
	bool is_bound = bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;

	(void)umask(before);
	if (!is_bound)
		return false;
	*ret_given = (place->owner == (uid_t)-1 && place->group == (gid_t)-1) ||
		     lchown(place->path, place->owner, place->group) == 0;
	if (*ret_given && chmod(place->path, place->mode) == 0 && listen(fd, BACKLOG) == 0 &&
	    lstat(place->path, &made) == 0) {
		place->device = made.st_dev;
		place->inode = made.st_ino;
		return true;
	}
	int failure = errno;
	(void)unlink(place->path);
	errno = failure;
	return false;
}

/* The folder, locked; -1 if there is none. */
static int lock_folder(const struct listen_unix *place)
{
	char path[LISTEN_UNIX_PATH_SIZE];

	(void)snprintf(path, sizeof(path), "%s", place->path);
	int folder = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder >= 0)
		(void)flock(folder, LOCK_EX);
	return folder;
}

int listen_unix_open(struct listen_unix *place, char *error, size_t error_size)
{
	int folder = lock_folder(place);
	bool is_given = true;
	int fd = -1;

	if (!make_way(place, error, error_size)) {
		if (folder >= 0)
			(void)close(folder);
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || !bind_and_listen(fd, place, &is_given)) {
		(void)snprintf(error, error_size, "cannot %s %s: %s%s (--listen)",
			       is_given ? "listen on" : "set owner and group of", place->path,
			       strerror(errno),
			       is_given ? ""
					: "; only root gives it to another user, and others to "
					  "groups that they are in");
		if (fd >= 0)
			(void)close(fd);
		fd = -1;
	}
	if (folder >= 0)
		(void)close(folder);
	return fd;
}

void listen_unix_remove(const struct listen_unix *place)
{
	struct stat there;

	if (place->inode != 0 && lstat(place->path, &there) == 0 && there.st_dev == place->device &&
	    there.st_ino == place->inode)
		(void)unlink(place->path);
}

bool listen_unix_is_owners(int fd)
{
	struct sockaddr_un bound = {0};
	socklen_t len = sizeof(bound);
	struct stat there;

	return getsockname(fd, (struct sockaddr *)&bound, &len) == 0 &&
	       bound.sun_family == AF_UNIX && bound.sun_path[0] == '/' &&
	       stat(bound.sun_path, &there) == 0 && (there.st_mode & 077) == 0;
}
