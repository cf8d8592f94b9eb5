/* Objects are listed in byte order of their names; a position is the last name. */
#include "backends/large/dir_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/large/dir_name.h"
#include "backends/large/disk.h"
#include "base/array.h"

int64_t dir_list_now_us(const struct dir *dir)
{
	struct stat status;

	if (futimens(dir->lock, NULL) != 0 || fstat(dir->lock, &status) != 0)
		return -1;
	return dir_name_time_us(&status);
}

/* Names of one fan. */
struct names {
	uint8_t (*all)[SHA256_BYTES];
	size_t count, capacity;
};

static int compare_names(const void *a, const void *b)
{
	return memcmp(a, b, SHA256_BYTES);
}

/* Collects the names of the open `folder` of `fan` behind `after` (NULL: all), in order. Closes
 * the folder. False: out of memory. */
static bool collect(DIR *folder, unsigned fan, const uint8_t *after, struct names *names)
{
	char text[2 * SHA256_BYTES + 1];
	struct dirent *entry;
	bool is_whole = true;

	dir_name_of_fan(fan, text);
	while (is_whole && (entry = readdir(folder))) {
		uint8_t name[SHA256_BYTES];

		if (strlen(entry->d_name) + 2 != sizeof(text) - 1)
			continue;
		memcpy(text + 2, entry->d_name, sizeof(text) - 2);
		if (!dir_name_read(text, name) || (after && compare_names(name, after) <= 0))
			continue;
		void *grown = array_with_room(names->all, names->count, &names->capacity,
					      sizeof(names->all[0]));
		is_whole = grown != NULL;
		if (!grown)
			continue;
		names->all = grown;
		memcpy(names->all[names->count++], name, sizeof(name));
	}
	(void)closedir(folder);
	if (names->count > 0)
		qsort(names->all, names->count, sizeof(names->all[0]), compare_names);
	return is_whole;
}

/* Adds names to the answer until it is full; false: some were left. */
static bool add_names(struct dir *dir, struct object_request *request, const struct names *names)
{
	char name[DIR_NAME_SIZE];
	struct stat status;
	size_t i = 0;

	for (; i < names->count && request->object_count < request->max; i++) {
		struct object_info *info = &request->objects[request->object_count];

		dir_name_of(names->all[i], name);
		if (fstatat(dir->objects, name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(status.st_mode))
			continue;
		*info = (struct object_info){
			.len_bytes = (uint64_t)status.st_size,
			.put_at_us = dir_name_time_us(&status),
		};
		memcpy(info->sha256, names->all[i], sizeof(info->sha256));
		request->object_count++;
	}
	return i == names->count;
}

static int list_fan(struct dir *dir, struct object_request *request, unsigned fan,
		    const uint8_t *after)
{
	struct names names = {0};
	char fan_name[3];

	dir_name_of_fan(fan, fan_name);
	int file = openat(dir->objects, fan_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file < 0)
		return errno == ENOENT ? 0 : errno;
	DIR *folder = fdopendir(file);
	if (!folder) {
		(void)close(file);
		return ENOMEM;
	}
	bool is_whole = collect(folder, fan, after, &names);
	request->complete = is_whole && add_names(dir, request, &names);
	free(names.all);
	return is_whole ? 0 : ENOMEM;
}

static int list(struct dir *dir, struct object_request *request)
{
	uint8_t after[SHA256_BYTES] = {0};
	bool has_after = dir_name_read(request->position, after);
	unsigned fan = after[0];
	int error = 0;

	request->now_us = dir_list_now_us(dir);
	if (request->now_us < 0)
		return errno;
	request->object_count = 0;
	request->complete = true;
	do {
		error = list_fan(dir, request, fan, has_after && fan == after[0] ? after : NULL);
		fan++;
	} while (error == 0 && request->complete && fan < DIR_FANS);
	if (request->object_count > 0) {
		const uint8_t *last = request->objects[request->object_count - 1].sha256;
		char name[DIR_NAME_SIZE];

		dir_name_of(last, name);
		(void)snprintf(request->position, sizeof(request->position), "%.2s%s", name,
			       name + 3);
	}
	return error;
}

static void run(struct pool_job *job)
{
	struct object_request *request = job->user;
	int error = list(dir_of(request->store), request);

	request->status = error == 0 ? CACHE_OK : disk_status(error, &request->detail);
	request->done(request);
}

void dir_list(struct object_store *store, struct object_request *request)
{
	dir_submit(dir_of(store)->writers, store, request, run);
}
