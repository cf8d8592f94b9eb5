/* A driver: where the records of a cache lie. It stores, finds, lists and removes records, and
 * knows nothing of limits, times to live, eviction, conditions or statistics: the keeper decides
 * all of that, once for every driver (keeper.h; docs/internals/keeper.md tells how to write one).
 *
 * A *record* has a name and two strings of bytes:
 *
 *	namespace   0 to DRIVER_NS_MAX_LEN characters of [A-Za-z0-9_.-]; empty: the keeper's own
 *	key         any bytes; may be empty. Namespace and key together name the record
 *	head        DRIVER_HEAD_MAX_BYTES at most; what is known of an entry without its value
 *	body        the value; may be empty
 *
 * Head and body mean nothing to the driver: it gives back exactly the bytes that it was given. The
 * keeper knows damage by a checksum.
 *
 * This header is the ABI of drivers that are loaded into a server, so it stands alone: it has
 * slices, numbers and structs that never change within one DRIVER_ABI, and no other type of the
 * project. A new member or another meaning is a new number.
 *
 * Ownership. Every pointer that is handed over, in either direction, is good until the function
 * returns, but for the strings of struct driver_config, which live as long as the driver. Nothing
 * is handed over to be freed.
 *
 * Threads. open, load and close are called by one thread and while no other function runs. get and
 * check may run several times at once, also beside each other. apply runs alone: beside neither
 * another apply nor a get; a check may run beside it. hurry may run beside everything. The driver
 * calls nothing of the keeper's but `visit` and `notice`, and no callback with a lock held that
 * one of its functions takes.
 *
 * One writer. Between open and close nobody else changes what the driver has open. A driver that
 * can tell that another process has it open refuses to open it. */
#ifndef STEADYCACHE_KEEPER_DRIVER_H
#define STEADYCACHE_KEEPER_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define DRIVER_ABI 1

#define DRIVER_NS_MAX_LEN     64
#define DRIVER_HEAD_MAX_BYTES 512

/* What a function says of its outcome. The numbers stay. A failure is one of these and, if it is of
 * interest to the owner of the server, a notice. */
enum driver_status {
	DRIVER_OK = 0,
	DRIVER_NOT_FOUND = 1,   /* get: there is no such record */
	DRIVER_NO_MEMORY = 2,   /* out of memory */
	DRIVER_NO_SPACE = 3,    /* the medium is full; removals may still succeed */
	DRIVER_READ_ONLY = 4,   /* the medium takes no changes */
	DRIVER_UNAVAILABLE = 5, /* it cannot be reached, or fails; a later call may succeed */
	DRIVER_TIMEOUT = 6,     /* it did not answer in time */
	DRIVER_CORRUPT = 7,     /* what is stored there is damaged */
	DRIVER_TOO_LARGE = 8,   /* apply: a key or a body is longer than the medium takes */
	DRIVER_STOPPED = 9,     /* load: `visit` has said to stop */
};

enum driver_change_kind {
	/* Head and body of the record, whether there is one or not. */
	DRIVER_PUT = 0,
	/* Another head of the same length, for a record that is there; the body stays. It tells of
	 * uses of an entry: the one kind of change that apply may leave out. */
	DRIVER_USE = 1,
	/* The record goes. There may be none. */
	DRIVER_REMOVE = 2,
};

struct driver_change {
	enum driver_change_kind kind;
	struct slice ns, key;
	struct slice head; /* PUT, USE */
	struct slice body; /* PUT */
};

/* How long what apply has done is to last. */
enum driver_durability {
	DRIVER_SURVIVES_PROCESS = 0, /* it is there after the process was killed */
	DRIVER_SURVIVES_POWER = 1,   /* ... and after a loss of power */
};

enum driver_notice { DRIVER_DEBUG = 0, DRIVER_INFO = 1, DRIVER_WARN = 2, DRIVER_ERROR = 3 };

/* What open is told. */
struct driver_config {
	const char *data_dir; /* a folder that exists and is writable; NULL: the server has none */
	const char *settings; /* the driver's own, in words of its own; NULL: none */
	enum driver_durability durability;

	/* Tells the owner of the server one sentence, from any thread. Never NULL. */
	void (*notice)(void *user, enum driver_notice level, const char *sentence);
	void *notice_user;
};

/* The driver's own state. */
struct driver;

/* Told of each record by load: its name, its head, and the length of its body. False: stop. */
typedef bool driver_visit(void *user, struct slice ns, struct slice key, struct slice head,
			  uint64_t body_len);

/* What a driver can, as bits. */
enum driver_can {
	/* Its functions may wait for a disk or a network. The keeper then calls get, apply and
	 * check from threads of its own, and joins the changes of operations that wait into one
	 * apply. Without the bit, get and apply run on the event loop of the server: they may take
	 * microseconds, not milliseconds. */
	DRIVER_BLOCKS = 1 << 0,
	/* What was applied is there when it is opened again. Without the bit it is empty then, and
	 * is not told of uses. */
	DRIVER_PERSISTS = 1 << 1,
};

struct driver_ops {
	unsigned abi;     /* DRIVER_ABI of the header that the driver was built with */
	unsigned can;     /* enum driver_can */
	const char *name; /* lower case, as users write it */

	/* Opens the store, and makes it if there is none. Writes *ret on success only. On failure
	 * one sentence for the user stands in `error`, which has room for `error_size` bytes, its
	 * NUL included. The store of another process, or one that this process has open already, is
	 * refused with DRIVER_UNAVAILABLE where that can be told. */
	enum driver_status (*open)(const struct driver_config *config, struct driver **ret,
				   char *error, size_t error_size);

	/* Visits each record once, in any order, those with an empty namespace too. Called once,
	 * behind open. What an apply that failed, or was cut off by the end of a process, has left
	 * behind is made whole or undone before. On a failure the keeper closes the driver: better
	 * that than a cache that lacks what is stored. A record of which not even the name can be
	 * read is left out, with a notice. */
	enum driver_status (*load)(struct driver *driver, driver_visit *visit, void *user);

	/* Copies the body of a record to `room`, if it is exactly `len` bytes long; `room` may be
	 * NULL where `len` is 0. DRIVER_NOT_FOUND: there is no such record. DRIVER_CORRUPT: its
	 * body has another length. */
	enum driver_status (*get)(struct driver *driver, struct slice ns, struct slice key,
				  char *room, uint64_t len);

	/* Makes all changes in their order, or none of them: what a later get or load sees is the
	 * state before or the state after, also if the process is killed meanwhile. A name may
	 * occur several times. On DRIVER_OK the changes last as config->durability says; one that
	 * only consists of DRIVER_USE need not be waited for. On a failure nothing has changed.
	 * `count` is 1 or more, without an upper bound. */
	enum driver_status (*apply)(struct driver *driver, const struct driver_change *changes,
				    size_t count);

	/* Whether a change could be made now. On failure one sentence stands in `detail`. May be
	 * called every second. */
	enum driver_status (*check)(struct driver *driver, char *detail, size_t detail_size);

	/* The process is about to end: calls that wait for somebody else fail within two seconds
	 * from here. NULL: none waits. */
	void (*hurry)(struct driver *driver);

	/* Ends it. What was applied stays. */
	void (*close)(struct driver *driver);
};

/* The one symbol of a loadable driver: its functions, or NULL if it cannot serve a server of that
 * DRIVER_ABI. */
typedef const struct driver_ops *driver_entry(unsigned abi);
#define DRIVER_ENTRY "steadycache_driver"

#endif
