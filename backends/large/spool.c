#include "backends/large/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/large/disk.h"
#include "backends/large/file_body.h"
#include "base/utf8.h"
#include "base/value.h"

struct spool {
	struct body_spool spool;
	struct spool_place *place;
	struct sha256_ctx sha;
	struct utf8_scan text;
	struct pool_job end;
	int file; /* -1: none yet, or none any more */
	char path[];
};

static bool fail(struct spool *spool, int error)
{
	spool->spool.failure = disk_status(error, &spool->spool.detail);
	return false;
}

/* Whether a call that ended with `error` may be made again. */
static bool may_repeat(struct spool *spool, int error, bool *made_room)
{
	struct spool_place *place = spool->place;

	if (error == EINTR)
		return true;
	if ((error != ENOSPC && error != EDQUOT) || *made_room || !place->make_room)
		return false;
	*made_room = true;
	return place->make_room(place->user);
}

static bool open_file(struct spool *spool)
{
	bool made_room = false;

	while (spool->file < 0) {
		spool->file = open(spool->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (spool->file < 0 && !may_repeat(spool, errno, &made_room))
			return fail(spool, errno);
	}
	return true;
}

static bool spool_write(struct body_spool *base, struct slice piece)
{
	struct spool *spool = (struct spool *)base;
	bool made_room = false;
	size_t written = 0;

	if (base->failure != CACHE_OK || !open_file(spool))
		return false;
	while (written < piece.len) {
		ssize_t now = pwrite(spool->file, piece.data + written, piece.len - written,
				     (off_t)(base->len_bytes + written));

		if (now >= 0)
			written += (size_t)now;
		else if (!may_repeat(spool, errno, &made_room))
			return fail(spool, errno);
	}
	base->len_bytes += piece.len;
	sha256_update(&spool->sha, piece.len, (const uint8_t *)piece.data);
	utf8_scan(&spool->text, piece);
	return true;
}

static struct cache_body *spool_end(struct body_spool *base)
{
	struct spool *spool = (struct spool *)base;
	uint8_t sha256[SHA256_BYTES];
	struct file_body_parts parts = {
		.path = spool->path,
		.len_bytes = base->len_bytes,
		.sha256 = sha256,
	};

	if (base->failure != CACHE_OK || !open_file(spool))
		return NULL;
	sha256_digest(&spool->sha, sizeof(sha256), sha256);
	if (utf8_scan_is_valid(&spool->text))
		parts.flags = CACHE_VALUE_UTF8;
	if (utf8_scan_is_json_plain(&spool->text))
		parts.flags = CACHE_VALUE_UTF8 | CACHE_VALUE_JSON_PLAIN;
	parts.file = spool->file;
	struct cache_body *body = file_body_create(spool->place->pool, &parts);
	if (body)
		spool->file = -1;
	else
		base->failure = CACHE_NO_MEMORY;
	return body;
}

static void end_spool(struct pool_job *job)
{
	struct spool *spool = job->user;

	(void)unlink(spool->path);
	(void)close(spool->file);
	free(spool);
}

static void spool_close(struct body_spool *base)
{
	struct spool *spool = (struct spool *)base;

	if (spool->file < 0) {
		free(spool);
		return;
	}
	spool->end = (struct pool_job){.run = end_spool, .user = spool};
	pool_submit(spool->place->pool, &spool->end);
}

static const struct body_spool_ops spool_ops = {
	.write = spool_write,
	.end = spool_end,
	.close = spool_close,
};

struct body_spool *spool_create(struct spool_place *place)
{
	const size_t path_size = strlen(place->folder) + 24;
	struct spool *spool = calloc(1, sizeof(*spool) + path_size);

	if (!spool)
		return NULL;
	spool->spool.ops = &spool_ops;
	spool->place = place;
	spool->file = -1;
	sha256_init(&spool->sha);
	(void)snprintf(spool->path, path_size, "%s/%lu", place->folder,
		       atomic_fetch_add_explicit(&place->next, 1, memory_order_relaxed));
	return &spool->spool;
}
