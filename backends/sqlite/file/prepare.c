#include "backends/sqlite/file/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/file/folder_lock.h"
#include "backends/sqlite/file/migrate.h"
#include "backends/sqlite/file/schema.h"
#include "backends/sqlite/file/volume.h"
#include "store/notice.h"

/* A file up to this size is checked completely when it is opened; a larger one only by opening it
 * and reading the roots of its tables. */
#define WHOLE_CHECK_MAX_BYTES (INT64_C(64) << 20)

enum verdict {
	SOUND, /* or new: prepared, and the store has read what it needs */
	REFUSED,
	UNREADABLE,
	DAMAGED,
};

/* One check of the file. */
struct look {
	struct sqlite_file *file;
	sqlite3 *db;
	unsigned failures, short_reads; /* of the mapping, when it began */
	bool lacks_space;               /* UNREADABLE, perhaps for lack of room */
	char *reason; /* a sentence for the other verdicts; for DAMAGED a clause */
	size_t reason_size;
};

/* SQLite reports only some failures of a full volume as such. */
static bool lacks_space(const struct look *look, int primary)
{
	int system_error = look->db ? sqlite3_system_errno(look->db) : 0;

	if (primary == SQLITE_FULL)
		return true;
	if (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN)
		return false;
	return system_error == ENOSPC || system_error == EDQUOT ||
	       volume_available(look->file->path) < RESERVE_MIN_BYTES;
}

/* The verdict if SQLite said `code`. */
static enum verdict fail(struct look *look, int code, const char *failed)
{
	struct mapping *mapping = &look->file->mapping;
	int primary = code & 0xFF;
	bool has_read_all = atomic_load(&mapping->failures) == look->failures;

	if (atomic_load(&mapping->short_reads) != look->short_reads && has_read_all) {
		(void)snprintf(look->reason, look->reason_size, "it ends too early");
		return DAMAGED;
	}
	if ((primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) && has_read_all) {
		(void)snprintf(look->reason, look->reason_size, "%s", sqlite3_errstr(code));
		return DAMAGED;
	}
	look->lacks_space = lacks_space(look, primary);
	if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB)
		code = SQLITE_IOERR;
	database_explain(look->file, look->db, code, failed, look->reason, look->reason_size);
	return UNREADABLE;
}

/* A row of `sql`, which a sound file always has. */
static enum verdict ask(struct look *look, const char *sql, int64_t *ret)
{
	int code = database_ask(look->db, sql, ret);

	if (code == SQLITE_ROW)
		return SOUND;
	return fail(look, code == SQLITE_DONE ? SQLITE_CORRUPT : code, "cannot read");
}

/* Whether the file belongs to this program and this version. */
static enum verdict identify(struct look *look)
{
	int64_t version = 0;
	int64_t application_id = 0;
	enum verdict verdict = ask(look, "PRAGMA user_version", &version);

	if (verdict == SOUND)
		verdict = ask(look, "PRAGMA application_id", &application_id);
	if (verdict != SOUND)
		return verdict;
	if (application_id != APPLICATION_ID) {
		(void)snprintf(look->reason, look->reason_size,
			       "%s is another program's database; name another --data-dir",
			       look->file->path);
		return REFUSED;
	}
	if (version != SCHEMA_VERSION && version != MIGRATED_SCHEMA_VERSION) {
		(void)snprintf(
			look->reason, look->reason_size,
			"%s has the schema of another version of steadycache (%lld, this one "
			"knows %d); start that version, or move the file away",
			look->file->path, (long long)version, SCHEMA_VERSION);
		return REFUSED;
	}
	return SOUND;
}

/* SQLite's own check: DAMAGED only if it could read every page that it needed. */
static enum verdict check_whole(struct look *look)
{
	sqlite3_stmt *check = NULL;
	char text[160] = "";
	int code = sqlite3_prepare_v2(look->db, "PRAGMA quick_check(1)", -1, &check, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(check);
	if (code == SQLITE_ROW) {
		const char *row = (const char *)sqlite3_column_text(check, 0);

		(void)snprintf(text, sizeof(text), "%s", row ? row : "");
	}
	int final = sqlite3_finalize(check);
	if (code != SQLITE_ROW)
		return fail(look, code == SQLITE_DONE ? SQLITE_IOERR : final, "cannot read");
	if (strcmp(text, "ok") == 0)
		return SOUND;
	/* A page for which there was no memory is among the complaints, as "error code=7". */
	if (text[0] == '\0' || strstr(text, "error code=7") || strstr(text, "error code 7"))
		return fail(look, SQLITE_NOMEM, "cannot check");
	enum verdict verdict = fail(look, SQLITE_CORRUPT, "cannot check");
	if (verdict == DAMAGED) {
		for (char *at = text; (at = strchr(at, '\n'));)
			*at = ' ';
		(void)snprintf(look->reason, look->reason_size, "it fails its integrity check: %s",
			       text);
	}
	return verdict;
}

static enum verdict check(struct look *look)
{
	int64_t rows = 0;
	int64_t page_count = 0;
	int64_t page_bytes = 0;
	enum verdict verdict = ask(look, "SELECT count(*) FROM meta", &rows);

	if (verdict == SOUND && rows < 1)
		verdict = fail(look, SQLITE_CORRUPT, "cannot read");
	if (verdict == SOUND)
		verdict = ask(look, "SELECT coalesce(max(id), 0) FROM entries", &rows);
	if (verdict == SOUND)
		verdict = ask(look, "PRAGMA page_count", &page_count);
	if (verdict == SOUND)
		verdict = ask(look, "PRAGMA page_size", &page_bytes);
	if (verdict == SOUND && page_count <= WHOLE_CHECK_MAX_BYTES / page_bytes)
		verdict = check_whole(look);
	return verdict;
}

/* Reads what the store needs from a sound file. */
static enum verdict take_over(struct look *look)
{
	int64_t seed = 0;
	int code = schema_complete(look->db);
	if (code == SQLITE_OK)
		code = migrate_schema(look->file, look->db);

	if (code != SQLITE_OK)
		return fail(look, code, "cannot prepare");
	enum verdict verdict = ask(look, "SELECT value FROM meta WHERE name = 'hash_seed'", &seed);
	if (verdict == SOUND)
		look->file->hash_seed = (uint64_t)seed;
	return verdict;
}

static enum verdict look_at_open(struct look *look)
{
	int64_t tables = 0;
	int code = sqlite3_busy_timeout(look->db, BUSY_TIMEOUT_MS);

	/* A file that is not known to be sound stays as it is, including the log. */
	if (code == SQLITE_OK)
		code = sqlite3_db_config(look->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (code != SQLITE_OK)
		return fail(look, code, "cannot open");
	enum verdict verdict = ask(look, "SELECT count(*) FROM sqlite_schema", &tables);
	if (verdict == SOUND && tables == 0) {
		code = database_use_log(look->db);
		if (code == SQLITE_OK)
			code = schema_create(look->db);
		if (code != SQLITE_OK)
			return fail(look, code, "cannot make");
	} else if (verdict == SOUND) {
		verdict = identify(look);
		if (verdict == SOUND)
			verdict = check(look);
	}
	if (verdict == SOUND)
		verdict = take_over(look);
	if (verdict == SOUND)
		(void)sqlite3_db_config(look->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return verdict;
}

/* SQLite takes an empty file for a new one, and removes the log beside it. But a file is never
 * empty when its log is started. */
static bool has_lost_its_database(const struct sqlite_file *file)
{
	char log_path[sizeof(file->path) + 8];
	struct stat database;
	struct stat log;

	(void)snprintf(log_path, sizeof(log_path), "%s-wal", file->path);
	bool is_empty = stat(file->path, &database) == 0 ? database.st_size == 0 : errno == ENOENT;
	return is_empty && stat(log_path, &log) == 0 && log.st_size > 0;
}

/* With its own connection. */
static enum verdict look_at_file(struct sqlite_file *file, bool *ret_lacks_space, char *reason,
				 size_t reason_size)
{
	struct look look = {
		.file = file,
		.failures = atomic_load(&file->mapping.failures),
		.short_reads = atomic_load(&file->mapping.short_reads),
		.reason = reason,
		.reason_size = reason_size,
	};

	if (has_lost_its_database(file)) {
		(void)snprintf(reason, reason_size, "it is empty, but its log is not");
		return DAMAGED;
	}
	int code = sqlite3_open_v2(file->path, &look.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
				   file->mapping.name);
	enum verdict verdict =
		code == SQLITE_OK ? look_at_open(&look) : fail(&look, code, "cannot open");

	(void)sqlite3_close(look.db);
	*ret_lacks_space = look.lacks_space;
	return verdict;
}

/* ---- Quarantine ---- */

static const char *const suffixes[] = {"", "-wal", "-shm"};

/* Moves the three files to names that end in `stamp`, or back. False if an existing one could not
 * be moved; errno says why. */
static bool rename_all(const struct sqlite_file *file, const char *stamp, bool back)
{
	char from[sizeof(file->path) + 8];
	char to[sizeof(file->path) + 64];

	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(from, sizeof(from), "%s%s", file->path, suffixes[i]);
		(void)snprintf(to, sizeof(to), "%s%s%s", file->path, stamp, suffixes[i]);
		if (rename(back ? to : from, back ? from : to) != 0 && errno != ENOENT)
			return false;
	}
	return true;
}

/* A log that stayed would be taken for that of the new file: so all of them, or none. */
static bool move_aside(struct sqlite_file *file, const char *damage, char *error, size_t error_size)
{
	long long now_s = (long long)(cache_clock_now_us(file->config->clock) / US_PER_S);
	char stamp[48];
	char to[sizeof(file->path) + 64];
	struct stat status;

	/* A second damaged file in the same second must not replace the first. */
	do {
		(void)snprintf(stamp, sizeof(stamp), ".corrupted.%lld", now_s++);
		(void)snprintf(to, sizeof(to), "%s%s", file->path, stamp);
	} while (lstat(to, &status) == 0);
	if (!rename_all(file, stamp, false)) {
		(void)snprintf(error, error_size,
			       "%s is damaged (%s) and cannot be set aside: %s; move it away",
			       file->path, damage, strerror(errno));
		(void)rename_all(file, stamp, true);
		return false;
	}
	notice_send(file->config, NOTICE_ERROR,
		    "the database cannot be used (%s); moved to %s, starting empty", damage, to);
	return true;
}

/* ---- All of it ---- */

/* *ret_lacks_space: it failed, perhaps for lack of room. */
static bool open_checked(struct sqlite_file *file, bool *ret_lacks_space, char *error,
			 size_t error_size)
{
	enum verdict verdict = look_at_file(file, ret_lacks_space, error, error_size);

	if (verdict == DAMAGED)
		verdict = look_at_file(file, ret_lacks_space, error, error_size);
	if (verdict == DAMAGED) {
		char damage[256];

		(void)snprintf(damage, sizeof(damage), "%s", error);
		if (!move_aside(file, damage, error, error_size))
			return false;
		verdict = look_at_file(file, ret_lacks_space, error, error_size);
	}
	return verdict == SOUND;
}

/* ---- A file that is only read ---- */

static enum verdict look_to_read(struct look *look)
{
	int64_t tables = 0, version = 0, columns = 0, seed = 0;
	int code = sqlite3_busy_timeout(look->db, BUSY_TIMEOUT_MS);

	if (code == SQLITE_OK)
		code = database_read_only(look->db);
	if (code != SQLITE_OK)
		return fail(look, code, "cannot open");
	enum verdict verdict = ask(look, "SELECT count(*) FROM sqlite_schema", &tables);
	if (verdict == SOUND)
		verdict = identify(look);
	if (verdict == SOUND)
		verdict = ask(look, "PRAGMA user_version", &version);
	if (verdict == SOUND)
		verdict = ask(look, SCHEMA_HAS_COLUMN(SCHEMA_LAST_COLUMN), &columns);
	if (verdict == SOUND && (version != SCHEMA_VERSION || columns != 1)) {
		(void)snprintf(look->reason, look->reason_size,
			       "%s was made by an older version of steadycache; start a server of "
			       "this version on it once, which brings it up to date",
			       look->file->path);
		return REFUSED;
	}
	if (verdict == SOUND)
		verdict = ask(look, "SELECT value FROM meta WHERE name = 'hash_seed'", &seed);
	look->file->hash_seed = (uint64_t)seed;
	return verdict;
}

bool prepare_to_read(struct sqlite_file *file, char *error, size_t error_size)
{
	struct look look = {
		.file = file,
		.failures = atomic_load(&file->mapping.failures),
		.short_reads = atomic_load(&file->mapping.short_reads),
		.reason = error,
		.reason_size = error_size,
	};
	struct stat status;
	char damage[256];

	if (stat(file->path, &status) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
		(void)snprintf(error, error_size, "there is no database in %s (no %s)",
			       file->config->data_dir, DATABASE_NAME);
		return false;
	}
	int code = sqlite3_open_v2(file->path, &look.db, SQLITE_OPEN_READWRITE, file->mapping.name);
	enum verdict verdict =
		code == SQLITE_OK ? look_to_read(&look) : fail(&look, code, "cannot open");
	database_disconnect(file, look.db);
	if (verdict == DAMAGED) { /* its reason is a clause */
		(void)snprintf(damage, sizeof(damage), "%s", error);
		(void)snprintf(error, error_size, "%s is damaged (%s)", file->path, damage);
	}
	return verdict == SOUND;
}

bool prepare_file(struct sqlite_file *file, char *error, size_t error_size)
{
	int lock = file->is_alone ? dup(file->lock) : folder_lock_take(file, error, error_size);

	if (lock < 0)
		return false;
	mode_t old_mask = umask(0077);
	bool lacks_space = false;
	bool ready = open_checked(file, &lacks_space, error, error_size);
	/* SQLite needs room even to read: for the "-shm" file. */
	if (!ready && lacks_space && reserve_give_up(&file->space.reserve))
		ready = open_checked(file, &lacks_space, error, error_size);
	(void)umask(old_mask);
	/* A child that another thread has made meanwhile has it, too. */
	if (!file->is_alone)
		(void)flock(lock, LOCK_UN);
	(void)close(lock);
	return ready;
}
