/* Any bytes as a .pkl of SteadyText's, and as a key of a .db: what is taken is a key of UTF-8 and
 * base64 of a pickle, what is not has a reason, and the file is as it was. A fuzzer's entry:
 * replay.c or libFuzzer has main(). */
#include <fcntl.h>
#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/utf8.h"
#include "pickle/read.h"
#include "steadytext/cache_file.h"
#include "steadytext/column_key.h"
#include "steadytext/spelling.h"

#define NOW_US INT64_C(1700000000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/fuzz-steadytext-XXXXXX";
static char path[sizeof(folder) + 16];

static void check(bool holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "fuzz_steadytext: %s\n", what);
	abort();
}

static void remove_file(void)
{
	(void)unlink(path);
	(void)rmdir(folder);
}

static void write_file(const uint8_t *data, size_t size)
{
	if (!path[0]) {
		check(mkdtemp(folder), "there is no folder");
		(void)snprintf(path, sizeof(path), "%s/fuzzed.pkl", folder);
		(void)atexit(remove_file);
	}
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	check(file >= 0 && write(file, data, size) == (ssize_t)size && close(file) == 0,
	      "the file is not written");
}

static void check_sentence(const char *reason)
{
	check(reason[0] != '\0' && strlen(reason) < STEADYTEXT_REASON_SIZE - 1,
	      "a reason is empty or cut");
	check(utf8_is_valid(slice_of(reason)), "a reason is not UTF-8");
}

static void check_entry(const struct steadytext_entry *entry)
{
	struct base64_decode_ctx context;
	struct buffer bytes = {0};
	struct pickle_error error;
	size_t len = BASE64_DECODE_LENGTH(entry->value.len), read_len = 0;

	check(utf8_is_valid(entry->key), "a key is not UTF-8");
	check(entry->frequency > 0, "a frequency is 0");
	check(entry->last_access_us <= NOW_US, "an entry is of the future");
	base64_decode_init(&context);
	check(buffer_reserve(&bytes, len + 1), "out of memory");
	check(base64_decode_update(&context, &len, (uint8_t *)bytes.data, entry->value.len,
				   entry->value.data) &&
		      base64_decode_final(&context),
	      "a value is not base64");
	bytes.len = len;
	struct pickle *pickle = pickle_read(buffer_bytes(&bytes), NULL, &read_len, &error);
	check(pickle && read_len == len, "a value is no pickle");
	pickle_free(pickle);
	buffer_deinit(&bytes);
}

static void read_file(size_t size)
{
	struct steadytext_limits limits = {.key_max_bytes = 1024, .value_max_bytes = 65536};
	char reason[STEADYTEXT_REASON_SIZE] = "";
	bool is_foreign = false;
	struct steadytext_file *file =
		steadytext_file_open(path, &limits, NOW_US, &is_foreign, reason, sizeof(reason));

	if (!file) {
		check_sentence(reason);
		return;
	}
	enum steadytext_step step = STEADYTEXT_ENTRY;
	for (size_t steps = 0; step == STEADYTEXT_ENTRY || step == STEADYTEXT_SKIPPED; steps++) {
		struct steadytext_entry entry = {0};

		reason[0] = '\0';
		step = steadytext_file_next(file, &entry, reason, sizeof(reason));
		if (step == STEADYTEXT_ENTRY)
			check_entry(&entry);
		else if (step != STEADYTEXT_END)
			check_sentence(reason);
		check(steps <= (size + 1) * STEADYTEXT_SPELLINGS, "it does not end");
	}
	steadytext_file_close(file);
}

static void read_keys(struct slice column)
{
	static const char *const caches[] = {"generation_cache", "embedding_cache",
					     "index_search_cache"};

	for (size_t i = 0; i < sizeof(caches) / sizeof(caches[0]); i++)
		for (unsigned spelling = 0; spelling < STEADYTEXT_SPELLINGS; spelling++) {
			struct buffer key = {0};

			if (steadytext_column_key_read(caches[i], column, spelling, &key))
				check(utf8_is_valid(buffer_bytes(&key)), "a key is not UTF-8");
			buffer_deinit(&key);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	write_file(data, size);
	read_file(size);
	read_keys((struct slice){.data = (const char *)data, .len = size});
	return 0;
}
