#include "backends/sqlite/write/told.h"

#include "backends/sqlite/write/transaction.h"

/* Of one transaction; more are told as missed. */
#define RECORDS_MAX_BYTES ((size_t)4 << 20)

/* Before the name of the namespace and the key. */
struct record {
	enum cache_change_kind kind;
	size_t ns_len, key_len;
};

/* A file that follows another store has nothing of its own to tell. */
static bool is_wanted(const struct transaction *tx)
{
	return tell_is_wanted(&tx->store->config) && !tx->store->settings.follows;
}

void told_begin(struct transaction *tx)
{
	tx->told.records.len = 0;
	tx->told.records.failed = false;
	tx->told.is_lost = false;
	tx->told.is_wanted = is_wanted(tx);
}

void told_note(struct transaction *tx, const struct ns_row *row, enum cache_change_kind kind,
	       struct slice key)
{
	struct told *told = &tx->told;
	const struct slice ns = slice_of(row->name);
	const struct record record = {.kind = kind, .ns_len = ns.len, .key_len = key.len};

	if (!told->is_wanted || told->is_lost)
		return;
	if (told->records.len + sizeof(record) + ns.len + key.len <= RECORDS_MAX_BYTES) {
		buffer_append(&told->records,
			      (struct slice){.data = (const char *)&record, .len = sizeof(record)});
		buffer_append(&told->records, ns);
		buffer_append(&told->records, key);
	} else {
		told->is_lost = true;
	}
	told->is_lost |= told->records.failed;
}

int told_note_entry(struct transaction *tx, const struct ns_row *row, enum cache_change_kind kind,
		    int64_t id)
{
	sqlite3_stmt *find = tx->statements.find_key;

	if (!tx->told.is_wanted)
		return SQLITE_OK;
	(void)sqlite3_bind_int64(find, 1, id);
	int code = sqlite3_step(find);
	if (code == SQLITE_ROW)
		told_note(tx, row, kind,
			  (struct slice){.data = sqlite3_column_blob(find, 0),
					 .len = (size_t)sqlite3_column_bytes(find, 0)});
	int reset = sqlite3_reset(find);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : reset;
}

static void tell_missed(const struct transaction *tx)
{
	tell_change(&tx->store->config, CHANGE_MISSED, (struct slice){0}, (struct slice){0});
}

static void tell_all(const struct transaction *tx)
{
	struct slice left = buffer_bytes(&tx->told.records);
	struct record record;

	while (left.len > 0) {
		memcpy(&record, left.data, sizeof(record));
		const char *ns = left.data + sizeof(record);
		size_t len = sizeof(record) + record.ns_len + record.key_len;

		tell_change(&tx->store->config, record.kind,
			    (struct slice){.data = ns, .len = record.ns_len},
			    (struct slice){.data = ns + record.ns_len, .len = record.key_len});
		left.data += len;
		left.len -= len;
	}
}

void told_publish(struct transaction *tx)
{
	struct told *told = &tx->told;

	/* Who began to watch since the transaction began may have looked before its commit. */
	if (told->is_lost || (!told->is_wanted && is_wanted(tx)))
		tell_missed(tx);
	else
		tell_all(tx);
	if (!told->is_wanted || told->records.capacity > RECORDS_MAX_BYTES / 4)
		told_deinit(told);
	told->records.len = 0;
}

void told_deinit(struct told *told)
{
	buffer_deinit(&told->records);
	*told = (struct told){0};
}
