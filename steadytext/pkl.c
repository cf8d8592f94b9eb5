#include "steadytext/pkl.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "pickle/read.h"
#include "pickle/write.h"
#include "steadytext/candidates.h"
#include "steadytext/pkl_file.h"
#include "steadytext/pkl_meta.h"
#include "steadytext/value.h"

/* A file may name one node many times over. What is printed and written of it may be so many times
 * longer than the file, and so many bytes more. */
#define EXPANSION       64
#define EXPANSION_BYTES (UINT64_C(64) << 20)
/* The same of keys, which are printed up to five times, and where a byte takes more time. */
#define KEY_EXPANSION       24
#define KEY_EXPANSION_BYTES (UINT64_C(4) << 20)
/* Longest key where no limit is known. */
#define KEY_MAX_BYTES ((size_t)16 << 20)

struct steadytext_pkl {
	struct steadytext_pkl_file file;
	struct pickle *pickle;
	const struct pickle_items *data; /* key, value, ... */
	struct steadytext_limits limits;
	struct steadytext_pkl_budget budget;
	struct steadytext_candidates rows; /* id: the index of the key in `data` */
	size_t at;
	struct buffer key, bytes, value;
};

__attribute__((format(printf, 3, 4))) static bool refuse(char *reason, size_t reason_size,
							 const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(reason, reason_size, format, args);
	va_end(args);
	return false;
}

/* ---- Opening ---- */

/* The value of a str key in a dict; NULL: there is none. */
static const struct pickle_node *member(const struct pickle_node *dict, const char *name)
{
	const struct pickle_node *found = NULL;

	for (uint32_t i = 0; i + 1 < dict->items.count; i += 2)
		if (dict->items.list[i]->kind == PICKLE_STR &&
		    slice_equal(dict->items.list[i]->bytes, slice_of(name)))
			found = dict->items.list[i + 1];
	return found;
}

static const struct pickle_node *member_dict(const struct pickle_node *dict, const char *name)
{
	const struct pickle_node *found = member(dict, name);

	return found && found->kind == PICKLE_DICT ? found : NULL;
}

/* A key that is being printed. */
struct printed {
	struct steadytext_pkl *pkl;
	const struct pickle_node *key;
	struct pickle_error *error; /* NULL: nobody asks */
};

static bool print_key(void *user, unsigned spelling, struct buffer *ret)
{
	struct printed *printed = user;
	struct pickle_error ignored;

	return steadytext_pkl_key_print(printed->key, spelling, &printed->pkl->budget, ret,
					printed->error ? printed->error : &ignored);
}

static bool list(struct steadytext_pkl *pkl, const struct pickle_node *meta,
		 const struct pickle_node *counter, int64_t now_us)
{
	struct steadytext_pkl_meta *uses = steadytext_pkl_meta_read(meta, counter, &pkl->budget);
	int64_t last_us =
		pkl->file.found.st_mtim.tv_sec * US_PER_S + pkl->file.found.st_mtim.tv_nsec / 1000;
	bool is_good = uses != NULL;

	last_us = earlier_us(last_us, now_us);
	for (uint32_t i = 0; is_good && i + 1 < pkl->data->count; i += 2) {
		struct printed key = {.pkl = pkl, .key = pkl->data->list[i]};
		struct steadytext_candidate row = {.id = i};

		pkl->key.len = 0;
		(void)print_key(&key, 0, &pkl->key);
		steadytext_pkl_meta_find(uses, buffer_bytes(&pkl->key), last_us, &row.frequency,
					 &row.last_access_us);
		is_good = steadytext_candidates_add(&pkl->rows, &row, print_key, &key, &pkl->key);
	}
	steadytext_pkl_meta_free(uses);
	steadytext_candidates_sort(&pkl->rows, now_us);
	return is_good;
}

static bool read_pickle(struct steadytext_pkl *pkl, int64_t now_us, bool *ret_foreign, char *reason,
			size_t reason_size)
{
	const struct slice bytes = {.data = pkl->file.bytes, .len = pkl->file.len};
	struct pickle_error error = {0};

	pkl->pickle = pickle_read(bytes, NULL, NULL, &error);
	if (!pkl->pickle)
		return refuse(reason, reason_size, "is no sound pickle: at byte %" PRIu64 ", %s",
			      error.offset, error.text);
	const struct pickle_node *root = pickle_root(pkl->pickle);
	bool is_dict = root->kind == PICKLE_DICT;
	const struct pickle_node *data = is_dict ? member_dict(root, "data") : NULL;
	const struct pickle_node *meta = is_dict ? member_dict(root, "meta") : NULL;
	*ret_foreign = !data || !meta;
	if (*ret_foreign)
		return refuse(reason, reason_size,
			      "has no dicts \"data\" and \"meta\": it is no cache of SteadyText's");
	pkl->data = &data->items;
	pkl->budget.left_bytes = EXPANSION_BYTES + EXPANSION * (uint64_t)pkl->file.len;
	pkl->budget.left_key_bytes = KEY_EXPANSION_BYTES + KEY_EXPANSION * (uint64_t)pkl->file.len;
	return list(pkl, meta, member(root, "counter"), now_us) ||
	       refuse(reason, reason_size, "cannot be read: too many entries, or out of memory");
}

struct steadytext_pkl *steadytext_pkl_open(const char *path, const struct steadytext_limits *limits,
					   int64_t now_us, bool *ret_foreign, char *reason,
					   size_t reason_size)
{
	struct steadytext_pkl *pkl = calloc(1, sizeof(*pkl));

	*ret_foreign = false;
	if (!pkl) {
		(void)refuse(reason, reason_size, "cannot be read: out of memory");
		return NULL;
	}
	pkl->limits = *limits;
	pkl->budget.key_max_bytes =
		limits->key_max_bytes > 0 ? limits->key_max_bytes : KEY_MAX_BYTES;
	if (steadytext_pkl_file_read(&pkl->file, path, STEADYTEXT_PKL_MAX_BYTES, reason,
				     reason_size) &&
	    read_pickle(pkl, now_us, ret_foreign, reason, reason_size))
		return pkl;
	steadytext_pkl_close(pkl);
	return NULL;
}

/* ---- Reading ---- */

__attribute__((format(printf, 4, 5))) static enum steadytext_step
skip(uint64_t offset, char *reason, size_t reason_size, const char *format, ...)
{
	char text[STEADYTEXT_REASON_SIZE];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)snprintf(reason, reason_size, "byte %" PRIu64 ": %s", offset, text);
	return STEADYTEXT_SKIPPED;
}

static enum steadytext_step fail(char *reason, size_t reason_size, const char *text)
{
	(void)refuse(reason, reason_size, "%s", text);
	return STEADYTEXT_FAILED;
}

/* What cannot be taken is skipped; without memory, nothing can be said of it. */
static enum steadytext_step leave(uint64_t offset, const struct pickle_error *error,
				  const char *what, char *reason, size_t reason_size)
{
	if (strcmp(error->text, "out of memory") == 0)
		return fail(reason, reason_size, "cannot be read on: out of memory");
	return skip(offset, reason, reason_size, "%s: %s", what, error->text);
}

/* Longest pickle of a value that is written. */
static size_t value_max(const struct steadytext_pkl *pkl)
{
	uint64_t max = pkl->limits.value_max_bytes;

	return (size_t)(max > 0 && max < pkl->budget.left_bytes ? max : pkl->budget.left_bytes);
}

static enum steadytext_step take(struct steadytext_pkl *pkl, const struct steadytext_candidate *row,
				 struct steadytext_entry *ret, char *reason, size_t reason_size)
{
	const struct pickle_node *key = pkl->data->list[row->id];
	const struct pickle_node *value = pkl->data->list[row->id + 1];
	struct pickle_error error = {0};
	struct printed printed = {.pkl = pkl, .key = key, .error = &error};
	char clause[STEADYTEXT_REASON_SIZE];

	if (!print_key(&printed, row->spelling, &pkl->key))
		return leave(key->offset, &error, "its key cannot be printed", reason, reason_size);
	ret->key = buffer_bytes(&pkl->key);
	if (row->is_outdone)
		return skip(key->offset, reason, reason_size,
			    "another key, used later, has the same str()");
	size_t max = value_max(pkl);
	if (!pickle_write(pkl->pickle, value, max, &pkl->bytes, &error)) {
		/* Little may be written of it, but all was looked at. */
		if (error.is_too_long)
			steadytext_pkl_budget_use(&pkl->budget.left_bytes, max);
		if (error.is_too_long && pkl->limits.value_max_bytes > 0)
			return skip(value->offset, reason, reason_size,
				    "the value is longer than the %" PRIu64
				    " bytes that the server takes (STEADYCACHE_MAX_BODY_MB)",
				    pkl->limits.value_max_bytes);
		return leave(error.offset, &error, "its value cannot be taken", reason,
			     reason_size);
	}
	if (!steadytext_value_fits(&pkl->limits, pkl->key.len, steadytext_value_len(pkl->bytes.len),
				   clause, sizeof(clause)))
		return skip(value->offset, reason, reason_size, "%s", clause);
	steadytext_value_encode(buffer_bytes(&pkl->bytes), &pkl->value);
	if (pkl->key.failed || pkl->bytes.failed || pkl->value.failed)
		return fail(reason, reason_size, "cannot be read on: out of memory");
	ret->value = buffer_bytes(&pkl->value);
	ret->frequency = row->frequency;
	ret->last_access_us = row->last_access_us;
	return STEADYTEXT_ENTRY;
}

enum steadytext_step steadytext_pkl_next(struct steadytext_pkl *pkl, struct steadytext_entry *ret,
					 char *reason, size_t reason_size)
{
	*ret = (struct steadytext_entry){0};
	if (pkl->at == pkl->rows.count)
		return STEADYTEXT_END;
	pkl->key.len = pkl->bytes.len = pkl->value.len = 0;
	enum steadytext_step step = take(pkl, &pkl->rows.list[pkl->at++], ret, reason, reason_size);
	steadytext_pkl_budget_use(&pkl->budget.left_bytes, pkl->bytes.len);
	if (pkl->budget.left_key_bytes == 0)
		return fail(reason, reason_size,
			    "names some of its parts so often that the text of its keys would be "
			    "many times as long as the file");
	if (pkl->budget.left_bytes == 0)
		return fail(reason, reason_size,
			    "names some of its parts so often that its entries would be more than "
			    "64 times as long as the file");
	return step;
}

uint64_t steadytext_pkl_count(const struct steadytext_pkl *pkl)
{
	return pkl->rows.count;
}

bool steadytext_pkl_remove(const struct steadytext_pkl *pkl, char *reason, size_t reason_size)
{
	return steadytext_pkl_file_remove(&pkl->file, reason, reason_size);
}

void steadytext_pkl_close(struct steadytext_pkl *pkl)
{
	if (!pkl)
		return;
	pickle_free(pkl->pickle);
	steadytext_pkl_file_deinit(&pkl->file);
	steadytext_candidates_deinit(&pkl->rows);
	buffer_deinit(&pkl->key);
	buffer_deinit(&pkl->bytes);
	buffer_deinit(&pkl->value);
	free(pkl);
}
