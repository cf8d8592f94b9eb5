#include "backends/plugin/check/records.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- Contents ---- */

static char longest_ns[DRIVER_NS_MAX_LEN], long_key[4096], every_byte[256];

void plugin_records_name(struct plugin_check *check)
{
	memset(longest_ns, 'n', sizeof(longest_ns));
	memset(long_key, '/', sizeof(long_key));
	for (size_t i = 0; i < sizeof(every_byte); i++)
		every_byte[i] = (char)i;
	const struct slice ns = SLICE("space"), other = SLICE("other");
	const struct slice all = {longest_ns, sizeof(longest_ns)};
	const struct slice names[PLUGIN_RECORDS][2] = {
		{ns, SLICE("k")},
		{other, SLICE("k")},
		{{NULL, 0}, SLICE("k")},
		{all, SLICE("k")},
		{ns, {NULL, 0}},
		{ns, SLICE("K")},
		{ns, SLICE("k\0")},
		{ns, SLICE("k\0k")},
		{ns, SLICE("../k")},
		{ns, SLICE("\xff\xfe")},
		{ns, SLICE("\xc3\xa4")},
		{ns, {every_byte, sizeof(every_byte)}},
		{ns, {long_key, sizeof(long_key)}},
		{ns, {long_key, sizeof(long_key) - 1}},
		{SLICE("spac"), SLICE("ek")},
		{SLICE(".-_"), SLICE(" ")},
	};
	for (size_t i = 0; i < PLUGIN_RECORDS; i++)
		check->records[i] = (struct plugin_record){.ns = names[i][0], .key = names[i][1]};
}

/* splitmix64 */
static void fill(char *bytes, size_t len, uint64_t seed)
{
	uint64_t state = seed;

	for (size_t i = 0; i < len; i++) {
		uint64_t z = state += UINT64_C(0x9E3779B97F4A7C15);

		z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
		bytes[i] = (char)(z >> 56);
	}
}

struct slice plugin_records_head(unsigned index, unsigned version, char *head)
{
	static const size_t lengths[] = {1, 8, 80, 120, DRIVER_HEAD_MAX_BYTES};
	size_t len = lengths[index % 5]; /* the same in every version: a use keeps it */

	fill(head, len, (uint64_t)version << 32 | index);
	return (struct slice){head, len};
}

static size_t body_len(unsigned index, unsigned version)
{
	static const size_t lengths[] = {0, 1, 100, 4095, 4096, 70000, 1000000};

	return lengths[(index + version) % 7];
}

struct slice plugin_records_body(unsigned index, unsigned version)
{
	size_t len = body_len(index, version);
	char *body = malloc(len + 1);

	if (body)
		fill(body, len, (uint64_t)version << 32 | (index + 1000));
	return (struct slice){body, body ? len : 0};
}

/* ---- What is wrong ---- */

bool plugin_records_fail(struct plugin_check *check, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(check->why, sizeof(check->why), format, args);
	va_end(args);
	return false;
}

static const char *name_of_status(enum driver_status status)
{
	static const char *const names[] = {
		"DRIVER_OK",        "DRIVER_NOT_FOUND",   "DRIVER_NO_MEMORY", "DRIVER_NO_SPACE",
		"DRIVER_READ_ONLY", "DRIVER_UNAVAILABLE", "DRIVER_TIMEOUT",   "DRIVER_CORRUPT",
		"DRIVER_TOO_LARGE", "DRIVER_STOPPED",     "DRIVER_UNKNOWN",
	};

	return (size_t)status < sizeof(names) / sizeof(names[0]) ? names[status]
								 : "a number that is no status";
}

bool plugin_records_expect(struct plugin_check *check, const char *function,
			   enum driver_status status, enum driver_status wanted)
{
	return status == wanted ||
	       plugin_records_fail(check, "%s answered %s instead of %s", function,
				   name_of_status(status), name_of_status(wanted));
}

/* ---- Storing and comparing ---- */

bool plugin_records_put(struct plugin_check *check, bool even, bool odd, unsigned version)
{
	struct driver_change changes[PLUGIN_RECORDS];
	char heads[PLUGIN_RECORDS][DRIVER_HEAD_MAX_BYTES];
	size_t count = 0;
	bool has_memory = true;

	for (unsigned i = 0; i < PLUGIN_RECORDS; i++) {
		if (!(i % 2 ? odd : even))
			continue;
		changes[count] = (struct driver_change){
			.kind = DRIVER_PUT,
			.ns = check->records[i].ns,
			.key = check->records[i].key,
			.head = plugin_records_head(i, version, heads[count]),
			.body = plugin_records_body(i, version),
		};
		has_memory &= changes[count++].body.data != NULL;
	}
	enum driver_status status =
		has_memory ? check->ops->apply(check->driver, changes, count) : DRIVER_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		free((void *)(uintptr_t)changes[i].body.data);
	for (unsigned i = 0; i < PLUGIN_RECORDS && status == DRIVER_OK; i++)
		if (i % 2 ? odd : even) {
			check->records[i].version = version;
			check->records[i].use_version = 0;
		}
	return plugin_records_expect(check, "apply", status, DRIVER_OK);
}

static bool compare_one(struct plugin_check *check, unsigned index)
{
	const struct plugin_record *record = &check->records[index];
	struct slice body = plugin_records_body(index, record->version);
	bool exists = record->version > 0;

	if (!body.data)
		return plugin_records_fail(check, "out of memory");
	enum driver_status status =
		check->ops->get(check->driver, record->ns, record->key, check->room, body.len);
	bool is_right =
		plugin_records_expect(check, "get", status, exists ? DRIVER_OK : DRIVER_NOT_FOUND);
	if (is_right && exists && body.len > 0 && memcmp(check->room, body.data, body.len) != 0)
		is_right = plugin_records_fail(
			check, "get gave other bytes than were stored (record %u, %zu bytes)",
			index, body.len);
	free((void *)(uintptr_t)body.data);
	return is_right;
}

bool plugin_records_compare(struct plugin_check *check)
{
	for (unsigned i = 0; i < PLUGIN_RECORDS; i++)
		if (!compare_one(check, i))
			return false;
	return true;
}

/* ---- Opening ---- */

static bool see_head(struct plugin_check *check, unsigned index, struct slice head)
{
	const struct plugin_record *record = &check->records[index];
	char bytes[DRIVER_HEAD_MAX_BYTES];

	if (slice_equal(head, plugin_records_head(index, record->version, bytes)) ||
	    (record->use_version > 0 &&
	     slice_equal(head, plugin_records_head(index, record->use_version, bytes))))
		return true;
	return plugin_records_fail(check, "load reported another head than was stored (record %u)",
				   index);
}

static bool visit(void *user, struct slice ns, struct slice key, struct slice head,
		  uint64_t body_bytes)
{
	struct plugin_check *check = user;

	for (unsigned i = 0; i < PLUGIN_RECORDS; i++) {
		struct plugin_record *record = &check->records[i];

		if (!slice_equal(record->ns, ns) || !slice_equal(record->key, key))
			continue;
		if (record->version == 0)
			return plugin_records_fail(
				check, "load reported a record that was removed (%u)", i);
		if (record->is_seen)
			return plugin_records_fail(check, "load reported a record twice (%u)", i);
		record->is_seen = true;
		if (body_bytes != body_len(i, record->version))
			return plugin_records_fail(
				check, "load reported another length than was stored (record %u)",
				i);
		return see_head(check, i, head);
	}
	return plugin_records_fail(check, "load reported a record that nobody has stored");
}

static bool open_it(struct plugin_check *check)
{
	char error[300] = "";
	enum driver_status status =
		check->ops->open(&check->config, &check->driver, error, sizeof(error));

	if (status == DRIVER_OK)
		return true;
	check->driver = NULL;
	return plugin_records_fail(check, "open answered %s: %s", name_of_status(status),
				   error[0] ? error : "it gave no sentence");
}

bool plugin_records_open_and_compare(struct plugin_check *check)
{
	check->why[0] = '\0';
	for (unsigned i = 0; i < PLUGIN_RECORDS; i++)
		check->records[i].is_seen = false;
	if (!open_it(check))
		return false;
	enum driver_status status = check->ops->load(check->driver, visit, check);
	if (check->why[0])
		return false;
	for (unsigned i = 0; i < PLUGIN_RECORDS && status == DRIVER_OK; i++)
		if (check->records[i].version > 0 && !check->records[i].is_seen)
			return plugin_records_fail(
				check, "load did not report a record that was stored (%u)", i);
	return plugin_records_expect(check, "load", status, DRIVER_OK);
}

static bool pass_by(void *user, struct slice ns, struct slice key, struct slice head,
		    uint64_t body_bytes)
{
	(void)user;
	(void)ns;
	(void)key;
	(void)head;
	(void)body_bytes;
	return true;
}

bool plugin_records_open(struct plugin_check *check)
{
	return open_it(check) &&
	       plugin_records_expect(check, "load", check->ops->load(check->driver, pass_by, NULL),
				     DRIVER_OK);
}

void plugin_records_close(struct plugin_check *check)
{
	if (check->driver)
		check->ops->close(check->driver);
	check->driver = NULL;
}
