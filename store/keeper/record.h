/* The heads of the keeper's records, in bytes: what a driver keeps besides a value (driver.h). The
 * head of a value (value_head.h) is called its type here.
 *
 *     0   checksum of all that follows, of namespace and key (XXH3)      4 bytes
 *     4   version of the format: 2 of settings that 1 did not have       1
 *     5   enum keeper_record_kind                                        1
 *     6   flags of the value (enum cache_value_flags); else 0            1
 *     7   length of the type, which follows the numbers; else 0          1
 *     8   numbers of the kind, each little-endian and at a fixed place
 *
 * A head keeps its length as long as the entry has its value: a use changes numbers only. The
 * body of an entry is its value, whose checksum (XXH3, 64 bits) is in the head. The others have
 * no body.
 *
 * Drivers take short heads only, so a type beyond RECORD_TYPE_MAX_LEN stands in the body, in front
 * of the value; behind the numbers is its length then, 2 bytes. Such an entry, and one whose value
 * is compressed, has version 2, which no older server takes for an entry that it knows. */
#ifndef STEADYCACHE_KEEPER_RECORD_H
#define STEADYCACHE_KEEPER_RECORD_H

#include "base/etag.h"
#include "base/order_clock.h"
#include "base/slice.h"
#include "steadycache/driver.h"
#include "store/backend.h"

enum keeper_record_kind {
	RECORD_ENTRY = 'E',    /* namespace and key of an entry */
	RECORD_SETTINGS = 'S', /* no namespace; the key is the name of one */
	RECORD_CLOCK = 'C',    /* no namespace; the key is RECORD_CLOCK_KEY, which is no namespace's
				* name */
};
#define RECORD_CLOCK_KEY SLICE(".clock")

/* The longest type in a head, bytes. */
#define RECORD_TYPE_MAX_LEN 255
/* Bytes of a head, at most: without a type, and with it. */
#define RECORD_NUMBERS_BYTES  82
#define RECORD_HEAD_MAX_BYTES (RECORD_NUMBERS_BYTES + RECORD_TYPE_MAX_LEN)

struct keeper_record {
	enum keeper_record_kind kind;
	union {
		struct {
			uint64_t size_bytes;
			uint64_t stamp;         /* of creation (space.h) */
			int64_t last_access_us; /* of the order clock */
			int64_t modified_at_us;
			int64_t expires_at_us; /* 0: never */
			uint64_t body_check;
			uint32_t frequency;
			uint32_t len_bytes;
			struct etag etag;
			uint8_t flags;
			struct slice type;      /* points into the bytes that it was read from */
			uint16_t body_type_len; /* of a type that is in the body; else 0 */
		} entry;
		struct {
			struct namespace_settings values;
			unsigned configured; /* which of them: enum namespace_settings_mask */
		} settings;
		struct order_clock_state clock;
	};
};

/* Writes the head of a record of that name: at most RECORD_NUMBERS_BYTES and its type.
 * Returns its length. */
size_t keeper_record_pack(const struct keeper_record *record, struct slice ns, struct slice key,
			  char ret[static RECORD_NUMBERS_BYTES]);

enum keeper_record_verdict {
	RECORD_GOOD,
	RECORD_DAMAGED, /* not what was written, or not the keeper's */
	RECORD_LATER,   /* of an unknown, later version of the format */
};

/* Reads a head. Anything but RECORD_GOOD leaves *ret undefined. */
enum keeper_record_verdict keeper_record_unpack(struct slice head, struct slice ns,
						struct slice key, struct keeper_record *ret);

uint64_t keeper_record_check_body(struct slice body);

#endif
