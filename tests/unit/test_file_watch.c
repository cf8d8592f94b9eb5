/* The watch over the files of a database (backends/sqlite/file/file_watch.h), on files of our
 * own. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "backends/sqlite/file/file.h"
#include "tests/support/temp_dir.h"
#include "tests/support/threads.h"

#define PAGE_BYTES 512
#define PAGES      20000

static struct temp_dir dir;
static struct sqlite_file file;
static struct backend_config config;
static int database;
static atomic_bool is_over;

static void create_files(void)
{
	char name[40];
	const char *missing;

	temp_dir_create(&dir);
	temp_dir_path(&dir, "db", file.path);
	for (unsigned i = 0; i < WATCHED_FILES; i++) {
		static const char *const suffixes[] = {"", "-wal", "-shm"};
		char path[TEMP_PATH_SIZE];

		(void)snprintf(name, sizeof(name), "db%s", suffixes[i]);
		int fd = open(temp_dir_path(&dir, name, path), O_RDWR | O_CREAT, 0600);
		cr_assert_geq(fd, 0);
		if (i == WATCHED_DATABASE)
			database = fd;
		else
			(void)close(fd);
	}
	file.config = &config;
	file.mapping.fd = database;
	cr_assert(file_watch_begin(&file.watch, file.path, &missing));
}

/* Page 1 with the number of pages, as in a database. */
static bool write_header(unsigned pages)
{
	const unsigned char header[32] = {
		[16] = PAGE_BYTES >> 8,
		[28] = (unsigned char)(pages >> 24),
		[29] = (unsigned char)(pages >> 16),
		[30] = (unsigned char)(pages >> 8),
		[31] = (unsigned char)pages,
	};

	return pwrite(database, header, sizeof(header), 0) == sizeof(header);
}

/* Grows the database as checkpoints do, the header first; the others look at it meanwhile. */
static const char *grow_or_look(size_t index, void *user)
{
	(void)user;
	if (index == 0) {
		bool grows = true;
		for (unsigned pages = 1; grows && pages <= PAGES; pages++)
			grows = write_header(pages) &&
				pwrite(database, "", 1, (off_t)pages * PAGE_BYTES - 1) == 1;
		atomic_store(&is_over, true);
		return grows ? NULL : "the database could not be written";
	}
	while (!atomic_load(&is_over))
		if (file_watch_look(&file) != FILES_IN_PLACE)
			return "a database that grows was taken for cut";
	return NULL;
}

Test(file_watch, growth_is_not_taken_for_a_cut)
{
	create_files();
	const char *failure = in_threads(4, grow_or_look, NULL);
	cr_expect_null(failure, "%s", failure);
	/* A real one is seen. */
	cr_expect_eq(file_watch_look(&file), FILES_IN_PLACE);
	cr_assert_eq(ftruncate(database, PAGES / 2 * PAGE_BYTES), 0);
	cr_expect_eq(file_watch_look(&file), FILES_CUT);
	(void)close(database);
	temp_dir_destroy(&dir);
}
