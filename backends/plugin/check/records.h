/* The records that a check stores: few, with names of all kinds, and contents that a version number
 * makes. */
#ifndef STEADYCACHE_PLUGIN_CHECK_RECORDS_H
#define STEADYCACHE_PLUGIN_CHECK_RECORDS_H

#include <stdio.h>

#include "base/slice.h"
#include "steadycache/driver.h"

#define PLUGIN_RECORDS 16

struct plugin_record {
	struct slice ns, key;
	unsigned version;     /* of head and body; 0: it does not exist */
	unsigned use_version; /* of a head that a use may have changed; 0: none */
	bool is_seen;         /* by the load that is under way */
};

/* A driver that is checked. */
struct plugin_check {
	const struct driver_ops *ops;
	struct driver *driver; /* NULL: it is not open */
	struct driver_config config;
	FILE *out;
	struct plugin_record records[PLUGIN_RECORDS];
	char *room;    /* PLUGIN_BODY_MAX bytes, for a body */
	char why[400]; /* what is wrong */
};
#define PLUGIN_BODY_MAX (4U << 20)

/* Fills in the names. */
void plugin_records_name(struct plugin_check *check);

/* The bytes of record `index` in a version: `head` has DRIVER_HEAD_MAX_BYTES, a body is made in
 * memory of its own, to be freed; NULL: out of memory. */
struct slice plugin_records_head(unsigned index, unsigned version, char *head);
struct slice plugin_records_body(unsigned index, unsigned version);

/* False, with printf-like `why`, always. */
bool plugin_records_fail(struct plugin_check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Whether a status is the wanted one; else why not. */
bool plugin_records_expect(struct plugin_check *check, const char *function,
			   enum driver_status status, enum driver_status wanted);

/* Stores all records of an even or an odd index, or of both, in a version, in one apply. */
bool plugin_records_put(struct plugin_check *check, bool even, bool odd, unsigned version);
/* Whether get gives the bodies that were stored, and no others. */
bool plugin_records_compare(struct plugin_check *check);

/* Opens the driver and loads it. */
bool plugin_records_open(struct plugin_check *check);
/* The same, and it reports exactly what was stored. */
bool plugin_records_open_and_compare(struct plugin_check *check);
void plugin_records_close(struct plugin_check *check);

#endif
