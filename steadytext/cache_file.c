#include "steadytext/cache_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "steadytext/db.h"
#include "steadytext/pkl.h"
#include "store/namespace.h"

struct steadytext_file {
	struct steadytext_db *db; /* one of both */
	struct steadytext_pkl *pkl;
};

static bool ends(const char *name, const char *ending, size_t *ret_len)
{
	size_t len = strlen(name);
	size_t ending_len = strlen(ending);

	if (len < ending_len || strcmp(name + len - ending_len, ending) != 0)
		return false;
	*ret_len = len - ending_len;
	return true;
}

bool steadytext_file_is_named(const char *name, size_t *ret_len)
{
	size_t len = 0;

	if (!ends(name, ".db", &len) && !ends(name, ".pkl", &len))
		return false;
	if (ret_len)
		*ret_len = len;
	return true;
}

struct steadytext_file *steadytext_file_open(const char *path,
					     const struct steadytext_limits *limits, int64_t now_us,
					     bool *ret_foreign, char *reason, size_t reason_size)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char ns[NAMESPACE_MAX_LEN + 1];
	size_t len = 0;

	*ret_foreign = false;
	if (!steadytext_file_is_named(name, &len) || len > NAMESPACE_MAX_LEN) {
		(void)snprintf(reason, reason_size, "has no name of a cache");
		return NULL;
	}
	(void)snprintf(ns, sizeof(ns), "%.*s", (int)len, name);
	struct steadytext_file *file = calloc(1, sizeof(*file));
	if (!file) {
		(void)snprintf(reason, reason_size, "cannot be read: out of memory");
		return NULL;
	}
	if (strcmp(name + len, ".db") == 0)
		file->db = steadytext_db_file_open(path, ns, limits, now_us, ret_foreign, reason,
						   reason_size);
	else
		file->pkl =
			steadytext_pkl_open(path, limits, now_us, ret_foreign, reason, reason_size);
	if (file->db || file->pkl)
		return file;
	free(file);
	return NULL;
}

enum steadytext_step steadytext_file_next(struct steadytext_file *file,
					  struct steadytext_entry *ret, char *reason,
					  size_t reason_size)
{
	return file->db ? steadytext_db_next(file->db, ret, reason, reason_size)
			: steadytext_pkl_next(file->pkl, ret, reason, reason_size);
}

uint64_t steadytext_file_count(const struct steadytext_file *file)
{
	return file->db ? steadytext_db_count(file->db) : steadytext_pkl_count(file->pkl);
}

bool steadytext_file_remove(struct steadytext_file *file, char *reason, size_t reason_size)
{
	return file->db || steadytext_pkl_remove(file->pkl, reason, reason_size);
}

void steadytext_file_close(struct steadytext_file *file)
{
	if (!file)
		return;
	steadytext_db_close(file->db);
	steadytext_pkl_close(file->pkl);
	free(file);
}
