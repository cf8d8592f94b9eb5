#include "server/config/capabilities.h"

#include <inttypes.h>
#include <string.h>

#include "store/registry.h"

/* What only says how the server has to handle it. */
#define LEFT_OUT (BACKEND_KEEPS_NOTHING | BACKEND_WANTS_DIR | BACKEND_REMOTE | BACKEND_BODIES)

static const struct {
	unsigned bit;
	const char *feature, *meaning;
} rows[] = {
	{BACKEND_PERSISTS, "keeps", "Entries and settings survive the end of the server."},
	{BACKEND_LIMITS, "limits",
	 "A namespace can have a size limit and a capacity; beyond, entries give way."},
	{BACKEND_EXACT_EVICTION, "exact eviction",
	 "Limits hold at every moment, and what gives way is exactly what the policy says."},
	{BACKEND_HISTORY, "histories",
	 "An import keeps how often and when entries were used, and when they were made."},
	{BACKEND_USES, "uses",
	 "A read counts: frequency and last access say how much in use an entry is."},
	{BACKEND_ATOMIC_BATCH, "all or none",
	 "A batch of writes is stored as a whole or not at all, and is seen as a whole."},
	{BACKEND_CONDITIONS, "conditional writes",
	 "`If-Match` and `If-None-Match` of a write are tested and the write done in one step."},
	{BACKEND_STALE, "stale entries",
	 "Expired entries can be served while one client computes anew (`stale_ttl`)."},
	{BACKEND_IDLE, "idle times", "Entries that nobody used for so long go (`max_idle`)."},
	{BACKEND_ORDERED_SCAN, "ordered listings",
	 "Keys are listed in byte order, by prefix, from any key on."},
	{BACKEND_PREFIX_CLEAR, "clearing by prefix", "All keys with a prefix are removed at once."},
	{BACKEND_STATS, "statistics", "Entries, sizes, hits and misses of each namespace."},
	{BACKEND_LEASES, "shared leases",
	 "Of all clients of all servers one computes a missing value; else of each server's."},
	{BACKEND_NEWS, "news",
	 "What other servers write ends the copies of a near cache, and waits, at once."},
};

/* What a yes or no does not say. In the order of the rows. */
static const struct {
	const char *backend;
	unsigned bit;
	const char *text;
} notes[] = {
	{"memory", BACKEND_PERSISTS,
	 "with `--persist-every`, all but the writes of the last seconds "
	 "([memory.md](memory.md))."},
	{"redis", BACKEND_PERSISTS, "as far as Redis itself is set up to."},
	{"redis", BACKEND_EXACT_EVICTION | BACKEND_ATOMIC_BATCH,
	 "in a Cluster within each partition, which with `partitions=1` is the whole "
	 "([redis.md](redis.md#a-cluster))."},
	{"d1",
	 BACKEND_HISTORY | BACKEND_CONDITIONS | BACKEND_STALE | BACKEND_IDLE |
		 BACKEND_ORDERED_SCAN | BACKEND_PREFIX_CLEAR,
	 "with our Worker; over the original one it is refused with 501 ([d1.md](d1.md))."},
	{"plugin", BACKEND_PERSISTS, "if its driver does ([plugins.md](plugins.md))."},
	{"dynamodb", BACKEND_ATOMIC_BATCH,
	 "a batch of up to 100 writes is stored as a whole or not at all (a larger one is refused "
	 "with 413), but a batch of reads may see a part of it "
	 "([dynamodb.md](dynamodb.md))."},
};
#define NOTES (sizeof(notes) / sizeof(notes[0]))
#define ROWS  (sizeof(rows) / sizeof(rows[0]))

unsigned capabilities_known_bits(void)
{
	unsigned bits = LEFT_OUT;

	for (size_t i = 0; i < ROWS; i++)
		bits |= rows[i].bit;
	return bits;
}

static bool is_shown(const struct backend_ops *ops)
{
	return !(ops->bits & BACKEND_KEEPS_NOTHING);
}

/* The number of the note of a cell; 0: none. Notes of backends that are not there count, too, so
 * that a number stays what it is. */
static size_t note_of(const struct backend_ops *ops, unsigned bit)
{
	for (size_t i = 0; i < NOTES; i++)
		if (strcmp(notes[i].backend, ops->name) == 0 && (notes[i].bit & bit))
			return i + 1;
	return 0;
}

static void print_cell(FILE *out, const struct backend_ops *ops, unsigned bit)
{
	size_t note = note_of(ops, bit);

	(void)fprintf(out, " %s", ops->bits & bit ? "yes" : "no");
	if (note > 0)
		(void)fprintf(out, " (%zu)", note);
	(void)fprintf(out, " |");
}

static void print_bytes(FILE *out, uint64_t bytes)
{
	if (bytes == 0)
		(void)fprintf(out, " none of its own |");
	else
		(void)fprintf(out, " %" PRIu64 " bytes |", bytes);
}

static void print_head(FILE *out)
{
	(void)fprintf(out, "| feature |");
	for (size_t i = 0; backend_registry[i]; i++)
		if (is_shown(backend_registry[i]))
			(void)fprintf(out, " %s |", backend_registry[i]->name);
	(void)fprintf(out, " meaning |\n|---|");
	for (size_t i = 0; backend_registry[i]; i++)
		if (is_shown(backend_registry[i]))
			(void)fprintf(out, "---|");
	(void)fprintf(out, "---|\n");
}

void capabilities_print(FILE *out)
{
	print_head(out);
	for (size_t row = 0; row < ROWS; row++) {
		(void)fprintf(out, "| %s |", rows[row].feature);
		for (size_t i = 0; backend_registry[i]; i++)
			if (is_shown(backend_registry[i]))
				print_cell(out, backend_registry[i], rows[row].bit);
		(void)fprintf(out, " %s |\n", rows[row].meaning);
	}
	(void)fprintf(out, "| longest value |");
	for (size_t i = 0; backend_registry[i]; i++)
		if (is_shown(backend_registry[i]))
			print_bytes(out, backend_registry[i]->value_max_bytes);
	(void)fprintf(out, " Besides `--max-body-mb`; with `--large-values` the object store has "
			   "what is longer. |\n| policy |");
	for (size_t i = 0; backend_registry[i]; i++)
		if (is_shown(backend_registry[i]))
			(void)fprintf(out, " %s |",
				      eviction_policy_name(backend_registry[i]->default_policy));
	(void)fprintf(out, " What gives way where nothing else is set. |\n\n");
	for (size_t i = 0; i < NOTES; i++)
		(void)fprintf(out, "%zu. %s: %s\n", i + 1, notes[i].backend, notes[i].text);
}
