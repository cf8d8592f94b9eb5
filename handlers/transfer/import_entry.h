/* The entry of a line: checks its members, and copies them. */
#ifndef STEADYCACHE_HANDLERS_IMPORT_ENTRY_H
#define STEADYCACHE_HANDLERS_IMPORT_ENTRY_H

#include "handlers/transfer/import_member.h"

/* An entry with its own memory: the key and a reference to the value. */
struct import_entry {
	char ns[NAMESPACE_MAX_LEN + 1];
	struct cache_item item; /* without history */
	struct cache_history history;
	int64_t modified_at_us; /* when this version was stored; 0: unknown */
	uint64_t line;
};

/* `ns` is the namespace for all, or empty. False: refused, and *ret is unchanged. */
bool import_entry_read(struct import_line *line, struct slice ns, struct import_entry *ret);
void import_entry_deinit(struct import_entry *entry);

#endif
