/* A driver: the storage of a cache's records. It stores, finds, lists and removes records, and
 * knows nothing of limits, times to live, eviction, conditions or statistics: the server decides
 * all of that, once for every driver. docs/plugins.md tells how to write one, build and test it;
 * examples/plugin/ is one.
 *
 * A *record* has a name and two strings of bytes:
 *
 *     namespace   0 to DRIVER_NS_MAX_LEN characters of [A-Za-z0-9_.-]; empty: the server's own
 *     key         any bytes; may be empty, and may be 1 MiB and more (the owner of the server
 *                 sets the limit). Namespace and key together name the record
 *     head        DRIVER_HEAD_MAX_BYTES at most; all about an entry except its value
 *     body        the value; may be empty, and is shorter than 4 GiB
 *
 * Head and body mean nothing to the driver: it returns exactly the bytes that it was given. The
 * server detects damage by a checksum.
 *
 * This header is the ABI of plugins, shared objects with a driver that the server loads. It stands
 * alone, and is C (C11) and C++ (C++11). All names begin with driver or DRIVER, but for struct
 * slice and the one function of a plugin, steadycache_driver.
 *
 * Versions. DRIVER_ABI counts changes after which a driver that is compiled already would not work:
 * another meaning, another layout. A struct with a member `size` may get members at its end
 * meanwhile; whoever reads one first looks whether `size`, which the other side has set, includes
 * it. So a driver works with every server of its DRIVER_ABI, older or newer. The other structs, and
 * the numbers, never change within one DRIVER_ABI.
 *
 * Ownership. Every pointer that is passed, in either direction, is valid until the function
 * returns, except for the strings and the notice_user of struct driver_config, which live as long
 * as the driver; the struct itself does not. Nothing is passed to be freed.
 *
 * Threads. open, load and close are called by one thread and while no other function runs. get and
 * check may run several times at once, also at the same time as each other. apply runs alone:
 * no other apply, get or sync runs at the same time; a check may. A sync runs at the same time as
 * gets, and perhaps as another sync. Any thread may call. hurry may run at any time.
 * As no get runs beside an apply, all wait for what an apply waits for: a driver that syncs a disk
 * there makes every read as slow as that. A driver may have threads of its own; they block all
 * signals (pthread_sigmask before pthread_create), which are for the server.
 * The driver calls nothing of the server but `visit` and `notice`, and no callback while it holds a
 * lock that one of its functions takes. C++: no exception leaves a function.
 *
 * One writer. Between open and close nobody else changes what the driver has open. If a driver can
 * detect that another process has it open, it refuses to open it. */
#ifndef STEADYCACHE_DRIVER_H
#define STEADYCACHE_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <steadycache/slice.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DRIVER_ABI 1

#define DRIVER_NS_MAX_LEN     64
#define DRIVER_HEAD_MAX_BYTES 512
#define DRIVER_NAME_MAX_LEN   16

/* The outcome of a function. The numbers never change. A failure is one of these and, if it matters
 * to the owner of the server, a notice. */
enum driver_status {
	DRIVER_OK = 0,
	DRIVER_NOT_FOUND = 1,   /* get: no such record */
	DRIVER_NO_MEMORY = 2,   /* out of memory */
	DRIVER_NO_SPACE = 3,    /* the medium is full; removals may still succeed */
	DRIVER_READ_ONLY = 4,   /* the medium accepts no changes */
	DRIVER_UNAVAILABLE = 5, /* it cannot be reached, or fails; a later call may succeed */
	DRIVER_TIMEOUT = 6,     /* it did not answer in time */
	DRIVER_CORRUPT = 7,     /* what is stored there is damaged */
	DRIVER_TOO_LARGE = 8,   /* apply: a key or a body is longer than the medium allows */
	DRIVER_STOPPED = 9,     /* load: `visit` said to stop */
	DRIVER_UNKNOWN = 10,    /* apply: it is unknown whether the changes were made */
};

enum driver_change_kind {
	/* Head and body of the record, whether it exists or not. */
	DRIVER_PUT = 0,
	/* Another head of the same length, for an existing record; the body stays. Of a missing
	 * record it is ignored. It reports uses of an entry: the only kind of change that apply may
	 * leave out, each by itself. The head must never be half the old one and half the new one:
	 * its entry would be lost. */
	DRIVER_USE = 1,
	/* Removes the record, which may be missing. */
	DRIVER_REMOVE = 2,
};

struct driver_change {
	enum driver_change_kind kind;
	struct slice ns, key;
	struct slice head; /* PUT, USE */
	struct slice body; /* PUT */
};

/* With -fshort-enums and the like the server would read something else. */
#ifdef __cplusplus
static_assert(sizeof(enum driver_change_kind) == sizeof(int), "enums are as long as int");
#else
_Static_assert(sizeof(enum driver_change_kind) == sizeof(int), "enums are as long as int");
#endif

/* How long the effect of apply must last. */
enum driver_durability {
	DRIVER_SURVIVES_PROCESS = 0, /* it survives a kill of the process */
	DRIVER_SURVIVES_POWER = 1,   /* ... and after a loss of power */
};

enum driver_notice { DRIVER_DEBUG = 0, DRIVER_INFO = 1, DRIVER_WARN = 2, DRIVER_ERROR = 3 };

/* The arguments of open. */
struct driver_config {
	size_t size; /* of this struct, as the server has it */

	const char *data_dir; /* with DRIVER_WANTS_DIR an existing, writable folder with files of
			       * others too: a driver names its files or folder after itself. It
			       * may be relative, as the current folder stays. Else NULL */
	const char *settings; /* the driver's own, in its own syntax: what the user wrote behind
			       * the ?, as it is, %XX not decoded; NULL: no ? */
	enum driver_durability durability;

	/* Tells the owner of the server one sentence, from any thread. Never NULL. */
	void (*notice)(void *user, enum driver_notice level, const char *sentence);
	void *notice_user;
};

/* The driver's own state. */
struct driver;

/* load calls it for each record: its name, its head, and the length of its body. False: stop. */
typedef bool driver_visit(void *user, struct slice ns, struct slice key, struct slice head,
			  uint64_t body_len);

/* What a driver can do, as bits. A server refuses a driver with one that it does not know. */
enum driver_can {
	/* Its functions may wait for a disk or a network. The server then calls get, apply, check
	 * and sync from its own threads, and joins the changes of waiting operations into one
	 * apply. Without the bit they run on the event loop of the server: they may take
	 * microseconds, not milliseconds. */
	DRIVER_BLOCKS = 1 << 0,
	/* What was applied still exists when the driver is opened again. Without the bit the driver
	 * is then empty, and is not told of uses. */
	DRIVER_PERSISTS = 1 << 1,
	/* It uses driver_config.data_dir, which the server then makes. */
	DRIVER_WANTS_DIR = 1 << 2,
};

struct driver_ops {
	unsigned abi; /* DRIVER_ABI of the header that the driver was built with; always first */
	unsigned can; /* enum driver_can */
	size_t size;  /* sizeof(struct driver_ops) of that header */
	/* 1 to DRIVER_NAME_MAX_LEN of [a-z0-9_-]; answers and gauges have it as plugin:NAME. */
	const char *name;

	/* Opens the store, and creates it if it does not exist. Writes *ret on success only. On
	 * failure `error`, which has room for `error_size` bytes including a NUL, has one sentence
	 * for the user. A store that another process, or this one, already has open is refused with
	 * DRIVER_UNAVAILABLE if that can be detected. */
	enum driver_status (*open)(const struct driver_config *config, struct driver **ret,
				   char *error, size_t error_size);

	/* Visits each record once, in any order, including those with an empty namespace. Called
	 * once, after open. First completes or undoes what an apply has left behind that failed or
	 * was cut off by the end of a process. On a failure the server closes the driver: better
	 * than a cache that lacks stored entries; a notice may say more than the status. A record
	 * whose name cannot even be read is left out, with a notice. */
	enum driver_status (*load)(struct driver *driver, driver_visit *visit, void *user);

	/* Copies the body of a record to `room` if it is exactly `len` bytes long; `room` may be
	 * NULL if `len` is 0. DRIVER_NOT_FOUND: no such record. DRIVER_CORRUPT: its body has
	 * another length. */
	enum driver_status (*get)(struct driver *driver, struct slice ns, struct slice key,
				  char *room, uint64_t len);

	/* Makes all changes in order, or none of them: a later get or load sees the state before or
	 * the state after, even if the process is killed meanwhile. A name may occur several times.
	 * On DRIVER_OK the changes last as config->durability says; a call with only DRIVER_USE
	 * need not be waited for. On a failure but DRIVER_UNKNOWN nothing has changed. `count` is 1
	 * or more, without an upper bound, and so are the bytes of all bodies.
	 *
	 * Once it is certain that a later load sees the changes, they are made, and the answer is
	 * DRIVER_OK, even if something remains to be done that fails for now: until it is done get
	 * answers DRIVER_UNAVAILABLE, and the next apply tries it first. If the driver cannot find
	 * out whether the changes were made (a connection broke, a sync failed), the answer is
	 * DRIVER_UNKNOWN: all of them were made, or none. */
	enum driver_status (*apply)(struct driver *driver, const struct driver_change *changes,
				    size_t count);

	/* Whether a change could be made now. On failure `detail` has one sentence. May be called
	 * every second. */
	enum driver_status (*check)(struct driver *driver, char *detail, size_t detail_size);

	/* Returns once everything that was applied lasts as DRIVER_SURVIVES_POWER says, whatever
	 * config->durability is. NULL: apply does that already, or nothing can. */
	enum driver_status (*sync)(struct driver *driver);

	/* The process is about to end: calls that wait for somebody else must fail within two
	 * seconds. NULL: none waits. */
	void (*hurry)(struct driver *driver);

	/* Closes the driver. What was applied stays. */
	void (*close)(struct driver *driver);
};

/* The one symbol of a plugin: returns its functions, which stay where they are for as long as the
 * process lives. `abi` is the server's DRIVER_ABI. A driver of one version returns its table
 * whatever `abi` is, so that the server can say which of both is older; one that is made for
 * several returns the table of the highest of them that is not above `abi`. NULL: it cannot serve
 * that server. Called by one thread, perhaps several times; it opens nothing. */
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const struct driver_ops *
steadycache_driver(unsigned abi);

typedef const struct driver_ops *driver_entry(unsigned abi);
#define DRIVER_ENTRY "steadycache_driver"

#ifdef __cplusplus
}
#endif

#endif
