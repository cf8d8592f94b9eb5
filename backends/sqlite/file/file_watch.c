#include "backends/sqlite/file/file_watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/sqlite/file/file.h"
#include "store/notice.h"

static const char *const suffixes[WATCHED_FILES] = {
	[WATCHED_DATABASE] = "",
	[WATCHED_LOG] = "-wal",
	[WATCHED_INDEX] = "-shm",
};

bool file_watch_begin(struct file_watch *watch, const char *database_path, const char **ret_missing)
{
	*watch = (struct file_watch){.cut = -1};
	for (size_t i = 0; i < WATCHED_FILES; i++) {
		struct stat status;
		char *path = watch->files[i].path;

		(void)snprintf(path, sizeof(watch->files[i].path), "%s%s", database_path,
			       suffixes[i]);
		if (stat(path, &status) != 0) {
			*ret_missing = path;
			return false;
		}
		watch->files[i].device = status.st_dev;
		watch->files[i].inode = status.st_ino;
		if (i == WATCHED_DATABASE)
			watch->database_bytes = status.st_size;
	}
	return true;
}

/* A check that fails for any reason other than a missing file says nothing: `otherwise`.
 * *ret_bytes: the length of a file that is in its place. */
static enum file_state look_at(const struct file_watch *watch, enum watched_file which,
			       enum file_state otherwise, int64_t *ret_bytes)
{
	struct stat status;

	if (stat(watch->files[which].path, &status) != 0)
		return errno == ENOENT || errno == ENOTDIR ? FILES_GONE : otherwise;
	if (status.st_dev != watch->files[which].device ||
	    status.st_ino != watch->files[which].inode)
		return FILES_REPLACED;
	*ret_bytes = status.st_size;
	return FILES_IN_PLACE;
}

static void tell(const struct sqlite_file *file, enum file_state state, const char *path)
{
	switch (state) {
	case FILES_IN_PLACE:
		notice_send(file->config, NOTICE_INFO, "the files of %s are in their places again",
			    file->path);
		break;
	case FILES_GONE:
		notice_send(file->config, NOTICE_ERROR,
			    "%s is gone: another program has removed it while it was in use; "
			    "writes are refused, reads go on, so that steadycache export can save "
			    "the entries; then restart the server",
			    path);
		break;
	case FILES_REPLACED:
		notice_send(file->config, NOTICE_ERROR,
			    "%s is another file than the one in use: another program has replaced "
			    "it; writes are refused, reads go on from the former one; restart the "
			    "server to use the new one",
			    path);
		break;
	case FILES_CUT:
		notice_send(file->config, NOTICE_ERROR,
			    "%s was cut short by another program while it was in use: writes are "
			    "refused; save the entries that can still be read with steadycache "
			    "export, then restart the server",
			    path);
		break;
	}
}

/* Whether the database, `bytes` long, has fewer pages than its own header says. (sqlite.org's
 * fileformat.html: the page size is at 16, the number of pages at 28.) */
static bool is_shorter_than_it_says(int fd, int64_t bytes)
{
	uint8_t header[32];
	ssize_t len = pread(fd, header, sizeof(header), 0);

	if (len < 0)
		return false;
	if (len < (ssize_t)sizeof(header))
		return true;
	int64_t page_bytes = header[16] << 8 | header[17];
	int64_t pages = (int64_t)header[28] << 24 | header[29] << 16 | header[30] << 8 | header[31];
	if (page_bytes == 1)
		page_bytes = 65536;
	return bytes < pages * page_bytes;
}

/* `bytes` is the database's length, which was asked for after somebody had found it `former_bytes`
 * long. Only if it has become shorter: a checkpoint writes the header before it adds the pages. */
static void look_at_length(struct sqlite_file *file, int64_t former_bytes, int64_t bytes)
{
	struct file_watch *watch = &file->watch;

	if (bytes < former_bytes && is_shorter_than_it_says(file->mapping.fd, bytes))
		atomic_store(&watch->cut, WATCHED_DATABASE);
	else if (bytes != former_bytes)
		atomic_store(&watch->database_bytes, bytes);
}

enum file_state file_watch_look(struct sqlite_file *file)
{
	struct file_watch *watch = &file->watch;
	enum file_state former = file_watch_state(watch);
	enum file_state state = FILES_IN_PLACE;
	/* Before the length is asked for: several threads look while the database grows. */
	int64_t former_bytes = atomic_load(&watch->database_bytes);
	size_t which = 0;

	for (size_t i = 0; i < WATCHED_FILES && state == FILES_IN_PLACE; i++) {
		int64_t bytes = -1;

		which = i;
		state = look_at(watch, (enum watched_file)i,
				former == FILES_CUT ? FILES_IN_PLACE : former, &bytes);
		if (i == WATCHED_DATABASE && bytes >= 0)
			look_at_length(file, former_bytes, bytes);
	}
	if (atomic_load(&watch->cut) >= 0) {
		state = FILES_CUT;
		which = (size_t)atomic_load(&watch->cut);
	}
	if (state != former && atomic_exchange(&watch->state, (int)state) != (int)state)
		tell(file, state, watch->files[which].path);
	return state;
}

void file_watch_check_log(struct sqlite_file *file, uint32_t frames)
{
	struct file_watch *watch = &file->watch;
	int64_t bytes = -1;

	/* sqlite.org/fileformat.html: 32 bytes, and 24 before each page. */
	if (frames > 0 && look_at(watch, WATCHED_LOG, FILES_GONE, &bytes) == FILES_IN_PLACE &&
	    bytes < 32 + (24 + file->space.page_bytes) * frames)
		atomic_store(&watch->cut, WATCHED_LOG);
}

void file_watch_note_cut(struct sqlite_file *file)
{
	atomic_store(&file->watch.cut, WATCHED_DATABASE);
	(void)file_watch_look(file);
}

bool file_watch_shares_index(const struct file_watch *watch)
{
	int64_t bytes;

	return look_at(watch, WATCHED_INDEX, FILES_REPLACED, &bytes) != FILES_REPLACED;
}

const char *file_watch_text(enum file_state state)
{
	static const char *const texts[] = {
		[FILES_IN_PLACE] = "the files of the database are in their places",
		[FILES_GONE] = "a file of the database was removed: save the entries with "
			       "steadycache export, then restart the server",
		[FILES_REPLACED] = "a file of the database was replaced by another: restart the "
				   "server to use that",
		[FILES_CUT] = "the database or its log was cut short by another program: restart "
			      "the server",
	};

	return texts[state];
}

bool file_watch_allows(const struct file_watch *watch, const char *path)
{
	int64_t bytes;

	for (size_t i = 0; i < WATCHED_FILES; i++)
		if (strcmp(watch->files[i].path, path) == 0)
			return look_at(watch, (enum watched_file)i, FILES_IN_PLACE, &bytes) ==
			       FILES_IN_PLACE;
	return true;
}
