#include "steadytext/import.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "steadytext/import_file.h"
#include "steadytext/import_tell.h"

/* Where SteadyText has its caches, below its own folder. */
static const char *const subfolders[] = {"models/caches", "caches"};

/* Names of files, to be imported in this order. */
struct names {
	char **list;
	size_t count, room;
};

static void free_names(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
}

static bool add_name(struct names *names, const char *name)
{
	char **list =
		array_with_room(names->list, names->count, &names->room, sizeof(*names->list));

	if (!list)
		return false;
	names->list = list;
	list[names->count] = strdup(name);
	return list[names->count] && ++names->count;
}

static int compare(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Of two files of one cache, the .db comes first: its entries are newer. */
static bool list(int dir, struct names *ret)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	bool is_good = stream != NULL;
	struct dirent *entry;

	if (!stream) {
		if (copy >= 0)
			(void)close(copy);
		return false;
	}
	while (is_good && (errno = 0, entry = readdir(stream)))
		if (steadytext_file_is_named(entry->d_name, NULL))
			is_good = add_name(ret, entry->d_name);
	is_good = is_good && errno == 0;
	(void)closedir(stream);
	if (is_good && ret->count > 0)
		qsort(ret->list, ret->count, sizeof(*ret->list), compare);
	return is_good;
}

/* What became of a folder. */
enum found { FOUND, FOUND_NONE, FOUND_NO_FOLDER, FOUND_FAILURE };

/* Imports the files of one folder; `reason` says why that failed. */
static enum found import_folder(struct steadytext_import *import, const char *path, char *reason,
				size_t reason_size)
{
	char *real = realpath(path, NULL);
	int dir = real ? open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	struct names names = {0};
	enum found found = FOUND_FAILURE;

	if (dir < 0) {
		found = errno == ENOENT || errno == ENOTDIR ? FOUND_NO_FOLDER : FOUND_FAILURE;
		(void)snprintf(reason, reason_size,
			       "cannot be opened (%m); what is wanted is the folder of "
			       "SteadyText's caches, such as /home/me/.cache/steadytext");
	} else if (!list(dir, &names)) {
		(void)snprintf(reason, reason_size, "cannot be listed: %m");
	} else {
		found = names.count > 0 ? FOUND : FOUND_NONE;
		bool goes_on = true;
		for (size_t i = 0; goes_on && i < names.count && !import->was_ended; i++) {
			import->was_ended = import->is_over && import->is_over(import->user);
			if (!import->was_ended)
				goes_on = steadytext_import_file(import, dir, real, names.list[i]);
		}
	}
	if (dir >= 0)
		(void)close(dir);
	free_names(&names);
	free(real);
	return found;
}

/* The folders that SteadyText has below `import->dir`. */
static enum found import_subfolders(struct steadytext_import *import, char *reason,
				    size_t reason_size)
{
	enum found ret = FOUND_NONE;
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(subfolders) / sizeof(subfolders[0]); i++) {
		int len = snprintf(path, sizeof(path), "%s/%s", import->dir, subfolders[i]);
		enum found found = (size_t)len < sizeof(path)
					   ? import_folder(import, path, reason, reason_size)
					   : FOUND_NO_FOLDER;

		if (found == FOUND_FAILURE)
			return found;
		if (found == FOUND)
			ret = FOUND;
	}
	return ret;
}

bool steadytext_import_run(struct steadytext_import *import)
{
	char reason[STEADYTEXT_REASON_SIZE] = "";
	enum found found = import_folder(import, import->dir, reason, sizeof(reason));

	if (found == FOUND_NONE)
		found = import_subfolders(import, reason, sizeof(reason));
	import->found_none = found == FOUND_NONE;
	if (found == FOUND_NONE)
		steadytext_import_tell(
			import, STEADYTEXT_WARN, import->dir,
			"has no caches of SteadyText's (.db or .pkl files), nor have "
			"models/caches and caches in it");
	else if (found != FOUND)
		steadytext_import_tell(import, STEADYTEXT_ERROR, import->dir, "%s", reason);
	return (found == FOUND || found == FOUND_NONE) && import->files_failed == 0 &&
	       !import->was_ended;
}
