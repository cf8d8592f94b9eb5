/* backends/sqlite/file/reserve.c and volume.c: created, kept, enlarged, given up, impossible. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/sqlite/file/reserve.h"
#include "backends/sqlite/file/volume.h"
#include "tests/support/temp_dir.h"

static struct temp_dir dir;
static char path[TEMP_PATH_SIZE], file[TEMP_PATH_SIZE + 16];
static struct reserve reserve;

static void set_up(void)
{
	temp_dir_create(&dir);
	(void)temp_dir_path(&dir, "db", path);
	(void)snprintf(file, sizeof(file), "%s.reserve", path);
	reserve_init(&reserve, path);
}

static void tear_down(void)
{
	reserve_deinit(&reserve);
	temp_dir_destroy(&dir);
}

TestSuite(reserve, .init = set_up, .fini = tear_down, .timeout = 60);

static void expect_file(int64_t bytes)
{
	struct stat status;

	cr_assert_eq(stat(file, &status), 0);
	cr_expect_eq(status.st_size, bytes);
	cr_expect_geq(status.st_blocks * 512, bytes, "it has holes");
	cr_expect_eq(status.st_mode & 0777, 0600);
}

Test(reserve, is_made_with_all_of_its_blocks)
{
	cr_expect_eq(reserve_bytes(&reserve), 0);
	cr_expect_not(reserve_stands(&reserve));
	cr_assert_eq(reserve_make(&reserve), RESERVE_MADE);
	cr_expect_geq(reserve_bytes(&reserve), RESERVE_MIN_BYTES);
	cr_expect_leq(reserve_bytes(&reserve), RESERVE_MAX_BYTES);
	cr_expect(reserve_stands(&reserve));
	expect_file(reserve_bytes(&reserve));
}

Test(reserve, holes_of_a_copy_are_filled_and_a_larger_one_is_kept)
{
	int64_t bytes = RESERVE_MAX_BYTES + 4096;
	FILE *copy = fopen(file, "w");

	cr_assert_not_null(copy);
	cr_assert_eq(fchmod(fileno(copy), 0600), 0);
	cr_assert_eq(ftruncate(fileno(copy), bytes), 0);
	(void)fclose(copy);
	cr_assert_eq(reserve_make(&reserve), RESERVE_MADE);
	cr_expect_eq(reserve_bytes(&reserve), bytes);
	expect_file(bytes);
}

Test(reserve, is_given_up_once_and_made_again)
{
	cr_assert_eq(reserve_make(&reserve), RESERVE_MADE);
	int64_t bytes = reserve_bytes(&reserve);
	cr_expect(reserve_give_up(&reserve));
	cr_expect_eq(reserve_bytes(&reserve), 0);
	cr_expect_not(reserve_stands(&reserve));
	cr_expect_not(reserve_give_up(&reserve), "there is none any more");
	cr_expect_eq(reserve.former_bytes, bytes);
	cr_assert_eq(reserve_make(&reserve), RESERVE_MADE);
	cr_expect_geq(reserve_bytes(&reserve), bytes);
}

Test(reserve, waits_for_room)
{
	reserve.former_bytes = volume_available(dir.path); /* twice that is never available */
	cr_assert_gt(reserve.former_bytes, 0);
	cr_expect_eq(reserve_make(&reserve), RESERVE_NO_ROOM);
	cr_expect_eq(reserve_bytes(&reserve), 0);
	cr_expect_not(reserve_stands(&reserve), "what was begun is left behind");
}

Test(reserve, is_impossible_where_no_file_can_be)
{
	cr_assert_eq(mkdir(file, 0700), 0);
	cr_expect_eq(reserve_make(&reserve), RESERVE_IMPOSSIBLE);
	cr_expect_not(reserve_give_up(&reserve));
	cr_assert_eq(rmdir(file), 0);
	/* A link may lead to anybody's file. */
	cr_assert_eq(symlink("/dev/null", file), 0);
	cr_expect_eq(reserve_make(&reserve), RESERVE_IMPOSSIBLE);
	cr_expect_not(reserve_give_up(&reserve));
	cr_expect_eq(volume_available("/nonexistent/file"), -1);
}

Test(reserve, a_file_gets_blocks_and_keeps_its_length)
{
	FILE *log = fopen(path, "w");

	cr_assert_not_null(log);
	(void)fputs("frames", log);
	(void)fclose(log);
	volume_allocate(path, 1 << 20);
	struct stat status;
	cr_assert_eq(stat(path, &status), 0);
	cr_expect_eq(status.st_size, 6);
	cr_expect_geq(volume_allocated(path), 1 << 20);
	cr_expect_eq(volume_allocated(file), 0);
}
