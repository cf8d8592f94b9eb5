/* SteadyText's older .pkl files, as entries. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "steadytext/cache_file.h"
#include "tests/support/steadytext_files.h"
#include "tests/support/temp_dir.h"

#define NOW_US     INT64_C(1700000000000000)
#define WRITTEN_S  1600000000
#define WRITTEN_US (WRITTEN_S * INT64_C(1000000))

static struct temp_dir dir;
static char path[TEMP_PATH_SIZE];
static struct steadytext_file *file;
static struct steadytext_entry entry;
static char reason[STEADYTEXT_REASON_SIZE];
static bool is_foreign;
static struct pkl pkl;

static void open_folder(void)
{
	temp_dir_create(&dir);
	(void)temp_dir_path(&dir, "cache.pkl", path);
}

static void close_folder(void)
{
	steadytext_file_close(file);
	file = NULL;
	temp_dir_destroy(&dir);
}

TestSuite(steadytext_pkl, .init = open_folder, .fini = close_folder, .timeout = 60);

static bool try_open(void)
{
	static const struct steadytext_limits no_limits;

	file = steadytext_file_open(path, &no_limits, NOW_US, &is_foreign, reason, sizeof(reason));
	return file != NULL;
}

static void write_and_open(int64_t counter)
{
	static const struct timespec times[2] = {{.tv_sec = WRITTEN_S}, {.tv_sec = WRITTEN_S}};

	pkl_write(&pkl, counter, path);
	cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
	cr_assert(try_open(), "%s", reason);
}

static enum steadytext_step next(void)
{
	return steadytext_file_next(file, &entry, reason, sizeof(reason));
}

static void expect_end(void)
{
	enum steadytext_step step = next();

	cr_expect_eq(step, STEADYTEXT_END, "%d: %s", step, reason);
}

static void expect_entry(const char *key, uint64_t frequency, int64_t last_access_us)
{
	enum steadytext_step step = next();

	cr_assert_eq(step, STEADYTEXT_ENTRY, "%d: %s", step, reason);
	cr_expect(slice_equal(entry.key, slice_of(key)), "%.*s", (int)entry.key.len,
		  entry.key.data);
	cr_expect_eq(entry.frequency, frequency, "%s", key);
	cr_expect_eq(entry.last_access_us, last_access_us, "%s", key);
}

Test(steadytext_pkl, entries_have_their_order_of_use)
{
	for (size_t round = 0; round < 2; round++) {
		pkl_add(&pkl, SLICE("often"), SLICE("1"), 9, 4);
		pkl_add(&pkl, SLICE("late"), SLICE("2"), 1, 17);
		pkl_add(&pkl, SLICE("early"), SLICE("3"), 1, 3);
		write_and_open(20);
		cr_expect_eq(steadytext_file_count(file), 3);
		expect_entry("early", 1, WRITTEN_US - 17);
		expect_entry("late", 1, WRITTEN_US - 3);
		expect_entry("often", 9, WRITTEN_US - 16);
		expect_end();
		steadytext_file_close(file);
	}
	file = NULL;
}

Test(steadytext_pkl, uses_that_are_none_become_likely_ones)
{
	struct buffer part = {0};

	pkl_add(&pkl, SLICE("negative"), SLICE("1"), -5, -5);
	pkl_add(&pkl, SLICE("large"), SLICE("2"), 2, INT64_MAX);
	pickle_text_part(&part, SLICE("unknown"));
	pkl_add_parts(&pkl, buffer_bytes(&part), buffer_bytes(&part));
	write_and_open(10);
	expect_entry("negative", 1, WRITTEN_US - 10);
	expect_entry("unknown", 1, WRITTEN_US);
	expect_entry("large", 2, WRITTEN_US - 10);
	expect_end();
	buffer_deinit(&part);
}

Test(steadytext_pkl, values_are_pickles_of_their_own)
{
	/* A tuple of a memoised str and a reference to it, of protocol 0 in the middle. */
	static const char value[] = "(Vtext\np7\ng7\nt";
	struct buffer key = {0};

	pickle_text_part(&key, SLICE("k"));
	pkl_add_parts(&pkl, buffer_bytes(&key), slice_of(value));
	/* The second entry names the str of the first. */
	buffer_deinit(&key);
	pickle_text_part(&key, SLICE("l"));
	pkl_add_parts(&pkl, buffer_bytes(&key), SLICE("g7\n"));
	write_and_open(0);
	cr_assert_eq(next(), STEADYTEXT_ENTRY);
	cr_assert_eq(next(), STEADYTEXT_ENTRY);
	cr_expect(slice_equal(entry.key, SLICE("l")));
	cr_expect_neq(entry.value.len, 0);
	expect_end();
	buffer_deinit(&key);
}

Test(steadytext_pkl, keys_that_print_the_same_are_one)
{
	struct buffer key = {0};

	pkl_add(&pkl, SLICE("5"), SLICE("a str"), 1, 5);
	pickle_int_part(&key, 5);
	pkl_add_parts(&pkl, buffer_bytes(&key), SLICE("N"));
	write_and_open(9);
	cr_expect_eq(steadytext_file_count(file), 2);
	for (size_t i = 0, entries = 0; i < 2; i++) {
		enum steadytext_step step = next();

		entries += step == STEADYTEXT_ENTRY;
		cr_expect(step == STEADYTEXT_ENTRY ||
				  (step == STEADYTEXT_SKIPPED && strstr(reason, "same str()")),
			  "%s", reason);
		cr_expect(i == 0 || entries == 1);
	}
	expect_end();
	buffer_deinit(&key);
}

Test(steadytext_pkl, what_cannot_be_taken_is_skipped_alone)
{
	/* A key that is an object, and one that is a lone surrogate. */
	pkl_add_parts(&pkl, SLICE("cmodule\nname\n)R"), SLICE("N"));
	pkl_add_parts(&pkl, SLICE("X\x03\0\0\0\xed\xa0\x80"), SLICE("N"));
	pkl_add(&pkl, SLICE("good"), SLICE("value"), 1, 9);
	write_and_open(9);
	for (size_t i = 0, entries = 0; i < 3; i++) {
		enum steadytext_step step = next();

		entries += step == STEADYTEXT_ENTRY;
		cr_expect(step == STEADYTEXT_ENTRY ||
				  (step == STEADYTEXT_SKIPPED && strstr(reason, "byte ") &&
				   strstr(reason, "its key cannot be printed")),
			  "%d: %s", step, reason);
		cr_expect(i < 2 || entries == 1);
	}
	expect_end();
}

Test(steadytext_pkl, what_is_damaged_is_told_with_its_place)
{
	pkl_add(&pkl, SLICE("key"), SLICE("value"), 1, 1);
	struct buffer bytes = pkl_end(&pkl, 1);

	for (size_t len = 0; len < bytes.len; len++) {
		file_write(path, (struct slice){bytes.data, len});
		cr_expect(!try_open());
		cr_expect(strstr(reason, "at byte ") && !is_foreign, "%zu: %s", len, reason);
	}
	bytes.data[2] = '\xff';
	file_write(path, buffer_bytes(&bytes));
	cr_expect(!try_open());
	buffer_deinit(&bytes);
}

Test(steadytext_pkl, what_is_no_cache_is_told)
{
	static const char *const others[] = {"N.", "}.", "}(Vdata\n}Vmeta\nNu.", "](NNe."};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		file_write(path, slice_of(others[i]));
		cr_expect(!try_open());
		cr_expect(is_foreign && strstr(reason, "no cache of SteadyText's"), "%s", reason);
	}
	file_write(path, SLICE("}(Vdata\n}Vmeta\n}u."));
	cr_assert(try_open(), "%s", reason);
	expect_end();
}

Test(steadytext_pkl, one_part_that_all_entries_name_has_a_bound)
{
	struct buffer key = {0};
	struct buffer value = {0};
	enum steadytext_step step;
	size_t entries = 0;

	buffer_append_char(&value, 'V');
	for (size_t i = 0; i < 1 << 20; i++)
		buffer_append_char(&value, 'v');
	buffer_append(&value, SLICE("\np9\n"));
	for (int64_t i = 0; i < 1000; i++) {
		key.len = 0;
		pickle_int_part(&key, i);
		pkl_add_parts(&pkl, buffer_bytes(&key),
			      i == 0 ? buffer_bytes(&value) : SLICE("g9\n"));
	}
	write_and_open(0);
	while ((step = next()) == STEADYTEXT_ENTRY)
		entries++;
	cr_expect(step == STEADYTEXT_FAILED && strstr(reason, "64 times"), "%s", reason);
	cr_expect_lt(entries, 140);
	buffer_deinit(&key);
	buffer_deinit(&value);
}

Test(steadytext_pkl, any_number_of_keys_that_cannot_be_printed_is_skipped)
{
	struct buffer key = {0};

	for (int64_t i = 0; i < 500; i++) {
		key.len = 0;
		buffer_append(&key, SLICE("(cmodule\nname\n)R"));
		pickle_int_part(&key, i);
		buffer_append_char(&key, 't');
		pkl_add_parts(&pkl, buffer_bytes(&key), SLICE("N"));
	}
	write_and_open(0);
	for (size_t i = 0; i < 500; i++)
		cr_assert_eq(next(), STEADYTEXT_SKIPPED, "%zu: %s", i, reason);
	expect_end();
	buffer_deinit(&key);
}

Test(steadytext_pkl, one_part_of_all_keys_has_a_bound)
{
	struct buffer key = {0};

	/* (the int, number): an int of 4298 digits takes a tenth of a millisecond to print. */
	buffer_append(&key, SLICE("(\x8b\xf8\x06\0\0"));
	for (size_t i = 0; i < 0x6f8; i++)
		buffer_append_char(&key, '\x55');
	buffer_append(&key, SLICE("p9\n"));
	for (int64_t i = 0; i < 4000; i++) {
		if (i > 0) {
			key.len = 0;
			buffer_append(&key, SLICE("(g9\n"));
		}
		pickle_int_part(&key, i);
		buffer_append_char(&key, 't');
		pkl_add_parts(&pkl, buffer_bytes(&key), SLICE("N"));
	}
	write_and_open(0);
	cr_expect_eq(next(), STEADYTEXT_FAILED);
	cr_expect(strstr(reason, "the text of its keys"), "%s", reason);
	buffer_deinit(&key);
}

/* Calls that copy: of a megabyte, a hundred times, in one value. */
Test(steadytext_pkl, one_value_has_a_bound)
{
	static const struct steadytext_limits limits = {.value_max_bytes = 2 << 20};
	struct buffer value = {0};

	buffer_append(&value, SLICE("c_codecs\nencode\np8\n0](V"));
	for (size_t i = 0; i < 1 << 20; i++)
		buffer_append_char(&value, 'v');
	buffer_append(&value, SLICE("\np9\n"));
	for (size_t i = 0; i < 100; i++)
		buffer_append(&value, SLICE("g8\ng9\nVlatin1\n\x86R"));
	buffer_append_char(&value, 'e');
	pkl_add_parts(&pkl, SLICE("Vlong\n"), buffer_bytes(&value));
	pkl_add(&pkl, SLICE("short"), SLICE("value"), 1, 1);
	pkl_write(&pkl, 1, path);
	file = steadytext_file_open(path, &limits, NOW_US, &is_foreign, reason, sizeof(reason));
	cr_assert(file, "%s", reason);
	for (size_t i = 0; i < 2; i++)
		cr_expect(next() == STEADYTEXT_ENTRY || strstr(reason, "STEADYCACHE_MAX_BODY_MB"),
			  "%s", reason);
	expect_end();
	struct rusage used;
	cr_assert_eq(getrusage(RUSAGE_SELF, &used), 0);
	cr_expect_lt(used.ru_maxrss, 100 * 1024, "%ld KB", used.ru_maxrss);
	buffer_deinit(&value);
}

Test(steadytext_pkl, only_regular_files_are_opened)
{
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_expect(!try_open());
	cr_expect(strstr(reason, "no regular file"), "%s", reason);
	(void)unlink(path);
	cr_assert_eq(symlink("/etc/hostname", path), 0);
	cr_expect(!try_open());
	(void)unlink(path);
	/* Larger than is read, without a byte on the disk. */
	file_write(path, SLICE(""));
	cr_assert_eq(truncate(path, (INT64_C(1) << 30) + 1), 0);
	cr_expect(!try_open());
	cr_expect(strstr(reason, "MB"), "%s", reason);
}

Test(steadytext_pkl, is_removed_only_if_it_is_what_was_read)
{
	pkl_add(&pkl, SLICE("key"), SLICE("value"), 1, 1);
	write_and_open(1);
	file_write(path, SLICE("another"));
	cr_expect(!steadytext_file_remove(file, reason, sizeof(reason)));
	cr_expect(strstr(reason, "changed"), "%s", reason);
	cr_expect_eq(file_size(path), 7);
	steadytext_file_close(file);
	pkl_add(&pkl, SLICE("key"), SLICE("value"), 1, 1);
	write_and_open(1);
	cr_expect(steadytext_file_remove(file, reason, sizeof(reason)));
	cr_expect_eq(file_size(path), -1);
	cr_expect(steadytext_file_remove(file, reason, sizeof(reason)));
}
