/* A backend for steadycache, as a plugin: the entries are in one file, a log of all changes. Copy
 * it and replace what is below struct driver; docs/plugins.md explains what a driver must do.
 *
 *     make && steadycache --backend "plugin:$PWD/log.so"
 *     steadycache --backend "plugin:$PWD/log.so?path=/var/lib/entries.log"
 *
 * The file is a row of groups, one for each apply: a head with the length and a checksum of what
 * follows, then the changes. What the file does not have whole at its end was never answered with
 * OK, and is cut off by the next load. An index in memory says where head and body of each record
 * are. Once more than half of the file is old, it is written anew. Numbers in it are those of the
 * machine. PATH.lock is locked as long as somebody has the file open. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <steadycache/driver.h>

#define OLD_BYTES_KEPT (UINT64_C(16) << 20)

struct group {
	uint64_t check, len; /* of the changes behind it */
};

struct change {
	uint64_t key_len, body_len;
	uint32_t kind, ns_len, head_len, unused;
	/* then namespace, key, head, body */
};

/* A record, and where it is. */
struct node {
	struct node *before, *after;
	struct slice ns, key; /* behind the node */
	uint64_t head_at, body_at, body_len;
	uint32_t head_len;
	bool exists; /* false while the apply that puts it is under way */
};

struct driver {
	int fd, lock;
	uint64_t end;   /* of the last group in the file */
	uint64_t bytes; /* that the records would take without what is old */
	bool has_rest;  /* behind the end may be a part of a group */
	bool waits;     /* an apply has to last through a loss of power */
	/* Syncs and checks run beside others. */
	atomic_bool is_named; /* the folder, on the disk, has the name of the file */
	atomic_bool is_gone;  /* its path names another file, or none */
	void *tree;           /* of nodes (search.h): found by name */
	struct node list;     /* its neighbours are the first and the last node */
	struct driver_config config;
	char path[PATH_MAX];
};

static enum driver_status status_of(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return DRIVER_NO_SPACE;
	case EROFS:
		return DRIVER_READ_ONLY;
	case ENOMEM:
		return DRIVER_NO_MEMORY;
	default:
		return DRIVER_UNAVAILABLE;
	}
}

/* ---- The index ---- */

static int compare_bytes(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return a.len > 0 ? memcmp(a.data, b.data, a.len) : 0;
}

static int compare(const void *a, const void *b)
{
	const struct node *left = a, *right = b;
	int order = compare_bytes(left->key, right->key);

	return order != 0 ? order : compare_bytes(left->ns, right->ns);
}

static struct node *find(const struct driver *driver, struct slice ns, struct slice key)
{
	struct node name = {.ns = ns, .key = key};
	struct node **found = tfind(&name, &driver->tree, compare);

	return found ? *found : NULL;
}

/* The node of that name, which is made if there is none. NULL: out of memory. */
static struct node *place(struct driver *driver, struct slice ns, struct slice key)
{
	struct node *node = find(driver, ns, key);
	char *name;

	if (node || !(node = calloc(1, sizeof(*node) + ns.len + key.len)))
		return node;
	name = (char *)(node + 1);
	if (ns.len > 0)
		memcpy(name, ns.data, ns.len);
	if (key.len > 0)
		memcpy(name + ns.len, key.data, key.len);
	node->ns = (struct slice){name, ns.len};
	node->key = (struct slice){name + ns.len, key.len};
	if (!tsearch(node, &driver->tree, compare)) {
		free(node);
		return NULL;
	}
	node->before = driver->list.before;
	node->after = &driver->list;
	node->before->after = node->after->before = node;
	return node;
}

static void drop(struct driver *driver, struct node *node)
{
	tdelete(node, &driver->tree, compare);
	node->before->after = node->after;
	node->after->before = node->before;
	free(node);
}

/* What a record takes in a file that has nothing old. */
static uint64_t bytes_of(const struct node *node)
{
	return sizeof(struct group) + sizeof(struct change) + node->ns.len + node->key.len +
	       node->head_len + node->body_len;
}

/* What a change that is in the file at `at` does to the index. */
static void index_change(struct driver *driver, struct node *node, const struct change *change,
			 uint64_t at)
{
	if (!node)
		return;
	if (node->exists)
		driver->bytes -= bytes_of(node);
	else if (change->kind == DRIVER_USE)
		return;
	node->exists = change->kind != DRIVER_REMOVE;
	if (change->kind != DRIVER_REMOVE) {
		node->head_at = at + sizeof(*change) + change->ns_len + change->key_len;
		node->head_len = change->head_len;
	}
	if (change->kind == DRIVER_PUT) {
		node->body_at = node->head_at + change->head_len;
		node->body_len = change->body_len;
	}
	if (node->exists)
		driver->bytes += bytes_of(node);
}

/* ---- Writing ---- */

/* FNV-1a. */
static uint64_t check_of(const char *bytes, uint64_t len)
{
	uint64_t check = UINT64_C(14695981039346656037);

	for (uint64_t i = 0; i < len; i++)
		check = (check ^ (unsigned char)bytes[i]) * UINT64_C(1099511628211);
	return check;
}

static struct change change_of(const struct driver_change *change)
{
	return (struct change){
		.key_len = change->key.len,
		.body_len = change->kind == DRIVER_PUT ? change->body.len : 0,
		.kind = (uint32_t)change->kind,
		.ns_len = (uint32_t)change->ns.len,
		.head_len = change->kind == DRIVER_REMOVE ? 0 : (uint32_t)change->head.len,
	};
}

static uint64_t length_of(const struct change *change)
{
	return sizeof(*change) + change->ns_len + change->key_len + change->head_len +
	       change->body_len;
}

static char *append(char *at, const void *bytes, uint64_t len)
{
	if (len > 0)
		memcpy(at, bytes, (size_t)len);
	return at + len;
}

/* Writes a group of changes at `at`, and returns how long it is; 0: failed, errno tells why. */
static uint64_t write_group(int fd, uint64_t at, const struct driver_change *changes, size_t count)
{
	struct group group = {0, 0};
	uint64_t len, done = 0;
	char *bytes, *end;

	for (size_t i = 0; i < count; i++) {
		struct change change = change_of(&changes[i]);

		group.len += length_of(&change);
	}
	len = sizeof(group) + group.len;
	bytes = malloc((size_t)len);
	if (!bytes)
		return 0;
	end = bytes + sizeof(group);
	for (size_t i = 0; i < count; i++) {
		struct change change = change_of(&changes[i]);

		end = append(end, &change, sizeof(change));
		end = append(end, changes[i].ns.data, change.ns_len);
		end = append(end, changes[i].key.data, change.key_len);
		end = append(end, changes[i].head.data, change.head_len);
		end = append(end, changes[i].body.data, change.body_len);
	}
	group.check = check_of(bytes + sizeof(group), group.len);
	memcpy(bytes, &group, sizeof(group));
	while (done < len) {
		ssize_t written =
			pwrite(fd, bytes + done, (size_t)(len - done), (off_t)(at + done));

		if (written < 0 && errno != EINTR)
			break;
		done += written > 0 ? (uint64_t)written : 0;
	}
	free(bytes);
	return done == len ? len : 0;
}

static enum driver_status read_at(int fd, uint64_t at, char *room, uint64_t len)
{
	for (uint64_t done = 0; done < len;) {
		ssize_t got = pread(fd, room + done, (size_t)(len - done), (off_t)(at + done));

		if (got < 0 && errno != EINTR)
			return status_of(errno);
		if (got == 0)
			return DRIVER_CORRUPT;
		done += got > 0 ? (uint64_t)got : 0;
	}
	return DRIVER_OK;
}

/* Writes all records to `fd`; *ret_end is where they end. */
static bool copy_all(const struct driver *driver, int fd, uint64_t *ret_end)
{
	bool is_copied = true;

	*ret_end = 0;
	for (struct node *node = driver->list.after; is_copied && node != &driver->list;
	     node = node->after) {
		char *bytes = malloc((size_t)(node->head_len + node->body_len + 1));
		struct driver_change put = {
			.kind = DRIVER_PUT,
			.ns = node->ns,
			.key = node->key,
			.head = {bytes, node->head_len},
			.body = {bytes + node->head_len, (size_t)node->body_len},
		};
		uint64_t len = 0;

		if (bytes &&
		    read_at(driver->fd, node->head_at, bytes, node->head_len) == DRIVER_OK &&
		    read_at(driver->fd, node->body_at, bytes + node->head_len, node->body_len) ==
			    DRIVER_OK)
			len = write_group(fd, *ret_end, &put, 1);
		free(bytes);
		is_copied = len > 0;
		*ret_end += len;
	}
	return is_copied && fdatasync(fd) == 0;
}

/* Whether the open file is the one that its path names. */
static bool is_in_place(const struct driver *driver)
{
	struct stat named, opened;

	return stat(driver->path, &named) == 0 && fstat(driver->fd, &opened) == 0 &&
	       named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

/* A file that was made or renamed lasts once its folder is on the disk. */
static bool sync_all(struct driver *driver)
{
	const char *slash = strrchr(driver->path, '/');
	char folder[PATH_MAX];
	int fd;

	if (fdatasync(driver->fd) != 0)
		return false;
	if (driver->is_named)
		return true;
	(void)snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - driver->path) + 1 : 1,
		       slash ? driver->path : ".");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	driver->is_named = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		(void)close(fd);
	return driver->is_named;
}

/* Takes a new file without what is old, if there is much of it. A failure changes nothing. */
static void renew(struct driver *driver)
{
	char path[PATH_MAX + 8];
	uint64_t end;
	int fd;

	if (driver->end < 2 * driver->bytes + OLD_BYTES_KEPT)
		return;
	(void)snprintf(path, sizeof(path), "%s.new", driver->path);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (!copy_all(driver, fd, &end) || rename(path, driver->path) != 0) {
		(void)close(fd);
		(void)unlink(path);
		return;
	}
	(void)close(driver->fd);
	driver->fd = fd;
	driver->is_named = false;
	driver->end = 0;
	for (struct node *node = driver->list.after; node != &driver->list; node = node->after) {
		node->head_at = driver->end + sizeof(struct group) + sizeof(struct change) +
				node->ns.len + node->key.len;
		node->body_at = node->head_at + node->head_len;
		driver->end += bytes_of(node);
	}
}

/* ---- The functions of the driver: open and load ---- */

/* `path=...` is all that the settings may say. */
static bool read_settings(struct driver *driver, char *error, size_t error_size)
{
	const char *settings = driver->config.settings;
	int len = 0;

	if (!settings || *settings == '\0')
		len = snprintf(driver->path, sizeof(driver->path), "%s/log-plugin.log",
			       driver->config.data_dir);
	else if (strncmp(settings, "path=", 5) == 0 && settings[5] != '\0')
		len = snprintf(driver->path, sizeof(driver->path), "%s", settings + 5);
	else
		(void)snprintf(error, error_size,
			       "behind the ? may be path=/the/file.log, and nothing else");
	if (len >= (int)sizeof(driver->path))
		(void)snprintf(error, error_size, "the path of its file is too long");
	return len > 0 && len < (int)sizeof(driver->path);
}

static enum driver_status open_files(struct driver *driver, char *error, size_t error_size)
{
	char lock[PATH_MAX + 8];
	int failed;

	(void)snprintf(lock, sizeof(lock), "%s.lock", driver->path);
	driver->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (driver->lock >= 0 && flock(driver->lock, LOCK_EX | LOCK_NB) != 0 &&
	    errno == EWOULDBLOCK) {
		(void)snprintf(error, error_size, "%s is open already, here or in another process",
			       driver->path);
		return DRIVER_UNAVAILABLE;
	}
	driver->fd = driver->lock < 0 ? -1 : open(driver->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (driver->fd >= 0)
		return DRIVER_OK;
	failed = errno;
	(void)snprintf(error, error_size, "%s cannot be opened: %s", driver->path,
		       strerror(failed));
	return status_of(failed);
}

static void log_close(struct driver *driver)
{
	while (driver->list.after != &driver->list)
		drop(driver, driver->list.after);
	if (driver->fd >= 0)
		(void)close(driver->fd);
	if (driver->lock >= 0) {
		/* Children of the process that were made meanwhile have it open, too. */
		(void)flock(driver->lock, LOCK_UN);
		(void)close(driver->lock);
	}
	free(driver);
}

static enum driver_status log_open(const struct driver_config *config, struct driver **ret,
				   char *error, size_t error_size)
{
	struct driver *driver = calloc(1, sizeof(*driver));
	enum driver_status status = DRIVER_UNAVAILABLE;

	if (!driver) {
		(void)snprintf(error, error_size, "out of memory");
		return DRIVER_NO_MEMORY;
	}
	driver->config = *config;
	driver->waits = config->durability == DRIVER_SURVIVES_POWER;
	driver->list.before = driver->list.after = &driver->list;
	driver->fd = driver->lock = -1;
	if (read_settings(driver, error, error_size))
		status = open_files(driver, error, error_size);
	if (status == DRIVER_OK) {
		*ret = driver;
		return DRIVER_OK;
	}
	log_close(driver);
	return status;
}

/* Takes the changes of a whole group into the index. */
static enum driver_status replay(struct driver *driver, const char *file, uint64_t at, uint64_t end)
{
	while (at < end) {
		struct change change;
		struct slice ns, key;
		struct node *node;

		if (end - at < sizeof(change))
			return DRIVER_CORRUPT;
		memcpy(&change, file + at, sizeof(change));
		if (change.key_len > end - at || change.body_len > end - at ||
		    length_of(&change) > end - at)
			return DRIVER_CORRUPT;
		ns = (struct slice){file + at + sizeof(change), change.ns_len};
		key = (struct slice){ns.data + ns.len, (size_t)change.key_len};
		node = change.kind == DRIVER_PUT ? place(driver, ns, key) : find(driver, ns, key);
		if (!node && change.kind == DRIVER_PUT)
			return DRIVER_NO_MEMORY;
		index_change(driver, node, &change, at);
		if (node && !node->exists)
			drop(driver, node);
		at += length_of(&change);
	}
	return DRIVER_OK;
}

static enum driver_status replay_all(struct driver *driver, const char *file, uint64_t size)
{
	enum driver_status status = DRIVER_OK;
	char sentence[128];

	while (status == DRIVER_OK && driver->end < size) {
		uint64_t at = driver->end + sizeof(struct group);
		struct group group = {0, 0};

		if (at <= size)
			memcpy(&group, file + driver->end, sizeof(group));
		if (group.len > 0 && group.len <= size - at &&
		    check_of(file + at, group.len) == group.check) {
			status = replay(driver, file, at, at + group.len);
			driver->end = at + group.len;
		} else if (group.len > 0 && group.len < size - at) {
			status = DRIVER_CORRUPT; /* whole groups are behind it */
		} else {
			break;
		}
	}
	if (status != DRIVER_OK || driver->end == size)
		return status;
	(void)snprintf(sentence, sizeof(sentence),
		       "log: the last %llu bytes of the file are no whole change, and are cut off",
		       (unsigned long long)(size - driver->end));
	driver->config.notice(driver->config.notice_user, DRIVER_INFO, sentence);
	return ftruncate(driver->fd, (off_t)driver->end) == 0 ? DRIVER_OK : status_of(errno);
}

static enum driver_status visit_all(const struct driver *driver, const char *file,
				    driver_visit *visit, void *user)
{
	for (struct node *node = driver->list.after; node != &driver->list; node = node->after) {
		struct slice head = {file + node->head_at, node->head_len};

		if (!visit(user, node->ns, node->key, head, node->body_len))
			return DRIVER_STOPPED;
	}
	return DRIVER_OK;
}

static enum driver_status log_load(struct driver *driver, driver_visit *visit, void *user)
{
	enum driver_status status;
	struct stat file;
	char *bytes;

	if (fstat(driver->fd, &file) != 0)
		return status_of(errno);
	if (file.st_size == 0)
		return DRIVER_OK;
	bytes = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, driver->fd, 0);
	if (bytes == MAP_FAILED)
		return status_of(errno);
	status = replay_all(driver, bytes, (uint64_t)file.st_size);
	if (status == DRIVER_OK)
		status = visit_all(driver, bytes, visit, user);
	(void)munmap(bytes, (size_t)file.st_size);
	return status;
}

/* ---- The functions of the driver: all that comes after ---- */

static enum driver_status log_get(struct driver *driver, struct slice ns, struct slice key,
				  char *room, uint64_t len)
{
	const struct node *node = find(driver, ns, key);

	if (!node)
		return DRIVER_NOT_FOUND;
	if (node->body_len != len)
		return DRIVER_CORRUPT;
	return read_at(driver->fd, node->body_at, room, len);
}

/* Cuts off what a failed apply has left behind the last group. */
static bool cut(struct driver *driver)
{
	driver->has_rest = ftruncate(driver->fd, (off_t)driver->end) != 0;
	return !driver->has_rest;
}

/* Everything that may fail. The index stays as it is, but for nodes that do not exist yet. */
static enum driver_status write_changes(struct driver *driver, const struct driver_change *changes,
					size_t count)
{
	bool only_uses = true;
	int failed;

	for (size_t i = 0; i < count; i++) {
		only_uses &= changes[i].kind == DRIVER_USE;
		if (changes[i].kind == DRIVER_PUT && !place(driver, changes[i].ns, changes[i].key))
			return DRIVER_NO_MEMORY;
	}
	if (write_group(driver->fd, driver->end, changes, count) == 0) {
		failed = errno;
		(void)cut(driver);
		return status_of(failed);
	}
	if (driver->waits && !only_uses && !sync_all(driver)) {
		failed = errno;
		return cut(driver) ? status_of(failed) : DRIVER_UNKNOWN;
	}
	return DRIVER_OK;
}

static enum driver_status log_apply(struct driver *driver, const struct driver_change *changes,
				    size_t count)
{
	enum driver_status status;

	/* Nobody would ever see what is written to a file that was removed. */
	driver->is_gone = !is_in_place(driver);
	if (driver->is_gone || (driver->has_rest && !cut(driver)))
		return DRIVER_UNAVAILABLE;
	renew(driver);
	status = write_changes(driver, changes, count);
	if (status == DRIVER_OK)
		driver->end += sizeof(struct group);
	for (size_t i = 0; status == DRIVER_OK && i < count; i++) {
		struct change change = change_of(&changes[i]);

		index_change(driver, find(driver, changes[i].ns, changes[i].key), &change,
			     driver->end);
		driver->end += length_of(&change);
	}
	/* Nodes that were made in vain, and those of removed records. */
	for (size_t i = 0; i < count; i++) {
		struct node *node = find(driver, changes[i].ns, changes[i].key);

		if (node && !node->exists)
			drop(driver, node);
	}
	return status;
}

static enum driver_status log_check(struct driver *driver, char *detail, size_t detail_size)
{
	struct statvfs medium;

	if (driver->is_gone) {
		(void)snprintf(detail, detail_size,
			       "%s was removed or replaced: start the server again", driver->path);
		return DRIVER_UNAVAILABLE;
	}
	if (access(driver->path, W_OK) != 0) {
		(void)snprintf(detail, detail_size, "%s cannot be written: %s", driver->path,
			       strerror(errno));
		return DRIVER_READ_ONLY;
	}
	if (statvfs(driver->path, &medium) == 0 && medium.f_bavail == 0) {
		(void)snprintf(detail, detail_size, "the disk of %s is full", driver->path);
		return DRIVER_NO_SPACE;
	}
	return DRIVER_OK;
}

static enum driver_status log_sync(struct driver *driver)
{
	return sync_all(driver) ? DRIVER_OK : status_of(errno);
}

static const struct driver_ops log_driver = {
	.abi = DRIVER_ABI,
	.can = DRIVER_BLOCKS | DRIVER_PERSISTS | DRIVER_WANTS_DIR,
	.size = sizeof(struct driver_ops),
	.name = "log",
	.open = log_open,
	.load = log_load,
	.get = log_get,
	.apply = log_apply,
	.check = log_check,
	.sync = log_sync,
	.close = log_close,
};

const struct driver_ops *steadycache_driver(unsigned abi)
{
	(void)abi; /* there is one version */
	return &log_driver;
}
